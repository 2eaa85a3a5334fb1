"""The words around a draft: what it is, what was decided and checked, who made it."""

from __future__ import annotations

from medmm.domain.draft import (
    CheckedDraft,
    Generation,
    Outcome,
    Section,
    Statement,
    Verdict,
)
from medmm.domain.report import Accept, CaseFile, Decision, Edit, Reader, Reject
from medmm.presentation.report_versions import Lineage

RESEARCH = "Research software, not a medical device."
BANNER = f"DRAFT, not signed: a clinician decides. {RESEARCH}"
SIGNED_BANNER = f"SIGNED: the report stays as a clinician signed it. {RESEARCH}"
NO_DRAFT = "No draft yet."
BLIND_BANNER = f"Shown blind: images and record alone, whatever was read or drafted. {RESEARCH}"
NOTHING_ELSE = "Nothing else is shown."
LEGEND = "checks: ✓ passed, ✗ failed; docs/checks.md says what each of them looks at"
MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_APPLICABLE: "–"}


def banner(file: CaseFile) -> str:
    """Say what stands on top of every page of a draft."""
    if file.blind:
        return BLIND_BANNER
    if file.report is None:
        return BANNER
    line = Lineage.of(file.report, file.versions)
    changed = "".join(f"{notice} " for notice in line.notices())
    if line.withdrawn:
        return f"{changed}This page shows the DRAFT that it was signed from."
    return (
        f"{changed}An earlier DRAFT. Report {file.report.id} was signed from it: "
        "that report counts, not this page."
    )


def decided_words(file: CaseFile, statement: Statement) -> str:
    """Say what a reader decided on a statement so far; "" if nothing.

    A summary on which nothing was decided says what it follows.
    """
    if file.impression is not None and statement.section is Section.IMPRESSION:
        return "left out: the reader's own impression takes its place"
    match file.decision_on(statement):
        case Accept():
            return "accepted by a reader"
        case Edit(text=text):
            return f"edited by a reader: {text}"
        case Reject():
            return "rejected by a reader"
    return f"summary of {statement.summarises}: decided with it" if statement.summarises else ""


def own_rows(file: CaseFile) -> list[tuple[Section, str, str, str]]:
    """List what readers wrote without a draft: section, number, text, mark."""
    rows = [
        (Section.FINDINGS, a.statement_id, a.text, own_mark(a.by, coded=a.finding is not None))
        for a in file.added
    ]
    if file.impression is not None:
        own = file.impression
        rows.append((Section.IMPRESSION, own.statement_id, own.text, own_mark(own.by)))
    return rows


def decision_word(decision: Decision | None) -> str | None:
    """Name the decision: accepted, edited or rejected; None if nothing is decided."""
    if decision is None:
        return None
    return (
        "accepted"
        if isinstance(decision, Accept)
        else "edited"
        if isinstance(decision, Edit)
        else "rejected"
    )


def made_by(draft: CheckedDraft) -> str:
    """Name the writer of a draft and its models, each with the start of its digest."""
    models = ", ".join(f"{m.name} {m.manifest_sha256[:12]}" for m in draft.draft.models) or "none"
    return f"writer {draft.draft.writer}; models {models}"


def generation_words(generation: Generation) -> str:
    """Say whose words a sentence has.

    The language model's own numbers stay in the record of the sentence. People see one probability
    of a finding: two side by side, of which one is not what the other is, mislead.
    """
    return f"worded by {generation.model}"


def own_mark(by: Reader | None, *, coded: bool = False) -> str:
    """Mark a reader's own words: whose they are, and whether they are free text."""
    return f"added by {by.name if by else 'a reader'}{'' if coded else ', free text'}"


def mark_words(verdict: Verdict) -> str:
    """Say what a check has against a reader's own words: a question, no refusal."""
    return f"{verdict.check}: {verdict.reason}. Look again."
