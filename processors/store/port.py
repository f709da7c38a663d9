"""The store port and its in-memory twin. Writes are conditional on the version that was read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from processors.domain.facts import Resource, lifetime
from processors.domain.stamps import Stamp
from processors.store.personal import children_of, is_about, scrubbed


class Conflict(Exception):
    """Somebody else wrote one of the rows in between; nothing of this write was kept."""


class StoreUnavailable(Exception):
    """The database does not answer. Worth trying again."""


class Forgotten(NamedTuple):
    """There was a row, and its time is over. What is still heard of it must not bring it back."""

    key: str
    at: Stamp


class Store(Protocol):
    """Each raises StoreUnavailable where the database is away, or wants to be asked again."""

    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource | Forgotten]:
        """The known ones of these rows, by key."""
        ...

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        """All of the rows or none. `expected` is the version each had when read, 0 for a new one.

        Raises Conflict where a row has another version by now, or is gone.
        """
        ...

    async def claim(self, now: Stamp, until: Stamp, limit: int) -> Sequence[Resource]:
        """Rows that are due, the longest due first; until `until` nobody else gets them. Their versions stay."""
        ...

    async def children(self, sid: str) -> Sequence[Resource]:
        """What belongs to this call or conference, by key."""
        ...

    async def expire(self, before: Stamp, now: Stamp, limit: int) -> int:
        """Takes away rows that learned nothing since `before` and remembers their keys; how many, at most `limit`."""
        ...

    async def bury(self, before: Stamp, limit: int) -> int:
        """Forgets keys that `expire` remembered before that time; how many, at most `limit`."""
        ...

    async def forget(self, number: str) -> Sequence[str]:
        """Scrubs every row in which the number occurs, and what hangs on such a call; their keys. Takes its time."""
        ...

    async def close(self) -> None: ...


class MemoryStore:
    """The twin: same answers, no disk."""

    def __init__(self) -> None:
        self.rows: dict[str, Resource] = {}
        self.tombstones: dict[str, Stamp] = {}

    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource | Forgotten]:
        found: dict[str, Resource | Forgotten] = {key: self.rows[key] for key in keys if key in self.rows}
        gone = (key for key in keys if key in self.tombstones and key not in found)
        return found | {key: Forgotten(key, self.tombstones[key]) for key in gone}

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        for row in rows:
            now = self.rows.get(row.key)
            if (now.version if now else 0) != expected[row.key]:
                raise Conflict(row.key)
        self.rows.update({row.key: row for row in rows})

    async def claim(self, now: Stamp, until: Stamp, limit: int) -> Sequence[Resource]:
        due = sorted((row.due, row.key) for row in self.rows.values() if row.due is not None and row.due <= now)
        claimed = [self.rows[key]._replace(due=until) for _, key in due[:limit]]
        self.rows.update({row.key: row for row in claimed})
        return claimed

    async def children(self, sid: str) -> Sequence[Resource]:
        return children_of(sid, self.rows.values())

    async def expire(self, before: Stamp, now: Stamp, limit: int) -> int:
        old = [key for key, row in self.rows.items() if lifetime(row.facts)[1] < before][:limit]
        for key in old:
            del self.rows[key]
            self.tombstones[key] = now
        return len(old)

    async def bury(self, before: Stamp, limit: int) -> int:
        old = [key for key, at in self.tombstones.items() if at < before][:limit]
        for key in old:
            del self.tombstones[key]
        return len(old)

    async def forget(self, number: str) -> Sequence[str]:
        hit = [row for row in self.rows.values() if is_about(row, number)]
        hanging = [child for row in hit if row.kind == "call" for child in children_of(row.key, self.rows.values())]
        rows = {row.key: scrubbed(row, number) for row in (*hit, *hanging)}
        self.rows.update(rows)
        return sorted(rows)

    async def close(self) -> None:
        """Nothing to close."""
