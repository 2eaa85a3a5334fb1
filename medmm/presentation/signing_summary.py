"""What a reader signs, for whom, and what still speaks against it, before the signature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from medmm.domain.draft import Outcome
from medmm.domain.identity import PatientIdentity
from medmm.domain.plain_text import clean
from medmm.domain.report import Accept, CaseFile, Edit, Reader, Reject
from medmm.domain.vocabulary import finding_term
from medmm.presentation.worklist_view import name_words

WORDS = {Accept: "accepted", Edit: "edited", Reject: "rejected"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSummary:
    """A signature in words, before it is given.

    Attributes:
        patient: who it is for: name, birth date, sex and patient ID, to be compared once more.
        study: of what.
        signer: who signs, in which role.
        counts: what was decided, in numbers.
        open: what keeps it from being signed; () if nothing does.
        heed: what does not keep it from being signed, and a reader should know.
    """

    patient: str
    study: str
    signer: str
    counts: str
    open: tuple[str, ...]
    heed: tuple[str, ...]


def signing_summary(file: CaseFile, identity: PatientIdentity, reader: Reader) -> SigningSummary:
    """Put into words what a signature would be given to now."""
    study = file.case.study
    when = f", {study.image_time.moment:%Y-%m-%d}" if study.image_time else ", date unknown"
    return SigningSummary(
        patient=_patient(identity),
        study=f"{study.modality.value} {clean(study.body_part)}{when}",
        signer=f"{clean(reader.name)} ({reader.role})",
        counts=", ".join(_counts(file)),
        open=tuple(
            f"{one.id} is undecided: {clean(one.text)}"
            for one in file.asked
            if file.decision_on(one) is None
        ),
        heed=tuple(_heed(file)),
    )


def _patient(identity: PatientIdentity) -> str:
    born = f"born {identity.birth_date:%Y-%m-%d}" if identity.birth_date else "birth date unknown"
    number = clean(identity.patient_id or "no ID")
    return " · ".join((name_words(identity), born, identity.sex or "sex unknown", number))


def _counts(file: CaseFile) -> Iterator[str]:
    decided = Counter(type(file.decision_on(statement)) for statement in file.asked)
    for kind, word in WORDS.items():
        if decided[kind]:
            yield f"{decided[kind]} {word}"
    if file.added:
        yield f"{len(file.added)} of your own"
    if file.impression is not None:
        yield "the impression in your own words"


def _heed(file: CaseFile) -> Iterator[str]:
    if untold := file.uncommunicated:
        words = ", ".join(finding_term(name).words for name in untold)
        yield f"nobody was told of {words} yet"
    for verdict in file.rechecked:
        if verdict.outcome is Outcome.FAILED:
            yield f"{verdict.statement_id}: {clean(verdict.reason)}"
    left = sum(file.decision_on(also.statement) is None for also in file.also_suspected)
    if left:
        yield f"{left} also suspected, and left out"
