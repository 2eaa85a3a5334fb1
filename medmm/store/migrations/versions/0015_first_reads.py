"""What readers saw before a draft, and which cases are to be read twice."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the two tables; of cases of earlier releases nobody read first."""
    op.create_table(
        "first_read",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), nullable=False, index=True),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("read_at", sa.Text, nullable=False, index=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "double_reading",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
