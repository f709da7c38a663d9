"""Migrations: a database is brought to the newest version before a worker uses it."""

import zlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

_ENVIRONMENT = Path(__file__).parent / "migrations"


async def migrate(engine: AsyncEngine, versions: Path, *, version_table: str) -> None:
    """Runs what is missing of the versions in that folder. Each owner of tables counts in a table of its own.

    Of several workers that start at once on PostgreSQL, one migrates and the others wait and find it done.
    """

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            # An index on a large table takes longer than a statement of a worker may.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            lock = zlib.crc32(f"switchhook {version_table}".encode())
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
        config = Config()
        config.set_main_option("script_location", str(_ENVIRONMENT))
        config.set_main_option("version_locations", str(versions))
        config.set_main_option("path_separator", "newline")
        config.attributes["connection"] = connection
        config.attributes["version_table"] = version_table
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
