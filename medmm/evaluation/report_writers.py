"""What a writer drafts for the films of the report corpus, as its findings text would be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from medmm.domain.draft import Case, Draft, Section
from medmm.domain.record import ClinicalContext
from medmm.domain.study import Modality, Study, Volume
from medmm.drafting.writer import Writer
from medmm.models.chest_reader import ChestReader
from medmm.training.report_corpus import FilmReport, Grey, film_greys
from medmm.training.report_examples import indication_facts


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
    data_dir: Path,
    reports: Sequence[FilmReport],
    reader: ChestReader,
    writers: Sequence[tuple[Writer, bool]],
    *,
    quiet: bool,
) -> list[tuple[str, ...]]:
    """The findings texts that writers draft over one reading of each film, (writers, reports); each with a record or not."""
    films = track(film_greys(data_dir, reports), total=len(reports), description="drafts", disable=quiet)
    texts: list[tuple[str, ...]] = []
    for report, grey in zip(reports, films, strict=True):
        reading = reader.read(case_of(report, grey).study)
        cases = {with_record: case_of(report, grey, with_record=with_record) for with_record in (False, True)}
        texts.append(tuple(findings_text(writer.write(cases[with_record], reading)) for writer, with_record in writers))
    return list(zip(*texts, strict=True))
