"""The evaluation of report text in short: Markdown for terminal and documentation."""

from __future__ import annotations

from typing import Any

from medmm.evaluation.cards.tables import figure, table
from medmm.evaluation.reports.scores import (
    ALL,
    CALLS,
    ENOUGH,
    INVENTED,
    MACRO,
    METEOR,
    MICRO,
    OWN,
    R2GEN,
    RECALL,
    TEXT_FIGURES,
    figure_key,
)

Json = dict[str, Any]
BLEU_4, ROUGE_L, CIDER = TEXT_FIGURES[3:]
COLUMNS_OF = dict(  # of published.md
    zip(
        ("B1", "B2", "B3", "B4", "M", "RL", "C"),
        (*TEXT_FIGURES[:4], METEOR, ROUGE_L, CIDER),
        strict=True,
    )
)
DECIDES = (MICRO, MACRO, RECALL, INVENTED)


def terminal(found: Json) -> str:
    """Tabulate every subset: the figures that decide, words beside them."""
    out = [f"# Drafted report text: {found['drafter']}\n"]
    for labels, row in found["labeller"]["test"]["labellers"].items():
        micro = figure(row["present"]["figures"][MICRO])
        out.append(
            f"{labels} against the manual labels of the test reports: micro F1 over 13 findings "
            f"{micro}"
        )
    for subset in found["subsets"]:
        out.append(f"\n## {subset['subset']} ({subset['reports']} reports)\n")
        out.append(_short(subset) if subset["candidates"] else f"{subset['why_empty']}\n")
    out.append(f"Recall and invented: {OWN}, {last_call()}. Words: {found['tools'][BLEU_4]}.")
    return "\n".join([*out, *(f"- {note}" for note in found["notes"])]) + "\n"


def last_call() -> str:
    """Return the wider way to count a finding as called, where a hedged drafter has any."""
    return list(CALLS)[-1]


def _short(subset: Json) -> str:
    labellers = list(subset["positives"])
    heads = [f"micro F1 of 13, {call}, {labels}" for call in CALLS for labels in labellers]
    rows = []
    for candidate in subset["candidates"]:
        figures, habits = candidate["figures"], candidate["habits"]
        f1 = [
            figure(figures[figure_key(labels, call, MICRO)])
            for call in CALLS
            for labels in labellers
        ]
        rest = [_plain(figures[figure_key(OWN, last_call(), name)]) for name in (RECALL, INVENTED)]
        text = [_plain(figures.get(name)) for name in (BLEU_4, ROUGE_L)]
        habit = [f"{habits['distinct']:.0f}", f"{habits['share_repeated']:.2f}"]
        rows.append([candidate["name"], *f1, *rest, *text, *habit])
    return table(
        [
            "drafts",
            *heads,
            "recall",
            "invented a report",
            "BLEU-4",
            "ROUGE-L",
            "distinct",
            "share repeated",
        ],
        rows,
    )


def summary(found: Json) -> str:
    """Tabulate the two main subsets, the labellers and the published figures.

    The tables are for the documentation.
    """
    parts = []
    for subset in (s for s in found["subsets"] if s["subset"] in (ALL, R2GEN)):
        title = subset["subset"][0].upper() + subset["subset"][1:]
        parts.append(f"### {title} ({subset['reports']})\n")
        for call in CALLS:
            parts += [
                f"Findings, {call}, {labels}:\n\n{_decides(subset, labels, call)}"
                for labels in subset["positives"]
            ]
        parts.append(f"Words (pycocoevalcap) and habits:\n\n{_words(subset)}")
    parts.append(f"### The labellers against the manual labels\n\n{_agreements(found)}")
    parts.append(_by_finding(found))
    published = table(["drafts", *COLUMNS_OF.values()], published_rows(found))
    parts.append(
        f"### Words beside published figures, which are of R2Gen's 590 test reports\n\n{published}"
    )
    return "\n".join(parts)


def _decides(subset: Json, labels: str, call: str) -> str:
    counts = subset["positives"][labels][call]
    rows = []
    for candidate in subset["candidates"]:
        keys = [figure_key(labels, call, name) for name in DECIDES]
        against = candidate.get("drafter_minus_this", {}).get(figure_key(labels, call, MICRO))
        cells = [figure(candidate["figures"].get(key)) for key in keys]
        rows.append([candidate["name"], *cells, figure(against) if against else ""])
    enough = (
        ", ".join(
            f"{name} {n}" for name, n in counts.items() if n >= ENOUGH and name != "No Finding"
        )
        or "none"
    )
    head = ["drafts", *DECIDES, "drafter minus this, micro F1"]
    return table(head, rows) + f"\nFindings with {ENOUGH} or more: {enough}.\n"


