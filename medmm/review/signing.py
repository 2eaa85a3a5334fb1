"""From decisions to the signed report: the only place that makes one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from medmm.domain.codec import to_json
from medmm.domain.draft import Section, Statement
from medmm.domain.errors import ConfigError, InputError, StateError
from medmm.domain.report import (
    CaseFile,
    CaseState,
    Edit,
    IndependentRead,
    Preliminary,
    Reader,
    Reject,
    SeriesReference,
    SignedReport,
    SignedStatement,
    StudyReference,
)
from medmm.domain.study import Study
from medmm.review.contradiction import refuse_contradicting_addendum, refuse_contradiction
from medmm.review.decisions import draft_of, refuse_failed
from medmm.review.edited_coding import edited_statement
from medmm.review.lifecycle import Act, advance
from medmm.review.own_words import own_statements

UNNUMBERED = "report-unnumbered"


def sign(file: CaseFile, by: Reader, at: datetime) -> SignedReport:
    """Make the report of what a reader accepted and edited; its ID comes from its content.

    Raises: StateError if the case is signed already, a statement is undecided, a statement that
    failed a check was accepted, the impression would contradict the findings, or nothing is left to
    sign; ConfigError if `by` has the name that ships with the settings; InputError if `at` has no
    time zone.
    """
    if file.state is CaseState.SIGNED or file.report is not None:
        raise StateError(
            "the case is signed already",
            remedy="amend the report, add an addendum to it, or withdraw it",
            case=file.case.id,
        )
    refuse_signer(by, at)
    statements = to_sign(file, by)
    advance(file.state, Act.SIGN)
    draft = draft_of(file).draft
    return numbered(
        SignedReport(
            id=UNNUMBERED,
            case_id=file.case.id,
            study=_reference(file.case.study),
            patient_key=file.case.study.patient_key,
            version=1,
            statements=statements,
            not_evaluated=draft.limits,
            signed_by=by,
            signed_at=at,
            draft_id=draft.id,
            writer=draft.writer,
            models=draft.models,
            images_read=draft.images_read,
            images_unread=draft.images_unread,
            rejected_count=rejected_count(file),
            communications=file.communications,
            preliminary=file.preliminary,
        )
    )


def adjudicated(report: SignedReport, reads: tuple[IndependentRead, ...]) -> SignedReport:
    """Name in a report the two who read its case before; without them it stays as it is."""
    return numbered(replace(report, independent_reads=reads)) if reads else report


def propose(file: CaseFile, by: Reader, at: datetime) -> Preliminary:
    """Leave what was decided to another reader's signature.

    Raises: StateError as `to_sign`, and if the case is not in review.
    """
    advance(file.state, Act.PROPOSE)
    to_sign(file, by)
    return Preliminary(by=by, at=at)


def refuse_signer(by: Reader, at: datetime) -> None:
    """Refuse a signer with the name that ships, or a time without zone.

    Raises: ConfigError if `by` has the name that ships with the settings; InputError if `at` has no
        time zone.
    """
    if by.unnamed:
        raise ConfigError(
            "nobody signs under the name that ships with the settings",
            remedy="put your own name under `readers:` in the settings",
            reader=by.id,
        )
    if at.tzinfo is None:
        raise InputError("the time of signing has no time zone", remedy="sign with an aware time")


def numbered(report: SignedReport) -> SignedReport:
    """Give the report an ID that comes from its content."""
    said = to_json(replace(report, id=UNNUMBERED))
    for name in (
        "communications",
        "preliminary",
        "independent_reads",
    ):  # said by none, the ID is that of before
        if not getattr(report, name):
            del said[name]
    content = json.dumps(said, sort_keys=True, ensure_ascii=True)
    return replace(report, id="report-" + hashlib.sha256(content.encode()).hexdigest()[:32])


def rejected_count(file: CaseFile) -> int:
    """Count the rejected statements that a reader was asked about or chose to answer."""
    return sum(isinstance(file.decision_on(s), Reject) for s in (*file.asked, *_also(file)))


def to_sign(file: CaseFile, by: Reader | None = None) -> tuple[SignedStatement, ...]:
    """List the statements that a signature takes, as edited, with what readers added.

    Of what is also suspected only what a reader accepted or edited is among them: in the findings,
    and in the impression as any other finding. A reader's own impression takes the place of the
    drafted one.

    Raises: StateError if one is undecided, one that failed a check was accepted, or nothing is left
        to sign.
    """
    undecided = [s.id for s in file.asked if file.decision_on(s) is None]
    if undecided:
        raise StateError(
            f"{len(undecided)} of {len(file.asked)} statements are undecided",
            remedy="accept, edit or reject them",
            case=file.case.id,
            statements=" ".join(undecided),
        )
    signed = decided_statements(file, by)
    refuse_unsound(signed, file)
    return signed


def decided_statements(file: CaseFile, by: Reader | None) -> tuple[SignedStatement, ...]:
    """List what was decided and written so far, as statements of a report; see `to_sign`."""
    drafted = [
        s
        for s in draft_of(file).statements
        if file.impression is None or s.section is not Section.IMPRESSION
    ]
    also = [s for s in _also(file) if file.decision_on(s) is not None]
    own = list(own_statements(file, by))
    return (
        *_decided(file, [s for s in drafted if s.section is not Section.IMPRESSION]),
        *_decided(file, also),
        *(s for s in own if s.section is Section.FINDINGS),
        *_decided(file, [s for s in drafted if s.section is Section.IMPRESSION]),
        *(_summary(s) for s in _decided(file, also) if file.impression is None),
        *(s for s in own if s.section is not Section.FINDINGS),
    )


def refuse_unsound(statements: Sequence[SignedStatement], file: CaseFile) -> None:
    """Refuse statements of which none is left to sign, or that contradict each other.

    Raises: StateError if so.
    """
    if not statements:
        raise StateError(
            "nothing is left to sign",
            remedy="edit a statement to say what you see",
            case=file.case.id,
        )
    refuse_contradiction(statements, draft_of(file), file.case.id)
    refuse_contradicting_addendum(statements, file.case.id)


def _also(file: CaseFile) -> tuple[Statement, ...]:
    """List what is also suspected; nobody has to decide on it."""
    return tuple(one.statement for one in draft_of(file).draft.also_suspected)


def _decided(file: CaseFile, statements: Sequence[Statement]) -> Iterator[SignedStatement]:
    """List what is left of drafted statements after the reader's decisions."""
    for statement in statements:
        decision = file.decision_on(statement)
        if decision is None:  # a summary follows a finding, and all findings are decided
            raise StateError(
                "a statement is undecided",
                remedy="decide on every statement",
                case=file.case.id,
                statement=statement.id,
            )
        refuse_failed(draft_of(file), decision, file.case.id)
        if isinstance(decision, Edit):
            yield edited_statement(statement, decision.text, file.case.context)
        elif not isinstance(decision, Reject):
            yield _as_drafted(statement)


