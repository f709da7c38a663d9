"""When the sweep has to look at a row: it is not terminal for too long, or a rule that settles is to be judged.

Lookups are planned from when a resource was first heard of, so how often one was made says when the next is due.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from processors.contract.changes import Kind
from processors.domain.facts import Resource, lifetime
from processors.domain.rulebook import Judge, Rulebook, judged, satisfied, since
from processors.domain.stamps import Stamp, instant, stamp
from processors.domain.statuses import is_terminal, status


class Deadlines(NamedTuple):
    """Seconds. A resource that is not terminal `after` it was first heard of is looked up, then again after `backoff`
    times as long, up to `most` seconds apart, and `attempts` times in all; as long after the last it is given up.
    Without attempts nothing is looked up, nor given up."""

    after: Mapping[Kind, float]
    backoff: float = 2.0
    most: float = 86_400.0
    attempts: int = 8


def due(resource: Resource, rules: Rulebook, deadlines: Deadlines) -> Stamp | None:
    """When to look at the row as it is now; None when nothing is left to be done but to listen."""
    times = [each for each in (settles(resource, rules), unfinished(resource, deadlines)) if each is not None]
    return min(times, default=None)


def settles(resource: Resource, rules: Rulebook) -> Stamp | None:
    """When the next of its rules that settle is to be judged."""
    times = [time for judge in rules.settling[resource.kind] if (time := settled(judge, resource)) is not None]
    return min(times, default=None)


def settled(judge: Judge, resource: Resource) -> Stamp | None:
    """When a rule is to be judged: None while it waits for something, and once it has been."""
    if judged(judge.rule.name) in resource.facts.events or not satisfied(judge, resource):
        return None
    met = since(judge, resource.facts)
    return None if met is None else later(met, judge.rule.settle or 0.0)


def unfinished(resource: Resource, deadlines: Deadlines) -> Stamp | None:
    """When to look the resource up next, or after the last lookup when to give it up."""
    first, _ = lifetime(resource.facts)
    if not first or not deadlines.attempts or resource.sweeps > deadlines.attempts:
        return None
    if is_terminal(resource.kind, status(resource.kind, resource.facts)):
        return None
    return planned(first, resource.sweeps + 1, resource.kind, deadlines)


def passed(resource: Resource, now: Stamp, deadlines: Deadlines) -> int:
    """How many of its lookups should have been made by now, one more than it had at least.

    After an outage there may have been several; one makes up for them all.
    """
    (first, _), count = lifetime(resource.facts), resource.sweeps + 1
    while first and count < deadlines.attempts:
        if planned(first, count + 1, resource.kind, deadlines) > now:
            break
        count += 1
    return count


def planned(first: Stamp, count: int, kind: Kind, deadlines: Deadlines) -> Stamp:
    """The time of its lookup number `count`, of a resource first heard of at `first`."""
    wait, total = deadlines.after[kind], 0.0
    for _ in range(count):
        total += wait
        wait = max(deadlines.after[kind], min(wait * deadlines.backoff, deadlines.most))
    return later(first, total)


def later(time: Stamp, seconds: float) -> Stamp:
    return stamp(instant(time) + timedelta(seconds=seconds))
