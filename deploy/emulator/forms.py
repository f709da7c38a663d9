"""What a REST request says, typed: parameters by name, repeated ones as lists, and where callbacks go."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

from deploy.emulator.resources import Target


class Form:
    """Form or query parameters. Blank values are present values: an empty `Body` redacts."""

    def __init__(self, encoded: str) -> None:
        self.values: dict[str, list[str]] = {}
        for name, value in parse_qsl(encoded, keep_blank_values=True):
            self.values.setdefault(name, []).append(value)

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, [default])[0]

    def all(self, name: str) -> Sequence[str]:
        return self.values.get(name, [])

    def flag(self, name: str, default: bool = False) -> bool:
        return self.get(name, str(default)).lower() == "true"

    def number(self, name: str, default: int) -> int:
        text = self.get(name)
        return int(text) if text.isascii() and text.isdigit() else default

    def target(self, prefix: str, default_events: str = "") -> Target | None:
        """`{prefix}`, `{prefix}Method`, `{prefix}Event`: repeated, or in one value separated by spaces."""
        url = self.get(prefix)
        events = " ".join(self.all(f"{prefix}Event")).split() or default_events.split()
        method = self.get(f"{prefix}Method", "POST").upper()
        return Target(url, method, frozenset(events)) if url else None

    def document(self, prefix: str) -> Target | None:
        """`{prefix}Url` and `{prefix}Method`: asked for something, told nothing."""
        url = self.get(f"{prefix}Url")
        return Target(url, self.get(f"{prefix}Method", "POST").upper()) if url else None


class Request(NamedTuple):
    """One REST request, ready for an operation: the SIDs of its path, its query and its form."""

    path: str
    ids: Sequence[str]
    query: Form
    form: Form

    @property
    def last(self) -> str:
        """The last segment of its path: a collection, or a SID with its extension."""
        return self.path.rpartition("/")[2]


def moment(text: str) -> datetime | None:
    """A date or a date-time as the SDKs write them; None when it is neither."""
    try:
        seen = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return seen if seen.tzinfo else seen.replace(tzinfo=UTC)


def within(query: Form, name: str, seen: datetime | None) -> bool:
    """Whether `seen` satisfies the filters `name`, `name<` and `name>` (inclusive; a bare date is that day)."""
    tests: Mapping[str, str] = {sign: query.get(name + sign) for sign in ("", "<", ">") if query.get(name + sign)}
    if not tests or seen is None:
        return not tests
    return all(_compare(sign, text, seen) for sign, text in tests.items())


def _compare(sign: str, text: str, seen: datetime) -> bool:
    limit = moment(text)
    if limit is None:
        return False
    seen = seen.replace(microsecond=0)
    if len(text) == 10:  # a date: compare days
        seen, limit = (each.replace(hour=0, minute=0, second=0) for each in (seen, limit))
    return {"": seen == limit, "<": seen <= limit, ">": seen >= limit}[sign]
