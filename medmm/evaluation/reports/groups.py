"""Drafted report text by group: what is found and invented, by stated sex and view.

Ages are masked in the corpus and its films have one source, so there is no group by age or source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from medmm.domain.study import View
from medmm.evaluation.reports.scores import (
    CALLS,
    INVENTED,
    LEAST_REPORTS,
    MICRO,
    RECALL,
    calls,
    figure_key,
    interval_of,
    label_figures,
    weights_by_patient,
)
from medmm.language.report_labeller import Labels
from medmm.training.reports.corpus import FilmReport
from medmm.training.reports.examples import indication_facts

Json = dict[str, Any]
WANTED = (MICRO, RECALL, INVENTED)
LAST_CALL = list(CALLS)[-1]


def sex_of(report: FilmReport) -> str | None:
    """Return F or M if the indication states only one sex."""
    stated = [
        fact.value for fact in indication_facts(report.indication) if fact.id == "Patient#sex"
    ]
    return {"female": "F", "male": "M"}[str(stated[0])] if stated else None


def view_of(report: FilmReport) -> str | None:
    """Return PA or AP if the exam's title names only one of them."""
    return None if report.view is View.UNKNOWN else report.view.value


def groups_of(reports: Sequence[FilmReport]) -> dict[str, list[int]]:
    """Return the places of the reports of each sex and view."""
    fields: dict[str, Callable[[FilmReport], str | None]] = {"sex": sex_of, "view": view_of}
    found: dict[str, list[int]] = {}
    for field, value_of in fields.items():
        values = [value_of(report) for report in reports]
        for value in sorted(set(values), key=lambda v: v or "~"):
            name = f"{field} {value or 'not stated'}"
            found[name] = [place for place, its in enumerate(values) if its == value]
    return found


def grouped(
    reports: Sequence[FilmReport],
    drafts: dict[str, Sequence[str]],
    labels: dict[str, dict[str, Labels]],
    draws: int,
    seed: int,
) -> list[Json]:
    """Evaluate the findings of each writer's drafts in each group by every labeller.

    Findings that are present or possible count.

    Args: drafts: by writer, in the order of the reports; labels: by labeller and text.
    """
    out = []
    for name, places in groups_of(reports).items():
        row: Json = {"group": name, "reports": len(places), "too_few": len(places) < LEAST_REPORTS}
        if not row["too_few"]:
            weights = weights_by_patient([reports[i].uid for i in places], draws, seed)
            row["figures"] = {
                writer: {
                    figure_key(labeller, LAST_CALL, key): interval_of(value).json()
                    for labeller, its in labels.items()
                    for key, value in _figures(reports, texts, its, places, weights).items()
                }
                for writer, texts in drafts.items()
            }
        out.append(row)
    return out


def _figures(
    reports: Sequence[FilmReport],
    texts: Sequence[str],
    labels: dict[str, Labels],
    places: list[int],
    weights: Any,
) -> dict[str, Any]:
    truth = calls([labels[reports[i].findings] for i in places], CALLS[LAST_CALL])
    said = calls([labels[texts[i]] for i in places], CALLS[LAST_CALL])
    figures = label_figures(truth, [said], weights)
    return {name: figures[name] for name in WANTED}
