"""The `actions` table."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(128), nullable=False, unique=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("ordering_key", sa.String(200), nullable=False),
        sa.Column("recipient", sa.Text),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.Float, nullable=False),
        sa.Column("leased_until", sa.Float, nullable=False),
        sa.Column("performed_at", sa.Float, nullable=False),
        sa.Column("resource_sid", sa.String(34)),
        sa.Column("http_status", sa.Integer),
        sa.Column("error_code", sa.Integer),
        sa.Column("reason", sa.String(64)),
        sa.Column("observation", sa.LargeBinary),
        sa.Column("settled_at", sa.Float, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("published", sa.Boolean, nullable=False),
    )
    op.create_index("actions_open", "actions", ["state", "position"])
    op.create_index("actions_by_key", "actions", ["ordering_key", "state", "position"])
    op.create_index("actions_by_recipient", "actions", ["recipient", "performed_at"])
    op.create_index("actions_unpublished", "actions", ["published", "position"])
