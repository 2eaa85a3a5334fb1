"""Cases of one film of the corpus, in memory and without the gate."""

from __future__ import annotations

from collections.abc import Sequence

from medmm.domain.draft import Case
from medmm.domain.record import ClinicalContext, Fact
from medmm.domain.study import Modality, Study, Volume
from medmm.training.reports.corpus import FilmReport


def film_of(report: FilmReport, shape_yx: tuple[int, int]) -> Volume:
    """Build the film of a report: nothing is known of its spacing, view and sides."""
    uid = f"indiana-{report.uid}"
    return Volume(
        series_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography Image Storage, PS3.4 B.5
        sop_uids=(uid,),
        sha256=uid,
        shape_zyx=(1, *shape_yx),
    )


def case_of_film(film: Volume, facts: Sequence[Fact]) -> Case:
    """Build the case of a chest film; without facts it has no record."""
    uid = film.series_uid
    study = Study(
        uid=uid,
        patient_key=uid,
        modality=Modality.RADIOGRAPH,
        body_part="CHEST",
        acquired=None,
        volumes=(film,),
    )
    context = ClinicalContext(patient_key=uid, as_of=None, facts=tuple(facts)) if facts else None
    return Case(id=uid, study=study, context=context)
