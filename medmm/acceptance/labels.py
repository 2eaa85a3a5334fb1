"""A site's label table (CSV): which studies, of which patients, with which findings."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from medmm.domain.acceptance import LabelsFrom
from medmm.domain.errors import InputError
from medmm.domain.patient_age import OLDEST_YEARS
from medmm.domain.reading import Side
from medmm.domain.reading_model import Declaration
from medmm.domain.study import View
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.files import sha256_of

NO_FINDING = "no_finding"
REQUIRED = ("path", "patient")
# What a column says of a study, by its name; findings and quantities go by the vocabulary
COLUMNS = {
    "path": "the study's file or folder, from the folder of the table; no study twice, under any "
    "name",
    "patient": "any key that is the same in all studies of a patient; it stands in no result",
    "sex": "F, M or O; the images' own where it is empty",
    "age": "years at the study, 0 to 120; the images' own where it is empty",
    "view": "PA, AP, LATERAL or UNKNOWN; the image's own where it is empty",
    "scanner": "its maker and model, in any words; the image's own where it is empty",
    "split": "calibrate or measure, the same in all studies of a patient; by the patient's digest "
    "where the column is empty",
    NO_FINDING: "1 where a reader saw nothing abnormal at all: every finding of the table is 0",
}
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
Quantity = tuple[str, Side | None]


class Half(Enum):
    """What a study is used for; no patient is in both."""

    CALIBRATE = "calibrate"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledStudy:
    """One study with what is known of it.

    Attributes:
        line: of the table, from 2; of signed reports the number of the report, from 1.
        path: of its images; None where `study_uid` names it.
        findings: True with it, False without it; a finding that nobody looked for is absent.
        quantities: reference values, in the unit of the vocabulary.
        half: what the table says that it is used for; None leaves it to the patient's digest.
        bare: whether it is said to show no finding at all.
    """

    line: int
    patient: str
    path: Path | None = None
    study_uid: str | None = None
    findings: Mapping[str, bool]
    quantities: Mapping[Quantity, float]
    sex: str | None = None
    age_years: float | None = None
    view: str | None = None
    scanner: str | None = None
    half: Half | None = None
    bare: bool = False

    def bare_of(self, findings: Iterable[str]) -> bool:
        """Tell whether it shows no finding at all: it is said, or each of `findings` is absent."""
        if any(self.findings.values()):
            return False
        return self.bare or all(name in self.findings for name in findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """The labelled studies of a site, and the digest of what they were read from."""

    studies: tuple[LabelledStudy, ...]
    sha256: str
    origin: LabelsFrom


def read_labels(path: Path, declares: Declaration) -> LabelTable:
    """Read a label table for a model.

    Columns, by their names in any case: those of `COLUMNS`, of which `REQUIRED` are needed; one a
    finding of the vocabulary (1, 0 or empty) or a quantity (`LVEF`, `hippocampus volume:left`).

    Raises: InputError that names line and column of what can't be used.
    """
    data = _bytes(path)
    rows = csv.reader(io.StringIO(_text(data, path), newline=""), strict=True)
    try:
        lines = [(rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise InputError(
            f"the label table is no CSV: {error}",
            remedy="save it as CSV with commas, and quote text that holds commas",
            file=path.name,
            line=str(rows.line_num),
        ) from error
    if not lines:
        raise InputError("the label table is empty", remedy="give a line of names and the studies")
    columns = _Columns.of(lines[0][1], declares)
    studies = [
        columns.study(number, cells, path.parent)
        for number, cells in lines[1:]
        if any(cell.strip() for cell in cells)
    ]
    if not studies:
        raise InputError("the label table names no study", remedy="add a line a study")
    _checked_patients(studies)
    _checked_files(studies)
    return LabelTable(
        studies=tuple(studies),
        sha256=hashlib.sha256(data).hexdigest(),
        origin=LabelsFrom.TABLE,
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the label table can't be read: {type(error).__name__}",
            remedy="name a CSV file",
            path=str(path),
        ) from error


def _text(data: bytes, path: Path) -> str:
    """Decode a table, and put commas where another program writes semicolons or tabs."""
    try:
        text = data.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            "the label table is not UTF-8",
            remedy="save it as CSV UTF-8",
            file=path.name,
            line=str(line),
        ) from error
    if "\0" in text:
        raise InputError(
            "the label table is not UTF-8 text", remedy="save it as CSV UTF-8", file=path.name
        )
    head = text.split("\n", 1)[0]
    for other in (";", "\t"):
        if other in head and "," not in head:
            raise InputError(
                f"the label table is separated by {'tabs' if other == chr(9) else 'semicolons'}",
                remedy="save it as CSV with commas",
                file=path.name,
                line="1",
            )
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What each column of a table is: its place by what it is called."""

    places: Mapping[str, int]
    findings: Mapping[str, int]
    quantities: Mapping[Quantity, int]
    names: tuple[str, ...]

    @classmethod
    def of(cls, head: list[str], declares: Declaration) -> _Columns:
        """Read the line of names."""
        places: dict[str, int] = {}
        findings: dict[str, int] = {}
        quantities: dict[Quantity, int] = {}
        for place, cell in enumerate(head):
            name = cell.strip()
            what = _column(name, place)
            there: dict[str, int] | dict[Quantity, int] = places
            if isinstance(what, tuple):
                there = quantities
            elif what not in COLUMNS:
                there = findings
            if what in there:
                raise _wrong("the column stands twice", "leave one of them out", name)
            there[what] = place  # type: ignore[index]
        columns = cls(places=places, findings=findings, quantities=quantities, names=tuple(head))
        columns._check(declares)
        return columns

    def _check(self, declares: Declaration) -> None:
        """Refuse a table that lacks a column, or labels nothing that the model states."""
        lacking = [name for name in REQUIRED if name not in self.places]
        if lacking:
            raise _wrong(
                f"the label table has no column {' and '.join(lacking)}",
                "give each study its path and its patient",
            )
        states = {*declares.findings} & {*self.findings} or {*declares.quantities} & {
            name for name, _ in self.quantities
        }
        if not states:
            could = ", ".join((*declares.findings, *declares.quantities))
            raise _wrong("the label table labels nothing that the model states", f"label {could}")

    def study(self, line: int, cells: list[str], folder: Path) -> LabelledStudy:
        """Read the line of one study."""
        if len(cells) != len(self.names):
            raise _wrong(
                f"{len(cells)} cells under {len(self.names)} names",
                "give each line as many cells as there are columns",
                line=line,
            )
        said = {name: cells[place].strip() for name, place in self.places.items()}
        found = {
            name: value
            for name, place in self.findings.items()
            if (value := _label(cells[place], name, line)) is not None
        }
        bare = _label(said.get(NO_FINDING, ""), NO_FINDING, line) is True
        if bare:
            found = _without(found, self.findings, line)
        return LabelledStudy(
            line=line,
            patient=_required(said, "patient", "give every study the key of its patient", line),
            path=_path(
                _required(said, "path", "name the study's file or folder", line), folder, line
            ),
            findings=found,
            quantities={
                what: number
                for what, place in self.quantities.items()
                if (number := _number(cells[place], self.names[place], line)) is not None
            },
            sex=_sex(said.get("sex", ""), line),
            age_years=_age(said.get("age", ""), line),
            view=_one_of(said.get("view", ""), "view", [view.value for view in View], line),
            scanner=said.get("scanner") or None,
            half=_half(said.get("split", ""), line),
            bare=bare,
        )


