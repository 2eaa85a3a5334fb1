"""What the checks flag, in Markdown."""

from __future__ import annotations

from typing import Any

from medmm.evaluation.cards.tables import table
from medmm.evaluation.reports.planted_errors import TRUE, Half

COMMAND = "python -m pipelines.evaluate checks --data DIR --write"


def summary(found: dict[str, Any]) -> str:
    """Write the figures of `checked_statements.evaluate` as a page."""
    half = found[Half.REPORTING.value]
    cost = found["milliseconds_a_draft"]
    rows = [
        [kind, str(half["templates"].get(kind, "")), *_figures(share)]
        for kind, share in half["kinds"].items()
        if kind != TRUE
    ]
    rows.append(["all errors", str(sum(half["templates"].values())), *_figures(half["errors"])])
    rows.append(["true statements", "", *_figures(half["kinds"][TRUE])])
    return (
        "# What the checks flag\n\n"
        f"Made by `{COMMAND}` (seed {found['seed']}). A statement is flagged if a check fails that "
        "blocks or warns. Each error stands in a sentence of its own on a real report of the "
        "corpus; the reading beside it is what the report's own labels say, so that no network's "
        "slip counts. True statements are sentences of real reports that say of the findings what "
        "those labels say. The sex is the stated one, or drawn. Intervals are 95 % (Wilson), with "
        "as many draws as there are patients.\n\n"
        + table(["planted", "templates", "statements", "flagged", "95 % interval"], rows)
        + f"\nThe checks of a draft take {cost['median']:.0f} ms of processor time in the median "
        f"of {cost['drafts']} rule-written drafts, {cost['most']:.0f} ms at most.\n\n"
        "How to read it:\n\n"
        "- The templates were written by hand before the checks were held against them, and halved "
        "by their digest, as the patients are by the splits of the corpus. The checks were mended "
        "on the failures of one half alone; this is the other. Its rates were "
        "seen twice before the last mend (97.4 % of errors and 6.0 % of true statements, then "
        "100.0 % and 3.4 %), with how often each check failed, and none of its statements. "
        "Templates and word lists have one author, so the errors of an unknown writer may be less "
        "like them.\n"
        "- True sentences that compare, count, date or speak of what no network reads are left "
        "out, by a list of words of its own: beside one film and its reading they are not borne "
        "out. So are sentences whose labels differ from the report's as a whole.\n"
        "- A flagged statement is not lost: a reader sees it with the reason, and what a language "
        "model wrote and the draft withholds is kept with the checks that failed.\n"
    )


def _figures(share: dict[str, Any]) -> list[str]:
    return [
        str(share["count"]),
        f"{100 * share['value']:.1f} %",
        f"{100 * share['low']:.1f} to {100 * share['high']:.1f} %",
    ]
