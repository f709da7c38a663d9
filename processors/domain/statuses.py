"""The status that a resource's facts add up to, and how a reported one stands to what was known before."""

from collections.abc import Mapping
from enum import StrEnum

from processors.contract.changes import Kind
from processors.contract.statuses import NEXT, RANKS, TERMINAL
from processors.domain.facts import Facts, Seen

CONFERENCE_ENDED = "conference-ended"
"""On a participant: nobody is in a conference that has ended, whatever callbacks are missing."""

# A status that this version does not know is kept and counted, and never outranks one that it knows.
_UNKNOWN = -1
_ORDER: Mapping[Kind, Mapping[str, int]] = {
    kind: {name: step * 100 + tie for name, (step, tie) in ranks.items()} for kind, ranks in RANKS.items()
}


class Arrival(StrEnum):
    """How a reported status stands to what was known when it arrived. The labels of a metric."""

    __hash__ = str.__hash__  # counted for every event: the enumeration's own is Python

    ADVANCED = "advanced"
    """Further than what was known."""
    DUPLICATE = "duplicate"
    """Known already."""
    LATE = "late"
    """A step before the present one, overtaken on its way."""
    REGRESSED = "regressed"
    """A step before the present one, and yet later by the provider's own clock."""
    CONTRADICTORY = "contradictory"
    """Another end than the one that was reported, where no way leads from one to the other."""
    UNKNOWN = "unknown"
    """A word that this version does not know."""


def status(kind: Kind, facts: Facts) -> str | None:
    """The status that the facts add up to, None while none has been seen."""
    if kind == "participant":
        return _presence(facts)
    order, best, furthest = _ORDER[kind], None, _UNKNOWN - 1
    for name in facts.statuses:
        place = order.get(name, _UNKNOWN)
        if place > furthest or (place == furthest and name > str(best)):
            best, furthest = name, place
    return best


def _presence(facts: Facts) -> str | None:
    if CONFERENCE_ENDED in facts.events:
        return "left"
    present = facts.attributes.get("present")
    return None if present is None else ("joined" if present[0] else "left")


def is_terminal(kind: Kind, name: str | None) -> bool:
    return name in TERMINAL[kind]


def arrival(kind: Kind, known: Facts, name: str, times: Seen) -> Arrival:
    """How `name`, seen at these times, stands to what was known before it."""
    if name in known.statuses:
        return Arrival.DUPLICATE
    order = _ORDER[kind]
    if name not in order:
        return Arrival.UNKNOWN
    current = status(kind, known)
    if current is None or current not in order:
        return Arrival.ADVANCED
    if current in TERMINAL[kind] and name not in _REACHED[kind][current] and name in TERMINAL[kind]:
        return Arrival.LATE if current in _REACHED[kind].get(name, ()) else Arrival.CONTRADICTORY
    if order[name] > order[current]:
        return Arrival.ADVANCED
    happened, since = times[1], known.statuses[current][1]
    if happened is not None and since is not None and happened > since:
        return Arrival.REGRESSED
    return Arrival.LATE


def _reached(kind: Kind) -> Mapping[str, frozenset[str]]:
    """Every status with all that may come after it."""
    after = {name: set(NEXT[kind].get(name, ())) for name in RANKS[kind]}
    for _ in after:
        for names in after.values():
            names.update(*(after[name] for name in tuple(names)))
    return {name: frozenset(names) for name, names in after.items()}


_REACHED: Mapping[Kind, Mapping[str, frozenset[str]]] = {kind: _reached(kind) for kind in RANKS}
