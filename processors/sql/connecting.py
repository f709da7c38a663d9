"""Connections, with what each database needs to be safe. SQLite: one worker, WAL, and an fsync a commit."""

import fcntl
import os
from pathlib import Path
from typing import IO, Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


class AlreadyInUse(Exception):
    """Another process holds the embedded database."""


def connect(url: str) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite:///path`. The file is made readable by its owner only."""
    # Parameters are numbers and bodies, which no traceback may show.
    engine = create_async_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        path = _file(url)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        event.listen(engine.sync_engine, "connect", _prepare)
    return engine


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
    # FULL, because NORMAL can lose the last commits on power loss while Kafka's offset is ahead of them.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
