"""Cards of the shipped weights, written from `evaluation.json` alone."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def figure(value: Json | float | None) -> str:
    """A figure with its interval, as text."""
    if value is None:
        return "n/a"
    if isinstance(value, int | float):
        return f"{value:.3f}"
    if value.get("value") is None:
        return "n/a"
    interval = f" [{value['low']:.3f}, {value['high']:.3f}]" if value.get("low") is not None else ""
    return f"{value['value']:.3f}{interval}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


FINDINGS_TERMS = """Research use. The films are those of ChestX-ray14 (NIH Clinical Center, free to use with credit; Wang et al., CVPR
2017); a part of them came as copies of the RSNA 2018 challenge, whose terms are non-commercial research and education
(Shih et al., 2019). The trunk starts from ImageNet weights (torchvision ResNet-18, BSD-3-Clause)."""
ANATOMY_TERMS = """Research use only. Films of JSRT (Shiraishi et al., 2000: research on request) with the SCR outlines (van Ginneken et
al., 2006: research), and lung outlines of V7 Labs (CC BY 4.0) on published COVID-19 films with a licence each, some of them
non-commercial."""

KIND_TERMS = """Research use. Learned from films of ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017; in part through the RSNA 2018
challenge, non-commercial), Indiana University (Open-i: attribution, non-commercial), JSRT (research), pictures of VQA-RAD
(CC0), MedNIST (CC BY-SA 4.0), scikit-image (free licences), and MR slices of TCGA-LGG and ACDC (research). The trunk starts
from ImageNet weights (torchvision ResNet-18, BSD-3-Clause)."""


def findings_card(found: Json) -> str:
    """The card of chest-findings."""
    macro, films = found["macro_auroc"], found["films"]
    labels = [
        [n, str(r["cases"]), figure(r["auroc"]), figure(r["auroc_official"]), figure(r["auprc"]), f"{r['ece']:.3f}",
         f"{r['brier']:.3f} / {r['brier_label_prior']:.3f}", f"{r['threshold']:.3f}", figure(r["sensitivity"]), figure(r["specificity"])]
        for n, r in sorted(found["labels"].items())
    ]  # fmt: skip
    baselines = [
        [n, figure(r["test"]), figure(r["official"]), figure(r.get("network_minus_baseline"))]
        for n, r in sorted(found["baselines"].items())
    ]
    groups = [[g["group"], str(g["films"]), str(g["labels"]), figure(g["macro_auroc"])] for g in found["subgroups"]]
    pointing, external, expert = found["pointing"], found["external"], found["expert"]
    points = [
        _points("NIH boxes, eight findings", pointing["nih_boxes"]),
        *(_points(f"of these {n}", r) for n, r in sorted(pointing["nih_boxes"]["by_finding"].items())),
        _points("RSNA lung opacity, union of three maps", pointing["lung_opacity"]),
    ]
    openi = [[n, str(r["cases"]), figure(r["auroc"])] for n, r in sorted(external["openi"]["labels"].items())]
    quartiles = [
        [n, *(f"{v:.3f}" for v in q)] for n, q in sorted(external["hannover"]["probability_quartiles"].items())
    ]
    return f"""# chest-findings

Reads 13 findings off a frontal chest radiograph of an adult: ResNet-18 up to its third stage (MONAI), one map a finding,
calibrated probabilities. It drafts; a clinician decides. Not a medical device.

**Terms.** {FINDINGS_TERMS}

**Learned from** 3,229 films; chosen and calibrated on 402 films of 333 other patients; measured once on {
        films["test"]
    } films of
{films["patients"]} patients that it never saw, {
        films["official"]
    } of them on the publisher's own test list. The labels were mined from report
text: an absent label is no sure negative. No film of Open-i, Guangzhou or Hannover was learned from.

## Macro AUROC over 13 labels, 95 % interval by patient

