"""Connections, with what each database needs to be safe. SQLite: one worker, WAL, and an fsync a commit."""

import fcntl
import os
from pathlib import Path
from typing import IO, Annotated, Any

from pydantic import AfterValidator, SecretStr
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_TIMEOUT = 10.0
"""Seconds."""

PRAGMAS = (
    "journal_mode=WAL",
    # FULL, because NORMAL can lose the last commits on power loss while Kafka's offset is ahead of them.
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "cache_size=-65536",  # KiB
    # Pages, 40 MB. The default is less than one batch writes, so each would copy its pages into the file at once.
    "wal_autocheckpoint=10000",
    "mmap_size=1073741824",
    "temp_store=MEMORY",
)

SERVER_SETTINGS = {
    "application_name": "switchhook",
    # A statement that was prepared while a table was small keeps its plan when it is large: no plan may read it whole.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


def _names_a_database(value: SecretStr) -> SecretStr:
    try:
        known = make_url(value.get_secret_value()).drivername in ("sqlite+aiosqlite", "postgresql+asyncpg")
    except (ArgumentError, ValueError):  # a ValueError is about its port
        known = False
    if not known:
        raise ValueError("is sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE")
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_names_a_database)]
"""As a setting has it: the password is in there."""


class AlreadyInUse(Exception):
    """Another process holds the embedded database."""


def connect(url: str, *, timeout: float = 30.0) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite:///path` or `postgresql+asyncpg://…`. A file is made readable by its owner only.

    `timeout` is in seconds, of a statement on PostgreSQL.
    """
    # Parameters are numbers and bodies, which no traceback may show.
    if make_url(url).get_backend_name() == "postgresql":
        return create_async_engine(
            url, hide_parameters=True, pool_pre_ping=True, connect_args=_limits(timeout, SERVER_SETTINGS)
        )
    engine = create_async_engine(url, hide_parameters=True)
    create_file(url)
    event.listen(engine.sync_engine, "connect", _prepare)
    return engine


def create_file(url: str) -> str:
    """The path of an embedded database, its file made readable by its owner only."""
    path = _file(url)
    if path is None:
        return ":memory:"
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return str(path)


def postgres_arguments(url: str, timeout: float) -> dict[str, Any]:
    """What asyncpg's own `connect` takes, read from the URL as SQLAlchemy reads it."""
    parsed = make_url(url)
    dialect = parsed.get_dialect()()
    _, arguments = dialect.create_connect_args(parsed)
    return {**arguments, **_limits(timeout, SERVER_SETTINGS)}


def _limits(timeout: float, settings: dict[str, str]) -> dict[str, Any]:
    """The server ends what takes too long; where it does not answer at all, we do, a little later."""
    return {
        "timeout": CONNECT_TIMEOUT,
        "command_timeout": timeout + 5,
        "server_settings": {**settings, "statement_timeout": str(int(timeout * 1000))},
    }


def hold(url: str) -> IO[str] | None:
    """Claims an embedded database for this process, until the returned handle is closed. Raises AlreadyInUse."""
    path = _file(url)
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.with_suffix(path.suffix + ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise AlreadyInUse(
            f"{path} is in use by another worker; SQLite takes one writer: stop it, or use PostgreSQL for several"
        ) from None
    return handle


def _file(url: str) -> Path | None:
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite") or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def _prepare(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
