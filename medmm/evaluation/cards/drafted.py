"""What drafts of findings say and deny, and how well their probabilities are calibrated."""

from __future__ import annotations

from medmm.evaluation.cards.tables import Json, figure, table

MOST_ECE = 0.05  # what calls a probability calibrated in the cards


def calibration_said(rows: dict[str, tuple[float, float, float]]) -> str:
    """Say which findings have an ECE of at most 0.05 and beat the label prior's Brier score.

    Args: rows: ECE, Brier score and that of the prior as a constant, by finding.
    """
    met, missed = [], []
    for name, (ece, brier, prior) in sorted(rows.items()):
        why = [f"ECE {ece:.3f}"] * (ece > MOST_ECE) + [
            f"Brier score {brier:.4f}, the prior's {prior:.4f}"
        ] * (brier >= prior)
        if why:
            missed.append(f"{name} ({'; '.join(why)})")
        else:
            met.append(name)
    return (
        f"ECE at most {MOST_ECE} and a Brier score below that of the same number for every film "
        f"(the label prior): {', '.join(met) or 'no finding'}.\nNot so: "
        f"{', '.join(missed) or 'no finding'}."
    )


def said_table(labels: Json) -> str:
    """Tabulate by finding how often a draft calls and denies it, and is right."""
    header = [
        "finding",
        "operating point",
        "sensitivity",
        "specificity",
        'a "possible" is right',
        "rule-out point",
        "denied though labelled",
        "denied where not labelled",
    ]
    rows = []
    for name, r in sorted(labels.items()):
        never = r["rule_out"] is None
        denied = (
            ["never", "", ""]
            if never
            else [f"{r['rule_out']:.4f}", _counted(r["denied_with"]), figure(r["denied_without"])]
        )
        rows.append(
            [
                name,
                f"{r['threshold']:.3f}",
                figure(r["sensitivity"]),
                figure(r["specificity"]),
                figure(r["positive_predictive_value"]),
                *denied,
            ]
        )
    return table(header, rows)


def _counted(share: Json) -> str:
    return f"{share['hits']} of {share['count']}: {figure(share)}"


def groups_table(groups: list[Json]) -> str:
    """Tabulate figures over all findings together, by group.

    See `evaluation.film.draft_rates.groups_said`.
    """
    burden = any("no_finding_films_with_a_possible" in g for g in groups)
    header = [
        "group",
        "films",
        "labels",
        "macro AUROC",
        "sensitivity",
        "specificity",
        *(["No Finding with a possible"] if burden else []),
        "ECE",
        "denied though labelled",
    ]
    rows = [
        [g["group"], str(g["films"]), "too few", *[""] * (len(header) - 3)]
        if g["too_few"]
        else [
            g["group"],
            str(g["films"]),
            str(g["labels"]),
            figure(g["macro_auroc"]),
            figure(g["sensitivity"]),
            figure(g["specificity"]),
            *([figure(g["no_finding_films_with_a_possible"])] if burden else []),
            f"{g['ece']:.3f}",
            figure(g["denied_with"]),
        ]
        for g in groups
    ]
    return table(header, rows)