{
        table(
            ["films", "13 labels", "12 without Pneumonia"],
            [
                [f"test ({films['test']})", figure(macro["test"]), figure(macro["test_without_pneumonia"])],
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

{table(["baseline", "test", "official list", "network minus baseline, paired"], baselines)}
## By finding

{
        table(
            [
                "finding",
                "cases",
                "AUROC",
                "AUROC, official list",
                "AUPRC",
                "ECE",
                "Brier / of the prior",
                "operating point",
                "sensitivity",
                "specificity",
            ],
            labels,
        )
    }
The operating point is where one in ten calibration films without the finding is called (specificity 0.90 there); a probability at or
above it is drafted as possible.

## By group (labels with at least 10 cases in the group)

{table(["group", "films", "labels", "macro AUROC"], groups)}
## Where it looks: pointing game

A hit is a map whose strongest place lies in the reader's box. Beside it the centre of a lung as a guess. Maps are smoothed
and shown within the chest alone (between the outlines' outer edges); so chosen on boxes of training films.

{table(["boxes", "count", "hits", "hit rate", "centre of lung"], points)}
## Other hospitals

Open-i (Indiana, {
        external["openi"]["films"]
    } films, labels of its problem list; stretched 256 px squares): macro AUROC {
        figure(external["openi"]["macro_auroc"])
    }.

{table(["finding", "cases", "AUROC"], openi)}
Guangzhou ({
        external["guangzhou"]["films"]
    } films of children of 1 to 5, whom the model is not for): Pneumonia against none,
AUROC {figure(external["guangzhou"]["pneumonia_auroc"])}.

Hannover ({
        external["hannover"]["films"]
    } films of COVID-19 patients, ungraded, no negatives: no AUROC): quartiles of the probability.

{table(["finding", "25 %", "50 %", "75 %"], quartiles)}
## Expert labels

{expert["films"]} test films have labels of a panel of radiologists (Majkowska et al., 2020). Airspace opacity ({
        expert["positive"]["airspace_opacity"]
    } positive) against the
greatest of Pneumonia, Consolidation and Infiltration: AUROC {
        figure(expert["airspace_opacity_auroc"])
    }. Too few for the rest:
fracture {expert["positive"]["fracture"]}, pneumothorax {expert["positive"]["pneumothorax"]}, nodule or mass {
        expert["positive"]["nodule_or_mass"]
    } positive.

## Known limits

Lines, tubes, fractures and hernias are not read. Many films with pneumothorax show a chest tube and many with edema or
consolidation are bedside films: the network may use either. Films of children are outside what it learned from. Small
nodules are lost at 288 px. Every figure: `python -m pipelines.evaluate chest-findings --data DIR`.
"""


def _points(name: str, row: Json) -> list[str]:
    if not row.get("count"):
        return [name, "0", "", "", ""]
    rate = f"{row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    return [name, str(row["count"]), str(row["hits"]), rate, f"{row['centre_of_lung']:.2f}"]


def anatomy_card(found: Json) -> str:
    """The card of chest-anatomy."""
    jsrt = found["jsrt"]
    others = [
        [s, str(r["films"]), figure(r["lung_dice"]), str(r["ratio_refused"])]
        for s, r in sorted(found["other_sources"].items())
    ]
    return f"""# chest-anatomy

Outlines lungs and heart on a frontal chest radiograph (MONAI U-Net, 256 px) and gives the cardiothoracic ratio, or says
why it does not. Not a medical device.

**Terms.** {ANATOMY_TERMS}

**Learned from** 150 JSRT films and 66 lung-only films; its interval comes from 30 further JSRT films. Measured on {
        jsrt["films"]
    } JSRT
films that it never saw (each another patient).

{
        table(
            ["JSRT films not learned from", "figure [95 %]"],
            [
                ["lung Dice", figure(jsrt["lung_dice"])],
                ["heart Dice", figure(jsrt["heart_dice"])],
                [
                    f"cardiothoracic ratio, mean absolute error ({jsrt['ratio_stated']} stated)",
                    figure(jsrt["ratio_mean_absolute_error"]),
                ],
                ["cardiothoracic ratio, mean error", figure(jsrt["ratio_mean_error"])],
                ["the same ratio for everyone, mean absolute error", figure(jsrt["ratio_constant_guess_error"])],
                ["share of 95 % intervals that hold the drawn ratio", figure(jsrt["ratio_interval_holds"])],
            ],
        )
    }
The ratio is computed from outlines: width of the heart over the width between the outer edges of the lungs. The chest wall
is a little wider, so it reads slightly higher than a ratio measured at the ribs.

## Other films with drawn lungs (no heart was drawn)

{table(["source", "films", "lung Dice", "ratio refused"], others)}
The Hannover films are external films of chest-findings too; the COVID collections may share films. Here lung means what is
not hidden behind the heart or the diaphragm.

## Known limits

JSRT films are of adults, upright and PA: on bedside (AP) films the heart is enlarged by projection and the outlines are less
sure; the reading then carries a warning. Every figure: `python -m pipelines.evaluate chest-anatomy --data DIR`.
"""


def kind_card(found: Json) -> str:
    """The card of film-kind: table (b) of the gate."""

    def line(name: str, row: Json) -> list[str]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in row["reasons"].items())
        wanted = "accepted" if row["frontal"] else "not accepted"
        counts = [str(row[word]) for word in ("accepted", "held", "refused")]
        return [name, *counts, f"{wanted} {figure(row['right'])}", reasons]

    rows = found["rows"]
    head = ["pictures", "accepted", "held", "refused", "share as it should be [95 %]", "reasons"]
    films = [line(name, row) for name, row in rows.items() if row["frontal"]]
    others = [line(name, row) for name, row in rows.items() if not row["frontal"]]
    return f"""# film-kind

Says of a radiograph's pixels whether they show an upright frontal chest film, or one that is mirrored, shown as a negative,
upside down, rotated, lateral, or something else: the gate's second witness beside the tags. ResNet-18 up to its third stage
(MONAI), 160 px. It decides nothing that tags, size and plain pixel rules can decide. Not a medical device.

**Terms.** {KIND_TERMS}

**Measured** on pictures that it never learned from, each written as a DICOM file whose tags say a PA chest film of an adult
and sent through the whole gate. Frontal and lateral films by patient; Hannover and Guangzhou as whole sources; other
pictures by half of their collection. Mirrored, inverted, upside down and rotated films were made of the NIH test films;
the few real ones have rows of their own. Shares with Wilson intervals.

- frontal films of adults accepted: {figure(found["frontal_adults_accepted"])}
- laterals, other body parts, other modalities and other pictures refused: {figure(found["strange_refused"])}
- mirrored, inverted, upside-down and rotated films not accepted: {figure(found["turned_not_accepted"])}; these are held,
  not refused: a person sees at once what they are

## Frontal films

{table(head, films)}
## Everything else

{table(head, others)}
Where the reason is `too-small`, size alone decided (the hands have 64 px).

## Known limits

A mirrored film and a heart on the right look alike, so both are held. Films of children are accepted; the age in the tags
adds the warning. It never saw a limb larger than 64 px while learning. Every figure:
`python -m pipelines.evaluate film-kind --data DIR`.
"""
