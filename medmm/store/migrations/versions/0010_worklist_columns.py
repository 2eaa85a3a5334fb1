"""How urgent a case is, its site, since when a person is waited for, and its turn."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; of cases of earlier releases nothing is known of priority and site."""
    for part in ("priority", "site"):
        op.add_column("case", sa.Column(part, sa.JSON))
    for column in ("priority", "priority_reason", "waiting_since", "site", "turn"):
        op.add_column("worklist", sa.Column(column, sa.Text))
    op.execute(  # lines that a log names stay as they are; `medmm.store.worklist.turn` has these
        "UPDATE worklist SET turn = CASE WHEN state IN ('opened', 'drafted', 'in review')"
        " THEN '3 9999' ELSE '9' END"
    )
    for column in ("priority", "waiting_since", "site"):
        op.create_index(f"ix_worklist_{column}", "worklist", [column, "opened_utc", "case_id"])
    op.create_index("ix_worklist_turn", "worklist", ["turn", "case_id"])
