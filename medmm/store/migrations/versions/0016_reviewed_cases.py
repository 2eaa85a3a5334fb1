"""What readers made of drafts, one row a signed case, for reading statistics."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the table; cases signed before have no row, and are worked out anew."""
    op.create_table(
        "reviewed_case",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
