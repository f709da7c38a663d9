"""Facts: what has been observed of one resource. Merging is commutative, associative and idempotent.

Two sorts: what was *seen* (a status, an event, an error) keeps its earliest times; an *attribute* keeps the value with
the highest (sequence number, time, canonical value), never the one that arrived last.

Plain tuples and texts, not models: every event is merged, kept and published as these, and a document read back from
the store is the same thing. Times are `processors.domain.stamps`: text of one width, which sorts as time does.
"""

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from processors.contract.changes import Kind
from processors.domain.stamps import Stamp

Value = str | int | bool

Seen = tuple[Stamp, Stamp | None]
"""(received, at): when our side first heard of it, and when it happened by the provider's clock where that is told."""

Attribute = tuple[Value, int, str]
"""(value, sequence, at). A REST answer has no sequence number (-1), so any callback that has one outranks it."""

_NONE: Mapping[str, Seen] = {}  # shared and never written to, like every mapping in here
_NO_ATTRIBUTES: Mapping[str, Attribute] = {}


class Facts(NamedTuple):
    """All that is known of one resource. `errors` are the provider's codes, as text."""

    statuses: Mapping[str, Seen] = _NONE
    events: Mapping[str, Seen] = _NONE
    errors: Mapping[str, Seen] = _NONE
    attributes: Mapping[str, Attribute] = _NO_ATTRIBUTES

    def value(self, name: str) -> Value | None:
        attribute = self.attributes.get(name)
        return None if attribute is None else attribute[0]

    def text(self, name: str) -> str | None:
        """The value as a rule or a template sees it: `true` and `false` are spelled as in JSON."""
        value = self.value(name)
        if value is None or isinstance(value, str):
            return value
        return orjson.dumps(value).decode()

    def error_code(self) -> int | None:
        """The one that stands for all: the highest, so that it does not depend on which came first."""
        return max(map(int, self.errors), default=None) if self.errors else None


NOTHING = Facts()


def lifetime(facts: Facts) -> tuple[Stamp, Stamp]:
    """When the first and the newest of the facts were received; empty where nothing was seen."""
    times = [each[0] for each in facts.statuses.values()]
    if facts.events:
        times += [each[0] for each in facts.events.values()]
    if facts.errors:
        times += [each[0] for each in facts.errors.values()]
    return (min(times), max(times)) if times else ("", "")


class Resource(NamedTuple):
    """One row: a message, call, recording, conference or participant. Version 0 has never been written.

    `due` is when the sweep has to look at it, and `sweeps` how often it has; neither is a fact.
    """

    key: str
    kind: Kind
    account_sid: str
    version: int = 0
    facts: Facts = NOTHING
    due: Stamp | None = None
    sweeps: int = 0


def merge(known: Facts, more: Facts) -> Facts:
    """What is known after both; `known` itself when `more` says nothing new. Order and repetition do not matter."""
    statuses = _merged(known.statuses, more.statuses)
    events = _merged(known.events, more.events)
    errors = _merged(known.errors, more.errors)
    attributes = _outranked(known.attributes, more.attributes)
    if (
        statuses is known.statuses
        and events is known.events
        and errors is known.errors
        and attributes is known.attributes
    ):
        return known
    return Facts(statuses, events, errors, attributes)


def _merged(known: Mapping[str, Seen], more: Mapping[str, Seen]) -> Mapping[str, Seen]:
    grown: dict[str, Seen] | None = None
    for name, times in more.items():
        have = known.get(name)
        if have is not None:
            if have == times:
                continue
            times = _earliest(have, times)
            if have == times:
                continue
        if grown is None:
            grown = {**known}
        grown[name] = times
    return known if grown is None else grown


def _earliest(one: Seen, other: Seen) -> Seen:
    received = min(one[0], other[0])
    if one[1] is None or other[1] is None:
        return received, one[1] or other[1]
    return received, min(one[1], other[1])


def _outranked(known: Mapping[str, Attribute], more: Mapping[str, Attribute]) -> Mapping[str, Attribute]:
    grown: dict[str, Attribute] | None = None
    for name, attribute in more.items():
        have = known.get(name)
        if have is not None and (
            (have == attribute and type(have[0]) is type(attribute[0])) or not _outranks(attribute, have)
        ):
            continue
        if grown is None:
            grown = {**known}
        grown[name] = attribute
    return known if grown is None else grown


def _outranks(one: Attribute, other: Attribute) -> bool:
    """By the provider's order; where that says nothing, by spelling, so that every order of arrival ends the same."""
    if one == other and type(one[0]) is type(other[0]):
        return False
    if one[1] != other[1]:
        return one[1] > other[1]
    if one[2] != other[2]:
        return one[2] > other[2]
    return orjson.dumps(one[0]) > orjson.dumps(other[0])
