"""The tables `actions`, `lanes`, `consents` and `switches`."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PLAIN = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OPEN = "state IN ('waiting', 'running', 'unknown', 'stuck')"


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", PLAIN, nullable=False, unique=True),
        sa.Column("type", PLAIN, nullable=False),
        sa.Column("account_sid", PLAIN, nullable=False),
        sa.Column("ordering_key", PLAIN, nullable=False),
        sa.Column("recipient", PLAIN),
        sa.Column("action", PLAIN, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("state", PLAIN, nullable=False),
        sa.Column("lane", PLAIN, nullable=False, comment="what it shares a rate with, as of its state"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("due", sa.Float, nullable=False),
        sa.Column("leased_until", sa.Float, nullable=False),
        sa.Column("performed_at", sa.Float, nullable=False),
        sa.Column("absences", sa.Integer, nullable=False),
        sa.Column("resource_sid", PLAIN),
        sa.Column("http_status", sa.Integer),
        sa.Column("error_code", sa.Integer),
        sa.Column("reason", PLAIN),
        sa.Column("observation", PLAIN),
        sa.Column("observed", sa.Integer),
        sa.Column("resources", PLAIN),
        sa.Column("settled_at", sa.Float, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("published", sa.Integer, nullable=False),
        sa.Column("telling_until", sa.Float, nullable=False),
    )
    _index("actions_claimable", ["lane", "due", "position"], "state IN ('waiting', 'unknown')")
    _index("actions_by_key", ["ordering_key", "position"], OPEN)
    _index("actions_running", ["leased_until"], "state = 'running'")
    _index("actions_open", ["state", "since"], OPEN)
    _index("actions_by_recipient", ["recipient", "performed_at"], "recipient IS NOT NULL")
    _index("actions_unpublished", ["position"], "published = 0")
    _index("actions_over", ["settled_at"], "state IN ('done', 'refused') AND published = 1")
    op.create_table(
        "lanes",
        sa.Column("name", PLAIN, primary_key=True, comment="of a lane, or an account's SID"),
        sa.Column("account_sid", PLAIN, nullable=False),
        sa.Column("free_at", sa.Float, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
    )
    op.create_table(
        "consents",
        sa.Column("account_sid", PLAIN, primary_key=True),
        sa.Column("recipient", PLAIN, primary_key=True),
        sa.Column("sender", PLAIN, primary_key=True),
        sa.Column("opted_out", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("source", PLAIN, nullable=False),
    )
    op.create_table(
        "switches",
        sa.Column("name", PLAIN, primary_key=True),
        sa.Column("reason", PLAIN, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )


def _index(name: str, columns: list[str], condition: str) -> None:
    where: Mapping[str, Any] = {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
    op.create_index(name, "actions", columns, **where)
