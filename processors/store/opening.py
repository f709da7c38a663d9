"""Opening the store that a URL names: migrated first, then straight to the driver."""

from processors.sql import connect, open_database
from processors.store.migrations import migrate_state
from processors.store.sql import SqlStore


async def open_store(url: str) -> SqlStore:
    engine = connect(url)
    try:
        await migrate_state(engine)
    finally:
        await engine.dispose()
    return SqlStore(open_database(url))
