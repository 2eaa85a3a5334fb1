"""What a writer drafts for the films of the report corpus, as its findings text would be read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rich.progress import track

from medmm.domain.draft import Case, Draft, Section
from medmm.domain.record import ClinicalContext
from medmm.domain.study import Modality, Study, Volume
from medmm.drafting import RuleWriter
from medmm.evaluation.batches import AT_ONCE, drafts
from medmm.models.chest_reader import ChestReader
from medmm.models.chest_report import ChestReportModel
from medmm.training.report_corpus import FilmReport, Grey, film_greys
from medmm.training.report_examples import indication_facts

RULE_WRITER = "rule writer"
LANGUAGE_MODEL, IMAGE_ONLY = "language model, film and record", "language model, film alone"


def case_of(report: FilmReport, grey: Grey, *, with_record: bool = False) -> Case:
    """A case of one film, in memory: no gate, spacing and sides unknown, since the pictures carry no tags.

    The record, where one is asked for, is what the indication says in codes, and nothing else. The original was stretched to 256 x 256 pixels; the reading model stretches every film to a square as well.
    """
    uid = f"indiana-{report.uid}"
    film = Volume(
        series_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography Image Storage, PS3.4 B.5
        sop_uids=(uid,),
        sha256=uid,
        shape_zyx=(1, *grey.shape),
        view=report.view,
        loader=lambda: grey[None],
    )
    study = Study(
        uid=uid, patient_key=uid, modality=Modality.RADIOGRAPH, body_part="CHEST", acquired=None, volumes=(film,)
    )
    facts = indication_facts(report.indication) if with_record else ()
    return Case(
        id=uid, study=study, context=ClinicalContext(patient_key=uid, as_of=None, facts=facts) if facts else None
    )


def findings_text(draft: Draft) -> str:
    """The findings section of a draft: statements on the image alone, without the impression that repeats them."""
    return " ".join(s.text for s in draft.statements if s.section is Section.FINDINGS)


def drafted(
    data_dir: Path, reports: Sequence[FilmReport], reader: ChestReader, model: ChestReportModel | None, *, quiet: bool
) -> dict[str, tuple[str, ...]]:
    """The findings texts of every writer over one reading of each film, by its name, in the order of the reports.

    The rule writer's; with a language model also its own from film and record, and from the film alone.
    """
    films = track(film_greys(data_dir, reports), total=len(reports), description="drafts", disable=quiet)
    texts: dict[str, list[str]] = {RULE_WRITER: []}
    pairs = zip(reports, films, strict=True)
    while group := list(islice(pairs, AT_ONCE)):
        alone = [case_of(report, grey) for report, grey in group]
        readings = [reader.read(case.study) for case in alone]
        texts[RULE_WRITER] += [findings_text(RuleWriter().write(c, r)) for c, r in zip(alone, readings, strict=True)]
        if model is None:
            continue
        recorded = [case_of(report, grey, with_record=True) for report, grey in group]
        for name, cases in ((LANGUAGE_MODEL, recorded), (IMAGE_ONLY, alone)):
            written = drafts(model, list(zip(cases, readings, strict=True)))
            texts.setdefault(name, []).extend(findings_text(draft) for draft in written)
    return {name: tuple(lines) for name, lines in texts.items()}
