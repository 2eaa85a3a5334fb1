"""What a reader made of a draft: told once, at the signature, from case and log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from functools import partial
from itertools import pairwise

from medmm.domain.audit_event import AuditEvent
from medmm.domain.draft import (
    CLAIMS,
    Assertion,
    CheckedDraft,
    MeasurementEvidence,
    ScoreEvidence,
    Statement,
)
from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.report import Accept, CaseFile, Edit, Reject, SignedReport
from medmm.domain.reviewed_case import Answer, ReviewedCase, ReviewedStatement, StatementKind
from medmm.domain.study import View
from medmm.domain.suspicion import OwnWords
from medmm.review.decisions import draft_of
from medmm.review.edited_coding import keeps_coding

PAUSE_S = 600.0  # two entries of one reader further apart are no work on the case in between
DECIDING = ("decide", "accept_passing", "undo")


def reviewed(
    file: CaseFile, report: SignedReport, events: Sequence[AuditEvent], site: str | None
) -> ReviewedCase:
    """Tell what a reader made of the draft of a case.

    Args:
        file: the case with the decisions that were signed.
        report: the first version of its report.
        events: of the log about the case, in its order; later ones than the signature are passed
            over.

    Returns: the row that statistics count; it holds no word of draft or report.
    Raises: StateError if the case has no draft.
    """
    checked, study = draft_of(file), file.case.study
    film, figures = study.frontal, file.reading.input_figures if file.reading else None
    times = _Times.of(events, report)
    return ReviewedCase(
        case_id=file.case.id,
        patient_key=study.patient_key,
        modality=study.modality.value,
        body_part=study.body_part,
        site=site,
        view=film.view.value if film is not None and film.view is not View.UNKNOWN else None,
        sex=figures.sex if figures else None,
        age_years=int(study.ages[0].least_years) if study.ages else None,
        reader=times.reader or report.signed_by.id,
        signed_by=report.signed_by.id,
        writer=checked.draft.writer,
        models=checked.draft.models,
        statements=tuple(_statements(file, checked)),
        added=tuple(_added(file, checked)),
        claims_signed=sum(_claims(s.finding, s.assertion, s.summarises) for s in report.statements),
        signed_at=report.signed_at,
        drafted_at=times.drafted_at,
        first_decision_at=times.first_decision_at,
        looked_at=times.looked_at,
        pauses_s=times.pauses_s,
    )


def words_changed(before: str, after: str) -> float:
    """Compute the share of words that an edit changed: 0 none, 1 all.

    It is one minus the ratio of `difflib.SequenceMatcher` over the words of both, so that a word
    that was replaced counts as one taken out and one put in.
    """
    old, new = before.split(), after.split()
    return round(1 - SequenceMatcher(None, old, new, autojunk=False).ratio(), 4)


def _statements(file: CaseFile, checked: CheckedDraft) -> Iterator[ReviewedStatement]:
    for statement in file.asked:
        decision = file.decision_on(statement)
        row = partial(
            ReviewedStatement,
            kind=_kind(statement),
            finding=statement.finding,
            model=_model(statement, file.reading, checked.draft.models),
        )
        if isinstance(decision, Accept):
            yield row(answer=Answer.ACCEPTED)
        elif isinstance(decision, Reject):
            yield row(answer=Answer.REJECTED, reason=decision.code)
        elif isinstance(decision, Edit):
            yield row(
                answer=Answer.EDITED,
                words_changed=words_changed(statement.text, decision.text),
                recoded=not keeps_coding(statement, decision.text, file.case.context),
            )


def _kind(statement: Statement) -> StatementKind:
    if statement.assertion is Assertion.REPORTED:
        return StatementKind.RECORD
    if _claims(statement.finding, statement.assertion, statement.summarises):
        return StatementKind.CLAIM
    if statement.finding is not None and statement.assertion is Assertion.ABSENT:
        return StatementKind.DENIAL
    measured = any(isinstance(one, MeasurementEvidence) for one in statement.evidence)
    return StatementKind.MEASUREMENT if measured else StatementKind.OTHER


def _claims(finding: str | None, assertion: Assertion, summarises: str | None) -> bool:
    return finding is not None and assertion in CLAIMS and summarises is None


def _model(
    statement: Statement, reading: Reading | None, models: Sequence[ModelIdentity]
) -> ModelIdentity | None:
    """Find whose score or measurement a statement rests on, of the models of the draft."""
    names: list[str | None] = []
    for one in statement.evidence:
        if isinstance(one, ScoreEvidence):
            names.append(one.model)
        elif isinstance(one, MeasurementEvidence) and reading is not None:
            measured = reading.measurement(one.name, statement.side)
            names.append(measured.model if measured is not None else None)
    return next((model for model in models if model.name in names), None)


def _added(file: CaseFile, checked: CheckedDraft) -> Iterator[str]:
    """Name the findings that readers stated of their own and that the draft did not claim."""
    drafted = {s.finding for s in checked.statements if s.assertion in CLAIMS}
    own: dict[str, None] = {}
    for one in file.added:
        finding = one.finding if one.assertion in CLAIMS else None
        words = OwnWords(statement_id=one.statement_id, text=one.text, finding=finding)
        own |= dict.fromkeys(name for name in (finding, *words.claims) if name is not None)
    for also in checked.draft.also_suspected:
        decided = file.decision_on(also.statement)
        if isinstance(decided, Accept | Edit) and also.statement.finding is not None:
            own[also.statement.finding] = None
    yield from (name for name in own if name not in drafted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """The times of a case that its entries in the log tell."""

    reader: str | None
    drafted_at: datetime | None
    first_decision_at: datetime | None
    looked_at: datetime | None
    pauses_s: float

    @classmethod
    def of(cls, events: Sequence[AuditEvent], report: SignedReport) -> _Times:
        done = [e for e in events if e.outcome == "done" and e.at <= report.signed_at]
        drafts = [n for n, e in enumerate(done) if e.verb == "draft" and _made(e)]
        after = done[drafts[-1] :] if drafts else []
        decided = [e for e in after if e.verb in DECIDING]
        signer = report.signed_by.id
        own = [e.at for e in after if e.actor == signer]
        looked = next((e.at for e in after if e.actor == signer and _shows(e)), None)
        steps = [] if looked is None else [*(t for t in own if t >= looked), report.signed_at]
        gaps = ((later - earlier).total_seconds() for earlier, later in pairwise(steps))
        return cls(
            reader=decided[-1].actor if decided else None,
            drafted_at=after[0].at if after else None,
            first_decision_at=decided[0].at if decided else None,
            looked_at=looked,
            pauses_s=round(sum(gap for gap in gaps if gap > PAUSE_S), 3),
        )


def _made(event: AuditEvent) -> bool:
    """Tell whether an entry of `draft` made one, and did not give back what was there."""
    return "unchanged" not in event.details and event.details.get("draft_sha256") is not None


def _shows(event: AuditEvent) -> bool:
    return event.verb == "case" and event.details.get("blind") != "True"
