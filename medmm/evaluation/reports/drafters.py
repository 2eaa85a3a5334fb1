"""What a writer drafts for the corpus' films, as its findings text would be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rich.progress import track

from medmm.domain.draft import Case, Draft, Section
from medmm.domain.reading import Reading
from medmm.domain.reading_model import read_by
from medmm.drafting import RuleWriter
from medmm.evaluation.reports.batch_drafting import AT_ONCE, Wording, worded
from medmm.evaluation.reports.film_cases import case_of_film, film_of
from medmm.models.film.reading_model import ChestReader
from medmm.models.report_model.chest_report import ChestReportModel
from medmm.training.reports.corpus import FilmReport, Grey, film_greys
from medmm.training.reports.examples import indication_facts

RULE_WRITER = "rule writer"
LANGUAGE_MODEL, IMAGE_ONLY = "language model, film and record", "language model, film alone"


def case_of(report: FilmReport, grey: Grey, *, with_record: bool = False) -> Case:
    """Build a case of one film in memory, without the gate.

    Spacing and sides are unknown, since the pictures carry no tags.

    The record, if one is asked for, is what the indication says in codes, and nothing else. The
    original was stretched to 256 x 256 pixels; the reading model stretches every film to a square
    as well.
    """
    film = replace(
        film_of(report, grey.shape),
        view=report.view,
        loader=lambda: grey[None],
    )
    return case_of_film(film, indication_facts(report.indication) if with_record else ())


def findings_text(draft: Draft) -> str:
    """Return the findings section of a draft, without the impression that repeats it.

    It holds statements on the image alone.
    """
    return " ".join(s.text for s in draft.statements if s.section is Section.FINDINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """The findings texts of one writer in order of the reports, and in whose words.

    The latter is of a language model only.
    """

    texts: tuple[str, ...] = ()
    wording: Wording | None = None

    def __add__(self, other: Drafted) -> Drafted:
        counted = [one.wording for one in (self, other) if one.wording is not None]
        return Drafted(
            texts=self.texts + other.texts, wording=sum(counted, Wording()) if counted else None
        )


def drafted(
    data_dir: Path,
    reports: Sequence[FilmReport],
    reader: ChestReader,
    model: ChestReportModel | None,
    *,
    quiet: bool,
) -> dict[str, Drafted]:
    """Draft every report by every writer over one reading of each film.

    The rule writer; with a language model also its drafts from film and record, and from the film
    alone.

    Returns: drafts by the writer's name.
    """
    films = track(
        film_greys(data_dir, reports), total=len(reports), description="drafts", disable=quiet
    )
    found: dict[str, Drafted] = {}
    pairs = zip(reports, films, strict=True)
    while group := list(islice(pairs, AT_ONCE)):
        alone = [case_of(report, grey) for report, grey in group]
        readings = [read_by([reader], case.study) for case in alone]
        by_rule = [
            findings_text(RuleWriter().write(c, r)) for c, r in zip(alone, readings, strict=True)
        ]
        parts = {RULE_WRITER: Drafted(texts=tuple(by_rule))}
        if model is not None:
            recorded = [case_of(report, grey, with_record=True) for report, grey in group]
            parts[LANGUAGE_MODEL] = _by_model(model, recorded, readings)
            parts[IMAGE_ONLY] = _by_model(model, alone, readings)
        found = {name: found.get(name, Drafted()) + part for name, part in parts.items()}
    return found


def wording(
    data_dir: Path,
    reports: Sequence[FilmReport],
    reader: ChestReader,
    model: ChestReportModel,
    *,
    quiet: bool,
) -> Wording:
    """Say in whose words the language model's drafts from film and record come out.

    Nothing else is drafted.
    """
    films = track(
        film_greys(data_dir, reports), total=len(reports), description="wording", disable=quiet
    )
    found = Wording()
    pairs = zip(reports, films, strict=True)
    while group := list(islice(pairs, AT_ONCE)):
        cases = [case_of(report, grey, with_record=True) for report, grey in group]
        its = _by_model(model, cases, [read_by([reader], case.study) for case in cases]).wording
        found = found + its if its else found
    return found


def _by_model(
    model: ChestReportModel, cases: Sequence[Case], readings: Sequence[Reading]
) -> Drafted:
    pairs = worded(model, list(zip(cases, readings, strict=True)))
    texts = tuple(findings_text(draft) for draft, _ in pairs)
    return Drafted(texts=texts, wording=sum((wording for _, wording in pairs), Wording()))
