"""Cards of the shipped weights, written from `evaluation.json` alone."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
MOST_ECE = 0.05  # what calls a probability calibrated in the cards


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
al., 2006: research), films of ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017; in part through the RSNA 2018 challenge,
non-commercial), and lung outlines of V7 Labs (CC BY 4.0) on published COVID-19 films with a licence each, some of them
non-commercial."""

KIND_TERMS = """Research use. Learned from films of ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017; in part through the RSNA 2018
challenge, non-commercial), Indiana University (Open-i: attribution, non-commercial), JSRT (research), pictures of VQA-RAD
(CC0), MedNIST (CC BY-SA 4.0), scikit-image (free licences), and MR slices of TCGA-LGG and ACDC (research). The trunk starts
from ImageNet weights (torchvision ResNet-18, BSD-3-Clause)."""


def findings_card(found: Json) -> str:
    """The card of chest-findings."""
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

{_baselines(found["baselines"], films)}
## By finding

{_labels(found["labels"])}
{calibration_said({n: (r["ece"], r["brier"], r["brier_label_prior"]) for n, r in found["labels"].items()})}

## What a draft says

A probability at or above the operating point is drafted as possible. The point is set for specificity 0.90 on the calibration films;
what it reaches on test films stands here. Below the rule-out point the finding is drafted as not suspected; without such a point it never is.

{said_table(found["labels"])}
{drafts["possible_per_film"]} findings are called possible and {
        drafts["denied_per_film"]
    } denied on an average film. Of the films labelled No Finding,
{figure(drafts["no_finding_films_with_a_possible"])} get at least one "possible". Of all labelled findings {
        figure(drafts["denied_of_all_labels"])
    } are denied.

## By group

Sensitivity, specificity and calibration error over all findings together; macro AUROC over labels with at least 10 cases in the group.

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


def _baselines(baselines: Json, films: Json) -> str:
    header = [
        "baseline",
        "test",
        "official list",
        "network minus baseline, paired",
        f"the same on the {films['official']} official films",
    ]
    rows = [
        [n, figure(r["test"]), figure(r["official"]), figure(r.get("network_minus_baseline")),
         figure(r.get("network_minus_baseline_official"))]
        for n, r in sorted(baselines.items())
    ]  # fmt: skip
    return table(header, rows)


def _labels(labels: Json) -> str:
    header = ["finding", "cases", "AUROC", "AUROC, official list", "AUPRC", "ECE", "Brier / of the prior"]
    rows = [
        [n, str(r["cases"]), figure(r["auroc"]), figure(r["auroc_official"]), figure(r["auprc"]), f"{r['ece']:.3f}",
         f"{r['brier']:.3f} / {r['brier_label_prior']:.3f}"]
        for n, r in sorted(labels.items())
    ]  # fmt: skip
    return table(header, rows)


def calibration_said(rows: dict[str, tuple[float, float, float]]) -> str:
    """Which findings have an ECE of at most 0.05 and a Brier score below the label prior's, and which have not.

    Args: rows: ECE, Brier score and that of the prior as a constant, by finding.
    """
    met, missed = [], []
    for name, (ece, brier, prior) in sorted(rows.items()):
        why = [f"ECE {ece:.3f}"] * (ece > MOST_ECE) + [f"Brier score {brier:.4f}, the prior's {prior:.4f}"] * (
            brier >= prior
        )
        if why:
            missed.append(f"{name} ({'; '.join(why)})")
        else:
            met.append(name)
    return (
        f"ECE at most {MOST_ECE} and a Brier score below that of the same number for every film (the label prior): "
        f"{', '.join(met) or 'no finding'}.\nNot so: {', '.join(missed) or 'no finding'}."
    )


def said_table(labels: Json) -> str:
    """By finding: how often a draft calls and denies it, and how often a call is right."""
    header = ["finding", "operating point", "sensitivity", "specificity", "a \"possible\" is right", "rule-out point",
              "denied though labelled", "denied where not labelled"]  # fmt: skip
    rows = []
    for name, r in sorted(labels.items()):
        never = r["rule_out"] is None
        denied = (
            ["never", "", ""]
            if never
            else [f"{r['rule_out']:.4f}", _counted(r["denied_with"]), figure(r["denied_without"])]
        )
        rows.append(
            [name, f"{r['threshold']:.3f}", figure(r["sensitivity"]), figure(r["specificity"]),
             figure(r["positive_predictive_value"]), *denied]
        )  # fmt: skip
    return table(header, rows)


def _counted(share: Json) -> str:
    return f"{share['hits']} of {share['count']}: {figure(share)}"


def groups_table(groups: list[Json]) -> str:
    """Figures over all findings together, by group; see `evaluation.drafted.groups_said`."""
    header = ["group", "films", "labels", "macro AUROC", "sensitivity", "specificity", "ECE", "denied though labelled"]
    rows = [
        [g["group"], str(g["films"]), "too few", "", "", "", "", ""]
        if g["too_few"]
        else [g["group"], str(g["films"]), str(g["labels"]), figure(g["macro_auroc"]), figure(g["sensitivity"]),
              figure(g["specificity"]), f"{g['ece']:.3f}", figure(g["denied_with"])]
        for g in groups
    ]  # fmt: skip
    return table(header, rows)


def _pointing(pointing: Json) -> str:
    rest = pointing["nih_boxes_of_the_rest"]
    points = [
        _points("NIH boxes, all findings", pointing["nih_boxes"]),
        _points(f"of these all but Pneumonia and Infiltration ({rest['findings']} findings)", rest),
        *(_points(f"of these {n}", r) for n, r in sorted(pointing["nih_boxes"]["by_finding"].items())),
        _points("RSNA lung opacity, union of three maps", pointing["lung_opacity"]),
    ]
    return table(["boxes", "count", "patients", "hits", "hit rate", "centre of lung"], points)


