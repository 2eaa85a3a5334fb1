"""Where a recipe's reports come from: the shared data, or folders of public sets."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError, needed
from medmm.training.data.holdout import Holdout, Person, person
from medmm.training.data.layouts import Layout, ReportedFilm, counted, open_i
from medmm.training.recipes import SHARED, LayoutFolder
from medmm.training.reports.corpus import SPLITS, FilmReport, film_greys, read_reports

log = logging.getLogger(__name__)
Grey = NDArray[np.float32]


class ReportSource(Protocol):
    """Reports by split, and the pixels of their films."""

    def reports(self, split: str) -> list[FilmReport]:
        """Return all reports of a split, always in the same order."""

    def greys(self, reports: Iterable[FilmReport]) -> Iterator[Grey]:
        """Yield their films one at a time, float32 (rows, columns), 0 black to 1 white."""

    def people(self, split: str) -> set[Person]:
        """Return the patients of a split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedReports:
    """The reports of the shared data; a report stands for its patient."""

    data_dir: Path

    def reports(self, split: str) -> list[FilmReport]:
        """Return all reports of a split by uid, those without a film too."""
        return read_reports(self.data_dir, {split})

    def greys(self, reports: Iterable[FilmReport]) -> Iterator[Grey]:
        """Yield the reports' films as `film_greys` does."""
        return film_greys(self.data_dir, reports)

    def people(self, split: str) -> set[Person]:
        """Return the patients of a split."""
        return {person(open_i.NAME, report.uid) for report in self.reports(split)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutReports:
    """The English reports of a folder with findings, one film each, none held back.

    The film is the first one; the shared data say what is held back.
    """

    name: str
    films: dict[str, ReportedFilm]
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, layout: Layout, held_back: Holdout) -> LayoutReports:
        """Build it of a layout.

        Raises: InputError if no report is left.
        """
        kept, left_out = held_back.without(layout, layout.films)
        left_out += Counter(layout.left_out)
        films: dict[str, ReportedFilm] = {}
        known = set()
        for film in kept:
            reason = _unfit(film)
            if reason is None and (film.patient, film.report) in known:
                reason = "further film of a report"
            if reason is not None:
                left_out[reason] += 1
                continue
            known.add((film.patient, film.report))
            films[f"{layout.name}/{film.uid}"] = film
        log.info("%s: %d reports; left out: %s", layout.name, len(films), counted(left_out))
        if not films:
            raise InputError(
                "no English report with findings is left",
                remedy="give a folder of a set that has reports",
                layout=layout.name,
            )
        return cls(name=layout.name, films=films, left_out=left_out)

    def reports(self, split: str) -> list[FilmReport]:
        """Return the reports of a split in the folder's order."""
        return [
            _report(uid, film, self.name) for uid, film in self.films.items() if film.split == split
        ]

    def greys(self, reports: Iterable[FilmReport]) -> Iterator[Grey]:
        """Yield the reports' films as `FilmSource.grey` loads them."""
        return (self.films[report.uid].film.grey() for report in reports)

    def people(self, split: str) -> set[Person]:
        """Return the patients of a split."""
        return {
            person(self.name, film.patient) for film in self.films.values() if film.split == split
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedReports:
    """Several sources, one after the other."""

    sources: Sequence[ReportSource]

    def reports(self, split: str) -> list[FilmReport]:
        """Return the reports of a split from every source.

        Raises: InputError if two sources name a film alike.
        """
        reports = [report for source in self.sources for report in source.reports(split)]
        twice = [
            uid for uid, count in Counter(report.uid for report in reports).items() if count > 1
        ]
        if twice:
            raise InputError(
                "a film is in two sources", remedy="give each folder once", uid=twice[0]
            )
        return reports

    def greys(self, reports: Iterable[FilmReport]) -> Iterator[Grey]:
        """Yield each film from the source that has it."""
        owner = {
            r.uid: n
            for n, s in enumerate(self.sources)
            for split in sorted(SPLITS)
            for r in s.reports(split)
        }
        for number, group in groupby(reports, key=lambda report: owner[report.uid]):
            yield from self.sources[number].greys(group)

    def people(self, split: str) -> set[Person]:
        """Return the patients of a split from every source."""
        return set().union(*(source.people(split) for source in self.sources))


def report_source(named: Sequence[str | LayoutFolder], data_dir: Path) -> ReportSource:
    """Build the source that a recipe's `reports` names.

    Raises: InputError if a patient of val or test is in train, too.
    """
    held_back = Holdout.of(data_dir)
    sources = [_source(one, data_dir, held_back) for one in named]
    if len(sources) == 1:
        return sources[0]
    joined = JoinedReports(sources=sources)
    if both := joined.people("train") & (joined.people("val") | joined.people("test")):
        raise InputError(
            "patients of val or test are in train by another source",
            remedy="give one of these sources alone",
            set=min(both)[0],
            patients=str(len(both)),
        )
    return joined


def _source(one: str | LayoutFolder, data_dir: Path, held_back: Holdout) -> ReportSource:
    if isinstance(one, LayoutFolder):
        return LayoutReports.of(one.read(), held_back)
    if one != SHARED:
        raise InputError(
            f"no source of reports is called {one!r}", remedy=f"name {SHARED!r} or a folder"
        )
    return SharedReports(data_dir=data_dir)


def _unfit(film: ReportedFilm) -> str | None:
    """Say why a film's report is not used."""
    if film.report is None or not film.report.findings.strip():
        return "no findings text"
    return (
        None if film.report.language.split("-")[0] == "en" else f"language {film.report.language}"
    )


def _report(uid: str, film: ReportedFilm, layout: str) -> FilmReport:
    said = needed(film.report, "the report of a film", uid=uid)
    return FilmReport(
        uid=uid,
        split=film.split,
        split_source=layout,
        findings=said.findings,
        impression=said.impression,
        exam="",
        film=(str(film.film.path), film.film.member or ""),
        indication=said.indication or "",
    )
