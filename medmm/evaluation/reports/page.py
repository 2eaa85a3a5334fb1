"""The evaluation of report text as a page that stands alone (HTML)."""

from __future__ import annotations

from typing import Any

from medmm.acceptance.metrics import Interval
from medmm.evaluation.cards.tables import figure
from medmm.evaluation.reports.scores import (
    CALLS,
    INVENTED,
    MACRO,
    METEOR,
    MICRO,
    OWN,
    RECALL,
    TEXT_FIGURES,
    figure_key,
)
from medmm.evaluation.reports.summary import COLUMNS_OF, last_call, published_rows
from medmm.language.report_labeller import ABNORMAL, LABELS
from medmm.presentation.blocks import Block, Figure, Heading, Items, Paragraph, Table
from medmm.presentation.pages import page
from medmm.presentation.svg_plots import Point, Series, dots, scatter

Json = dict[str, Any]
BLEU_4 = TEXT_FIGURES[3]
FINDINGS = (MICRO, MACRO, RECALL, "precision, 13 findings", INVENTED, "macro F1, 13 findings")
MORE = ("micro F1, 14 labels", "macro F1, 14 labels", "micro F1, 5 labels", "macro F1, 5 labels")
HABITS = {
    "distinct": "distinct drafts",
    "share_repeated": "share that repeats another draft",
    "share_word_for_word_in_train": "share word for word in train",
    "mean_words": "words a draft",
}
NARROWER = (
    f"The manual “{LABELS[0]}” is the index term “normal”, which is narrower than CheXpert's."
)


def html(found: Json) -> str:
    """Write the whole evaluation as one page without links to anything."""
    blocks: list[Block] = [
        Heading(words=f"Drafted report text: {found['drafter']}", level=1),
        *_summary(found),
    ]
    for subset in found["subsets"]:
        title = f"{subset['subset']} ({subset['reports']} reports)"
        blocks += [Heading(words=title, level=2), *_subset(subset, found)]
    blocks += [Heading(words="How far the labellers can be trusted", level=2), *_labellers(found)]
    blocks += [Heading(words="Published figures (words alone)", level=2), _published(found)]
    return page("blocks.html", title="Drafted report text", blocks=blocks)


def _summary(found: Json) -> list[Block]:
    lead = (
        "BLEU and ROUGE do not show that a drafter looks at the film: the constant normal "
        "report, which sees none, stands beside every score. Intervals are 95 % by patient "
        f"({found['draws']} bootstrap draws, seed {found['seed']})."
    )
    tools = tuple(f"{name}: {state}" for name, state in found["tools"].items())
    notes = Items(items=tuple(found["notes"]))
    return [Paragraph(words=lead), notes, Items(items=tools, summary="Tools")]


def _subset(subset: Json, found: Json) -> list[Block]:
    if not subset["candidates"]:
        return [Paragraph(words=f"{subset['why_empty']}.")]
    candidates, labellers = subset["candidates"], list(subset["positives"])
    names = [c["name"] for c in candidates]
    parts: list[Block] = []
    for call in CALLS:
        series = [
            Series(
                name=labels,
                figures=tuple(
                    _interval(c["figures"][figure_key(labels, call, MICRO)]) for c in candidates
                ),
            )
            for labels in labellers
        ]
        parts.append(Figure(plot=dots(f"{MICRO}: {call}", names, series)))
    last = last_call()
    if BLEU_4 in candidates[0]["figures"]:
        points = [
            Point(
                name=c["name"],
                x=c["figures"][BLEU_4]["value"],
                y=c["figures"][figure_key(OWN, last, MICRO)]["value"],
            )
            for c in candidates
        ]
        marks = [
            (row["B4"], "R2Gen")
            for row in found["published"]
            if row["method"].startswith("R2Gen (")
        ]
        against = f"{MICRO} ({last}, {OWN})"
        plot = scatter("Words against findings", BLEU_4, against, points, marks)
        parts.append(Figure(plot=plot))
    for labels in labellers:
        for call in CALLS:
            parts.append(Heading(words=f"Findings by {labels}: {call}"))
            parts.append(_positives(subset["positives"][labels][call]))
            parts.append(
                _table(candidates, [(figure_key(labels, call, n), n) for n in (*FINDINGS, *MORE)])
            )
            parts.append(Paragraph(words="The drafter minus each baseline, paired by patient:"))
            keys = [(figure_key(labels, call, n), n) for n in (MICRO, MACRO, RECALL, INVENTED)]
            parts.append(_table(candidates[1:], keys, "drafter_minus_this"))
    words = _table(candidates, [(n, n) for n in (*TEXT_FIGURES, METEOR)])
    parts += [Heading(words="Words"), words]
    parts += [Heading(words="Habits"), _habits(subset)]
    return parts


