"""The log's last word on everything that is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table; `last_words.fill` derives its rows in the same transaction.

    They come from the log.
    """
    op.create_table(
        "last_word",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("about", sa.Text, nullable=False, index=True),
        sa.Column("entry", sa.Integer, nullable=False),
        sa.Column("value", sa.Text),
    )
