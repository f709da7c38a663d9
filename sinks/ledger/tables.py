"""The ledger's table. Times are seconds since 1970; `recipient` is a full number, as the action has it."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData()

ACTIONS = Table(
    "actions",
    METADATA,
    # The order in which actions were recorded, which is the order of performing within an ordering key.
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("type", String(32), nullable=False),
    Column("ordering_key", String(200), nullable=False),
    Column("recipient", Text),
    Column("action", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("leased_until", Float, nullable=False),
    Column("performed_at", Float, nullable=False),
    Column("resource_sid", String(34)),
    Column("http_status", Integer),
    Column("error_code", Integer),
    Column("reason", String(64)),
    Column("observation", LargeBinary),
    Column("settled_at", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("published", Boolean, nullable=False),
    Column("observed", Integer),
    Index("actions_open", "state", "position"),
    Index("actions_by_key", "ordering_key", "state", "position"),
    Index("actions_by_recipient", "recipient", "performed_at"),
    Index("actions_unpublished", "published", "position"),
)