def _positives(counts: Json) -> Block:
    said = ", ".join(f"{name} {counts[name]}" for name in ABNORMAL)
    return Paragraph(words=f"In the references: {said}.")


def _table(candidates: list[Json], columns: list[tuple[str, str]], where: str = "figures") -> Block:
    columns = [(key, name) for key, name in columns if any(key in c[where] for c in candidates)]
    if not columns:
        return Paragraph(words="Not scored: the tool is not installed.")
    rows = [[c["name"], *(figure(c[where].get(key)) for key, _ in columns)] for c in candidates]
    return _cells(["drafts", *(name for _, name in columns)], rows, first=where == "figures")


def _habits(subset: Json) -> Block:
    everyone = [
        *((c["name"], c["habits"]) for c in subset["candidates"]),
        ("the reports themselves", subset["reference"]),
    ]
    rows = [
        [name, *(f"{habits[key]:.2f}".removesuffix(".00") for key in HABITS)]
        for name, habits in everyone
    ]
    return _cells(["drafts", *HABITS.values()], rows, first=True)


def _labellers(found: Json) -> list[Block]:
    row = _test_labellers(found)
    series = [
        Series(
            name=labels,
            figures=tuple(
                _interval({"value": calls["present"]["findings"][name]["f1"]}) for name in LABELS
            ),
        )
        for labels, calls in row.items()
    ]
    plot = dots("F1 against the manual labels, test reports, present alone", LABELS, series)
    parts: list[Block] = [Figure(plot=plot)]
    for split, its in found["labeller"].items():
        for call in CALLS:
            title = f"{split}, {call} ({its['reports']} reports with manual labels)"
            parts.append(Heading(words=title))
            summary = [
                [labels, *(figure(v) for v in calls[call]["figures"].values())]
                for labels, calls in its["labellers"].items()
            ]
            parts.append(_cells(["labeller", *its["labellers"][OWN][call]["figures"]], summary))
            head = ["finding", "manual"]
            for labels in its["labellers"]:
                head += [f"{word}, {labels}" for word in ("called", "precision", "recall", "F1")]
            parts.append(_cells(head, [_finding_row(name, call, its) for name in LABELS]))
    return [
        *parts,
        Paragraph(words=NARROWER),
    ]


def _finding_row(name: str, call: str, its: Json) -> list[str]:
    rows = [calls[call]["findings"][name] for calls in its["labellers"].values()]
    cells = [name, str(rows[0]["manual"])]
    for row in rows:
        cells += [str(row["called"]), *(figure(row[key]) for key in ("precision", "recall", "f1"))]
    return cells


def _published(found: Json) -> Block:
    rows = published_rows(found)
    return _cells(["drafts", *COLUMNS_OF.values()], rows, first=len(rows) > len(found["published"]))


def _cells(head: list[str], rows: list[list[str]], *, first: bool = False) -> Table:
    return Table(head=tuple(head), rows=tuple(map(tuple, rows)), first=first)


def _test_labellers(found: Json) -> Json:
    labellers: Json = found["labeller"]["test"]["labellers"]
    return labellers


def _interval(row: Json | None) -> Interval | None:
    if row is None or row.get("value") is None:
        return None
    return Interval(value=row["value"], low=row.get("low"), high=row.get("high"))
