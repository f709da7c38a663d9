"""The driver without a layer above it: rows in, rows out. A layer above costs more than the database itself.

DatabaseUnavailable ── the server is away, restarting, full or busy: worth trying again
DatabaseRefused     ── it understood and will not: a mistake of ours, or a database that is not as it should be
Missed              ── a row was not as it was expected: nothing of the transaction was kept
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = tuple[Any, ...]


class DatabaseUnavailable(Exception):
    """Worth trying again. Says what kind of error it was and no more: drivers' messages hold addresses and values."""


class DatabaseRefused(Exception):
    """Not worth trying again. The same of what it says."""


class Missed(Exception):
    """A statement changed fewer rows than it was given."""


class Transaction(Protocol):
    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        """The rows of one statement. A list among the values is bound as the dialect's statements take it."""
        ...

    async def put(self, *puts: tuple[str, Sequence[Row]]) -> None:
        """Each statement for all of its rows. Raises Missed where one changed fewer."""
        ...


class Database(Transaction, Protocol):
    """Each call is a transaction of its own, but those within `begin`."""

    dialect: str

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Committed at the end of the block, rolled back on any exception."""
        ...

    async def close(self) -> None: ...
