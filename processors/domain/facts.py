"""Facts: what has been observed of one resource. Merging is commutative, associative and idempotent.

Two sorts: something *seen* (a status, an event, an error) keeps its earliest times; an *attribute* keeps the value
with the highest (sequence number, time, canonical value), never the one that arrived last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from processors.contract.changes import Kind

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Seen:
    """When a fact happened: `at` by the provider's clock where it gives one, `received` by ours. The earliest stand."""

    received: datetime
    at: datetime | None = None

    def merged(self, other: "Seen") -> "Seen":
        times = [t for t in (self.at, other.at) if t is not None]
        return Seen(min(self.received, other.received), min(times) if times else None)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value with what orders it. An observation has no sequence number (-1), so any callback outranks it."""

    value: Value
    sequence: int = -1
    at: str = ""

    @property
    def rank(self) -> tuple[int, str, str]:
        return (self.sequence, self.at, orjson.dumps(self.value).decode())


@dataclass(frozen=True, slots=True)
class Facts:
    seen: Mapping[str, Seen] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def merged(self, other: "Facts") -> "Facts":
        """What is known after both. The order of the two does not matter, nor does repetition."""
        seen = dict(self.seen)
        for name, times in other.seen.items():
            seen[name] = times if name not in seen else seen[name].merged(times)
        attributes = dict(self.attributes)
        for name, attribute in other.attributes.items():
            if name not in attributes or attribute.rank > attributes[name].rank:
                attributes[name] = attribute
        return Facts(seen, attributes)

    def value(self, name: str) -> Value | None:
        attribute = self.attributes.get(name)
        return None if attribute is None else attribute.value

    def text(self, name: str) -> str | None:
        value = self.value(name)
        return None if value is None else str(value)

    def names(self, family: str) -> frozenset[str]:
        """The members of one family of seen facts: `names("status")` of `status:sent` is `sent`."""
        prefix = f"{family}:"
        return frozenset(name[len(prefix) :] for name in self.seen if name.startswith(prefix))


@dataclass(frozen=True, slots=True)
class Resource:
    """One row: a message, call, recording, conference or participant. Version 0 has never been written."""

    key: str
    kind: Kind
    account_sid: str
    version: int = 0
    facts: Facts = field(default_factory=Facts)

    def learning(self, facts: Facts) -> "Resource":
        """The resource after more facts; itself, with its version, when they say nothing new."""
        merged = self.facts.merged(facts)
        return self if merged == self.facts else replace(self, version=self.version + 1, facts=merged)
