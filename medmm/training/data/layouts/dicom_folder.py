"""One's own films: a folder of DICOM files and a table of reports.

Columns: `file` (below the folder), `SOPInstanceUID` or `StudyInstanceUID`; `findings`,
`impression`; and, if wanted, `indication`, `patient`, `split`, `view` (PA, AP or LATERAL, for
films that state none) and a finding of the vocabulary each (1, 0, -1 uncertain, empty unknown), by
its name, its words or the name that a public set gives it. Where `language` (as in BCP 47) is not
stated, a report's text tells it.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from medmm.domain.errors import InputError
from medmm.domain.study import Modality, View
from medmm.domain.vocabulary import finding_terms
from medmm.imaging.dicom import anatomy
from medmm.imaging.dicom.files import DicomFile, open_dicom
from medmm.imaging.dicom.header import Tags
from medmm.imaging.file_search import find_files
from medmm.imaging.gate import rules
from medmm.training.data.layouts.collector import Collector
from medmm.training.data.layouts.label_map import Findings, Uncertain, settled, sure_labels
from medmm.training.data.layouts.language import language_of
from medmm.training.data.layouts.reported_film import (
    SPLITS,
    FilmSource,
    Layout,
    ReportedFilm,
    ReportText,
    Split,
)
from medmm.training.data.layouts.splits import split_of
from medmm.training.data.layouts.tables import age_years, find_table, grade, read_rows, sex

NAME = "dicom"
TABLE = "reports.csv"
KEYS = ("file", "SOPInstanceUID", "StudyInstanceUID")
COLUMNS = ("findings", "impression")
# Dates may be shifted, and words taken out
_PASSES = frozenset({"future-date", "born-after-study", "body-part-unknown"})
_OPTIONAL = ("indication", "patient", "split", "view", "language")
# Sets whose labels mean what the vocabulary's findings mean; those of others are narrower
ALIKE = ("chexpert", "nih")
_VIEWS = ("PA", "AP", "LATERAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A line of the table and what it says beside its report."""

    cells: dict[str, str]
    path: Path
    key: str
    findings: Findings


def read(folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False) -> Layout:
    """Read the frontal films that the table names and the gate does not object to.

    Without a split it is drawn by a digest of the patient.

    Patients are named by a digest of PatientID, or by the column `patient`; splits are by patient,
    so a film without either is left out. Dates that can't be and a body part that is not stated are
    no objection: the films may be de-identified.

    Raises: InputError if the table, a column or a film is missing, a split is unknown or a patient
        is in two.
    """
    gathering = Collector(name=NAME, partial=partial)
    rows = list(_rows(find_table(folder, TABLE), uncertain, gathering))
    if not rows:
        raise InputError(
            "the table of reports is empty",
            remedy="give a line for each film",
            path=str(folder / TABLE),
        )
    for row, file in _paired(folder, rows, gathering):
        if (film := _film(row, file, gathering)) is not None:
            gathering.films.append(film)
    return gathering.layout()


def _rows(table: Path, uncertain: Uncertain, gathering: Collector) -> Iterator[_Row]:
    for number, cells in enumerate(read_rows(table, COLUMNS)):
        key = next((name for name in KEYS if name in cells), None)
        if key is None:
            raise InputError(
                f"no column {' or '.join(KEYS)}",
                remedy="name the films by one of them",
                path=str(table),
            )
        if number == 0:
            labels = _labels(cells, table)
            strangers = sorted(cells.keys() - {*KEYS, *COLUMNS, *_OPTIONAL, *labels.values()})
            for name in strangers:
                gathering.leave_out(f"column {name}")
        gathering.leave_out_labels(
            name for name in strangers if cells[name].strip() in ("1", "1.0")
        )
        for column, words in (("split", SPLITS), ("view", _VIEWS)):
            if (word := cells.get(column, "")) not in (*words, ""):
                raise InputError(
                    f"no {column} {word!r}", remedy=f"use {', '.join(words)}", path=str(table)
                )
        findings = {
            name: settled(grade(cells, column, table), uncertain) for name, column in labels.items()
        }
        yield _Row(cells=cells, path=table, key=key, findings=findings)


def _labels(columns: Iterable[str], table: Path) -> dict[str, str]:
    """Match columns to findings of the vocabulary.

    Raises: InputError if two columns mean one finding.
    """
    meant: dict[str, str] = {}
    for column in columns:
        name = _names().get(_plain(column))
        if name is not None and name in meant:
            raise InputError(
                f"the columns {meant[name]} and {column} both mean {name}",
                remedy="give one of them",
                path=str(table),
            )
        if name is not None:
            meant[name] = column
    return meant


