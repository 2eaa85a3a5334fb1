"""The card of chest-findings, written from `evaluation.json` alone."""

from __future__ import annotations

from medmm.evaluation.cards.drafted import calibration_said, groups_table, said_table
from medmm.evaluation.cards.places import pointing_table, sides_table, sides_text
from medmm.evaluation.cards.promised import (
    promises_table,
    promises_text,
    unfamiliar_table,
    unfamiliar_text,
)
from medmm.evaluation.cards.tables import Json, figure, table
from medmm.evaluation.cards.terms import FINDINGS_TERMS


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

{pointing_table(found["pointing"])}
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
