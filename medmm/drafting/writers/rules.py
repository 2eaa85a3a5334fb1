"""The rule-written draft: phrases over calibrated findings, measurements and the record."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from medmm.domain.draft import (
    AlsoSuspected,
    Author,
    AuthorKind,
    Case,
    Draft,
    FactEvidence,
    SentenceRecord,
    Statement,
)
from medmm.domain.errors import InputError
from medmm.domain.images import images_read, images_unread, rivals_unread
from medmm.domain.promise import SILENT, Withheld
from medmm.domain.reading import Reading
from medmm.domain.record import FactKind
from medmm.domain.study import Modality, Notice, Study, View, Volume
from medmm.domain.suspicion import NO_STATEMENT
from medmm.domain.vocabulary import finding_term, finding_terms
from medmm.drafting.image_statements import Wording, image_sentences, unstated_sentences
from medmm.drafting.mr_not_evaluated import marked_volumes, unread_mr
from medmm.drafting.phrases import phrases
from medmm.drafting.record_statements import record_sentences
from medmm.drafting.sentences import Sentence
from medmm.drafting.versions import UNNUMBERED, identified
from medmm.drafting.writers.instructions import addressing_facts
from medmm.drafting.writers.protocol import Growing, unseen


class RuleWriter:
    """Writes drafts by fixed rules: equal case and reading give an equal draft, in bytes.

    `warnings` say in every draft why rules wrote it, where somebody else was to.
    """

    def __init__(self, *warnings: Notice) -> None:
        self.warnings = warnings

    @property
    def name(self) -> str:
        """Its name in drafts and reports."""
        return "rule-writer"

    def write(self, case: Case, reading: Reading, growing: Growing = unseen) -> Draft:
        """Draft a case: clinical information, findings, impression; see `Writer.write`."""
        return written(case, reading, self.name, warnings=self.warnings)


def written(
    case: Case,
    reading: Reading,
    writer: str,
    *,
    wording: Wording | None = None,
    why_unstated: Callable[[str], str] | None = None,
    unsaid: tuple[str, ...] = (),
    warnings: tuple[Notice, ...] = (),
    sentences: Callable[[Draft], tuple[SentenceRecord, ...]] | None = None,
) -> Draft:
    """Draft a case whose image sentences are worded by `wording`.

    `unsaid` and `warnings` join the draft's own.

    A suspected finding that `wording` takes out is listed as also suspected, with what
    `why_unstated` says of it. `sentences` says of the draft what became of the sentences that were
    proposed for it.
    """
    refuse_other_study(case, reading)
    recorded = record_sentences(case.context, case.study.body_part) if case.context else ()
    statements = _numbered([*recorded, *image_sentences(case.study, reading, wording)])
    unstated = _numbered(unstated_sentences(case.study, reading, wording), "u")
    draft = Draft(
        id=UNNUMBERED,
        case_id=case.id,
        writer=writer,
        author=Author(kind=AuthorKind.WRITER, id=writer),
        statements=statements,
        not_evaluated=(*unsaid, *_not_evaluated(case, reading, statements)),
        models=reading.models,
        warnings=tuple(dict.fromkeys([*_warnings(case, reading), *warnings])),
        images_read=images_read(case.study, reading),
        images_unread=images_unread(case.study, reading),
        also_suspected=tuple(
            AlsoSuspected(
                statement=s,
                why=why_unstated(s.finding) if why_unstated and s.finding else NO_STATEMENT,
            )
            for s in unstated
        ),
    )
    draft = replace(draft, sentences=sentences(draft)) if sentences else draft
    return identified(draft)


def refuse_other_study(case: Case, reading: Reading) -> None:
    """Refuse a reading that is not of the case's study.

    Raises: InputError if so.
    """
    if reading.study_uid != case.study.uid:
        raise InputError(
            "the reading is of another study", remedy="read the study of this case", case=case.id
        )


def _numbered(sentences: Iterable[Sentence], letter: str = "s") -> tuple[Statement, ...]:
    numbered = {f"{letter}{number}": sentence for number, sentence in enumerate(sentences, start=1)}
    ids = {sentence: statement_id for statement_id, sentence in numbered.items()}
    return tuple(
        Statement(
            id=statement_id,
            section=s.section,
            text=s.text,
            assertion=s.assertion,
            evidence=s.evidence,
            finding=s.finding,
            side=s.side,
            summarises=ids[s.summarises] if s.summarises else None,
            generation=s.generation,
        )
        for statement_id, s in numbered.items()
    )


def _warnings(case: Case, reading: Reading) -> Iterator[Notice]:
    """Yield the gate's and the reading's warnings once each, and a word if nothing was read."""
    yield from dict.fromkeys([*case.study.warnings, *reading.warnings])
    if case.context is not None and case.context.incomplete:
        yield Notice(
            code="record-incomplete",
            text=f"The record is incomplete: {'; '.join(case.context.incomplete)}.",
        )
    if addressing := len(addressing_facts(case.context)):
        yield Notice(
            code="record-addresses-a-program",
            text=f"The record holds text that addresses a program ({_count(addressing, 'fact')}). "
            "It is shown as it was recorded, and no outside model is given it.",
        )
    if not reading.findings and not reading.measurements:
        yield Notice(code="nothing-read", text="No finding was read from the image.")


def _not_evaluated(
    case: Case, reading: Reading, statements: tuple[Statement, ...]
) -> Iterator[str]:
    """Yield what neither the models nor this writer looked at, said openly."""
    yield from _unread_rivals(case.study, reading)
    yield from _unread_findings(case, reading)
    if case.study.modality is Modality.MR:
        yield from unread_mr(case.study, reading)
    else:
        yield from _unread_films(case.study, reading)
    yield from _unread_geometry(marked_volumes(case.study, reading) or case.study.volumes)
    yield from _uncompared(case)
    yield from phrases().never_looked_at.get(case.study.body_part, ())
    yield from _unstated_record(case, statements)


def _unread_findings(case: Case, reading: Reading) -> Iterator[str]:
    if not reading.findings:
        yield "findings in the image: no reading model reported any"
        return
    unfamiliar = _words_of(reading, Withheld.UNFAMILIAR_IMAGE)
    if len(unfamiliar) == len(reading.findings):
        yield "findings in the image: it is unlike those that the reading model learned from"
        return
    if unfamiliar:
        yield (
            "the image is unlike those that the model of these findings learned from: "
            f"{', '.join(unfamiliar)}"
        )
    if unmeasured := _words_of(reading, Withheld.NOT_MEASURED):
        yield (
            "read by a model that was not measured for it on this site's studies: "
            f"{', '.join(unmeasured)}"
        )
    spoken = (f for f in reading.findings if f.withheld not in SILENT)
    open_ones = sorted(finding_term(f.name).words for f in spoken if f.undecided)
    if open_ones:
        yield (
            "undecided, neither suspected nor low enough in score to be denied: "
            f"{', '.join(open_ones)}"
        )
    read = {f.name for f in reading.findings}
    terms = (t for t in finding_terms().values() if t.modality == case.study.modality.value)
    unread = sorted(
        t.words for t in terms if t.body_part == case.study.body_part and t.name not in read
    )
    if unread:
        yield f"not among the findings of the reading model: {', '.join(unread)}"


def _words_of(reading: Reading, withheld: Withheld) -> list[str]:
    found = (f.name for f in reading.findings if f.withheld is withheld)
    return sorted(finding_term(name).words for name in found)


def _unread_rivals(study: Study, reading: Reading) -> Iterator[str]:
    rivals = {v.sha256 for v in rivals_unread(study, reading)}
    unread = [image for image in images_unread(study, reading) if image.volume_sha256 in rivals]
    yield from (f"not read: {image.words} ({image.reason})" for image in unread)


def _unread_films(study: Study, reading: Reading) -> Iterator[str]:
    known = (study.frontal, *rivals_unread(study, reading))
    others = [v for v in study.volumes if v not in known] if study.frontal else []
    if others:
        views = sorted(
            {"of unknown view" if v.view is View.UNKNOWN else v.view.value for v in others}
        )
        yield f"{_count(len(others), 'further image')} of the study: {', '.join(views)}"


def _unread_geometry(volumes: tuple[Volume, ...]) -> Iterator[str]:
    if any(v.patient_left_on is None and v.affine_lps_mm is None for v in volumes):
        yield "sides: the image does not say where the patient's left is"
    if any(v.spacing_yx_mm is None and v.affine_lps_mm is None for v in volumes):
        yield "sizes in millimetres: the image does not state its pixel spacing"


def _uncompared(case: Case) -> Iterator[str]:
    facts = case.context.facts if case.context else ()
    earlier = sum(f.kind is FactKind.PRIOR_REPORT for f in facts)
    known = f" ({_count(earlier, 'earlier report')} in the record)" if earlier else ""
    yield f"comparison with earlier images{known}"


def _unstated_record(case: Case, statements: tuple[Statement, ...]) -> Iterator[str]:
    if case.context is None:
        yield "clinical information: no record was given"
        return
    if not case.context.facts:
        yield "clinical information: the record holds no fact that could be used"
    stated = {e.fact_id for s in statements for e in s.evidence if isinstance(e, FactEvidence)}
    rest = [
        f for f in case.context.facts if f.id not in stated and f.kind is not FactKind.PRIOR_REPORT
    ]
    counts = [
        _count(len(list(group)), kind.replace("_", " "))
        for kind, group in itertools.groupby(sorted(f.kind.value for f in rest))
    ]
    if counts:
        yield f"in the record but not stated here: {', '.join(counts)}"
    if case.context.left_out:
        yield f"left out of the record on reading it: {_count(len(case.context.left_out), 'item')}"


def _count(number: int, noun: str) -> str:
    plural = "allergies" if noun == "allergy" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
