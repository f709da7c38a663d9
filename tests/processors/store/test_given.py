"""What the store remembers of a read: it spares what has not changed, and never keeps what another wrote."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from processors.domain.facts import Attribute
from processors.sql import Database, open_database
from processors.sql.database import Row, Transaction
from processors.store.opening import open_store
from processors.store.port import Conflict, Store
from processors.store.sql import GIVEN, SqlStore
from processors.store.statements import STATEMENTS
from tests.processors.store.rows import at, facts, plain, put, row, sid, stored


class Watched:
    """A database that notes how many rows each statement was put for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect = database.dialect
        self.names = {text: name for name, text in vars(STATEMENTS[database.dialect]).items()}
        self.seen: list[tuple[str, int]] = []

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        return await self._database.fetch(statement, *values)

    async def put(self, *puts: tuple[str, Sequence[Row]]) -> None:
        self.seen += [(self.names[statement], len(rows)) for statement, rows in puts]
        await self._database.put(*puts)

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        return self._database.begin()

    async def close(self) -> None:
        await self._database.close()

    def told(self) -> list[tuple[str, int]]:
        seen, self.seen = self.seen, []
        return seen


@pytest.fixture
async def watched(url: str) -> AsyncIterator[Watched]:
    await (await open_store(url)).close()
    made = Watched(open_database(url))
    yield made
    await made.close()


@pytest.fixture
def store(watched: Watched) -> Store:
    return SqlStore(watched)


async def test_a_row_whose_attributes_are_as_they_were_is_written_by_the_short_statement(
    store: Store, watched: Watched
) -> None:
    await put(store, row(1), row(2))
    assert watched.told() == [("insert", 2)]
    known = await stored(store, sid(1))
    other = await stored(store, sid(2))
    moved = known._replace(version=2, facts=known.facts._replace(statuses=facts(sent=9, queued=0).statuses))
    renamed = other._replace(version=2, facts=facts(attributes=plain(to="+15550000000")))
    await store.write([moved, renamed], {sid(1): 1, sid(2): 1})
    assert watched.told() == [("update", 1), ("move", 1)]
    assert await store.read([sid(1), sid(2)]) == {sid(1): moved, sid(2): renamed}


async def test_a_row_that_was_heard_of_earlier_than_known_is_written_whole(store: Store, watched: Watched) -> None:
    await put(store, row(1, known=facts(50)))
    known = await stored(store, sid(1))
    earlier = known._replace(version=2, facts=known.facts._replace(statuses=facts(queued=10).statuses))
    watched.told()
    await store.write([earlier], {sid(1): 1})
    assert watched.told() == [("update", 1)]
    first = await watched.fetch("SELECT first_received FROM resources")
    assert [tuple(each) for each in first] == [(at(10),)]


async def test_written_twice_since_it_was_read_it_is_written_whole(store: Store, watched: Watched) -> None:
    await put(store, row(1))
    known = await stored(store, sid(1))
    await store.write([known._replace(version=2)], {sid(1): 1})
    await store.write([known._replace(version=3)], {sid(1): 2})
    assert watched.told() == [("insert", 1), ("move", 1), ("update", 1)]
    assert await stored(store, sid(1)) == known._replace(version=3)


async def test_of_two_reads_either_may_be_written(store: Store) -> None:
    for second in (False, True):
        await put(store, row(1 + second))
        reads = [await stored(store, sid(1 + second)) for _ in range(2)]
        chosen = reads[second]
        after = chosen._replace(version=2, facts=chosen.facts._replace(statuses=facts(sent=9).statuses))
        await store.write([after], {chosen.key: 1})
        assert await stored(store, chosen.key) == after


async def test_what_another_instance_wrote_is_not_taken_for_what_was_read(store: Store, url: str) -> None:
    await put(store, row(1))
    known = await stored(store, sid(1))
    theirs: dict[str, Attribute] = plain(to="+15557777777")
    other = await open_store(url)
    try:
        await put(other, row(1, 2, known=facts(attributes=theirs)))
    finally:
        await other.close()
    with pytest.raises(Conflict):
        await store.write([known._replace(version=2)], {sid(1): 1})
    # A caller that knows the version by other ways and did not read anew: what it writes is what is kept.
    again = await stored(store, sid(1))
    assert again.facts.attributes == theirs
    await store.write([known._replace(version=3)], {sid(1): 2})
    assert await stored(store, sid(1)) == known._replace(version=3)


async def test_a_version_that_was_not_read_is_written_whole(store: Store, url: str) -> None:
    await put(store, row(1))
    known = await stored(store, sid(1))
    other = await open_store(url)
    try:
        await put(other, row(1, 2, known=facts(attributes=plain(to="+15557777777"))))
    finally:
        await other.close()
    await store.write([known._replace(version=3)], {sid(1): 2})
    assert await stored(store, sid(1)) == known._replace(version=3)


async def test_a_claimed_row_is_written_by_the_short_statement_and_due_when_that_says(
    store: Store, watched: Watched
) -> None:
    await put(store, row(1, due=at(10)))
    assert watched.told() == [("insert", 1), ("arm", 1)]
    (claimed,) = await store.claim(at(10), at(500), 1)
    await store.write([claimed._replace(version=2)], {sid(1): 1})
    assert watched.told() == [("move", 1)], "it is noted for that time already"
    assert [each.key for each in await store.claim(at(500), at(900), 1)] == [sid(1)]


async def test_no_more_is_remembered_than_so_many_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert GIVEN > 10
    monkeypatch.setattr("processors.store.sql.GIVEN", 10)
    await put(store, *(row(number) for number in range(40)))
    for number in range(40):
        await store.read([sid(number)])
    assert isinstance(store, SqlStore)
    assert len(store._given) <= 11
    await store.write([row(0, 2)], {sid(0): 1})
    assert await stored(store, sid(0)) == row(0, 2)
