"""Who left a case to another's signature, and signatures that are being asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column and the table; of cases of earlier releases nobody is known."""
    op.add_column("case", sa.Column("preliminary", sa.JSON))
    op.create_table(
        "confirmation",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("reader", sa.Text, primary_key=True),
        sa.Column("token_sha256", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
    )
