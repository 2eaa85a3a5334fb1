"""Which imaging procedure a study is, by `data/imaging_procedures.csv` of LOINC codes.

LOINC codes and names are of Regenstrief Institute, Inc. (loinc.org/license).
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medmm.domain.imaging_order import StudyOrder
from medmm.domain.record import Coding
from medmm.domain.study import Modality, SequenceRole, Study, View
from medmm.domain.vocabulary import LOINC

ORDER_OF_VIEWS = {View.PA: "PA", View.AP: "AP", View.UNKNOWN: "unknown", View.LATERAL: "lateral"}
OTHER = "other"  # views repeated, or not known well enough to be counted


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureRow:
    """One row: what a study is, and its code; of MR, `contrast` is as in `StudyOrder`.

    It is "unknown" if nobody can tell.
    """

    modality: str
    body_part: str
    views: str
    portable: str
    contrast: str
    code: str
    display: str
    source: str

    @property
    def coding(self) -> Coding:
        """The LOINC code with its name."""
        return Coding(system=LOINC, code=self.code, display=self.display)


@cache
def procedures() -> tuple[ProcedureRow, ...]:
    """Read all rows of the table."""
    text = files("medmm.domain").joinpath("data/imaging_procedures.csv").read_text(encoding="utf-8")
    return tuple(ProcedureRow(**row) for row in csv.DictReader(text.splitlines()))


def procedure_of(study: Study, order: StudyOrder) -> Coding | None:
    """Return the procedure that a study is; None if no row fits.

    Films go by their views, MR by body part and contrast.
    """
    wanted = (
        _film(study, order)
        if study.modality is Modality.RADIOGRAPH
        else ("", "", _contrast(study, order))
    )
    rows = [
        r
        for r in procedures()
        if (r.modality, r.body_part) == (study.modality.value, study.body_part)
    ]
    by_key = {(r.views, r.portable, r.contrast): r.coding for r in rows}
    return by_key.get(wanted) or by_key.get((OTHER, *wanted[1:]))


def _film(study: Study, order: StudyOrder) -> tuple[str, str, str]:
    count = Counter(volume.view for volume in study.volumes)
    told_apart = all(n == 1 for n in count.values()) and (
        View.UNKNOWN not in count or set(count) <= {View.UNKNOWN, View.LATERAL}
    )
    views = (
        "+".join(word for view, word in ORDER_OF_VIEWS.items() if view in count)
        if told_apart
        else OTHER
    )
    return views, "yes" if order.portable else "no", ""


def _contrast(study: Study, order: StudyOrder) -> str:
    """Return what elements state of every image's contrast, and roles of its series.

    A word may tell where no element does.
    """
    after = {
        v.sequence.role is SequenceRole.T1_CONTRAST for v in study.volumes if v.sequence is not None
    }
    if order.contrast is None or order.contrast == "some":
        return order.contrast or "unknown"
    if order.contrast == "none" and True in after:
        return "some" if False in after else "all"
    return order.contrast
