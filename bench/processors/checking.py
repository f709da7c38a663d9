"""Checking: what a worker left in its output topic, and in its store where it has one, against the history's truth."""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing

import asyncpg

from bench.processors.history import History, sid
from bench.processors.topics import read

State = Mapping[str, tuple[str, int]]
"""Of each message its status, and the version: how often it got further."""


class Mismatch(Exception):
    """What differs."""


def expected(told: History) -> State:
    return {sid(number): furthest for number, furthest in told.furthest.items()}


async def published(broker: str, topic: str, partitions: int) -> tuple[int, State]:
    """How many records the topic holds, and what the last one of each key says."""
    count, last = 0, dict[bytes, bytes]()
    async for key, value in read(broker, topic, partitions):
        count += 1
        last[key] = value
    said = ((key.decode(), json.loads(value)) for key, value in last.items())
    return count, {key: (value["status"], value["version"]) for key, value in said}


async def stored(database: str, table: str, key: str) -> State:
    query = f"SELECT {key}, status, version FROM {table}"  # noqa: S608  # names of our own
    if not database.startswith("postgresql"):
        with closing(sqlite3.connect(database)) as connection:
            return {name: (status, version) for name, status, version in connection.execute(query)}
    server = await asyncpg.connect(database)
    try:
        return {name: (status, version) for name, status, version in await server.fetch(query)}
    finally:
        await server.close()


def compare(where: str, found: State, wanted: State, *, versions: bool) -> None:
    """Raises Mismatch. Without `versions`, the statuses alone: the product counts facts, of which there are more."""
    part = slice(0, 2 if versions else 1)
    wrong = [name for name, truth in wanted.items() if found.get(name, ("", 0))[part] != truth[part]]
    strange = found.keys() - wanted.keys()
    if wrong or strange:
        some = ", ".join(f"{name}: {found.get(name)} instead of {wanted[name]}" for name in _first(wrong))
        raise Mismatch(f"{where}: {len(wrong)} differ, {len(strange)} are nobody's ({some})")


def check(broker: str, output: str, partitions: int, told: History, *, outputs: int, versions: bool) -> None:
    """The output topic. Raises Mismatch."""
    count, last = asyncio.run(published(broker, output, partitions))
    compare("the output topic", last, expected(told), versions=versions)
    if count != outputs:
        raise Mismatch(f"the output topic holds {count:,} records instead of {outputs:,}")


def check_store(database: str, told: History, *, product: bool, all_: bool) -> None:
    """Unless it is to hold `all_` of the history and nothing else, what it knew before is left out. Raises Mismatch."""
    table, key = ("resources", "key") if product else ("messages", "sid")
    wanted, rows = expected(told), asyncio.run(stored(database, table, key))
    found = rows if all_ else {name: rows[name] for name in wanted if name in rows}
    compare("the store", found, wanted, versions=not product)


def _first(names: Iterable[str]) -> Iterable[str]:
    return list(names)[:3]
