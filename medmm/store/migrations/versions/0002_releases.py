"""What persons let pass the gate."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of releases."""
    op.create_table(
        "release",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("reason_code", sa.Text, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
