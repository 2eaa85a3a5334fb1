"""MIMIC-CXR-JPG 2.x with the report texts of MIMIC-CXR, as PhysioNet gives them.

Source: Johnson et al., Scientific Data 2019.

The folder holds the three tables and `files/`; the texts lie in the same `files/` or in
`mimic-cxr-reports/files/`.
"""

from __future__ import annotations

from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.language.report_labeller import LABELS
from medmm.training.data.layouts.chexpert_names import chexpert_findings, unknown_findings
from medmm.training.data.layouts.collector import Collector
from medmm.training.data.layouts.label_map import Findings, Uncertain
from medmm.training.data.layouts.reported_film import (
    FilmSource,
    Layout,
    ReportedFilm,
    ReportText,
    Split,
)
from medmm.training.data.layouts.sections import report_of
from medmm.training.data.layouts.tables import find_table, read_rows

NAME = "mimic-cxr"
IDS = ("subject_id", "study_id")
_VIEWS = {"PA": View.PA, "AP": View.AP}
_LATERAL = frozenset({"LATERAL", "LL"})
_SPLITS: dict[str, Split] = {"train": "train", "validate": "val", "test": "test"}


def read(folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False) -> Layout:
    """Read all films whose view is PA or AP, with the set's own split.

    Labels are unknown for a study without a line of them.

    Raises: InputError if a table, a column or a film is missing, or a split is unknown.
    """
    gathering = Collector(name=NAME, partial=partial)
    splits = _splits(find_table(folder, "mimic-cxr-2*-split.csv"))
    labels = _labels(find_table(folder, "mimic-cxr-2*-chexpert.csv"), uncertain)
    reports: dict[str, ReportText | None] = {}
    table = find_table(folder, "mimic-cxr-2*-metadata.csv")
    for row in read_rows(table, ("dicom_id", *IDS, "ViewPosition")):
        uid, subject, study, view = (
            row["dicom_id"],
            row["subject_id"],
            row["study_id"],
            row["ViewPosition"],
        )
        if view not in _VIEWS:
            gathering.leave_out(
                "lateral film" if view in _LATERAL else f"view {view or 'not stated'}"
            )
            continue
        if uid not in splits:
            raise InputError(
                "a film has no split", remedy="fetch the table of splits again", dicom_id=uid
            )
        film = gathering.first_there(_place(folder / "files", subject, study) / f"{uid}.jpg")
        if film is None:
            continue
        if study not in reports:
            reports[study] = _report(folder, subject, study)
            gathering.leave_out("report not there", int(reports[study] is None))
        findings, nameless = labels.get(study) or (unknown_findings(), ())
        gathering.leave_out("film without labels", int(study not in labels))
        gathering.leave_out_labels(nameless)
        gathering.films.append(
            ReportedFilm(
                uid=uid,
                patient=f"p{subject}",
                split=splits[uid],
                film=FilmSource(path=film),
                findings=findings,
                report=reports[study],
                view=_VIEWS[view],
            )
        )
    return gathering.layout()


def _place(files: Path, subject: str, study: str) -> Path:
    return files / f"p{subject[:2]}" / f"p{subject}" / f"s{study}"


def _splits(table: Path) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    for row in read_rows(table, ("dicom_id", "split")):
        if row["split"] not in _SPLITS:
            raise InputError(
                f"no split {row['split']!r}", remedy=f"use {', '.join(_SPLITS)}", path=str(table)
            )
        splits[row["dicom_id"]] = _SPLITS[row["split"]]
    return splits


def _labels(table: Path, uncertain: Uncertain) -> dict[str, tuple[Findings, tuple[str, ...]]]:
    rows = read_rows(table, (*IDS, *LABELS))
    return {row["study_id"]: chexpert_findings(row, table, uncertain) for row in rows}


def _report(folder: Path, subject: str, study: str) -> ReportText | None:
    for root in (folder, folder / "mimic-cxr-reports"):
        path = _place(root / "files", subject, study).with_suffix(".txt")
        if path.is_file():
            try:
                return report_of(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(
                    "a report can't be read", remedy="fetch it again", path=str(path)
                ) from error
    return None
