"""The tables: nouns as JSON beside the columns that are searched for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from medmm.audit import log

metadata = log.metadata  # the audit tables live in the same database, so that both commit together

studies = sa.Table(
    "study",
    metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("patient_key", sa.Text, nullable=False, index=True),
    sa.Column("body", sa.JSON, nullable=False),
)
study_files = sa.Table(
    "study_file",
    metadata,
    sa.Column("study_uid", sa.Text, sa.ForeignKey("study.uid"), primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("sop_uid", sa.Text),
)
orders = sa.Table(
    "study_order",
    metadata,
    sa.Column("study_uid", sa.Text, sa.ForeignKey("study.uid"), primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
waiting_orders = sa.Table(  # as order systems send them; medmm.store.waiting_orders reads them
    "waiting_order",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("study_uid", sa.Text, index=True),
    sa.Column("accession", sa.Text, index=True),
    sa.Column("placer", sa.Text, index=True),
    sa.Column("filler", sa.Text, index=True),
    sa.Column("body", sa.JSON, nullable=False),
)
identities = sa.Table(
    "identity",
    metadata,
    sa.Column("patient_key", sa.Text, primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
contexts = sa.Table(
    "context",
    metadata,
    sa.Column("study_uid", sa.Text, sa.ForeignKey("study.uid"), primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
not_evaluable = sa.Table(
    "not_evaluable",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.Text, index=True),
    sa.Column("reason_code", sa.Text, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)
releases = sa.Table(
    "release",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("reason_code", sa.Text, primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
cases = sa.Table(
    "case",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("study_uid", sa.Text, sa.ForeignKey("study.uid"), nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("decisions", sa.JSON, nullable=False),
    sa.Column("report_id", sa.Text),
    sa.Column("priority", sa.JSON(none_as_null=True)),
    sa.Column("site", sa.JSON(none_as_null=True)),
    sa.Column("communications", sa.JSON(none_as_null=True)),
    sa.Column("preliminary", sa.JSON(none_as_null=True)),
)
readings = sa.Table(
    "reading",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.JSON, nullable=False),
)
drafts = sa.Table(
    "draft",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("reading", sa.Integer),  # the version of the reading that it rests on
    sa.Column("parent", sa.Integer),  # the version in whose place it came
    sa.Column("author", sa.Text),  # None of an earlier release: the writer that its body names
    sa.Column("created_at", sa.Text),
    sa.Column("body", sa.JSON, nullable=False),
)


def newest(table: sa.Table) -> sa.ScalarSelect[Any]:
    """Build the query, within one of cases, for the newest body of a case."""
    query = sa.select(table.c.body).where(table.c.case_id == cases.c.id).correlate(cases)
    return query.order_by(table.c.version.desc()).limit(1).scalar_subquery()


worklist = sa.Table(  # derived from the cases by medmm.store.worklist
    "worklist",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("study_uid", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", sa.Text, nullable=False),
    sa.Column("opened_utc", sa.Text, nullable=False),  # the same moment, as text that sorts
    sa.Column("patient_key", sa.Text),
    sa.Column("modality", sa.Text),  # None of a case that can't be read, as are all below
    sa.Column("body_part", sa.Text),  # in capitals
    sa.Column("body_part_words", sa.Text),
    sa.Column("acquired", sa.Text, index=True),
    sa.Column("critical", sa.Boolean),
    sa.Column("suspected", sa.Boolean),
    sa.Column("suspicions", sa.Text),
    sa.Column("seen_in_part", sa.Text),
    sa.Column("priority", sa.Text),
    sa.Column("priority_reason", sa.Text),
    sa.Column("waiting_since", sa.Text),  # in UTC, as text that sorts
    sa.Column("site", sa.Text),
    sa.Column("turn", sa.Text),  # priority and waiting_since, as text that sorts
    sa.Column("critical_since", sa.Text),  # in UTC; None where nobody is to be told of anything
    sa.Index("ix_worklist_newest", "opened_utc", "case_id"),
    sa.Index("ix_worklist_turn", "turn", "case_id"),
    sa.Index("ix_worklist_patient_key", "patient_key"),
    sa.Index("ix_worklist_study_uid", "study_uid"),
    *(
        sa.Index(f"ix_worklist_{column}", column, "opened_utc", "case_id")
        for column in (
            "state",
            "modality",
            "body_part",
            "critical",
            "suspected",
            "priority",
            "waiting_since",
            "site",
        )
    ),
)
search_terms = sa.Table(  # derived from identities and orders by medmm.store.search
    "search_term",
    metadata,
    sa.Column("owner", sa.Text, primary_key=True),  # a patient key, or a Study UID
    sa.Column("kind", sa.Text, primary_key=True),  # as medmm.store.search names it
    sa.Column("term", sa.Text, primary_key=True),  # a folded part of a name, or a keyed digest
    sa.Index("ix_search_term_kind", "kind", "term", "owner"),
)
saved_filters = sa.Table(
    "saved_filter",
    metadata,
    sa.Column("reader", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
decision_history = sa.Table(  # what stood decided before each act, in medmm.store.decision_history
    "decision_history",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("reader", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)
confirmations = sa.Table(  # of a signature that is being asked for, in medmm.store.confirmations
    "confirmation",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("reader", sa.Text, primary_key=True),
    sa.Column("token_sha256", sa.Text, nullable=False),
    sa.Column("shown", sa.Text, nullable=False),  # digest of what was on the screen
    sa.Column("until", sa.Text, nullable=False),
)
unfinished = sa.Table(  # words that a reader is typing, in medmm.store.unfinished
    "unfinished_text",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("reader", sa.Text, primary_key=True),
    sa.Column("field", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("draft", sa.Text),  # id of the draft that was shown
    sa.Column("at", sa.Text, nullable=False),
)
first_reads = sa.Table(  # what readers saw before a draft, in medmm.store.first_reads
    "first_read",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # case and reader
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), nullable=False, index=True),
    sa.Column("reader", sa.Text, nullable=False),
    sa.Column("read_at", sa.Text, nullable=False, index=True),  # in UTC, as text that sorts
    sa.Column("body", sa.JSON, nullable=False),
)
double_readings = sa.Table(  # the order to read a case twice, in medmm.store.first_reads
    "double_reading",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
last_words = sa.Table(  # derived from the log by medmm.store.last_words
    "last_word",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("about", sa.Text, nullable=False, index=True),  # the subject of the entry
    sa.Column("entry", sa.Integer, nullable=False),
    sa.Column("value", sa.Text),
)
leases = sa.Table(  # times in UTC, as text that sorts
    "lease",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),  # a case, or a study that is admitted
    sa.Column("purpose", sa.Text, primary_key=True),  # as medmm.store.leases names it
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),  # of a process's lease another at every renewal
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("renewed", sa.Text, nullable=False),
    sa.Column("counts_from", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
    sa.Index("ix_lease_holder", "purpose", "holder", "until"),
)
reports = sa.Table(
    "report",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), nullable=False, index=True),
    sa.Column("body", sa.JSON, nullable=False),
)
deliveries = sa.Table(  # reports on their way, in medmm.store.deliveries; times sort as text
    "delivery",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("report_id", sa.Text, sa.ForeignKey("report.id"), nullable=False),
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("urgent", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", sa.Text),  # None if it is not tried any more
    sa.Column("tried_at", sa.Text),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),  # may name a patient, and so stands here alone
    sa.UniqueConstraint("report_id", "destination", name="uq_delivery_report_destination"),
    sa.Index("ix_delivery_case", "case_id", "destination", "version"),
    sa.Index("ix_delivery_state", "state", "destination", "due"),
    sa.Index("ix_delivery_tried", "destination", "tried_at"),
)
shadow_readings = sa.Table(
    "shadow_reading",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("manifest_sha256", sa.Text, nullable=False),
    sa.Column("read_at", sa.Text, nullable=False),  # in UTC, as text that sorts
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("ix_shadow_reading_model", "manifest_sha256", "read_at"),
)
reviewed_cases = sa.Table(  # told at the signature; medmm.store.reviewed_cases reads them
    "reviewed_case",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("case.id"), primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
model_standings = sa.Table(  # the newest of a model; those before it are in its body
    "model_standing",
    metadata,
    sa.Column("manifest_sha256", sa.Text, primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)
idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("request_sha256", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False, index=True),
    sa.Column(
        "kind", sa.Text
    ),  # with names: the row that holds the result, as medmm.store.replays reads it
    sa.Column("names", sa.Text),
    sa.Column("result_sha256", sa.Text),
    sa.Column("result", sa.JSON(none_as_null=True)),  # if no row holds it, or no longer
    sa.Index("ix_idempotency_kind_names", "kind", "names"),
)
