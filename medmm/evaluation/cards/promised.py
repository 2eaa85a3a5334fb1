"""What is promised of claims, and which films are left to a person."""

from __future__ import annotations

from medmm.evaluation.cards.tables import Json, figure, table

SETS = {
    "test": "test",
    "openi": "Open-i",
    "guangzhou": "Guangzhou (children)",
    "hannover": "Hannover (COVID-19)",
}


def promises_text(promises: Json) -> str:
    """Say what is promised, from which point on, and whether the burden of alarms is kept."""
    alarm, test, openi = promises["alarm"], promises["test"], promises["openi"]
    return (
        f"A film carries claims only from the alarm point on ({alarm['point']:.4f} of the "
        "probability of any finding, 1 - prod(1 - p)): of films without any finding at most "
        f"{alarm['burden']:.0%} reach it, with 95 % confidence on {alarm['studies']} calibration "
        "films, in every group of sex, view and age with at least 50 of them. On test films "
        f"labelled No Finding {figure(test['alarm_burden'])} carry a claim, on Open-i's "
        f"{figure(openi['alarm_burden'])}; of all labelled findings "
        f"{figure(test['claimed_of_all_labels'])} and {figure(openi['claimed_of_all_labels'])} are "
        "still claimed. The points of single findings are the lowest that at most 10 % of the "
        "calibration films without the finding reach, with the same confidence; whether such a "
        "film reaches the alarm point is not asked. "
        "Findings with fewer than 30 calibration films carry no promise. A first alarm point, for "
        "all patients together, let 0.22 of the test films labelled No Finding pass, so it was set "
        "by group. First operating points counted only claims of films beyond the alarm point, and "
        "rare findings were called possible from a probability of 0.045 on; the points in use were "
        "chosen by calibration films alone. The test films have thereby been looked at three times."
    )


def promises_table(promises: Json) -> str:
    """Tabulate promised and found shares of right claims, by finding."""
    header = [
        "finding",
        "films",
        "prevalence",
        "claims right, promised",
        "found",
        "kept",
        "still claimed",
        "false claims, limit",
        "found",
    ]
    rows = [
        [
            name,
            SETS[part],
            f"{r['prevalence']:.2f}",
            f"{r['promised']:.2f}",
            figure(r["right"]),
            "yes" if r["kept"] else "**no**",
            figure(r["claimed"]),
            f"{r['false_claims_promised']:.3f}",
            figure(r["false_claims"]),
        ]
        for part in ("test", "openi")
        for name, r in sorted(promises[part]["findings"].items())
    ]
    return table(header, rows)


def unfamiliar_text(unfamiliar: Json) -> str:
    """Say when a film is left to a person as unlike those learned from."""
    return (
        "Nothing is said of a film whose features lie too far from those of the training films "
        f"(Mahalanobis distance from {unfamiliar['point']:.2f}, which one in a hundred calibration "
        "films reaches). Beside it the point that 5 % of the test films reach."
    )


def unfamiliar_table(unfamiliar: Json) -> str:
    """Tabulate the share of films that are unfamiliar, by set."""
    rows = [
        [
            SETS.get(name, name),
            str(r["films"]),
            figure(r["in_use"]),
            figure(r["at_5_percent_of_test"]),
        ]
        for name, r in unfamiliar["sets"].items()
    ]
    return table(["films", "count", "left to a person", "at 5 % of the test films"], rows)
