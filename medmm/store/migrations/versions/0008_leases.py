"""Leases: who works on a case, or which process on a case or a study, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table; whoever worked with an earlier release held no lease."""
    op.create_table(
        "lease",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("renewed", sa.Text, nullable=False),
        sa.Column("counts_from", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
    )
    op.create_index("ix_lease_holder", "lease", ["purpose", "holder", "until"])
