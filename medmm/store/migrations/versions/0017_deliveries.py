"""Signed reports on their way to destinations."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the table; reports signed before have no row, and go nowhere by themselves."""
    op.create_table(
        "delivery",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("report_id", sa.Text, sa.ForeignKey("report.id"), nullable=False),
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.Text),
        sa.Column("tried_at", sa.Text),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.UniqueConstraint("report_id", "destination", name="uq_delivery_report_destination"),
    )
    op.create_index("ix_delivery_case", "delivery", ["case_id", "destination", "version"])
    op.create_index("ix_delivery_state", "delivery", ["state", "destination", "due"])
    op.create_index("ix_delivery_tried", "delivery", ["destination", "tried_at"])
