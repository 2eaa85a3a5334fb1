"""What a writer drafts for the films of the report corpus, as its findings text would be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from medmm.domain.draft import Case, Draft, Section
from medmm.domain.study import Modality, Study, Volume
from medmm.drafting.writer import Writer
from medmm.models.chest_reader import ChestReader
from medmm.training.report_corpus import FilmReport, Grey, film_greys


def case_of(report: FilmReport, grey: Grey) -> Case:
    """A case of one film, in memory: no record, no gate, spacing and sides unknown, since the pictures carry no tags.

    The original was stretched to 256 x 256 pixels; the reading model stretches every film to a square as well.
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
    return Case(id=uid, study=study)


def findings_text(draft: Draft) -> str:
    """The findings section of a draft: statements on the image alone, without the impression that repeats them."""
    return " ".join(s.text for s in draft.statements if s.section is Section.FINDINGS)


def drafted(
    data_dir: Path, reports: Sequence[FilmReport], reader: ChestReader, writer: Writer, *, quiet: bool
) -> tuple[str, ...]:
    """The findings texts that a writer drafts over the reading model, in the order of the reports."""
    films = track(film_greys(data_dir, reports), total=len(reports), description=writer.name, disable=quiet)
    cases = (case_of(report, grey) for report, grey in zip(reports, films, strict=True))
    return tuple(findings_text(writer.write(case, reader.read(case.study))) for case in cases)
