"""With many rows every statement of the store, and every filter of a listing, is led by an index on both databases."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from processors.contract.listing import listing
from processors.domain.facts import Resource, lifetime
from processors.sql import Database, connect, open_database
from processors.store.document import fixed, moving
from processors.store.opening import open_store
from processors.store.statements import STATEMENTS
from tests.processors.store.rows import at, sid
from tests.processors.store.test_listing import BY_INDEX, SAID, explained, resource

ROWS = 50_000
AT_ONCE = 1_000


def everything() -> list[Resource]:
    chance = random.Random(3)
    rows = [resource(number % 3_000, chance)._replace(key=sid(number)) for number in range(ROWS)]
    return [row._replace(due=at(number % 5_000)) for number, row in enumerate(rows)]


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    store, rows = await open_store(url), everything()
    for start in range(0, ROWS, AT_ONCE):
        some = rows[start : start + AT_ONCE]
        await store.write(some, {row.key: 0 for row in some})
    assert await store.expire("2026-01-03", at(0), 500) == 500  # some tombstones
    await store.close()
    made = open_database(url)
    yield made
    await made.close()


def asked(row: Resource) -> dict[str, Sequence[Any]]:
    """Values for each statement."""
    keys, (first, newest) = [sid(number) for number in range(0, ROWS, 100)], lifetime(row.facts)
    moved, whole = moving(row, newest), fixed(row, first)
    return {
        "read": [keys], "gone": [keys], "remember": [keys, at(1)], "remove": [keys], "disarm": [[1, 2, 3]],
        "move": [1, row.key, *moved], "update": [1, row.key, *moved, *whole], "insert": [row.key, *moved, *whole],
        "arm": [at(1), "[]"], "pending": [at(100), 500], "claim": [keys, at(100), at(500)],
        "late": [keys, at(100)], "children": [sid(1, "CA")],
        "old": ["2026-01-04", 1000], "bury": [at(1), 1000], "stretch": [sid(100), 10_000],
        "holding": ["+1555", sid(100), sid(9_000)],
    }  # fmt: skip


VALUES = asked(resource(1, random.Random(3)))
PUT = ("move", "update", "insert", "arm")


async def plan(database: Database, name: str) -> str:
    statement, values = getattr(STATEMENTS[database.dialect], name), VALUES[name]
    if database.dialect == "sqlite":
        return "\n".join(str(line[-1]) for line in await database.fetch(f"EXPLAIN QUERY PLAN {statement}", *values))
    async with database.begin() as transaction:
        # As the driver has it: prepared once, and planned for any values.
        await transaction.fetch(f"PREPARE asked AS {statement}")
        lines = await transaction.fetch(f"EXPLAIN EXECUTE asked({', '.join(['NULL'] * len(values))})")
        await transaction.fetch("DEALLOCATE asked")
    return "\n".join(str(line[0]) for line in lines)


def reads_whole(plan: str) -> bool:
    tables = ("resources", "due", "tombstones")
    return any(f"Seq Scan on {table}" in plan or f"SCAN {table}" in plan for table in tables)


async def test_nothing_reads_a_table_whole(database: Database, url: str) -> None:
    # Planned on statistics of when the table was small, then on those of now.
    for known in (False, True):
        if known:
            await database.fetch("ANALYZE")
        plans = {name: await plan(database, name) for name in vars(STATEMENTS[database.dialect])}
        for name, told in plans.items():
            assert not reads_whole(told), f"{name}\n{told}"
        for name, index in BY.items():
            assert index in plans[name], f"{name}\n{plans[name]}"
        assert not sorts(plans["pending"]), "the longest due are taken from the index, however many are due"
    await listed_by_index(url)


BY = {
    "pending": "due_by_time",
    "old": "resources_by_",
    "bury": "tombstones_by_time",
    "children": "resources_by_call",
}


def sorts(plan: str) -> bool:
    return "Sort" in plan or "TEMP B-TREE" in plan


async def listed_by_index(url: str) -> None:
    engine = connect(url)
    try:
        for (wanted, index), said in zip(BY_INDEX, SAID, strict=True):
            told = await explained(engine, wanted)
            assert index in told, f"{said}\n{told}"
            assert not reads_whole(told), f"{said}\n{told}"
            async with engine.connect() as connection:
                assert len((await connection.execute(listing(wanted, None, 50))).all()) <= 50
    finally:
        await engine.dispose()
