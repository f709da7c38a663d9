"""The store in SQL, on SQLite and PostgreSQL: a batch is one read and one conditional write.

What a read gave out is remembered until it is written: attributes that are still the same object have not changed, so
the columns that are made of them, most of a row, are neither spelled nor sent again.
"""

import contextlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson

from processors.domain.facts import Attribute, Resource, lifetime
from processors.domain.stamps import Stamp
from processors.sql import Database, DatabaseUnavailable, Missed
from processors.sql.database import Row, Transaction
from processors.store.document import fixed, load, moving
from processors.store.personal import is_about, scrubbed
from processors.store.port import Conflict, Forgotten, StoreUnavailable
from processors.store.statements import STATEMENTS

GIVEN = 50_000
"""Rows that are remembered, at most."""

STRETCH = 10_000
"""Rows that are looked through in one statement when somebody is forgotten."""


Armed = tuple[Stamp, Sequence[str]]
"""When, and the keys of the rows that are due then."""


class Given(NamedTuple):
    version: int
    attributes: Mapping[str, Attribute]
    first: Stamp
    due: Stamp | None

    def holds(self, version: int, attributes: Mapping[str, Attribute], first: Stamp) -> bool:
        """Whether the columns FIXED are what they were in that version."""
        return self.attributes is attributes and self.first == first and self.version == version


class SqlStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._ask = STATEMENTS[database.dialect]
        self._given: dict[str, Given] = {}

    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource | Forgotten]:
        if len(self._given) > GIVEN:
            self._given.clear()
        found: dict[str, Resource | Forgotten] = {}
        with told():
            for row in await self._database.fetch(self._ask.read, list(keys)) if keys else ():
                found[row[0]] = self._resource(row)
            if len(found) < len(keys):
                unknown = [key for key in keys if key not in found]
                found |= {key: Forgotten(key, at) for key, at in await self._database.fetch(self._ask.gone, unknown)}
        return found

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        # In key order, so that two workers that meet in the same rows rather wait for each other than deadlock. Where
        # one moves what the other rewrites they still may: the database then ends one, which is tried again.
        inserts, updates, moves, due = [], [], [], defaultdict[Stamp, list[str]](list)
        for row in sorted(rows):
            key, version, given = row.key, expected[row.key], self._given.pop(row.key, None)
            first, newest = lifetime(row.facts)
            if row.due is not None and (given is None or given.due != row.due):
                due[row.due].append(key)
            if version == 0:
                inserts.append((key, *moving(row, newest), *fixed(row, first)))
            elif given is not None and given.holds(version, row.facts.attributes, first):
                moves.append((version, key, *moving(row, newest)))
            else:
                updates.append((version, key, *moving(row, newest), *fixed(row, first)))
        ask = self._ask
        puts = [(ask.insert, inserts), (ask.update, updates), (ask.move, moves), (ask.arm, _armed(due.items()))]
        with told():
            await self._database.put(*((statement, many) for statement, many in puts if many))

    async def claim(self, now: Stamp, until: Stamp, limit: int) -> Sequence[Resource]:
        claimed: dict[str, Resource] = {}
        busy: list[str] = []
        with told():
            async with self._database.begin() as transaction:
                # What is noted for a time may have moved since: then there is room for more.
                while room := limit - len(claimed):
                    some = await self._claimed(transaction, now, until, room)
                    if some is None:
                        break
                    claimed |= {row.key: row for row in some[0]}
                    busy += some[1]
                armed = [(at, sorted(keys)) for at, keys in ((until, claimed), (now, busy)) if keys]
                if armed:
                    await transaction.put((self._ask.arm, _armed(armed)))
        return list(claimed.values())

    async def _claimed(
        self, transaction: Transaction, now: Stamp, until: Stamp, limit: int
    ) -> tuple[Sequence[Resource], Sequence[str]] | None:
        """Of what is noted until now as much as there is room for, and the keys of those that are due but that somebody
        writes at this moment: waiting for him, who may wait for us, would be a deadlock. None where nothing is noted.
        """
        ask = self._ask
        taken, left = _taken(await transaction.fetch(ask.pending, now, limit), limit)
        if not taken:
            return None
        await transaction.fetch(ask.disarm, sorted(taken))
        if left:
            await transaction.put((ask.arm, _armed(left)))
        keys = list(dict.fromkeys(key for some in taken.values() for key in some))
        rows = {row[0]: row for row in await transaction.fetch(ask.claim, keys, now, until)}
        rest = [key for key in keys if key not in rows]
        busy = [key for (key,) in await transaction.fetch(ask.late, rest, now)] if rest else []
        return [self._resource(rows[key]) for key in keys if key in rows], busy

    async def children(self, sid: str) -> Sequence[Resource]:
        with told():
            return [self._resource(row) for row in await self._database.fetch(self._ask.children, sid)]

    async def expire(self, before: Stamp, now: Stamp, limit: int) -> int:
        ask = self._ask
        with told():
            async with self._database.begin() as transaction:
                keys = [row[0] for row in await transaction.fetch(ask.old, before, limit)]
                if keys:
                    await transaction.fetch(ask.remember, keys, now)
                    await transaction.fetch(ask.remove, keys)
        return len(keys)

    async def bury(self, before: Stamp, limit: int) -> int:
        with told():
            return len(await self._database.fetch(self._ask.bury, before, limit))

    async def forget(self, number: str) -> Sequence[str]:
        scrubbed_keys, last = set[str](), ""
        while True:
            with told():
                (end,) = (await self._database.fetch(self._ask.stretch, last, STRETCH))[0]
                if end is None:
                    return sorted(scrubbed_keys)
                rows = await self._database.fetch(self._ask.holding, number, last, end)
            for row in await self._hanging([row for row in map(self._resource, rows) if is_about(row, number)], number):
                await self._scrub(row, number)
                scrubbed_keys.add(row.key)
            last = end

    async def close(self) -> None:
        await self._database.close()

    async def _hanging(self, hit: Sequence[Resource], number: str) -> Sequence[Resource]:
        """These and what hangs on them, each before the call by which it was found: wherever it ends in the middle,
        that call is still found by the number, and the rest by it."""
        found = {row.key: row for row in hit}
        waiting = deque(row for row in hit if row.kind == "call")
        while waiting:
            for child in await self.children(waiting.popleft().key):
                if child.key not in found:
                    found[child.key] = child
                    if child.kind == "call" and is_about(child, number):
                        waiting.append(child)
        return [*reversed(found.values())]

    async def _scrub(self, row: Resource, number: str) -> None:
        """Whoever writes it meanwhile: it is read and scrubbed again."""
        while True:
            after = scrubbed(row, number)
            if after is row:
                return
            try:
                await self.write([after], {row.key: row.version})
                return
            except Conflict:
                found = (await self.read([row.key])).get(row.key)
                if not isinstance(found, Resource):
                    return
                row = found

    def _resource(self, row: Row) -> Resource:
        key, kind, account_sid, version, first, due, sweeps, seen, attributes = row
        facts = load(seen, attributes)
        self._given[key] = Given(version, facts.attributes, first, due)
        return Resource(key, kind, account_sid, version, facts, due, sweeps)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """The database's words in the store's own."""
    try:
        yield
    except Missed as error:
        raise Conflict(f"{error} changed in between") from None
    except DatabaseUnavailable as error:
        raise StoreUnavailable(str(error)) from None


def _armed(due: Iterable[Armed]) -> Sequence[tuple[Stamp, str]]:
    return [(at, orjson.dumps(keys).decode()) for at, keys in due]


def _taken(
    entries: Sequence[Row], limit: int
) -> tuple[Mapping[int, Sequence[str]], Sequence[tuple[Stamp, Sequence[str]]]]:
    """Of what is pending as much as is wanted, and what stays for others."""
    taken: dict[int, Sequence[str]] = {}
    left = []
    for number, at, keys in entries:
        if limit <= 0:
            break
        some = orjson.loads(keys)
        taken[number] = some[:limit]
        if some[limit:]:
            left.append((at, some[limit:]))
        limit -= len(some)
    return taken, left
