"""The evaluation of report text as a page that stands alone (HTML)."""

from __future__ import annotations

from html import escape
from typing import Any

from medmm.evaluation.cards.tables import figure
from medmm.evaluation.metrics import Interval
from medmm.evaluation.plots.svg_plots import Point, Series, dots, scatter
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
from medmm.training.reports.labeller import ABNORMAL, LABELS

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
STYLE = """body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1560px;
margin:24px auto;padding:0 20px}
table{border-collapse:collapse;margin:10px 0 22px;display:block;overflow-x:auto}
th,td{border:1px solid #ccc;padding:4px 9px;text-align:right;font-variant-numeric:tabular-nums}
td{white-space:nowrap}th:first-child,td:first-child{text-align:left}
th{background:#f2f4f7}tr.drafter td{background:#e8f0fb}
figure{margin:18px 0 0}figcaption{font-weight:600}
svg{width:100%;height:auto;font:13px system-ui,sans-serif}
.legend span{margin-right:22px}
.legend i{display:inline-block;width:12px;height:12px;margin-right:6px;border-radius:6px}
.names{columns:2;color:#444}h2{margin-top:34px;border-bottom:1px solid #ddd}"""


def html(found: Json) -> str:
    """Write the whole evaluation as one page without links to anything."""
    parts = [f"<h1>Drafted report text: {escape(found['drafter'])}</h1>", _summary(found)]
    for subset in found["subsets"]:
        parts += [
            f"<h2>{escape(subset['subset'])} ({subset['reports']} reports)</h2>",
            *_subset(subset, found),
        ]
    parts += ["<h2>How far the labellers can be trusted</h2>", *_labellers(found)]
    parts += ["<h2>Published figures (words alone)</h2>", _published(found)]
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Drafted report '
        "text</title>"
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _summary(found: Json) -> str:
    tools = "".join(
        f"<li>{escape(name)}: {escape(state)}</li>" for name, state in found["tools"].items()
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in found["notes"])
    lead = (
        "BLEU and ROUGE do not show that a drafter looks at the film: the constant normal "
        "report, which sees none, stands beside every score. Intervals are 95 % by patient "
        f"({found['draws']} bootstrap draws, seed {found['seed']})."
    )
    return (
        f"<p>{lead}</p><ul>{notes}</ul><details><summary>Tools</summary><ul>{tools}</ul></details>"
    )


def _subset(subset: Json, found: Json) -> list[str]:
    if not subset["candidates"]:
        return [f"<p>{escape(subset['why_empty'])}.</p>"]
    candidates, labellers = subset["candidates"], list(subset["positives"])
    names = [c["name"] for c in candidates]
    parts = []
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
        parts.append(dots(f"{MICRO}: {call}", names, series))
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
        parts.append(
            scatter("Words against findings", BLEU_4, f"{MICRO} ({last}, {OWN})", points, marks)
        )
    for labels in labellers:
        for call in CALLS:
            parts.append(f"<h3>Findings by {escape(labels)}: {call}</h3>")
            parts.append(_positives(subset["positives"][labels][call]))
            parts.append(
                _table(candidates, [(figure_key(labels, call, n), n) for n in (*FINDINGS, *MORE)])
            )
            parts.append("<p>The drafter minus each baseline, paired by patient:</p>")
            keys = [(figure_key(labels, call, n), n) for n in (MICRO, MACRO, RECALL, INVENTED)]
            parts.append(_table(candidates[1:], keys, "drafter_minus_this"))
    parts += ["<h3>Words</h3>", _table(candidates, [(n, n) for n in (*TEXT_FIGURES, METEOR)])]
    parts += ["<h3>Habits</h3>", _habits(subset)]
    return parts


def _positives(counts: Json) -> str:
    said = ", ".join(f"{name} {counts[name]}" for name in ABNORMAL)
    return f"<p>In the references: {escape(said)}.</p>"


def _table(candidates: list[Json], columns: list[tuple[str, str]], where: str = "figures") -> str:
    columns = [(key, name) for key, name in columns if any(key in c[where] for c in candidates)]
    if not columns:
        return "<p>Not scored: the tool is not installed.</p>"
    rows = [[c["name"], *(figure(c[where].get(key)) for key, _ in columns)] for c in candidates]
    return _html_table(["drafts", *(name for _, name in columns)], rows, first=where == "figures")


def _habits(subset: Json) -> str:
    everyone = [
        *((c["name"], c["habits"]) for c in subset["candidates"]),
        ("the reports themselves", subset["reference"]),
    ]
    rows = [
        [name, *(f"{habits[key]:.2f}".removesuffix(".00") for key in HABITS)]
        for name, habits in everyone
    ]
    return _html_table(["drafts", *HABITS.values()], rows, first=True)


def _labellers(found: Json) -> list[str]:
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
    parts = [dots("F1 against the manual labels, test reports, present alone", LABELS, series)]
    for split, its in found["labeller"].items():
        for call in CALLS:
            parts.append(f"<h3>{split}, {call} ({its['reports']} reports with manual labels)</h3>")
            summary = [
                [labels, *(figure(v) for v in calls[call]["figures"].values())]
                for labels, calls in its["labellers"].items()
            ]
            parts.append(
                _html_table(["labeller", *its["labellers"][OWN][call]["figures"]], summary)
            )
            head = ["finding", "manual"]
            for labels in its["labellers"]:
                head += [f"{word}, {labels}" for word in ("called", "precision", "recall", "F1")]
            parts.append(_html_table(head, [_finding_row(name, call, its) for name in LABELS]))
    return [
        *parts,
        (
            f"<p>The manual “{LABELS[0]}” is the index term “normal”, which is narrower than "
            "CheXpert's.</p>"
        ),
    ]


def _finding_row(name: str, call: str, its: Json) -> list[str]:
    rows = [calls[call]["findings"][name] for calls in its["labellers"].values()]
    cells = [name, str(rows[0]["manual"])]
    for row in rows:
        cells += [str(row["called"]), *(figure(row[key]) for key in ("precision", "recall", "f1"))]
    return cells


def _published(found: Json) -> str:
    rows = published_rows(found)
    return _html_table(
        ["drafts", *COLUMNS_OF.values()], rows, first=len(rows) > len(found["published"])
    )


def _html_table(head: list[str], rows: list[list[str]], *, first: bool = False) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for n, row in enumerate(rows):
        mark = ' class="drafter"' if first and n == 0 else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def _test_labellers(found: Json) -> Json:
    labellers: Json = found["labeller"]["test"]["labellers"]
    return labellers


def _interval(row: Json | None) -> Interval | None:
    if row is None or row.get("value") is None:
        return None
    return Interval(value=row["value"], low=row.get("low"), high=row.get("high"))
