"""What models in shadow read, and which models persons accepted or put back into shadow."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the tables; of models of earlier releases nothing was accepted."""
    op.create_table(
        "shadow_reading",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("manifest_sha256", sa.Text, nullable=False),
        sa.Column("read_at", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("ix_shadow_reading_model", "shadow_reading", ["manifest_sha256", "read_at"])
    op.create_table(
        "model_standing",
        sa.Column("manifest_sha256", sa.Text, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
