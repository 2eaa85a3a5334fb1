"""PadChest as distributed: one table beside numbered folders of 16-bit PNG.

Source: Bustos et al., Medical Image Analysis 2020.

The reports are Spanish, in one piece and without stop words: they are given as findings with
language "es".
"""

from __future__ import annotations

import re
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.training.data.layouts.collector import Collector
from medmm.training.data.layouts.label_map import Findings, Uncertain, from_list, labelled
from medmm.training.data.layouts.reported_film import FilmSource, Layout, ReportedFilm, ReportText
from medmm.training.data.layouts.splits import split_of
from medmm.training.data.layouts.tables import age_years, find_table, read_rows, sex

NAME = "padchest"
COLUMNS = (
    "ImageID", "ImageDir", "StudyDate_DICOM", "PatientID", "PatientBirth", "PatientSex_DICOM",
    "Projection", "PhotometricInterpretation_DICOM", "Report", "Labels",
)  # fmt: skip
_VIEWS = {"PA": View.PA, "AP": View.AP, "AP_horizontal": View.AP}
_SAYS_NOTHING = frozenset({"unchanged", "suboptimal study"})  # of what is on the film


def read(folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False) -> Layout:
    """Read all films whose projection is PA or AP, split by a digest of the patient.

    `uncertain` has nothing to decide.

    Raises: InputError if the table, a column or a film is missing, or labels are not a list.
    """
    gathering = Collector(name=NAME, partial=partial)
    table = find_table(folder, "PADCHEST_chest_x_ray_images_labels_*.csv")
    for row in read_rows(table, COLUMNS):
        projection, labels = row["Projection"], _labels(row, table)
        if projection not in _VIEWS:
            gathering.leave_out(
                "lateral film" if projection == "L" else f"projection {projection or 'not stated'}"
            )
        elif "exclude" in labels:
            gathering.leave_out("film that the authors exclude")
        elif (film := _place(row, folder, gathering)) is not None:
            findings, nameless = _findings(labels)
            gathering.leave_out_labels(nameless)
            gathering.films.append(_film(row, film, findings))
    return gathering.layout()


def _film(row: dict[str, str], path: Path, findings: Findings) -> ReportedFilm:
    text = " ".join(row["Report"].split())
    # The PNG holds the values as stored
    inverted = row["PhotometricInterpretation_DICOM"].strip() == "MONOCHROME1"
    return ReportedFilm(
        uid=row["ImageID"].removesuffix(".png"),
        patient=row["PatientID"],
        split=split_of(row["PatientID"]),
        film=FilmSource(path=path, inverted=inverted),
        findings=findings,
        report=ReportText(findings=text, language="es") if text else None,
        age_years=_age_years(row),
        sex=sex(row["PatientSex_DICOM"]),
        view=_VIEWS[row["Projection"]],
    )


def _place(row: dict[str, str], folder: Path, gathering: Collector) -> Path | None:
    name, number = row["ImageID"], row["ImageDir"].removesuffix(".0")
    return gathering.first_there(
        *(folder / place / name for place in (number, f"images/{number}", "images", ""))
    )


def _labels(row: dict[str, str], table: Path) -> tuple[str, ...]:
    """Read labels from a list written as Python does; none if it is empty.

    Raises: InputError if it is not a list.
    """
    text = row["Labels"].strip()
    if not re.fullmatch(r"\[.*\]|nan|", text, re.DOTALL):
        raise InputError(
            "the labels are not a list", remedy="give the table as distributed", path=str(table)
        )
    return tuple(label for quoted in re.findall(r"'([^']*)'", text) if (label := quoted.strip()))


def _findings(labels: tuple[str, ...]) -> tuple[Findings, tuple[str, ...]]:
    """Return findings, and labels without one.

    What is not listed is absent, or unknown if nothing was said of the film.
    """
    if not set(labels) - _SAYS_NOTHING:
        return dict.fromkeys(labelled("padchest")), tuple(labels)
    return from_list("padchest", [label for label in labels if label != "normal"])


def _age_years(row: dict[str, str]) -> float | None:
    """Compute the year of the study less that of birth."""
    years = [
        re.match(r"\d{4}", row[column].strip()) for column in ("StudyDate_DICOM", "PatientBirth")
    ]
    if years[0] is None or years[1] is None:
        return None
    return age_years(str(int(years[0][0]) - int(years[1][0])))
