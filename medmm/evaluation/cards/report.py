"""The card of the language model for chest films, written from `evaluation.json` alone."""

from __future__ import annotations

from typing import Any

from medmm.evaluation.cards.drafted import calibration_said, groups_table
from medmm.evaluation.cards.tables import figure, table
from medmm.evaluation.reports.scores import ALL, R2GEN
from medmm.evaluation.reports.summary import by_group, macro_f1, terminal

Json = dict[str, Any]
TERMS = """Research use only. The text was learned from the chest film reports of Indiana University (Open-i; Demner-Fushman et al.,
JAMIA 2016), whose every file states CC BY-NC-ND 4.0: no film or text of them is in the package. The trunk is that of
chest-findings: films of ChestX-ray14 (NIH Clinical Center, free to use with credit; Wang et al., CVPR 2017), in part through
the RSNA 2018 challenge (non-commercial; Shih et al., 2019), on ImageNet weights (torchvision ResNet-18, BSD-3-Clause)."""


def report_card(found: Json) -> str:
    """Write the card of chest-report."""
    looks, training = found["looks"], found["training"]
    swapped, pairs = looks["swapped_records"], looks["pairs"]
    no_film = "; ".join(f"{name}: {what}" for name, what in looks["no_film"].items())
    return f"""# chest-report

Writes one sentence a finding for a frontal chest radiograph of an adult, from the film and the coded record together: the
trunk of chest-findings (MONAI ResNet-18 to its third stage), heads for {len(found["heads"]["findings"])} findings, a connector, record tokens and a
small Llama-like decoder with a tokenizer of its own. It drafts; a clinician decides. Not a medical device.

**Terms.** {TERMS}

**What may be said** is not its to decide: a finding is claimed only where the reading's own score reaches its operating point
and the language model agrees, and denied only where the score lies below a rule-out point. Claims are "present" from a
probability of one half, else "possible". It names no side, place, size, number or comparison, and no kind of device.

**Learned from** {training["reports"]:,} reports with a frontal film (256 x 256 pixels, the best copies at hand), sentences with
removed words, comparisons, sides, places, sizes and numbers taken out or dropped; calibrated on the val reports; measured on
{found["heads"]["reports"]} test reports with a film. Recipe: `configs/train/chest_report.yaml`.

**The record** it learned with: what the indication names ({training["record_codes"]} codes, SNOMED CT from knowledge, not held
against a release) and the sex where stated; ages are masked in the corpus, so age was drawn at random, as were values and
conditions that have nothing to do with the film; each real fact was dropped half of the time. It reads no laboratory value by
name. Film and record against film alone stand in the table below.

## Text, against drafts that see no film

{terminal(found["text"])}

## Macro F1 of the findings with 20 positives or more

{_macros(found["text"]["subsets"])}
## Whose words

A sentence of the language model stands only where the writer's check finds in it what is coded and nothing else; else the
rule's words stand. Drafts from film and record:

{_wording(found["wording"])}
## Text by group

Findings present or possible. Ages are masked in the corpus and its films have one source; the sex is that of the indication.

{by_group(found["text"])}
NIH test films with labels of their own, film alone: what drafts claim of the {looks["findings"]} findings that have a label.

{_claims(looks["groups"])}
## Does it look at the picture?

| | |
| --- | --- |
| pairs of NIH test films with other labels whose drafts say other things ({pairs["pairs"]:,} pairs) | {pairs["different"]:.1%}; other findings claimed: {pairs["different_claims"]:.1%} |
| films that keep the findings claimed under 1 % more light | {figure(looks["brighter"])} |
| statements that a swapped record changes ({swapped["films"]} films, each with a disease that its labels lack) | {swapped["share_changed"]:.2%} |
| statements newly claimed under a swapped record | {swapped["share_new_claims"]:.2%}, of the disease that the record names: {swapped["claims_of_the_record"]} |
| distinct drafts of {looks["films"]} films | {looks["distinct_drafts"]} |
| no film at all, past the gate | {no_film} |

## Heads, on the test reports' films

Labels are those of the reports' own words, by rule. The reading takes from here only the findings that chest-findings does not
have; a finding with fewer than ten val reports is not calibrated and not read.

{_heads(found["heads"]["findings"])}
{calibration_said({n: (r["ece"], r["brier"], r["brier_prior"]) for n, r in found["heads"]["findings"].items() if "ece" in r})}

Over the calibrated heads together, by group; macro AUROC over heads with at least 10 cases in the group.

{groups_table(found["heads"]["groups"])}"""


def _macros(subsets: list[Json]) -> str:
    scored = [s for s in subsets if s["subset"] in (ALL, R2GEN) and s["candidates"]]
    return "\n".join(f"### {s['subset']} ({s['reports']})\n\n{macro_f1(s)}" for s in scored)


def _wording(by_split: Json) -> str:
    kinds = list(next(iter(by_split.values()))["statements"])
    rows = []
    for split, row in by_split.items():
        counts = [str(row["statements"][kind]) for kind in kinds]
        rows.append(
            [
                split,
                str(row["drafts"]),
                str(row["drafts_by_rule"]),
                *counts,
                figure(row["share_sent_back"]),
            ]
        )
    head = [
        "reports",
        "drafts",
        "of these by rules alone",
        *kinds,
        "share of its sentences sent back",
    ]
    return table(head, rows)


def _claims(groups: list[Json]) -> str:
    rows = [
        [g["group"], str(g["films"]), "too few", ""]
        if g["too_few"]
        else [
            g["group"],
            str(g["films"]),
            figure(g["claimed_of_labelled"]),
            figure(g["claimed_of_others"]),
        ]
        for g in groups
    ]
    return table(
        ["group", "films", "claimed of the labelled findings", "claimed of the others"], rows
    )


def _heads(findings: Json) -> str:
    rows = []
    for name, row in findings.items():
        if "auroc" not in row:
            rows.append(
                [
                    name,
                    str(row["cases"]),
                    *["n/a" if row["calibrated"] else "not calibrated"] * 1,
                    *[""] * 5,
                ]
            )
            continue
        rows.append(
            [
                name,
                str(row["cases"]),
                figure(row["auroc"]),
                figure(row["auprc"]),
                f"{row['ece']:.3f}",
                f"{row['brier']:.3f} ({row['brier_prior']:.3f})",
                figure(row["sensitivity"]),
                figure(row["specificity"]),
            ]
        )
    return table(
        [
            "finding",
            "cases",
            "AUROC",
            "AUPRC",
            "ECE",
            "Brier (of the prior)",
            "sensitivity",
            "specificity",
        ],
        rows,
    )
