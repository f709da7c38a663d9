"""The `resources` table."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "resources",
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("account_sid", sa.String(34), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", sa.String(64)),
        sa.Column("terminal", sa.Boolean, nullable=False),
        sa.Column("direction", sa.String(32)),
        sa.Column("from_address", sa.Text),
        sa.Column("to_address", sa.Text),
        sa.Column("error_code", sa.Integer),
        sa.Column("error_class", sa.String(16)),
        sa.Column("correlation", sa.String(128)),
        sa.Column("call_sid", sa.String(34)),
        sa.Column("conference_sid", sa.String(34)),
        sa.Column("first_received", sa.String(32), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    # Links live on the child and are found by index.
    op.create_index("resources_by_call", "resources", ["call_sid"])
    op.create_index("resources_by_conference", "resources", ["conference_sid"])
    op.create_index("resources_by_kind", "resources", ["kind", "terminal", "first_received"])
