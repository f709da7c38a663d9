"""The PostgreSQL driver: a connection that was given up, cut off or frozen does no harm to the next one."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from processors.sql import DatabaseRefused, DatabaseUnavailable, open_database
from processors.sql.database import Database, Row
from processors.sql.postgres import CONNECTIONS
from tests.conftest import until

pytestmark = pytest.mark.postgres

COUNT = "SELECT count(*) FROM kept"
ADD = "INSERT INTO kept SELECT * FROM unnest($1::int[])"


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    made = open_database(postgres_database)
    await made.fetch("CREATE TABLE kept (number int)")
    yield made
    await made.close()


@pytest.fixture
async def other(postgres_database: str) -> AsyncIterator[Any]:
    """A connection beside it."""
    made = await asyncpg.connect(postgres_database.replace("+asyncpg", ""))
    yield made
    await made.close()


async def ours(other: Any, condition: str) -> int:
    """How many of the driver's connections are so."""
    mine = "datname = current_database() AND application_name = 'switchhook'"
    return int(await other.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {mine} AND {condition}"))


async def test_what_is_cancelled_anywhere_leaves_no_transaction_and_no_connection_behind(
    database: Database, other: Any
) -> None:
    chance, finished = random.Random(5), 0

    async def work(number: int) -> None:
        nonlocal finished
        async with database.begin() as transaction:
            await transaction.put((ADD, [(number,)]))
            await transaction.fetch("SELECT pg_sleep(0.002)")
            await transaction.put((ADD, [(number,)]))
        finished += 1

    for _ in range(25):
        tasks = [asyncio.create_task(work(number)) for number in range(8)]
        for task in tasks:
            await asyncio.sleep(chance.random() * 0.003)
            task.cancel()
            if chance.random() < 0.3:
                asyncio.get_running_loop().call_later(chance.random() * 0.002, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):  # each of them is to be had, and is not in a transaction yet
            transaction = await stack.enter_async_context(database.begin())
            assert (await transaction.fetch("SELECT 1"))[0][0] == 1
    await until(lambda: _none(other, "state LIKE 'idle in transaction%'"))
    ((rows,),) = await database.fetch(COUNT)
    assert rows % 2 == 0, "both or none"
    assert rows >= 2 * finished
    assert await ours(other, "true") <= CONNECTIONS


async def _none(other: Any, condition: str) -> bool:
    return await ours(other, condition) == 0


async def test_connections_that_the_server_cuts_are_replaced(database: Database, other: Any) -> None:
    for _ in range(3):
        async with database.begin() as transaction:
            await transaction.fetch(COUNT)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'switchhook' "
            "AND datname = current_database()"
        )
        with contextlib.suppress(DatabaseUnavailable):
            await database.fetch(COUNT)
        assert len(await database.fetch(COUNT)) == 1


async def test_one_that_is_cut_in_the_middle_is_a_database_that_is_away(database: Database, other: Any) -> None:
    async def cut() -> None:
        async with database.begin() as transaction:
            await transaction.put((ADD, [(1,)]))
            ((pid,),) = await transaction.fetch("SELECT pg_backend_pid()")
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            await until(lambda: _none(other, f"pid = {pid}"))
            await transaction.put((ADD, [(2,)]))

    with pytest.raises(DatabaseUnavailable):
        await cut()
    assert (await database.fetch(COUNT))[0][0] == 0


async def test_one_that_does_not_answer_is_given_up(postgres_database: str, other: Any) -> None:
    """The backend is frozen, so neither the server's own limit nor a cancelling helps."""
    database = open_database(postgres_database, timeout=0.1)
    frozen: list[int] = []

    async def work() -> None:
        async with database.begin() as transaction:
            ((pid,),) = await transaction.fetch("SELECT pg_backend_pid()")
            frozen.append(pid)
            os.kill(pid, signal.SIGSTOP)
            await transaction.fetch("SELECT 1")

    try:
        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(work(), 60)
        assert len(await database.fetch("SELECT 1")) == 1, "by another connection"
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    await database.close()


async def test_a_plan_from_before_a_migration_is_made_again(database: Database, other: Any) -> None:
    await database.put((ADD, [(1,)]))

    async def ask() -> Sequence[Row]:
        async with database.begin() as transaction:
            return await transaction.fetch("SELECT number FROM kept")

    for kind in ("bigint", "text"):
        await ask()
        await other.execute(f"ALTER TABLE kept ALTER number TYPE {kind}")
        with pytest.raises(DatabaseUnavailable, match="InvalidCachedStatementError"):
            await ask()
        assert len(await ask()) == 1


async def test_of_two_that_wait_for_each_other_one_is_to_try_again(database: Database) -> None:
    await database.put((ADD, [(1,), (2,)]))
    both = asyncio.Barrier(2)

    async def work(first: int, second: int) -> str:
        try:
            async with database.begin() as transaction:
                for each in (first, second):
                    await transaction.fetch("UPDATE kept SET number = number WHERE number = $1", each)
                    if each == first:
                        await both.wait()
        except DatabaseUnavailable as error:
            return str(error)
        return "done"

    told = await asyncio.gather(work(1, 2), work(2, 1))
    assert sorted(told) == ["DeadlockDetectedError 40P01", "done"]


async def test_a_value_that_cannot_be_bound_is_a_mistake_and_is_not_told(database: Database) -> None:
    with pytest.raises(DatabaseRefused) as raised:
        await database.fetch("SELECT $1::int", "+15552223333")
    assert "+1555" not in str(raised.value)
    with pytest.raises(DatabaseRefused, match="22021"):
        await database.fetch("SELECT $1::text", "a\0b")
    assert len(await database.fetch(COUNT)) == 1


async def test_once_closed_it_opens_no_connection_any_more(database: Database, other: Any) -> None:
    await database.fetch(COUNT)
    await database.close()
    await database.close()
    with pytest.raises(DatabaseRefused, match="closed"):
        await database.fetch(COUNT)
    await until(lambda: _none(other, "true"))
