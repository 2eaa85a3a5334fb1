"""The card of chest-findings, written from `evaluation.json` alone."""

from __future__ import annotations

from medmm.evaluation.cards.tables import Json, figure, table
from medmm.evaluation.cards.terms import FINDINGS_TERMS

MOST_ECE = 0.05  # what calls a probability calibrated in the cards


def findings_card(found: Json) -> str:
    """Write the card of chest-findings."""
    macro, films, expert = found["macro_auroc"], found["films"], found["expert"]
    drafts = found["drafts"]
    return f"""# chest-findings

Reads {
        len(found["labels"])
    } findings off a frontal chest radiograph of an adult: ResNet-18 up to its third stage (MONAI), one map a finding,
calibrated probabilities. It drafts; a clinician decides. Not a medical device.

**Terms.** {FINDINGS_TERMS}

**Learned from** {films["train"]:,} films; chosen and calibrated on {films["val"]} films of {
        films["val_patients"]
    } other patients; measured on {films["test"]} films of
{films["patients"]} patients that it never saw, {
        films["official"]
    } of them on the publisher's own test list. The labels were mined from report
text: an absent label is no sure negative. No film of Open-i, Guangzhou or Hannover was learned from.

Intervals are 95 %: of AUROC, AUPRC and differences by bootstrap of patients, of shares by Wilson with as many draws as there are
patients.

## Macro AUROC

{
        table(
            ["films", f"{len(found['labels'])} labels", "without Pneumonia"],
            [
                [
                    f"test ({films['test']})",
                    figure(macro["test"]),
                    figure(macro["test_without_pneumonia"]),
                ],
                [
                    f"official test list ({films['official']})",
                    figure(macro["official"]),
                    figure(macro["official_without_pneumonia"]),
                ],
            ],
        )
    }
Pneumonia is confounded with where a film came from in this collection, so the figure without it stands beside.

## Beside baselines

{_baselines(found["baselines"], films)}
## By finding

{_labels(found["labels"])}
{
        calibration_said(
            {n: (r["ece"], r["brier"], r["brier_label_prior"]) for n, r in found["labels"].items()}
        )
    }

## What a draft says

A probability at or above the operating point is drafted as possible, if the film as a whole reaches the alarm point. Both are set on
the calibration films; what they reach on test films stands here. Below the rule-out point the finding is drafted as not suspected; without such a point it never is.

{said_table(found["labels"])}
{drafts["possible_per_film"]} findings are called possible and {
        drafts["denied_per_film"]
    } denied on an average film. Of the films labelled No Finding,
{
        figure(drafts["no_finding_films_with_a_possible"])
    } get at least one "possible". Of all labelled findings {
        figure(drafts["denied_of_all_labels"])
    } are denied, and {figure(drafts["possible_of_all_labels"])} called possible.

## What is promised

{promises_text(found["promises"])}

{promises_table(found["promises"])}
## Films that are left to a person

{unfamiliar_text(found["unfamiliar"])}

{unfamiliar_table(found["unfamiliar"])}
## By group

Sensitivity, specificity and calibration error over all findings together, the share of films labelled No Finding with a "possible"; macro
AUROC over labels with at least 10 cases in the group.

{groups_table(found["subgroups"])}
## Where it looks: pointing game

A hit is a map whose strongest place lies in the reader's box. Beside it the centre of a lung as a guess. Maps are smoothed
and shown within the chest alone (between the outlines' outer edges); so chosen on boxes of training films.

{_pointing(found["pointing"])}
## Sides

{sides_text(found["sides"])}

{sides_table(found["sides"])}
{_other_hospitals(found["external"])}
## Expert labels

{
        expert["films"]
    } test films have labels of a panel of radiologists (Majkowska et al., 2020). Airspace opacity ({
        expert["positive"]["airspace_opacity"]
    } positive) against the
greatest of Pneumonia, Consolidation and Infiltration: AUROC {
        figure(expert["airspace_opacity_auroc"])
    }. Too few for the rest:
fracture {expert["positive"]["fracture"]}, pneumothorax {
        expert["positive"]["pneumothorax"]
    }, nodule or mass {expert["positive"]["nodule_or_mass"]} positive.

## Known limits

Lines, tubes, fractures and hernias are not read. Many films with pneumothorax show a chest tube and many with edema or
consolidation are bedside films: the network may use either. Films of children are outside what it learned from. Small
nodules are lost at 288 px. Every figure: `python -m pipelines.evaluate chest-findings --data DIR`.
"""


def _baselines(baselines: Json, films: Json) -> str:
    header = [
        "baseline",
        "test",
        "official list",
        "network minus baseline, paired",
        f"the same on the {films['official']} official films",
    ]
    rows = [
        [
            n,
            figure(r["test"]),
            figure(r["official"]),
            figure(r.get("network_minus_baseline")),
            figure(r.get("network_minus_baseline_official")),
        ]
        for n, r in sorted(baselines.items())
    ]
    return table(header, rows)