def _column(name: str, place: int) -> str | Quantity:
    """Say what a column of this name is: a part of the study, a finding, or a quantity."""
    if not name:
        raise _wrong(f"column {place + 1} has no name", "name it, or leave it out", line=1)
    plain = _plain(name)
    about = {_plain(one): one for one in COLUMNS}
    if plain in about:
        return about[plain]
    findings = {
        form: term.name
        for term in finding_terms().values()
        for form in map(_plain, (term.name, term.words))
    }
    if plain in findings:
        return findings[plain]
    bare, _, side = name.partition(":")
    quantities = {
        form: term
        for term in measurement_terms().values()
        for form in map(_plain, (term.name, term.words))
    }
    term = quantities.get(_plain(bare))
    if term is None:
        near = difflib.get_close_matches(plain, [*findings, *quantities, *about], n=3, cutoff=0.5)
        known = [about.get(n) or findings.get(n) or quantities[n].name for n in near]
        raise _wrong(
            "the vocabulary has no finding or quantity of this name",
            f"write {' or '.join(known)}, or leave the column out"
            if known
            else "see docs/vocabulary.md for the names, or leave the column out",
            name,
        )
    sides = {one.value: one for one in (Side.LEFT, Side.RIGHT)}
    if not side:
        return term.name, None
    if not term.sided or _plain(side) not in sides:
        raise _wrong("the quantity has no such side", "write NAME:left or NAME:right", name)
    return term.name, sides[_plain(side)]


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def _label(cell: str, column: str, line: int) -> bool | None:
    known = {"": None, "0": False, "1": True, "0.0": False, "1.0": True}
    if cell.strip() not in known:
        raise _wrong(
            f"the label is {cell.strip()[:20]!r}",
            "write 1 with the finding, 0 without it, or leave it empty if nobody looked",
            column,
            line,
        )
    return known[cell.strip()]


