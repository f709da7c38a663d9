"""Opening the ledger that a URL names: migrated first, then straight to the driver."""

from processors.sql import connect, open_database
from sinks.ledger.migrations import migrate_ledger
from sinks.ledger.sql import SqlLedger


async def open_ledger(url: str) -> SqlLedger:
    engine = connect(url)
    try:
        await migrate_ledger(engine)
    finally:
        await engine.dispose()
    return SqlLedger(open_database(url))
