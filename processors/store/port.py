"""The store port and its in-memory twin. Writes are conditional on the version that was read."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from processors.domain.facts import Resource


class Conflict(Exception):
    """Somebody else wrote one of the rows in between; nothing of this write was kept."""


class StoreUnavailable(Exception):
    """The database does not answer. Worth trying again."""


class Store(Protocol):
    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource]:
        """The known ones of these rows, by key."""
        ...

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        """All of the rows or none. `expected` is the version each had when read, 0 for a new one.

        Raises Conflict where a row has another version by now, StoreUnavailable where the database is away.
        """
        ...


class MemoryStore:
    """The twin: same answers, no disk."""

    def __init__(self) -> None:
        self.rows: dict[str, Resource] = {}

    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource]:
        return {key: self.rows[key] for key in keys if key in self.rows}

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        for row in rows:
            now = self.rows.get(row.key)
            if (now.version if now else 0) != expected[row.key]:
                raise Conflict(row.key)
        self.rows.update({row.key: row for row in rows})
