"""The worklist: what is asked for of a case, in columns with indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table; `medmm.store.worklist.fill` derives its lines in the same transaction."""
    op.create_table(
        "worklist",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("study_uid", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Text, nullable=False),
        sa.Column("opened_utc", sa.Text, nullable=False),
        sa.Column("patient_key", sa.Text),
        sa.Column("modality", sa.Text),
        sa.Column("body_part", sa.Text),
        sa.Column("body_part_words", sa.Text),
        sa.Column("acquired", sa.Text, index=True),
        sa.Column("critical", sa.Boolean),
        sa.Column("suspected", sa.Boolean),
        sa.Column("suspicions", sa.Text),
        sa.Column("seen_in_part", sa.Text),
    )
    op.create_index("ix_worklist_newest", "worklist", ["opened_utc", "case_id"])
    for column in ("state", "modality", "body_part", "critical", "suspected"):
        op.create_index(f"ix_worklist_{column}", "worklist", [column, "opened_utc", "case_id"])
