"""Readings and drafts in tables of their own, so that every version stays."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Move what cases hold into the tables, as it is, as the first version.

    Its author is read with it.
    """
    op.create_table(
        "reading",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "draft",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reading", sa.Integer),
        sa.Column("parent", sa.Integer),
        sa.Column("author", sa.Text),
        sa.Column("created_at", sa.Text),
        sa.Column("body", sa.JSON, nullable=False),
    )
    move, bind = 'SELECT id, 1, {0} FROM "case" WHERE {0} IS NOT NULL', op.get_bind()
    for part in ("reading", "draft"):
        insert = f"INSERT INTO {part} (case_id, version, body) {move.format(part)}"
        bind.execute(sa.text(insert))
        op.drop_column("case", part)
    bind.execute(
        sa.text("UPDATE draft SET reading = 1 WHERE case_id IN (SELECT case_id FROM reading)")
    )
    keys = bind.execute(sa.text("SELECT key, names FROM idempotency WHERE kind = 'draft'")).all()
    for key, names in keys:
        values = {"key": key, "names": json.dumps([*json.loads(names), "1"])}
        bind.execute(sa.text("UPDATE idempotency SET names = :names WHERE key = :key"), values)
