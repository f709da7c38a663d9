"""Connecting to SQL, the same way for state and ledger; and straight to the driver, for what is done for each event."""

from processors.sql.connecting import AlreadyInUse, DatabaseUrl, connect, hold
from processors.sql.database import Database, DatabaseRefused, DatabaseUnavailable, Missed
from processors.sql.migrating import migrate
from processors.sql.opening import open_database
from processors.sql.refusals import CannotOpen, claim, opened

__all__ = [
    "AlreadyInUse",
    "CannotOpen",
    "Database",
    "DatabaseRefused",
    "DatabaseUnavailable",
    "DatabaseUrl",
    "Missed",
    "claim",
    "connect",
    "hold",
    "migrate",
    "open_database",
    "opened",
]