@cache
def _names() -> Mapping[str, str]:
    """Map every name that a column may have to its finding.

    These are the vocabulary's names and words, and those of public sets.
    """
    by_sets = {label: meaning.finding for source in ALIKE for label, meaning in sure_labels(source)}
    own = {word: term.name for term in finding_terms().values() for word in (term.words, term.name)}
    return {_plain(word): name for word, name in (by_sets | own).items()}


def _plain(name: str) -> str:
    """Reduce a column's name to its letters without case, spaces and signs."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _paired(
    folder: Path, rows: list[_Row], gathering: Collector
) -> Iterator[tuple[_Row, DicomFile]]:
    """Yield lines with their files.

    One is found by `file` or SOP Instance UID, several by Study Instance UID.
    """
    if rows[0].key == "file":
        for row in rows:
            path = gathering.first_there(folder / row.cells["file"])
            if path is not None:
                yield row, open_dicom(path)
        return
    files: defaultdict[str, list[DicomFile]] = defaultdict(list)
    for file in _dicom_files(folder, gathering):
        files[Tags(file.header).text(rows[0].key) or ""].append(file)
    for row in rows:
        uid = row.cells[row.key]
        if uid not in files:
            gathering.first_there(folder / uid)
        for file in files.get(uid, ()):
            yield row, file
    named = {row.cells[row.key] for row in rows}
    gathering.leave_out(
        "file without a report", sum(len(found) for uid, found in files.items() if uid not in named)
    )


def _dicom_files(folder: Path, gathering: Collector) -> Iterator[DicomFile]:
    """Yield all DICOM files below the folder, each content once; count the others."""
    seen: set[str] = set()
    for path in find_files(folder):
        if isinstance(path, Path) and path.name.startswith(TABLE):
            continue
        try:
            file = open_dicom(path) if isinstance(path, Path) else None
        except InputError:
            file = None
        if file is None:
            gathering.leave_out("file that is no DICOM")
        elif file.sha256 in seen:
            gathering.leave_out("copy of a file")
        else:
            seen.add(file.sha256)
            yield file


def _unfit(tags: Tags, file: DicomFile, view: View | None) -> str | None:
    """Say why a file is not a frontal chest film; return None if it is."""
    refusal = next(
        (one for one in rules.objections(tags, file.preamble) if one.code not in _PASSES), None
    )
    if view is View.LATERAL or refusal == rules.LATERAL_FILM:
        return "lateral film"
    if refusal is not None:
        return f"gate {refusal.code}"
    if anatomy.modality_of(tags) is not Modality.RADIOGRAPH:
        return "no radiograph"
    return "view not stated" if view in (None, View.UNKNOWN) else None


def _film(row: _Row, file: DicomFile, gathering: Collector) -> ReportedFilm | None:
    tags = Tags(file.header)
    view = anatomy.view_of(tags)
    if view is View.UNKNOWN and row.cells.get("view"):
        view = View(row.cells["view"])
    if reason := _unfit(tags, file, view):
        gathering.leave_out(reason)
        return None
    uid = tags.text("SOPInstanceUID")
    patient = row.cells.get("patient") or _patient_key(tags.text("PatientID"))
    if view is None or uid is None or patient is None:
        gathering.leave_out("film without UID or patient ID")
        return None
    return ReportedFilm(
        uid=uid,
        patient=patient,
        split=cast(Split, row.cells.get("split") or split_of(patient)),
        film=FilmSource(path=file.path),
        findings=row.findings,
        report=_report(row.cells),
        age_years=age_years(tags.text("PatientAge") or ""),
        sex=sex(tags.text("PatientSex") or ""),
        view=view,
    )


def _report(cells: dict[str, str]) -> ReportText:
    findings, impression = cells["findings"].strip(), cells["impression"].strip()
    text = f"{findings} {impression}".strip()
    return ReportText(
        findings=findings,
        impression=impression,
        indication=cells.get("indication", "").strip() or None,
        language=cells.get("language", "").strip() or (language_of(text) if text else "en"),
    )


def _patient_key(patient_id: str | None) -> str | None:
    """Return a digest of the ID, so that the ID itself goes no further."""
    return hashlib.sha256(patient_id.encode()).hexdigest()[:16] if patient_id else None
