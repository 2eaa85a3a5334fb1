"""Open-i / IU X-Ray as the NLM gives it: reports in XML, films in PNG.

Source: Demner-Fushman et al., JAMIA 2016.

The files do not say which film is frontal: a table of projections does (columns `filename` and
`projection`, in `projections.csv` or `indiana_projections.csv`), and `write_projections` makes one
by looking at the films.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.training.data.layouts.collector import Collector
from medmm.training.data.layouts.label_map import Findings, Uncertain, from_list, labelled
from medmm.training.data.layouts.reported_film import (
    FilmSource,
    Grey,
    Layout,
    ReportedFilm,
    ReportText,
)
from medmm.training.data.layouts.splits import split_of
from medmm.training.data.layouts.tables import find_table, read_rows

NAME = "open-i"
REPORTS, FILMS, PROJECTIONS = "ecgen-radiology", "NLMCXR_png", "projections.csv"


def read(folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False) -> Layout:
    """Read all frontal films, split by a digest of the report's uid.

    The uid stands for its patient.

    Findings are those of the manual MeSH terms; what they do not name is absent, and unknown if
    nobody indexed the report. `uncertain` has nothing to decide.

    Raises: InputError if the reports, the table of projections or a film are missing.
    """
    gathering = Collector(name=NAME, partial=partial)
    table = find_table(folder, PROJECTIONS, f"indiana_{PROJECTIONS}")
    projections = {
        _key(r["filename"]): r["projection"].lower()
        for r in read_rows(table, ("filename", "projection"))
    }
    for path in _report_files(folder):
        report = _parsed(path)
        findings, nameless = _findings(report)
        images = report.findall(".//parentImage")
        gathering.leave_out("report without a film", int(not images))
        given = [
            film
            for image in images
            if (film := _film(image, report, folder, projections, findings, gathering))
        ]
        gathering.films += given
        gathering.leave_out_labels(nameless if given else ())
    return gathering.layout()


def write_projections(folder: Path, kind_of: Callable[[Grey], str]) -> Path:
    """Look at every film and write its kind to `projections.csv`.

    The kind is frontal, lateral or what else `kind_of` calls it.

    `FilmKindModel.kind_of` is such a function. Raises: InputError if there are no films or one
    can't be decoded.
    """
    films = sorted((folder / FILMS).glob("*.png"))
    if not films:
        raise InputError(
            "no films", remedy=f"name the folder that holds {FILMS}", path=str(folder / FILMS)
        )
    rows = [(film.name, kind_of(FilmSource(path=film).grey())) for film in films]
    table = folder / PROJECTIONS
    with table.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("filename", "projection"), *rows])
    return table


def _report_files(folder: Path) -> list[Path]:
    files = sorted((folder / REPORTS).glob("*.xml"))
    if not files:
        raise InputError(
            "no reports", remedy=f"name the folder that holds {REPORTS}", path=str(folder / REPORTS)
        )
    return files


def _parsed(path: Path) -> ElementTree.Element:
    """Parse a report.

    Raises: InputError if it is not XML or has no uid.
    """
    try:
        report = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(
            "a report can't be read", remedy="fetch it again", path=str(path)
        ) from error
    uid = report.find(".//uId")
    if uid is None or not uid.get("id"):
        raise InputError("a report has no uId", remedy="fetch it again", path=str(path))
    report.set("uid", uid.get("id", ""))
    return report


def _film(
    image: ElementTree.Element,
    report: ElementTree.Element,
    folder: Path,
    projections: dict[str, str],
    findings: Findings,
    gathering: Collector,
) -> ReportedFilm | None:
    uid, patient = image.get("id", ""), report.get("uid", "")
    projection = projections.get(_key(uid), "not stated")
    if projection != "frontal":
        gathering.leave_out(
            "lateral film" if projection == "lateral" else f"projection {projection}"
        )
        return None
    film = gathering.first_there(folder / FILMS / f"{uid}.png")
    if film is None:
        return None
    return ReportedFilm(
        uid=uid,
        patient=patient,
        split=split_of(patient),
        film=FilmSource(path=film),
        findings=findings,
        report=_report_text(report),
        view=_view(image.findtext("caption") or ""),
    )


def _key(name: str) -> str:
    """Return what the names of one film have in common.

    Such as "CXR1_1_IM-0001-3001" and "1_IM-0001-3001.dcm.png"; or "CXR2_IM-0652-1001".
    """
    return re.sub(r"^(?:CXR)?(\d+)_(?:\1_)?IM", r"\1_IM", name.split(".")[0])


def _report_text(report: ElementTree.Element) -> ReportText:
    words = {
        (e.get("Label") or "").upper(): " ".join("".join(e.itertext()).split())
        for e in report.iter("AbstractText")
    }
    return ReportText(
        findings=words.get("FINDINGS", ""),
        impression=words.get("IMPRESSION", ""),
        indication=words.get("INDICATION") or None,
    )


def _findings(report: ElementTree.Element) -> tuple[Findings, tuple[str, ...]]:
    """Return findings by the manual terms (MeSH/major), and heads of terms without one."""
    terms = [
        term.text.strip()
        for term in report.findall(".//MeSH/major")
        if term.text and term.text.strip()
    ]
    if not terms or "No Indexing" in terms:
        return dict.fromkeys(labelled(NAME)), tuple(terms)
    findings, nameless = from_list(NAME, [term for term in terms if term.lower() != "normal"])
    return findings, tuple(term.split("/")[0] for term in nameless)


def _view(exam: str) -> View:
    """Return PA or AP if the exam's title names only one of them."""
    named = set(re.findall(r"\b(pa|ap)\b", exam.lower()))
    return View.UNKNOWN if len(named) != 1 else View.PA if named == {"pa"} else View.AP
