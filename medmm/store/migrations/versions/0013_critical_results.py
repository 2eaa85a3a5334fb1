"""Who was told of critical findings, and since when nobody was."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns; a line of an earlier release says nothing of it until its case changes."""
    op.add_column("case", sa.Column("communications", sa.JSON))
    op.add_column("worklist", sa.Column("critical_since", sa.Text))
