"""Where the ledger's migrations are, and the one way to run them."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from processors.sql import migrate

VERSIONS = Path(__file__).parent / "versions"


async def migrate_ledger(engine: AsyncEngine) -> None:
    await migrate(engine, VERSIONS, version_table="ledger_version")
