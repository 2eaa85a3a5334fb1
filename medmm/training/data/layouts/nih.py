"""NIH ChestX-ray14 as distributed: `Data_Entry_2017*.csv` beside folders of PNG files.

Source: Wang et al., CVPR 2017.

The labels were mined from reports that were not published: what is not listed counts as absent. All
films are frontal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.training.data.layouts.collector import Collector
from medmm.training.data.layouts.label_map import Uncertain, from_list
from medmm.training.data.layouts.reported_film import FilmSource, Layout, ReportedFilm, Split
from medmm.training.data.layouts.splits import learning_split_of, split_of
from medmm.training.data.layouts.tables import age_years, find_table, read_rows, sex

NAME = "nih-chestxray14"
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
LEARNING_LIST, TEST_LIST = "train_val_list.txt", "test_list.txt"
_VIEWS = {"PA": View.PA, "AP": View.AP}


def read(folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False) -> Layout:
    """Read all films; the official list, if there is one, names the test films.

    `uncertain` has nothing to decide.

    Raises: InputError if a table, a column or a film is missing, or there is one list without the
        other.
    """
    gathering = Collector(name=NAME, partial=partial)
    table = find_table(folder, "Data_Entry_2017*.csv")
    split = _split_by(folder)
    there = {
        path.name: path
        for pattern in ("images*/*.png", "images*/images/*.png")
        for path in folder.glob(pattern)
    }
    for row in read_rows(table, COLUMNS):
        name, patient = row["Image Index"], row["Patient ID"]
        film = gathering.first_there(there.get(name, folder / "images" / name))
        if film is None:
            continue
        part = split(name, patient)
        if part is None:
            gathering.leave_out("film in neither list")
            continue
        stated = [label for label in row["Finding Labels"].split("|") if label != "No Finding"]
        findings, nameless = from_list("nih", stated)
        gathering.leave_out_labels(nameless)
        gathering.films.append(
            ReportedFilm(
                uid=name.removesuffix(".png"),
                patient=patient,
                split=part,
                film=FilmSource(path=film),
                findings=findings,
                age_years=age_years(row["Patient Age"]),
                sex=_sex(row, table),
                view=_VIEWS.get(row["View Position"], View.UNKNOWN),
            )
        )
    return gathering.layout()


def _sex(row: dict[str, str], table: Path) -> str | None:
    """Read the sex from the column that the releases of 2017 and 2020 name differently.

    Raises: InputError if there is neither.
    """
    for column in ("Patient Sex", "Patient Gender"):
        if column in row:
            return sex(row[column])
    raise InputError(
        "the table has no column Patient Sex",
        remedy="give the table as distributed",
        path=str(table),
    )


def _split_by(folder: Path) -> Callable[[str, str], Split | None]:
    """Build the function from a film's name and patient to its split.

    It gives None for a film in neither list.
    """
    lists = [folder / LEARNING_LIST, folder / TEST_LIST]
    there = [path.is_file() for path in lists]
    if not any(there):
        return lambda name, patient: split_of(patient)
    if not all(there):
        raise InputError(
            "there is one list of films without the other",
            remedy=f"give {LEARNING_LIST} and {TEST_LIST}, or neither",
            path=str(lists[there.index(False)]),
        )
    try:
        learning, test = (frozenset(path.read_text(encoding="utf-8").split()) for path in lists)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "a list of films can't be read", remedy="fetch it again", path=str(folder)
        ) from error
    if learning & test:
        raise InputError(
            "a film is in both lists", remedy="fetch the lists again", film=min(learning & test)
        )

    def split(name: str, patient: str) -> Split | None:
        return "test" if name in test else learning_split_of(patient) if name in learning else None

    return split
