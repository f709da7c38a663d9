"""Migrations: a database is brought to the newest version before a worker uses it."""

import contextlib
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from processors.sql.connecting import connect

PATIENCE = 86_400.0
"""Seconds. An index on a large table takes longer than a statement of a worker may."""

_ENVIRONMENT = Path(__file__).parent / "migrations"


async def migrate(engine: AsyncEngine, versions: Path, *, version_table: str) -> None:
    """Runs what is missing of the versions in that folder. Each owner of tables counts in a table of its own.

    All of it or nothing. Of several workers that start at once, one migrates and the others wait and find it done.
    """

    def upgrade(connection: Connection) -> None:
        _alone(connection, version_table)
        config = Config()
        config.set_main_option("script_location", str(_ENVIRONMENT))
        config.set_main_option("version_locations", str(versions))
        config.set_main_option("path_separator", "newline")
        config.attributes["connection"] = connection
        config.attributes["version_table"] = version_table
        command.upgrade(config, "head")

    async with _patient(engine) as patient, patient.begin() as connection:
        await connection.run_sync(upgrade)


def _alone(connection: Connection, version_table: str) -> None:
    if connection.dialect.name == "postgresql":
        lock = zlib.crc32(f"switchhook {version_table}".encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
    else:
        # Python's driver begins by itself only before it changes rows, so each table would be a commit of its own.
        # https://docs.python.org/3/library/sqlite3.html#sqlite3-controlling-transactions
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.asynccontextmanager
async def _patient(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The same database; on PostgreSQL without the limit that server and driver set to a worker's statements."""
    if engine.dialect.name != "postgresql":
        yield engine
        return
    patient = connect(engine.url.render_as_string(hide_password=False), timeout=PATIENCE)
    try:
        yield patient
    finally:
        await patient.dispose()
