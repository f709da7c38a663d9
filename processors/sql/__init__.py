"""Connecting to SQL, the same way for state and ledger."""

from processors.sql.connecting import AlreadyInUse, connect, hold

__all__ = ["AlreadyInUse", "connect", "hold"]