def _points(name: str, row: Json) -> list[str]:
    if not row.get("count"):
        return [name, "0", "", "", "", ""]
    rate = f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    return [name, str(row["count"]), str(row["patients"]), str(row["hits"]), rate, f"{row['centre_of_lung']:.2f}"]


def sides_text(sides: Json) -> str:
    """When a side is named, in words."""
    rule, named = sides["rule"], sides["findings_with_a_side"]
    who = f"This holds for {', '.join(named)}." if named else "This holds for no finding, so no side is named at all."
    return (
        f"A side is named of a finding only where the map's side agreed with the boxes on at least {rule['least_agreement']:.0%} of at least "
        f"{rule['least_films']} films of training and validation at or above the operating point. {who} Both sides are never named. "
        "Below, the maps' sides on test films: with boxes of the finding itself, and for three opacities boxes of any lung opacity."
    )


def sides_table(sides: Json) -> str:
    """How the maps' sides agree with the boxes of test films."""
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
            [name, named, str(every["boxes"]), str(every["agree"]["count"]), figure(every["agree"]),
             str(every["opposite"]), f"{suspected['agree']['hits']} of {suspected['agree']['count']}: {figure(suspected['agree'])}"]
        )  # fmt: skip
    return table(header, rows)


def beside_chance(auroc: Json) -> str:
    """What an AUROC with its interval says beside a coin, as an appended clause."""
    if auroc["high"] is not None and auroc["high"] < 0.5:
        return ", worse than chance"
    return ", no better than chance" if auroc["low"] is not None and auroc["low"] <= 0.5 else ""


def _other_hospitals(external: Json) -> str:
    openi, children, covid = external["openi"], external["guangzhou"], external["hannover"]
    labels = [[n, str(r["cases"]), figure(r["auroc"])] for n, r in sorted(openi["labels"].items())]
    quartiles = [[n, *(f"{v:.3f}" for v in q)] for n, q in sorted(covid["probability_quartiles"].items())]
    return f"""## Other hospitals

Open-i (Indiana, {openi["films"]} films, labels of its problem list; stretched 256 px squares): macro AUROC {figure(openi["macro_auroc"])}.

{table(["finding", "cases", "AUROC"], labels)}
Guangzhou ({children["films"]} films of children of 1 to 5, whom the model is not for): Pneumonia against none,
AUROC {figure(children["pneumonia_auroc"])}{beside_chance(children["pneumonia_auroc"])}.

Hannover ({covid["films"]} films of COVID-19 patients, ungraded, no negatives: no AUROC): quartiles of the probability.

{table(["finding", "25 %", "50 %", "75 %"], quartiles)}"""


MOST_PASSED = 0.01  # of what is no frontal chest film, at most; shown where the interval's upper limit is no more


def silent_tables(found: Json) -> str:
    """What passes where no tag names body part or view, and what becomes of collimated films, as Markdown."""
    silent, collimated = found["silent"], found["collimated"]

    def judged(row: Json) -> str:
        if row["passed"]["high"] <= MOST_PASSED:
            return "yes"
        return "no: too few pictures" if row["passed"]["count"] == 0 else "no"

    others = [
        [name, *(str(row[word]) for word in ("accepted", "held", "refused")), figure(row["passed"]), judged(row)]
        for name, row in silent["rows"].items()
        if not row["frontal"]
    ]
    films = [
        [name, *(str(row[word]) for word in ("accepted", "held", "refused")), figure(row["right"])]
        for rows in (silent["rows"], collimated["rows"])
        for name, row in rows.items()
        if row["frontal"]
    ]
    counts = ["accepted", "held", "refused"]
    return (
        "Pictures whose tags name neither body part nor view; small ones were enlarged, so that size decides nothing. Windows of "
        "NIH films stand in for radiographs of other body parts, of which the shared data hold five.\n\n"
        f"- of all that is no frontal chest film, accepted: {figure(silent['not_frontal_passed'])}\n"
        f"- of these, of the windows alone: {figure(silent['windows_passed'])}\n"
        "- of mirrored frontal films, which look alike, accepted (no side is named of them): "
        f"{figure(silent['mirrored_passed'])}\n"
        f"- frontal films of adults accepted: {figure(silent['frontal_adults_accepted'])}\n"
        "- films that their tags call chest films, collimated to 50 to 60 % of their width, accepted with a warning: "
        f"{figure(collimated['accepted'])}\n\n"
        + table(["no frontal chest film", *counts, "passed [95 %]", f"at most {MOST_PASSED:.0%} shown"], others)
        + "\n"
        + table(["frontal film", *counts, "accepted [95 %]"], films)
        + "\nA kind of which too few pictures are here has no figure of its own to rely on: a tag or a description that names such "
        "a part refuses or holds the film whatever its picture shows. Rows that begin with `collimated` have the tags of a chest "
        "film.\n"
    )


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

## Without a word of the tags

A picture alone stands for a body part that no tag names only where its probability of an upright frontal film reaches
`sure` of calibration.json: the least that at most 0.2 % of any kind of val picture reaches that is none (lateral and turned
films, other pictures, windows of films). The study then carries the warning `body-part-by-picture`.

{silent_tables(found)}
## Known limits

A mirrored film and a heart on the right look alike, so both are held. A border of one grey, as of a collimator, is taken away
before the network looks, where it lies along two opposite sides at least and leaves a rectangle (turned by up to 15
degrees); a round or many-sided field is not found, and the film is held where one grey fills more than 40 % of it. Films of children are accepted; the age in the tags
adds the warning. It never saw a limb larger than 64 px while learning. Every figure:
`python -m pipelines.evaluate film-kind --data DIR`.
"""
