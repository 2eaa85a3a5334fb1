"""Results under idempotency keys refer to what is kept, and have a time.

Those of earlier releases stay whole.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table anew, so that a result may be missing; kept rows count as of now.

    No row says when it was kept.
    """
    op.rename_table("idempotency", "idempotency_whole")
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("request_sha256", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False, index=True),
        sa.Column("kind", sa.Text),
        sa.Column("names", sa.Text),
        sa.Column("result_sha256", sa.Text),
        sa.Column("result", sa.JSON),
    )
    op.create_index("ix_idempotency_kind_names", "idempotency", ["kind", "names"])
    kept = sa.text(
        "INSERT INTO idempotency (key, verb, request_sha256, at, result)"
        " SELECT key, verb, request_sha256, :now, result FROM idempotency_whole"
    )
    op.get_bind().execute(kept, {"now": datetime.now(UTC).isoformat(timespec="microseconds")})
    op.drop_table("idempotency_whole")
