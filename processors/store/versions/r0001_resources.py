"""The tables `resources`, `due` and `tombstones`."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PLAIN = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "resources",
        sa.Column("key", PLAIN, primary_key=True),
        sa.Column("kind", PLAIN, nullable=False),
        sa.Column("account_sid", PLAIN, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", PLAIN),
        sa.Column("failure", PLAIN, comment="the status, where it is an end that nobody wished for"),
        sa.Column("direction", PLAIN),
        sa.Column("from_address", PLAIN),
        sa.Column("to_address", PLAIN),
        sa.Column("error_class", PLAIN),
        sa.Column(
            "call_sid", PLAIN, comment="the call that it belongs to: a recording's, a participant's, a child call's"
        ),
        sa.Column("conference_sid", PLAIN),
        sa.Column("first_received", PLAIN, nullable=False),
        sa.Column("changed_at", PLAIN, nullable=False, comment="when the newest of its facts was received"),
        sa.Column("due_at", PLAIN, comment="when the sweep has to look at it"),
        sa.Column("sweeps", sa.Integer, nullable=False, comment="how often it has"),
        sa.Column("seen", PLAIN, nullable=False),
        sa.Column("attributes", PLAIN, nullable=False),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.05},
    )
    op.create_index("resources_by_kind", "resources", ["kind", "first_received"])
    op.create_index("resources_by_account", "resources", ["account_sid", "kind", "first_received"])
    op.create_index("resources_by_from", "resources", ["from_address", "first_received"])
    op.create_index("resources_by_to", "resources", ["to_address", "first_received"])
    op.create_index("resources_by_failure", "resources", ["failure", "first_received"], **_known("failure"))
    op.create_index("resources_by_error", "resources", ["error_class", "first_received"], **_known("error_class"))
    for name, column in (("call", "call_sid"), ("conference", "conference_sid")):
        op.create_index(f"resources_by_{name}", "resources", [column], **_known(column))
    op.create_table(
        "due",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", PLAIN, nullable=False),
        sa.Column("keys", PLAIN, nullable=False, comment="JSON: rows due then, unless `due_at` has moved since"),
    )
    op.create_index("due_by_time", "due", ["at"])
    op.create_table(
        "tombstones",
        sa.Column("key", PLAIN, primary_key=True),
        sa.Column("at", PLAIN, nullable=False, comment="when the row was taken away"),
    )
    op.create_index("tombstones_by_time", "tombstones", ["at"])


def _known(column: str) -> Mapping[str, Any]:
    condition = sa.text(f"{column} IS NOT NULL")
    return {"postgresql_where": condition, "sqlite_where": condition}
