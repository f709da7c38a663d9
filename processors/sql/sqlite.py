"""SQLite without a layer above it: one connection, and one thread that runs a whole call at a time."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import orjson

from processors.sql.connecting import PRAGMAS, create_file
from processors.sql.database import DatabaseRefused, DatabaseUnavailable, Missed, Row, Transaction

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

# https://www.sqlite.org/rescode.html. The others are mistakes of ours, or a file that is broken for good.
_PASSING = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
})  # fmt: skip


class Sqlite:
    dialect = "sqlite"

    def __init__(self, url: str, timeout: float) -> None:
        self._path = create_file(url)
        self._timeout = timeout
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False
        self._free = asyncio.Lock()

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        async with self._free:
            # One statement is a transaction by itself, and one that only reads waits for no other process.
            return await self._run(_alone(_fetching(statement, values)))

    async def put(self, *puts: tuple[str, Sequence[Row]]) -> None:
        async with self._free:
            await self._run(_alone(_whole(_putting(puts))))

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._free:
            try:  # around its beginning too: the thread may begin it when nobody waits for that any more
                await self._run(_alone(lambda connection: connection.execute("BEGIN IMMEDIATE")))
                yield _Begun(self._run)
                await self._run(lambda connection: connection.execute("COMMIT"))
            except BaseException:
                await asyncio.shield(self._run(_roll_back))
                raise

    async def close(self) -> None:
        """What has begun ends first. The connection and the thread end also when nobody waits for that."""
        if self._is_closed:
            return
        self._is_closed = True
        closed = asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
        self._thread.shutdown(wait=False)
        await asyncio.shield(closed)

    async def _run(self, work: Work[T]) -> T:
        """What has begun in the thread ends by itself, whether or not somebody still waits for it."""
        if self._is_closed:
            raise DatabaseRefused("it is closed")
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._opened()))
        except TimeoutError:
            raise DatabaseUnavailable("no answer in time") from None
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extension that says where
            kind = DatabaseUnavailable if code in _PASSING else DatabaseRefused
            raise kind(f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}") from None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            # Whoever closes it may do so in another thread: there is one at a time.
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                for pragma in PRAGMAS:
                    connection.execute(f"PRAGMA {pragma}")
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Begun:
    """Within a transaction that is open."""

    def __init__(self, run: Callable[[Work[Any]], Any]) -> None:
        self._run = run

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        return await self._run(_fetching(statement, values))  # type: ignore[no-any-return]

    async def put(self, *puts: tuple[str, Sequence[Row]]) -> None:
        await self._run(_putting(puts))


def _fetching(statement: str, values: Sequence[Any]) -> Work[Sequence[Row]]:
    bound = [orjson.dumps(value).decode() if isinstance(value, list) else value for value in values]
    return lambda connection: connection.execute(statement, bound).fetchall()


def _putting(puts: Sequence[tuple[str, Sequence[Row]]]) -> Work[None]:
    def work(connection: sqlite3.Connection) -> None:
        for statement, rows in puts:
            changed = connection.executemany(statement, rows).rowcount
            if changed != len(rows):
                raise Missed(f"{len(rows) - changed} rows")

    return work


def _alone(work: Work[T]) -> Work[T]:
    """Where no transaction is open: one may have been left, since a rolling back that waits too long is given up."""

    def apart(connection: sqlite3.Connection) -> T:
        _roll_back(connection)
        return work(connection)

    return apart


def _whole(work: Work[T]) -> Work[T]:
    def transaction(connection: sqlite3.Connection) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        return result

    return transaction


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