def _summary(signed: SignedStatement) -> SignedStatement:
    """Word what the impression repeats of a suspicion that a reader let stand."""
    return replace(
        signed, id=f"{signed.id}-impression", section=Section.IMPRESSION, summarises=signed.id
    )


def _as_drafted(statement: Statement) -> SignedStatement:
    return SignedStatement(
        id=statement.id,
        section=statement.section,
        text=statement.text,
        assertion=statement.assertion,
        finding=statement.finding,
        side=statement.side,
        evidence=statement.evidence,
        summarises=statement.summarises,
    )


def _reference(study: Study) -> StudyReference:
    return StudyReference(
        uid=study.uid,
        modality=study.modality.value,
        acquired=study.image_time.moment if study.image_time else None,
        exact=study.image_time is None or study.image_time.exact,
        series=tuple(
            _series(study, uid)
            for uid in dict.fromkeys(volume.series_uid for volume in study.volumes)
        ),
    )


def _series(study: Study, uid: str) -> SeriesReference:
    """Refer to one series, each image once, with the earliest time of its volumes."""
    volumes = [volume for volume in study.volumes if volume.series_uid == uid]
    first = min(
        (v.acquired for v in volumes if v.acquired), key=lambda when: when.moment, default=None
    )
    return SeriesReference(
        uid=uid,
        modality=study.modality.value,
        sop_class_uid=volumes[0].sop_class_uid,
        sop_uids=tuple(dict.fromkeys(sop_uid for volume in volumes for sop_uid in volume.sop_uids)),
        acquired=first.moment if first else None,
        exact=first is None or first.exact,
    )
