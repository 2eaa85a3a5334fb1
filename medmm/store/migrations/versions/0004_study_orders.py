"""What the images of a study state of its order, and the record's request that ordered it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table of orders; earlier studies have none until they are admitted again."""
    op.create_table(
        "study_order",
        sa.Column("study_uid", sa.Text, sa.ForeignKey("study.uid"), primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
