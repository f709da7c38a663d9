"""PostgreSQL without a layer above it: asyncpg's prepared statements, whole columns as arrays.

https://magicstack.github.io/asyncpg/current/api/index.html, https://www.postgresql.org/docs/15/errcodes-appendix.html.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
from asyncpg.exceptions import InterfaceError, InternalClientError, InvalidCachedStatementError, PostgresError

from processors.sql.connecting import postgres_arguments
from processors.sql.database import DatabaseRefused, DatabaseUnavailable, Missed, Row, Transaction

CONNECTIONS = 4

# Classes of SQLSTATE, or whole ones: connection, rolled back (deadlock, serialization), resources, object in use,
# operator intervention (shutdown, timeout), the system's own errors; a standby, which takes no writes; and a
# transaction that the server ended because it took too long.
_PASSING = ("08", "40", "53", "55", "57", "58", "25006", "25P03", "25P04")


class Postgres:
    dialect = "postgresql"

    def __init__(self, url: str, timeout: float) -> None:
        self._arguments = postgres_arguments(url, timeout)
        self._pool: Any = None
        self._is_closed = False
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return "Postgres()"  # its arguments hold the password

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        async with self._connected() as connection:
            return await connection.fetch(statement, *values)  # type: ignore[no-any-return]

    async def put(self, *puts: tuple[str, Sequence[Row]]) -> None:
        async with self.begin() as transaction:
            await transaction.put(*puts)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._connected() as connection, connection.transaction():
            try:
                yield _Begun(connection)
            except TimeoutError:
                connection.terminate()  # rolling back would wait for that server as long again
                raise

    async def close(self) -> None:
        async with self._opening:
            self._is_closed = True
            if self._pool is not None:
                pool, self._pool = self._pool, None
                pool.terminate()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=self._arguments["timeout"]) as connection:
                try:
                    yield connection
                except InterfaceError as error:
                    # The same type tells of a connection that is gone and of a call that was wrong.
                    gone = _is_gone(connection) and not isinstance(error, ValueError)
                    raise (DatabaseUnavailable if gone else DatabaseRefused)(type(error).__name__) from None
                except InternalClientError:
                    # The server has cut it, and said so while nobody asked: the driver is yet to notice.
                    connection.terminate()
                    raise
        except (OSError, TimeoutError, InternalClientError) as error:
            raise DatabaseUnavailable(type(error).__name__) from None
        except InterfaceError as error:
            # Before there was a connection or after it was gone; a ValueError is about settings that cannot work.
            kind = DatabaseRefused if isinstance(error, ValueError) else DatabaseUnavailable
            raise kind(type(error).__name__) from None
        except PostgresError as error:
            state = str(getattr(error, "sqlstate", ""))
            # A statement that was prepared before a migration: the driver has forgotten it by now.
            passing = state.startswith(_PASSING) or isinstance(error, InvalidCachedStatementError)
            kind = DatabaseUnavailable if passing else DatabaseRefused
            raise kind(f"{type(error).__name__} {state}") from None

    async def _opened(self) -> Any:
        async with self._opening:
            if self._is_closed:  # or a late call would leave a pool that nobody closes
                raise DatabaseRefused("it is closed")
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    **self._arguments, min_size=0, max_size=CONNECTIONS, reset=_as_it_is
                )
            return self._pool


def _is_gone(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except InterfaceError:
        return True  # its pool has let go of it, as it does of one that was lost


class _Begun:
    """Within a transaction that is open."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        return await self._connection.fetch(statement, *values)  # type: ignore[no-any-return]

    async def put(self, *puts: tuple[str, Sequence[Row]]) -> None:
        for statement, rows in puts:
            told = await self._connection.execute(statement, *_columns(rows))
            changed = int(told.rpartition(" ")[2])
            if changed != len(rows):
                raise Missed(f"{len(rows) - changed} rows")


async def _as_it_is(_: Any) -> None:
    """Nothing is ever set on a connection, so putting it back needs no round trip."""


def _columns(rows: Sequence[Row]) -> list[Sequence[Any] | None]:
    """Each column as an array, or nothing where it holds nothing: `unnest` makes it as long as the others."""
    columns = zip(*rows, strict=True)
    return [None if column[0] is None and column.count(None) == len(column) else column for column in columns]
