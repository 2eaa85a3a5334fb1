"""Orders that order systems send, and that wait for their studies."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
NUMBERS = ("study_uid", "accession", "placer", "filler")


def upgrade() -> None:
    """Make the table; it is empty."""
    op.create_table(
        "waiting_order",
        sa.Column("key", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text) for name in NUMBERS),
        sa.Column("body", sa.JSON, nullable=False),
    )
    for name in NUMBERS:
        op.create_index(f"ix_waiting_order_{name}", "waiting_order", [name])
