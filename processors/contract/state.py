"""State: the table that the query side may read. One row a resource; a participant's key is `CF…/CA…`.

`document` holds all facts (`seen`, `attributes`) as JSON; the other columns are derived from it for filters.
Times are RFC 3339 text in UTC, so that both databases compare them alike.
"""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()

RESOURCES = Table(
    "resources",
    METADATA,
    Column("key", String(80), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("account_sid", String(34), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(64)),
    Column("terminal", Boolean, nullable=False),
    Column("direction", String(32)),
    Column("from_address", Text),
    Column("to_address", Text),
    Column("error_code", Integer),
    Column("error_class", String(16)),
    Column("correlation", String(128)),
    Column("call_sid", String(34)),
    Column("conference_sid", String(34)),
    Column("first_received", String(32), nullable=False),
    Column("document", Text, nullable=False),
    # Links live on the child and are found by index.
    Index("resources_by_call", "call_sid"),
    Index("resources_by_conference", "conference_sid"),
    Index("resources_by_kind", "kind", "terminal", "first_received"),
)
