"""Cards of the MR networks, written from `evaluation.json` alone."""

from __future__ import annotations

from typing import Any

from medmm.domain.vocabulary import measurement_terms
from medmm.evaluation.cards.tables import figure, table

Json = dict[str, Any]
TERMS = {
    "hippocampus": (
        "Learned from Task04 of the Medical Segmentation Decathlon (Vanderbilt University "
        "Medical Center; CC BY-SA 4.0; Antonelli et al., Nature Communications 2022). The "
        "weights go under the same terms."
    ),
    "brain-lesion": (
        "Research use only. Learned from lgg-mri-segmentation (pictures of TCGA-LGG, The Cancer "
        "Imaging Archive; Buda et al. 2019, Mazurowski et al. 2017). Its page was remembered to "
        "say CC BY-NC-SA 4.0; that was not verified."
    ),
    "cardiac": (
        "Research use only. Learned from ACDC (University Hospital of Dijon, CREATIS; Bernard "
        "et al., IEEE TMI 2018, must be cited). Remembered to be CC BY-NC-SA 4.0; that was not "
        "verified."
    ),
}
WHAT = {
    "hippocampus": (
        "Outlines the anterior and posterior hippocampus on a T1 crop around one hippocampus "
        "and measures its volume in ml."
    ),
    "brain-lesion": (
        "Outlines lesions of high FLAIR signal in MR of the brain, with T1 before and after "
        "contrast where there are any, and says in which slices and which half they lie and "
        "which share of the head they take."
    ),
    "cardiac": (
        "Outlines right ventricle, myocardium and left ventricle on short-axis cine MR at "
        "end-diastole and end-systole, and measures volumes, ejection fractions and mass."
    ),
}
LIMITS = {
    "hippocampus": (
        "Axes of an array that does not say how it lies are taken as in the set (to the left or "
        "right, to the front, to the head): in another order the outline is wrong; mostly the "
        "network doubts it then far more than any crop that it knows, and nothing is measured. "
        "No age, sex or diagnosis was there, and healthy people and patients with psychosis are "
        "mixed: **no norm is applied**. A whole head is not searched for the hippocampus. Sides "
        "and asymmetry are not measured: no crop says its side, and no pair of one person is "
        "labelled as such."
    ),
    "brain-lesion": (
        "Every patient of the set has a glioma: how often the network marks something in a head "
        "without one was measured only on runs of slices without a lesion, not on healthy "
        "people. Other bright lesions (demyelination, small vessels, stroke, oedema) were not "
        "learned; it does not say what a lesion is. The pictures were reduced to 128 x 128 and "
        "compressed with loss. The set states no voxel size and no side: millilitres and sides "
        "are stated only where a file's own geometry gives them, and were not measured against "
        "a truth. No lobe is named."
    ),
    "cardiac": (
        "The pictures were cut to 176 x 176 and compressed with loss; one hospital, two "
        "scanners. Only the two phases are there: the phases are not looked for in a cine, and "
        "of DICOM no ejection fraction is stated. Slices are taken to run from base to apex, as "
        "in the set: the other way round the right ventricle is missed. At the base, where the "
        "ventricles end, a slice too many or too few is the largest error of volumes. The five "
        "groups are five times 12 training and 4 or 5 test patients: a suggestion, not a "
        "diagnosis."
    ),
}

_LABELS_ALONE = (
    "The slice with most voxels wrong. Labels alone: the terms of the images were not verified, "
    "so none is shown.\n`python -m pipelines.evaluate {task} --data DIR --out FOLDER` writes "
    "`failures.png` with them."
)
PICTURES = {
    "hippocampus": (
        "The slice with most voxels wrong. Images and drawn labels: Medical Segmentation "
        "Decathlon, CC BY-SA 4.0, cut out and scaled."
    ),
    "brain-lesion": _LABELS_ALONE.format(task="brain-lesion"),
    "cardiac": _LABELS_ALONE.format(task="cardiac"),
}
MAY_BE_SHOWN = frozenset({"hippocampus"})  # the sets whose images may go on with the weights


def volumes_card(found: Json) -> str:
    """Write the card of one of the MR networks."""
    task = found["task"]
    return f"""# {task}

{WHAT[task]} A U-Net of MONAI blocks
over volumes. It drafts; a clinician decides. Not a medical device.

**Terms.** {TERMS[task]}

**Measured** on {found["subjects"]} subjects that it never learned from, read as live use reads arrays; intervals of 95 % by
bootstrap over persons. Published for the same set, on other splits: {found["published"]}.

{_overlap(found)}
{_slices(found)}{_quantities(found)}{_unmeasured(found)}{_groups(found)}{_parts(found)}
## Failures

The test subjects with the least overlap: {", ".join(f"{row['subject']} ({row['dice']:.2f})" for row in found["worst"])}.
{PICTURES[task]}

![The worst test subjects, a row each: what readers drew, what the network found, where they differ](failures.png)

## Known limits

{LIMITS[task]}

How it learned: `configs/train/{task.replace("-", "_")}.yaml`. Every figure: `python -m pipelines.evaluate {task} --data DIR`.
"""


