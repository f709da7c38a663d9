"""Several workers on one PostgreSQL: who looks for what is due or old neither waits for a writer nor loses a row."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from processors.domain.facts import Resource
from processors.store.opening import open_store
from processors.store.port import Conflict, Forgotten, Store
from tests.conftest import until
from tests.processors.store.rows import at, facts, put, row, sid, stored

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("kind", ["postgres"])]


@pytest.fixture
async def other(url: str, store: Store) -> AsyncIterator[Any]:
    """Another worker, in the middle of a transaction that changes what a test says; it is committed in the end."""
    made = await asyncpg.connect(url.replace("+asyncpg", ""))
    yield made
    await made.close()


@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT"])
async def test_what_is_being_written_is_left_out_of_a_claim_and_claimed_after_it(
    store: Store, other: Any, end: str
) -> None:
    await put(store, row(1, due=at(10)), row(2, due=at(10)))
    await other.execute("BEGIN")
    await other.execute("UPDATE resources SET version = 2 WHERE key = $1", sid(1))
    assert [each.key for each in await store.claim(at(10), at(500), 10)] == [sid(2)]
    assert await store.claim(at(11), at(500), 10) == []
    await other.execute(end)
    claimed = await store.claim(at(12), at(500), 10)
    assert [(each.key, each.version) for each in claimed] == [(sid(1), 2 if end == "COMMIT" else 1)]


async def test_what_was_put_off_while_it_was_claimed_is_not_claimed(store: Store, other: Any) -> None:
    await put(store, row(1, due=at(10)))
    await other.execute("BEGIN")
    await other.execute("UPDATE resources SET due_at = $2 WHERE key = $1", sid(1), at(50))
    await other.execute("INSERT INTO due (at, keys) VALUES ($1, $2)", at(50), f'["{sid(1)}"]')
    assert await store.claim(at(10), at(500), 10) == []
    await other.execute("COMMIT")
    assert await store.claim(at(49), at(500), 10) == []
    assert [each.key for each in await store.claim(at(50), at(500), 10)] == [sid(1)]


async def test_an_old_row_that_is_being_written_stays(store: Store, other: Any) -> None:
    await put(store, row(1), row(2))
    await other.execute("BEGIN")
    await other.execute("UPDATE resources SET changed_at = $2 WHERE key = $1", sid(1), at(99))
    assert await store.expire(at(50), at(1000), 10) == 1
    await other.execute("COMMIT")
    assert await store.expire(at(50), at(1000), 10) == 0
    assert isinstance((await store.read([sid(1)]))[sid(1)], Resource)


async def test_what_is_remembered_anew_is_not_forgotten_as_it_was(store: Store, other: Any) -> None:
    await put(store, row(1))
    assert await store.expire(at(50), at(100), 10) == 1
    await other.execute("BEGIN")
    await other.execute("UPDATE tombstones SET at = $1", at(900))
    burying = asyncio.create_task(store.bury(at(500), 10))

    async def waits() -> bool:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(await other.fetchval(asked))

    await until(waits)
    await other.execute("COMMIT")
    assert await burying == 0
    assert await store.read([sid(1)]) == {sid(1): Forgotten(sid(1), at(900))}


async def test_a_writer_and_those_who_claim_never_deadlock(store: Store, url: str) -> None:
    """A deadlock is told as StoreUnavailable, a second later."""
    keys = [sid(number) for number in range(300)]
    await put(store, *(row(number, due=at(10)) for number in range(300)))
    claimers = [await open_store(url) for _ in range(2)]

    async def write(times: int) -> None:
        for number in range(times):
            some = keys[number % 7 :: 2]
            known = [each for each in (await store.read(some)).values() if isinstance(each, Resource)]
            after = [each._replace(version=each.version + 1, due=at(10 + number)) for each in known]
            after = [each._replace(facts=facts(attributes={})) if each.version % 3 else each for each in after]
            await store.write(after, {each.key: each.version - 1 for each in after})

    async def claim(claimer: Store, times: int) -> None:
        for number in range(times):
            await claimer.claim(at(10 + number), at(20 + number), 150)

    try:
        await asyncio.gather(write(60), *(claim(each, 200) for each in claimers))
    finally:
        for each in claimers:
            await each.close()


async def test_of_two_that_write_the_same_rows_one_is_told_so(store: Store, url: str) -> None:
    await put(store, *(row(number) for number in range(50)))
    other = await open_store(url)

    async def write(one: Store) -> int:
        found = (await one.read([sid(number) for number in range(50)])).values()
        after = [each._replace(version=each.version + 1) for each in found if isinstance(each, Resource)]
        try:
            await one.write(after, {each.key: each.version - 1 for each in after})
        except Conflict:
            return 0
        return 1

    kept = sum([sum(await asyncio.gather(write(store), write(other))) for _ in range(20)])
    await other.close()
    assert kept >= 20
    assert {(await stored(store, sid(number))).version for number in range(50)} == {1 + kept}
