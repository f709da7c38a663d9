"""State: the tables that the query side may read. One row a resource; a participant's key is `CF…/CA…`.

`seen` and `attributes` hold all facts as JSON; the other columns are derived from them for filters, or are the store's
own. Attributes that have no order of the provider's are `plain`; the others are [value, sequence, at].

    seen: {"statuses": {NAME: [received, at]}, "events": …, "errors": {CODE: …}}, each where there is any
    attributes: {"plain": {NAME: VALUE}, "ordered": {NAME: [value, sequence, at]}}

Times are text of one width in UTC, so that both databases compare them alike.
"""

from collections.abc import Mapping, Set
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text

from processors.contract.changes import Kind
from processors.contract.statuses import TERMINAL

METADATA = MetaData()

# Compared byte by byte: the order of keys and times must not hang on how a database was set up, and it costs less.
PLAIN = Text().with_variant(Text(collation="C"), "postgresql")


def _where(condition: str) -> Mapping[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


_WISHED = frozenset({"delivered", "received", "read", "completed", "deleted", "left"})
FAILURES: Mapping[Kind, Set[str]] = {kind: TERMINAL[kind] - _WISHED for kind in TERMINAL}
"""Terminal statuses that are rare and looked for: they have an index, the others are found by time."""

RESOURCES = Table(
    "resources",
    METADATA,
    Column("key", PLAIN, primary_key=True),
    Column("kind", PLAIN, nullable=False),
    Column("account_sid", PLAIN, nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", PLAIN),
    Column("failure", PLAIN, comment="the status, where it is an end that nobody wished for"),
    Column("direction", PLAIN),
    Column("from_address", PLAIN),
    Column("to_address", PLAIN),
    Column("error_class", PLAIN),
    Column("call_sid", PLAIN, comment="the call that it belongs to: a recording's, a participant's, a child call's"),
    Column("conference_sid", PLAIN),
    Column("first_received", PLAIN, nullable=False),
    Column("changed_at", PLAIN, nullable=False, comment="when the newest of its facts was received"),
    Column("due_at", PLAIN, comment="when the sweep has to look at it"),
    Column("sweeps", Integer, nullable=False, comment="how often it has"),
    Column("seen", PLAIN, nullable=False),
    Column("attributes", PLAIN, nullable=False),
    # What these indexes hold does not change while a resource goes its way to an ordinary end: PostgreSQL then puts the
    # new row into the old one's page and touches no index, which would cost more than all the rest of an update. So
    # neither `status` nor `due_at` is in one.
    Index("resources_by_kind", "kind", "first_received"),
    Index("resources_by_account", "account_sid", "kind", "first_received"),
    Index("resources_by_from", "from_address", "first_received"),
    Index("resources_by_to", "to_address", "first_received"),
    Index("resources_by_failure", "failure", "first_received", **_where("failure IS NOT NULL")),
    Index("resources_by_error", "error_class", "first_received", **_where("error_class IS NOT NULL")),
    # Links live on the child and are found by index.
    Index("resources_by_call", "call_sid", **_where("call_sid IS NOT NULL")),
    Index("resources_by_conference", "conference_sid", **_where("conference_sid IS NOT NULL")),
    # Room for the next versions of a row in its own page.
    postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.05},
)

DUE = Table(
    "due",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", PLAIN, nullable=False),
    Column("keys", PLAIN, nullable=False, comment="JSON: rows due then, unless `due_at` has moved since"),
    Index("due_by_time", "at"),
)
"""Where to look for rows that are due: many in one, since an entry a row would cost as much as the row."""

TOMBSTONES = Table(
    "tombstones",
    METADATA,
    Column("key", PLAIN, primary_key=True),
    Column("at", PLAIN, nullable=False, comment="when the row was taken away"),
    Index("tombstones_by_time", "at"),
)