def _overlap(found: Json) -> str:
    """Write the Dice of each label, beside the trivial guess."""
    base = found["baseline_dice"]
    guess = next(iter(base))
    parts = found["dice"] if found["task"] == "cardiac" else {"": found["dice"]}
    bases = base[guess] if found["task"] == "cardiac" else {"": base[guess]}
    rows = [
        [f"{name} {part}".strip(), figure(value), figure(bases[part].get(name))]
        for part, values in parts.items()
        for name, value in values.items()
    ]
    return "## Overlap (Dice)\n\n" + table(["", "network [95 %]", guess], rows)


def _slices(found: Json) -> str:
    """Write the figures of lesions by slice, volume and half."""
    if "slices" not in found:
        return ""
    slices, volumes, half = found["slices"], found["volumes"], found["half"]
    return f"""## A lesion in a slice, in a volume, in a half

{slices["count"]} slices, {slices["with_lesion"]} with a lesion: AUROC {figure(slices["auroc"])}; by the brightest FLAIR of the slice alone
{figure(slices["brightest_flair_auroc"])}. ECE {figure(slices["expected_calibration_error"])}, Brier score {figure(slices["brier"])} (prevalence alone:
{slices["prevalence_brier"]:.3f}). {volumes["with_lesion"]} volumes with a lesion against {volumes["runs_without"]} runs of slices without one: AUROC
{figure(volumes["auroc"])}, sensitivity {figure(volumes["sensitivity"])}, specificity {figure(volumes["specificity"])}. Of {half["lesions_in_one_half"]} lesions with
nine tenths in one half of the image {half["right"]} got that half; {half["lesions_in_both"]} lie in both.

"""


def _quantities(found: Json) -> str:
    """Write the errors of what is measured."""
    rows = []
    for name, row in found["quantities"].items():
        if row["stated"] < 2:
            rows.append([f"{name} ({measurement_terms()[name].unit})", *["n/a"] * 6])
            continue
        holds = row["interval_holds"]
        rows.append(
            [
                f"{name} ({measurement_terms()[name].unit})",
                figure(row["mean_absolute_error"]),
                figure(row["bias"]),
                f"{row['limits_of_agreement']:.3f}",
                f"{row['correlation']:.3f}",
                f"{holds['hits']} of {holds['count']}",
                figure(row["median_of_training_error"]),
            ]
        )
    head = [
        "quantity",
        "mean absolute error",
        "bias",
        "limits ±",
        "r",
        "interval holds",
        "error of the training median",
    ]
    return "## Quantities\n\n" + table(head, rows) + "\n"


def _unmeasured(found: Json) -> str:
    """Write how often a number is left out, by set."""
    return (
        f"## Left unmeasured, by set\n\n{unmeasured_text(found)}\n" if "unmeasured" in found else ""
    )


def unmeasured_text(found: Json) -> str:
    """Tabulate what was left unmeasured, and the rows of which something passes."""
    passes = []
    for row in found["unmeasured"]:
        missed = (
            row["unlike"]["count"] - row["unlike"]["hits"]
            if row["stated"] is None
            else row["stated"]["hits"]
        )
        if row["kind"] != "own" and missed:
            passes.append(f"{row['name']} ({missed} of {row['unlike']['count']})")
    head = [
        "images",
        "which",
        "studies",
        "unlike by the look of the images [95 %]",
        "a number stated [95 %]",
    ]
    whole = all(row["stated"] is not None for row in found["unmeasured"])
    what = "a number is stated of" if whole else "the look notices nothing at"
    said = (
        f"**What passes**: {what} {'; '.join(passes)}."
        if passes
        else "None of another set or of damaged ones passes."
    )
    rest = (
        ""
        if whole
        else (
            " Where no reading was made, what the outline and the bounds of size, shape and "
            "coverage notice beyond that is not counted."
        )
    )
    return (
        "Nothing is measured where the look of the images, or the outline, lies beyond what "
        "the own set has (bounds: validation, of looks also training; all rows but the first: "
        "test).\nImages of another set and damaged ones should be "
        f"unlike.{rest}\n\n{table(head, unmeasured_rows(found))}\n{said}\n"
    )


def unmeasured_rows(found: Json) -> list[list[str]]:
    """Build a row a set: kind and name, studies, share unlike, share with a number stated."""
    return [
        [
            row["kind"],
            row["name"],
            str(row["unlike"]["count"]),
            _of(row["unlike"]),
            _of(row["stated"]),
        ]
        for row in found["unmeasured"]
    ]


def _of(share: Json | None) -> str:
    return "not run" if share is None else f"{share['hits']}: {figure(share)}"


def _groups(found: Json) -> str:
    groups = found.get("groups")
    if not groups:
        return ""
    rows = [
        [name, *map(str, row)]
        for name, row in zip(groups["groups"], groups["confusion_drawn_by_suggested"], strict=True)
    ]
    return f"""## The five groups

By measured quantities alone; the group of the greatest probability is right in {figure(groups["accuracy"])} (the most frequent group:
{groups["most_frequent_group"]:.3f}). Rows are the set's groups, columns the suggestions.

{table(["", *groups["groups"]], rows)}
"""


def _parts(found: Json) -> str:
    """Write the overlap by institution and by the sequences that were there."""
    text = ""
    for key, title in (
        ("by_institution", "institution"),
        ("by_sequences", "sequences that were there"),
    ):
        if key in found:
            rows = [[name, str(row["subjects"]), figure(row)] for name, row in found[key].items()]
            text += f"## Overlap by {title}\n\n{table([title, 'patients', 'mean Dice'], rows)}\n"
    return text