def macro_f1(subset: Json) -> str:
    """Write the mean F1 of findings with enough positives, by both labellers.

    The others have their counts.
    """
    labellers = list(subset["positives"])
    keys = {
        f"{call}, {labels}": figure_key(labels, call, MACRO)
        for call in CALLS
        for labels in labellers
    }
    rows = [
        [c["name"], *(figure(c["figures"].get(key)) for key in keys.values())]
        for c in subset["candidates"]
    ]
    lines = [
        _counted(subset["positives"][labels][call], f"{call}, {labels}")
        for call in CALLS
        for labels in labellers
    ]
    return table(["drafts", *keys], rows) + "\n" + "\n".join(lines) + "\n"


def _counted(counts: Json, title: str) -> str:
    """Say which findings stand in a macro F1 and which have too few positives, with counts."""
    abnormal = {name: n for name, n in counts.items() if name != "No Finding"}
    enough = ", ".join(f"{name} {n}" for name, n in abnormal.items() if n >= ENOUGH) or "none"
    fewer = ", ".join(f"{name} {n}" for name, n in abnormal.items() if n < ENOUGH) or "none"
    return f"- {title}: of {enough}. Too few, counted alone: {fewer}."


def by_group(found: Json) -> str:
    """Tabulate findings of every writer by sex and view.

    These are micro F1 by both labellers, and what is found and invented by medmm's own.
    """
    labellers = list(found["labeller"]["test"]["labellers"])
    keys = [figure_key(labels, last_call(), MICRO) for labels in labellers]
    keys += [figure_key(OWN, last_call(), name) for name in (RECALL, INVENTED)]
    rows = []
    for group in found["groups"]:
        start = [group["group"], str(group["reports"])]
        if group["too_few"]:
            rows.append([*start, "too few", *[""] * len(keys)])
            continue
        for name, figures in group["figures"].items():
            rows.append([*start, name, *(figure(figures[key]) for key in keys)])
    heads = [f"{MICRO}, {labels}" for labels in labellers]
    return table(["group", "reports", "drafts", *heads, RECALL, INVENTED], rows)


def _words(subset: Json) -> str:
    rows = []
    for candidate in subset["candidates"]:
        habits = candidate["habits"]
        cells = [figure(candidate["figures"].get(name)) for name in (BLEU_4, ROUGE_L, CIDER)]
        shares = [
            f"{habits[name]:.2f}" for name in ("share_repeated", "share_word_for_word_in_train")
        ]
        rows.append(
            [
                candidate["name"],
                *cells,
                f"{habits['distinct']:.0f}",
                *shares,
                f"{habits['mean_words']:.0f}",
            ]
        )
    own = subset["reference"]
    shares = [f"{own[name]:.2f}" for name in ("share_repeated", "share_word_for_word_in_train")]
    rows.append(
        [
            "the reports themselves",
            "",
            "",
            "",
            f"{own['distinct']:.0f}",
            *shares,
            f"{own['mean_words']:.0f}",
        ]
    )
    return table(
        [
            "drafts",
            "BLEU-4",
            "ROUGE-L",
            "CIDEr",
            "distinct",
            "repeated",
            "word for word in train",
            "words",
        ],
        rows,
    )


def _agreements(found: Json) -> str:
    rows = []
    for split, its in found["labeller"].items():
        for call in CALLS:
            for labels, calls in its["labellers"].items():
                figures = calls[call]["figures"]
                cells = [
                    figure(figures.get(name)) for name in (MICRO, "macro F1, 13 findings", MACRO)
                ]
                rows.append([split, str(its["reports"]), call, labels, *cells])
    return table(
        ["split", "reports", "counted", "labeller", MICRO, "macro F1, 13 findings", MACRO], rows
    )


def _by_finding(found: Json) -> str:
    its = found["labeller"]["test"]["labellers"]
    head = ["test, present alone", "manual"]
    for labels in its:
        head += [f"precision, {labels}", "recall", "F1"]
    rows = []
    for name, row in its[OWN]["present"]["findings"].items():
        cells = [name, str(row["manual"])]
        for calls in its.values():
            cells += [
                figure(calls["present"]["findings"][name][key])
                for key in ("precision", "recall", "f1")
            ]
        rows.append(cells)
    return table(head, rows)


def published_rows(found: Json) -> list[list[str]]:
    """List the drafts of R2Gen's part, then the published rows, by `COLUMNS_OF`."""
    rows = []
    part = [
        (s["reports"], c) for s in found["subsets"] if s["subset"] == R2GEN for c in s["candidates"]
    ]
    for reports, candidate in part:
        cells = [figure(candidate["figures"].get(name)) for name in COLUMNS_OF.values()]
        rows.append([f"{candidate['name']} (here, {reports})", *cells])
    return rows + [
        [row["method"], *(figure(row.get(column)) for column in COLUMNS_OF)]
        for row in found["published"]
    ]


def _plain(row: Json | None) -> str:
    return f"{row['value']:.3f}" if row else "n/a"
