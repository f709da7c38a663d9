"""Comparing: how the rows of the live store stand to those that a replay has rebuilt from the topics.

What differs is named and never shown: a fact's name says enough, its value may be somebody's number.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, get_args

from processors.contract.changes import Kind
from processors.domain.facts import Facts, Resource, lifetime
from processors.domain.rulebook import judged
from processors.domain.stamps import Stamp
from processors.domain.statuses import CONFERENCE_ENDED
from processors.store.pages import Pages
from processors.store.personal import SEALED
from processors.store.port import Forgotten

SHOWN = 20
"""Rows that are named, of those that differ."""


class Beginnings(Protocol):
    """What of the events was there to be replayed."""

    def include(self, kind: Kind) -> bool: ...

    def of(self, row: Resource) -> Stamp | None:
        """Until when events of the row may be gone; None where all of them are there."""
        ...


class Finding(StrEnum):
    """How a row of the live store stands to the one that was rebuilt."""

    EQUAL = "equal"
    SCRUBBED = "scrubbed"
    """Equal but for what was forgotten on purpose."""
    FORGOTTEN = "forgotten"
    """Taken away on purpose, by age."""
    OLDER = "older than the topics"
    """It began before what the topics still hold."""
    NEWER = "newer than the replay"
    """It learned something since the replay began."""
    MISSING = "missing"
    """The topics tell of it and the live store does not."""
    EXTRA = "extra"
    """The live store tells of it and the topics do not."""
    DIFFERENT = "different"


WRONG = (Finding.MISSING, Finding.EXTRA, Finding.DIFFERENT)


def compared(
    live: Resource | Forgotten | None, rebuilt: Resource | None, begun: Stamp, beginning: Stamp | None
) -> tuple[Finding, Sequence[str]]:
    """With the names of the facts that differ. `beginning` is that of the row's events, where some are gone."""
    if isinstance(live, Forgotten):
        return Finding.FORGOTTEN, ()
    if live is None:
        return Finding.MISSING, ()
    names = () if rebuilt is None else differing(live.facts, rebuilt.facts)
    if rebuilt is not None and not names:
        return Finding.EQUAL, ()
    open_names = [name for name in names if live.facts.attributes.get(name.removeprefix("attribute:")) != SEALED]
    if rebuilt is not None and not open_names:
        return Finding.SCRUBBED, ()
    if beginning is not None and lifetime(live.facts)[0] <= beginning:
        return Finding.OLDER, ()
    if max(lifetime(row.facts)[1] for row in (live, rebuilt) if row) >= begun:
        return Finding.NEWER, ()
    return (Finding.EXTRA, ()) if rebuilt is None else (Finding.DIFFERENT, open_names)


def differing(live: Facts, rebuilt: Facts) -> Sequence[str]:
    """By name, never by value. What the sweep concluded is in no topic and so is left out."""
    families: Sequence[tuple[str, Mapping[str, object], Mapping[str, object]]] = (
        ("status", live.statuses, rebuilt.statuses),
        ("event", _told(live), _told(rebuilt)),
        ("error", live.errors, rebuilt.errors),
        ("attribute", live.attributes, rebuilt.attributes),
    )
    return [
        f"{family}:{name}"
        for family, one, other in families
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


def _told(facts: Facts) -> Mapping[str, object]:
    return {
        name: times
        for name, times in facts.events.items()
        if name != CONFERENCE_ENDED and not name.startswith(judged(""))
    }


@dataclass(slots=True)
class Report:
    """How many rows of each kind were found how, and some of those that are wrong."""

    counts: Counter[tuple[Kind, Finding]] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)

    def note(self, row: Resource, finding: Finding, names: Sequence[str]) -> None:
        self.counts[row.kind, finding] += 1
        self.facts.update(names)
        if finding in WRONG and len(self.named) < SHOWN:
            self.named.append(f"{finding}: {row.key}{' ' if names else ''}{', '.join(names)}")

    @property
    def wrong(self) -> int:
        return sum(count for (_, finding), count in self.counts.items() if finding in WRONG)

    def told(self) -> str:
        lines = [
            f"{kind:<12} {finding:<22} {self.counts[kind, finding]:>10,}"
            for kind in get_args(Kind)
            for finding in Finding
            if self.counts[kind, finding]
        ]
        lines += self.named
        if self.facts:
            lines.append("facts: " + ", ".join(f"{name} ({count:,})" for name, count in self.facts.most_common(SHOWN)))
        return "\n".join(
            [*lines, f"{self.wrong:,} rows are not as they should be" if self.wrong else "the two are equal"]
        )


async def compare(live: Pages, shadow: Pages, begun: Stamp, beginnings: Beginnings) -> Report:
    """A page of one store at a time, and those rows of the other; only of the kinds that were replayed."""
    report = Report()
    async for page in shadow:
        found = await live.store.read([row.key for row in page])
        for row in page:
            if beginnings.include(row.kind):
                report.note(row, *compared(found.get(row.key), row, begun, beginnings.of(row)))
    async for page in live:
        rebuilt = await shadow.store.read([row.key for row in page])
        for row in page:
            if row.key not in rebuilt and beginnings.include(row.kind):
                report.note(row, *compared(row, None, begun, beginnings.of(row)))
    return report
