"""A store as a whole, a page of rows at a time: what is done to all of them holds few in memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from processors.domain.facts import Resource
from processors.sql import Database, DatabaseUnavailable, open_database
from processors.store.opening import open_store
from processors.store.port import MemoryStore, Store, StoreUnavailable
from processors.store.sql import SqlStore

PAGE = 1000


class Keys(Protocol):
    async def after(self, key: str, limit: int) -> Sequence[str]:
        """The next keys of a store's rows, in order. Raises StoreUnavailable."""
        ...


class SqlKeys:
    def __init__(self, database: Database) -> None:
        self._database = database
        mark = "$" if database.dialect == "postgresql" else "?"
        self._next = f"SELECT key FROM resources WHERE key > {mark}1 ORDER BY key LIMIT {mark}2"  # noqa: S608

    async def after(self, key: str, limit: int) -> Sequence[str]:
        try:
            return [str(row[0]) for row in await self._database.fetch(self._next, key, limit)]
        except DatabaseUnavailable as error:
            raise StoreUnavailable(str(error)) from None


class MemoryKeys:
    """The twin."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def after(self, key: str, limit: int) -> Sequence[str]:
        return sorted(each for each in self._store.rows if each > key)[:limit]


@dataclass(frozen=True, slots=True)
class Pages:
    """Rows by key; one that comes or goes meanwhile may be there or not."""

    store: Store
    keys: Keys
    size: int = PAGE

    async def __aiter__(self) -> AsyncIterator[Sequence[Resource]]:
        last = ""
        while keys := await self.keys.after(last, self.size):
            found = await self.store.read(keys)
            yield [row for key in keys if isinstance(row := found.get(key), Resource)]
            last = keys[-1]

    async def is_empty(self) -> bool:
        return not await self.keys.after("", 1)


@asynccontextmanager
async def open_pages(url: str, *, as_it_is: bool = False) -> AsyncIterator[Pages]:
    """Of the store at that URL, which is migrated first unless it is to be left as it is."""
    database = open_database(url)
    store = SqlStore(open_database(url)) if as_it_is else await open_store(url)
    try:
        yield Pages(store, SqlKeys(database))
    finally:
        await store.close()
        await database.close()
