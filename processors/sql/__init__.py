"""Connecting to SQL, the same way for state and ledger; and straight to the driver, for what is done for each event."""

from processors.sql.connecting import AlreadyInUse, connect, hold
from processors.sql.database import Database, DatabaseRefused, DatabaseUnavailable, Missed
from processors.sql.migrating import migrate
from processors.sql.opening import open_database

__all__ = [
    "AlreadyInUse",
    "Database",
    "DatabaseRefused",
    "DatabaseUnavailable",
    "Missed",
    "connect",
    "hold",
    "migrate",
    "open_database",
]
