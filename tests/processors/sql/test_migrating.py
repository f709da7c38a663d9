"""Migrations: all of one or nothing, as long as it takes, and one after another."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from processors.sql import connect, migrate

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = {before}


def upgrade():
    {what}
"""


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    made = tmp_path / "versions"
    made.mkdir()
    return made


def version(versions: Path, name: str, what: str, before: str | None = None) -> None:
    (versions / f"{name}.py").write_text(REVISION.format(name=name, before=repr(before), what=what))


async def tables(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return set(await connection.run_sync(lambda each: inspect(each).get_table_names()))


TABLE = 'op.create_table("{}", sa.Column("id", sa.Integer, primary_key=True))'


async def test_one_that_breaks_off_leaves_nothing_and_is_done_again(url: str, versions: Path) -> None:
    engine = connect(url)
    version(versions, "first", TABLE.format("one"))
    version(versions, "second", f"{TABLE.format('two')}\n    raise RuntimeError('broken off')", "first")
    with pytest.raises(RuntimeError, match="broken off"):
        await migrate(engine, versions, version_table="counted")
    assert await tables(engine) == set()
    version(versions, "second", TABLE.format("two"), "first")
    await migrate(engine, versions, version_table="counted")
    assert await tables(engine) == {"one", "two", "counted"}
    await engine.dispose()


async def test_once_done_it_is_nothing_and_another_owner_counts_apart(url: str, versions: Path) -> None:
    engine = connect(url)
    version(versions, "first", TABLE.format("one"))
    for _ in range(3):
        await migrate(engine, versions, version_table="counted")
    version(versions, "first", TABLE.format("theirs"))
    await migrate(engine, versions, version_table="other")
    async with engine.connect() as connection:
        for table in ("counted", "other"):
            found = (await connection.execute(text(f"SELECT version_num FROM {table}"))).all()
            assert [tuple(each) for each in found] == [("first",)]
    assert await tables(engine) == {"one", "theirs", "counted", "other"}
    await engine.dispose()


async def test_of_several_at_once_one_does_it(url: str, versions: Path) -> None:
    version(versions, "first", TABLE.format("one"))
    engines = [connect(url) for _ in range(4)]
    assert await tables(engines[0]) == set()  # SQLite lets nobody else in while it turns to its log
    await asyncio.gather(*(migrate(each, versions, version_table="counted") for each in engines))
    assert await tables(engines[0]) == {"one", "counted"}
    for each in engines:
        await each.dispose()


@pytest.mark.postgres
async def test_it_may_take_longer_than_a_statement_of_a_worker(postgres_database: str, versions: Path) -> None:
    version(versions, "first", "op.execute('SELECT pg_sleep(0.6)')")
    limits = {"command_timeout": 0.3, "server_settings": {"statement_timeout": "200"}}
    engine = create_async_engine(postgres_database, connect_args=limits)
    await migrate(engine, versions, version_table="counted")
    assert await tables(engine) == {"counted"}
    await engine.dispose()
