"""The SQLite driver: what is given up while it waits leaves nothing open behind it."""

import asyncio
import contextlib
import random
import sqlite3
import threading
from pathlib import Path

import pytest

from processors.sql import DatabaseRefused, DatabaseUnavailable, Missed, open_database
from tests.conftest import until


async def test_a_transaction_given_up_before_it_began_is_not_left_open(tmp_path: Path) -> None:
    database = open_database(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite")
    await database.fetch("CREATE TABLE kept (number INTEGER)")
    other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    entered = asyncio.Event()

    async def work() -> None:
        entered.set()
        async with database.begin() as transaction:
            await transaction.fetch("INSERT INTO kept VALUES (1)")

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    other.execute("ROLLBACK")
    other.close()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await until(task.done)
    await database.fetch("INSERT INTO kept VALUES (2)")
    assert await database.fetch("SELECT number FROM kept") == [(2,)]
    await database.close()


SLOW = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000) SELECT max(x) FROM n"


async def test_a_transaction_whose_rolling_back_was_given_up_is_not_left_open(tmp_path: Path) -> None:
    database = open_database(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite", timeout=0.05)
    await database.fetch("CREATE TABLE kept (number INTEGER)")

    async def given_up() -> None:
        async with database.begin() as transaction:
            await transaction.fetch("INSERT INTO kept VALUES (1)")
            await transaction.fetch(SLOW)

    with pytest.raises(DatabaseUnavailable, match="in time"):
        await given_up()

    async def put() -> bool:
        with contextlib.suppress(DatabaseUnavailable):  # the thread is busy yet
            await database.put(("INSERT INTO kept VALUES (?)", [(2,)]))
            return True
        return False

    await until(put)
    assert set(await database.fetch("SELECT number FROM kept")) == {(2,)}
    await database.close()


async def test_what_is_cancelled_anywhere_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    database, chance = open_database(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite"), random.Random(5)
    await database.fetch("CREATE TABLE kept (number INTEGER)")

    async def work(number: int) -> None:
        async with database.begin() as transaction:
            await transaction.put(("INSERT INTO kept VALUES (?)", [(number,)]))
            await transaction.put(("INSERT INTO kept VALUES (?)", [(number,)]))

    for _ in range(50):
        tasks = [asyncio.create_task(work(number)) for number in range(4)]
        for task in tasks:
            await asyncio.sleep(chance.random() * 0.001)
            task.cancel()
            if chance.random() < 0.3:
                asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
    counted = await database.fetch("SELECT count(*) FROM kept")
    assert counted[0][0] % 2 == 0
    await work(1)
    assert (await database.fetch("SELECT count(*) FROM kept"))[0][0] == counted[0][0] + 2
    await database.close()


async def test_another_process_writes_while_this_one_reads(tmp_path: Path) -> None:
    database = open_database(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite")
    await database.fetch("CREATE TABLE kept (number INTEGER)")
    other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO kept VALUES (1)")
    assert await database.fetch("SELECT number FROM kept") == []
    other.execute("COMMIT")
    assert await database.fetch("DELETE FROM kept RETURNING number") == [(1,)]
    assert other.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    other.close()
    await database.close()


async def test_a_statement_that_fails_half_way_keeps_nothing(tmp_path: Path) -> None:
    database = open_database(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite")
    await database.fetch("CREATE TABLE kept (number INTEGER UNIQUE)")
    with pytest.raises(DatabaseRefused, match="SQLITE_CONSTRAINT_UNIQUE"):
        await database.put(("INSERT INTO kept VALUES (?)", [(1,), (2,), (1,)]))
    with pytest.raises(Missed, match="1 rows"):
        await database.put(("INSERT INTO kept VALUES (?)", [(1,)]), ("DELETE FROM kept WHERE number = ?", [(1,), (9,)]))
    assert await database.fetch("SELECT number FROM kept") == []
    await database.close()


async def test_closing_that_nobody_waits_for_closes_all_the_same(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    database = open_database(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite")
    await database.fetch("CREATE TABLE kept (number INTEGER)")
    assert (tmp_path / "x.sqlite-wal").exists()
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    closing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await closing
    # The last connection takes the log with it.
    await until(lambda: not (tmp_path / "x.sqlite-wal").exists() and set(threading.enumerate()) <= threads)
    await database.close()
    with pytest.raises(DatabaseRefused, match="closed"):
        await database.fetch("SELECT 1")
