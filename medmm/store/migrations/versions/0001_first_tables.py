"""The first tables."""

import sqlalchemy as sa
from alembic import context, op

from medmm.audit.log import APPEND_ONLY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables and the triggers that keep the audit log append-only."""
    text, json = sa.Text, sa.JSON
    op.create_table(
        "study",
        sa.Column("uid", text, primary_key=True),
        sa.Column("patient_key", text, nullable=False, index=True),
        sa.Column("body", json, nullable=False),
    )
    op.create_table(
        "identity",
        sa.Column("patient_key", text, primary_key=True),
        sa.Column("body", json, nullable=False),
    )
    op.create_table(
        "context",
        sa.Column("study_uid", text, sa.ForeignKey("study.uid"), primary_key=True),
        sa.Column("body", json, nullable=False),
    )
    op.create_table(
        "not_evaluable",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", text, index=True),
        sa.Column("reason_code", text, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("body", json, nullable=False),
    )
    op.create_table(
        "case",
        sa.Column("id", text, primary_key=True),
        sa.Column("study_uid", text, sa.ForeignKey("study.uid"), nullable=False, index=True),
        sa.Column("state", text, nullable=False),
        sa.Column("opened_at", text, nullable=False),
        sa.Column("body", json, nullable=False),
        sa.Column("reading", json),
        sa.Column("draft", json),
        sa.Column("decisions", json, nullable=False),
        sa.Column("report_id", text),
    )
    op.create_table(
        "report",
        sa.Column("id", text, primary_key=True),
        sa.Column("case_id", text, sa.ForeignKey("case.id"), nullable=False, index=True),
        sa.Column("body", json, nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", text, primary_key=True),
        sa.Column("verb", text, nullable=False),
        sa.Column("request_sha256", text, nullable=False),
        sa.Column("result", json, nullable=False),
    )
    op.create_table(
        "audit_entry",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("subject", text, nullable=False, index=True),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("size", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("root", text, nullable=False),
        sa.Column("signature", text, nullable=False),
    )
    op.create_table(
        "audit_frontier",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("peaks", sa.LargeBinary, nullable=False),
        sa.Column("covered", sa.Integer, nullable=False),
    )
    dialect = context.config.attributes["dialect"]
    for table in APPEND_ONLY:
        for statement in dialect.append_only(*table):
            op.execute(statement)
