"""The SQLite driver: what is given up while it waits leaves nothing open behind it."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from processors.sql import open_database
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
