"""The ledger's tables. Times are seconds since 1970; `recipient` is a full number, as the action has it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text, text

METADATA = MetaData()

# Compared byte by byte on both databases.
PLAIN = Text().with_variant(Text(collation="C"), "postgresql")
SERIAL = BigInteger().with_variant(Integer, "sqlite")


def _where(condition: str) -> Mapping[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


CLAIMABLE = "state IN ('waiting', 'unknown')"
OPEN = "state IN ('waiting', 'running', 'unknown', 'stuck')"
OVER = "state IN ('done', 'refused') AND published = 1"

ACTIONS = Table(
    "actions",
    METADATA,
    # The order in which actions were recorded, which is the order of performing within an ordering key.
    Column("position", SERIAL, primary_key=True, autoincrement=True),
    Column("id", PLAIN, nullable=False, unique=True),
    Column("type", PLAIN, nullable=False),
    Column("account_sid", PLAIN, nullable=False),
    Column("ordering_key", PLAIN, nullable=False),
    Column("recipient", PLAIN),
    Column("action", PLAIN, nullable=False),
    Column("since", Float, nullable=False),
    Column("state", PLAIN, nullable=False),
    Column("lane", PLAIN, nullable=False, comment="what it shares a rate with, as of its state"),
    Column("attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("leased_until", Float, nullable=False),
    Column("performed_at", Float, nullable=False),
    Column("absences", Integer, nullable=False),
    Column("resource_sid", PLAIN),
    Column("http_status", Integer),
    Column("error_code", Integer),
    Column("reason", PLAIN),
    Column("observation", PLAIN),
    Column("observed", Integer),
    Column("resources", PLAIN),
    Column("settled_at", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("published", Integer, nullable=False),
    Column("telling_until", Float, nullable=False),
    Index("actions_claimable", "lane", "due", "position", **_where(CLAIMABLE)),
    Index("actions_by_key", "ordering_key", "position", **_where(OPEN)),
    Index("actions_running", "leased_until", **_where("state = 'running'")),
    Index("actions_open", "state", "since", **_where(OPEN)),
    Index("actions_by_recipient", "recipient", "performed_at", **_where("recipient IS NOT NULL")),
    Index("actions_unpublished", "position", **_where("published = 0")),
    Index("actions_over", "settled_at", **_where(OVER)),
)

LANES = Table(
    "lanes",
    METADATA,
    Column("name", PLAIN, primary_key=True, comment="of a lane, or an account's SID"),
    Column("account_sid", PLAIN, nullable=False),
    Column("free_at", Float, nullable=False),
    Column("day", Integer, nullable=False),
    Column("used", Integer, nullable=False),
)
"""Buckets, which all workers share: whoever claims of a lane has its row locked meanwhile."""

CONSENTS = Table(
    "consents",
    METADATA,
    Column("account_sid", PLAIN, primary_key=True),
    Column("recipient", PLAIN, primary_key=True),
    Column("sender", PLAIN, primary_key=True),
    Column("opted_out", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("source", PLAIN, nullable=False),
)

SWITCHES = Table(
    "switches",
    METADATA,
    Column("name", PLAIN, primary_key=True),
    Column("reason", PLAIN, nullable=False),
    Column("at", Float, nullable=False),
)
"""The kill switch: while the row `stopped` is there, nobody claims anything."""
