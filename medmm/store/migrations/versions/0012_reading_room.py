"""What cases are searched by, the saved filters of readers, and words not decided on yet."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables; `medmm.store.search.fill` derives the terms in the same transaction."""
    op.create_table(
        "search_term",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("term", sa.Text, primary_key=True),
    )
    op.create_index("ix_search_term_kind", "search_term", ["kind", "term", "owner"])
    op.create_table(
        "saved_filter",
        sa.Column("reader", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "decision_history",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "unfinished_text",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("reader", sa.Text, primary_key=True),
        sa.Column("field", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("draft", sa.Text),
        sa.Column("at", sa.Text, nullable=False),
    )
    for column in ("patient_key", "study_uid"):
        op.create_index(f"ix_worklist_{column}", "worklist", [column])
