"""Whether the tables of a database are those that are declared."""

from collections.abc import Awaitable, Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from processors.sql import connect


async def differences_after(
    url: str, migrate: Callable[[AsyncEngine], Awaitable[None]], declared: MetaData, version_table: str
) -> list[object]:
    """Between a database that was migrated twice, of which the second time finds nothing to do, and the declaration."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": version_table, "compare_type": True})
        return list(compare_metadata(context, declared))

    engine = connect(url)
    try:
        await migrate(engine)
        await migrate(engine)
        async with engine.connect() as connection:
            return await connection.run_sync(differences)
    finally:
        await engine.dispose()