def _without(found: Mapping[str, bool], columns: Iterable[str], line: int) -> dict[str, bool]:
    """Take every finding as absent where a table says that there is none."""
    against = [name for name, there in found.items() if there]
    if against:
        raise _wrong("a study without any finding has one", "correct one of both", against[0], line)
    return dict.fromkeys(columns, False)


def _number(cell: str, column: str, line: int) -> float | None:
    if not cell.strip():
        return None
    try:
        value = float(cell)
    except ValueError as error:
        raise _wrong(
            f"the value is {cell.strip()[:20]!r}", "write a number with a point", column, line
        ) from error
    if not abs(value) < float("inf"):
        raise _wrong("the value is not finite", "write a number, or leave it empty", column, line)
    return value


def _age(cell: str, line: int) -> float | None:
    value = _number(cell, "age", line)
    if value is not None and not 0 <= value <= OLDEST_YEARS:
        raise _wrong(f"the age is {value:g}", f"write years from 0 to {OLDEST_YEARS}", "age", line)
    return value


def _sex(cell: str, line: int) -> str | None:
    said = _one_of(cell, "sex", list(SEXES), line)
    return SEXES[said] if said else None


def _half(cell: str, line: int) -> Half | None:
    said = _one_of(cell, "split", [half.value for half in Half], line)
    return Half(said) if said else None


def _one_of(cell: str, column: str, known: list[str], line: int) -> str | None:
    """Return the known word that a cell means, in any case; None if it is empty."""
    said = {one.casefold(): one for one in known}
    if cell and cell.casefold() not in said:
        raise _wrong(
            f"the {column} is {cell[:20]!r}",
            f"write {', '.join(known)}, or leave it empty",
            column,
            line,
        )
    return said[cell.casefold()] if cell else None


def _required(said: Mapping[str, str], column: str, remedy: str, line: int) -> str:
    if not said[column]:
        raise _wrong("the cell is empty", remedy, column, line)
    return said[column]


def _path(cell: str, folder: Path, line: int) -> Path:
    path = folder / cell
    if not path.exists():
        raise _wrong(
            "nothing is there",
            "correct the path; it is taken from the folder of the table",
            "path",
            line,
        )
    return path


def _checked_patients(studies: Iterable[LabelledStudy]) -> None:
    """Refuse a patient in both halves, or of two sexes."""
    halves: dict[str, LabelledStudy] = {}
    sexes: dict[str, LabelledStudy] = {}
    for one in studies:
        first = halves.setdefault(one.patient, one)
        if first.half is not one.half:
            raise _wrong(
                f"the patient of line {first.line} stands in another half",
                "put all studies of a patient in one half",
                "split",
                one.line,
            )
        if one.sex:
            known = sexes.setdefault(one.patient, one)
            if known.sex != one.sex:
                raise _wrong(
                    f"the patient of line {known.line} has another sex there",
                    "correct one of both, or the patient's key",
                    "sex",
                    one.line,
                )


def _checked_files(studies: Iterable[LabelledStudy]) -> None:
    """Refuse one file twice, under whatever names: labelled twice, it would count twice."""
    seen: dict[str, int] = {}
    for one in studies:
        if one.path is None:
            continue
        same = sha256_of(one.path) if one.path.is_file() else str(one.path.resolve())
        first = seen.setdefault(same, one.line)
        if first != one.line:
            raise _wrong(
                f"the study is that of line {first}", "label each study once", "path", one.line
            )


def _wrong(
    problem: str, remedy: str, column: str | None = None, line: int | None = None
) -> InputError:
    """Build the error of a place in the table. Cells of a patient's key are never repeated."""
    where = {"line": str(line)} if line is not None else {}
    return InputError(problem, remedy=remedy, **where, **({"column": column} if column else {}))
