"""Connecting to SQL, the same way for state and ledger."""

from processors.sql.connecting import AlreadyInUse, connect, hold
from processors.sql.migrating import migrate

__all__ = ["AlreadyInUse", "connect", "hold", "migrate"]