def _labels(labels: Json) -> str:
    header = [
        "finding",
        "cases",
        "AUROC",
        "AUROC, official list",
        "AUPRC",
        "ECE",
        "Brier / of the prior",
    ]
    rows = [
        [
            n,
            str(r["cases"]),
            figure(r["auroc"]),
            figure(r["auroc_official"]),
            figure(r["auprc"]),
            f"{r['ece']:.3f}",
            f"{r['brier']:.3f} / {r['brier_label_prior']:.3f}",
        ]
        for n, r in sorted(labels.items())
    ]
    return table(header, rows)


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
        "still claimed. The points of single findings are the lowest from which at most 10 % of "
        "the calibration films without the finding carry its claim, with the same confidence. "
        "Findings with fewer than 30 calibration films carry no promise. A first alarm point, for "
        "all patients together, let 0.22 of the test films labelled No Finding pass, so it was set "
        "by group: the test films have been looked at twice for it."
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


def _pointing(pointing: Json) -> str:
    rest = pointing["nih_boxes_of_the_rest"]
    points = [
        _points("NIH boxes, all findings", pointing["nih_boxes"]),
        _points(f"of these all but Pneumonia and Infiltration ({rest['findings']} findings)", rest),
        *(
            _points(f"of these {n}", r)
            for n, r in sorted(pointing["nih_boxes"]["by_finding"].items())
        ),
        _points("RSNA lung opacity, union of three maps", pointing["lung_opacity"]),
    ]
    return table(["boxes", "count", "patients", "hits", "hit rate", "centre of lung"], points)


def _points(name: str, row: Json) -> list[str]:
    if not row.get("count"):
        return [name, "0", "", "", "", ""]
    rate = f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    return [
        name,
        str(row["count"]),
        str(row["patients"]),
        str(row["hits"]),
        rate,
        f"{row['centre_of_lung']:.2f}",
    ]


def sides_text(sides: Json) -> str:
    """Say in words when a side is named."""
    rule, named = sides["rule"], sides["findings_with_a_side"]
    who = (
        f"This holds for {', '.join(named)}."
        if named
        else "This holds for no finding, so no side is named at all."
    )
    return (
        "A side is named of a finding only where the map's side agreed with the boxes on at "
        f"least {rule['least_agreement']:.0%} of at least {rule['least_films']} films of "
        f"training and validation at or above the operating point. {who} Both sides are never "
        "named. Below, the maps' sides on test films: with boxes of the finding itself, and "
        "for three opacities boxes of any lung opacity."
    )


def sides_table(sides: Json) -> str:
    """Tabulate how the maps' sides agree with the boxes of test films."""
    header = [
        "finding",
        "named in drafts",
        "films with boxes",
        "a side by the map",
        "agrees",
        "opposite",
        "at or above the operating point: agrees",
    ]
    whole = [("all, own boxes", sides["nih_boxes"]), ("all, opacity boxes", sides["opacity_boxes"])]
    rows = []
    for name, r in [*whole, *sorted(sides["by_finding"].items())]:
        every, suspected = r["all"], r["suspected"]
        named = {True: "yes", False: "no", None: ""}[r.get("named_in_drafts")]
        rows.append(
            [
                name,
                named,
                str(every["boxes"]),
                str(every["agree"]["count"]),
                figure(every["agree"]),
                str(every["opposite"]),
                (
                    f"{suspected['agree']['hits']} of {suspected['agree']['count']}: "
                    f"{figure(suspected['agree'])}"
                ),
            ]
        )
    return table(header, rows)


def beside_chance(auroc: Json) -> str:
    """Say what an AUROC with its interval says beside a coin, as an appended clause."""
    if auroc["high"] is not None and auroc["high"] < 0.5:
        return ", worse than chance"
    return ", no better than chance" if auroc["low"] is not None and auroc["low"] <= 0.5 else ""


def _other_hospitals(external: Json) -> str:
    openi, children, covid = external["openi"], external["guangzhou"], external["hannover"]
    labels = [[n, str(r["cases"]), figure(r["auroc"])] for n, r in sorted(openi["labels"].items())]
    quartiles = [
        [n, *(f"{v:.3f}" for v in q)] for n, q in sorted(covid["probability_quartiles"].items())
    ]
    return f"""## Other hospitals

Open-i (Indiana, {openi["films"]} films, labels of its problem list; stretched 256 px squares): macro AUROC {figure(openi["macro_auroc"])}.

{table(["finding", "cases", "AUROC"], labels)}
Guangzhou ({children["films"]} films of children of 1 to 5, whom the model is not for): Pneumonia against none,
AUROC {figure(children["pneumonia_auroc"])}{beside_chance(children["pneumonia_auroc"])}.

Hannover ({covid["films"]} films of COVID-19 patients, ungraded, no negatives: no AUROC): quartiles of the probability.

{table(["finding", "25 %", "50 %", "75 %"], quartiles)}"""
