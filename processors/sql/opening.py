"""Which driver a URL asks for."""

from collections.abc import Callable, Mapping

from sqlalchemy.engine import make_url

from processors.sql.database import Database
from processors.sql.postgres import Postgres
from processors.sql.sqlite import Sqlite

_DRIVERS: Mapping[str, Callable[[str, float], Database]] = {"sqlite": Sqlite, "postgresql": Postgres}


def open_database(url: str, *, timeout: float = 30.0) -> Database:
    """`sqlite+aiosqlite:///path` or `postgresql+asyncpg://…`. Connects when it is first used.

    A statement that takes longer than `timeout` seconds raises DatabaseUnavailable.
    """
    return _DRIVERS[make_url(url).get_backend_name()](url, timeout)
