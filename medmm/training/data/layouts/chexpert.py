"""CheXpert as distributed: `train.csv`, `valid.csv` and the JPEG files that they name.

Source: Irvin et al., AAAI 2019.

The folder is that of the tables (CheXpert-v1.0 or CheXpert-v1.0-small) or holds it. It has no
reports.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.language.report_labeller import LABELS
from medmm.training.data.layouts.chexpert_names import chexpert_findings
from medmm.training.data.layouts.collector import Collector
from medmm.training.data.layouts.label_map import Uncertain
from medmm.training.data.layouts.reported_film import FilmSource, Layout, ReportedFilm, Split
from medmm.training.data.layouts.tables import age_years, find_table, read_rows, sex

NAME = "chexpert"
COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABELS)
TABLES: tuple[tuple[str, Split], ...] = (("train.csv", "train"), ("valid.csv", "val"))
_VIEWS = {"AP": View.AP, "PA": View.PA}


def read(folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False) -> Layout:
    """Read all frontal films with the set's own split: `valid` is "val", nothing is "test".

    Raises: InputError if a table, a column or a film is missing.
    """
    gathering = Collector(name=NAME, partial=partial)
    for table, split in TABLES:
        path = find_table(folder, table, f"CheXpert-v1.0*/{table}")
        for row in read_rows(path, COLUMNS):
            if row["Frontal/Lateral"] != "Frontal":
                gathering.leave_out("lateral film")
            elif (film := _film(row, path, split, uncertain, gathering)) is not None:
                gathering.films.append(film)
    return gathering.layout()


def _film(
    row: dict[str, str], table: Path, split: Split, uncertain: Uncertain, gathering: Collector
) -> ReportedFilm | None:
    parts = PurePosixPath(row["Path"]).parts[1:]  # without the name of the release
    if len(parts) < 3:
        raise InputError(
            "a path is not release/split/patient/study/film",
            remedy="give the table as distributed",
            path=str(table),
        )
    film = gathering.first_there(table.parent.joinpath(*parts))
    if film is None:
        return None
    findings, nameless = chexpert_findings(row, table, uncertain)
    gathering.leave_out_labels(nameless)
    return ReportedFilm(
        uid="/".join(PurePosixPath(*parts[1:]).with_suffix("").parts),
        patient=parts[1],
        split=split,
        film=FilmSource(path=film),
        findings=findings,
        age_years=age_years(row["Age"]),
        sex=sex(row["Sex"]),
        view=_VIEWS.get(row["AP/PA"], View.UNKNOWN),
    )
