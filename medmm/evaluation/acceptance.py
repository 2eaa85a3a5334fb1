"""What a packaged network was measured to do, from its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from medmm.acceptance.baselines import DEMOGRAPHICS, PREVALENCE
from medmm.acceptance.distributions import ANY_FINDING, SCORE, of_names, of_numbers
from medmm.acceptance.promises import ALARM_BURDEN
from medmm.domain.acceptance import (
    Acceptance,
    Attribute,
    Beside,
    Counted,
    Distribution,
    Figure,
    LabelsFrom,
    MeasuredFinding,
    MeasuredGroup,
    MeasuredQuantity,
    NotMeasured,
    Place,
    ReliabilityBin,
)
from medmm.domain.calibration import any_finding
from medmm.domain.codec import from_json, to_json
from medmm.domain.reading import ModelIdentity
from medmm.domain.version import __version__
from medmm.domain.vocabulary import measurement_terms
from medmm.evaluation.predictions import Json, Scored
from medmm.models.weights.catalogue import declarations

UNKNOWN = Figure(value=None)
DISTRIBUTIONS = "distributions"  # the key in evaluation.json
FILMS = {
    "chest-findings": "NIH test films",
    "chest-report": "Indiana University test films",
    "chest-anatomy": "NIH test films with marks",
    "brain-lesion": "TCGA-LGG test subjects",
    "hippocampus": "Medical Segmentation Decathlon test subjects",
    "cardiac": "ACDC test subjects",
}
# What the figures of a set call a baseline, and what acceptances do
BASELINES = {"label prior": PREVALENCE, "age, sex and view": f"{DEMOGRAPHICS}, with the view"}
NO_FIGURE = "The evaluation of the network has no figure of it."


def packaged_acceptance(
    task: str, found: Mapping[str, Any], *, table_sha256: str, at: datetime
) -> Acceptance:
    """Write the figures of a packaged network as an acceptance by the project.

    The digest of its manifest is left empty, since the manifest lists the file; who opens the
    folder fills it in.

    Args:
        task: the network, as the catalogue names it.
        found: its figures, as `evaluation.json` holds them.
        table_sha256: of the table of the test studies.
        at: when it is written.
    """
    findings, quantities = (
        tuple(_findings(task, found)),
        (*_quantities(found), *_ratio(found)),
    )
    calibrated, measured = _counted(found)
    drafts = found.get("drafts", {})
    return Acceptance(
        model=ModelIdentity(name=task, manifest_sha256=""),
        place=Place.PACKAGED,
        films=FILMS[task],
        labels_from=LabelsFrom.PUBLIC_SET,
        table_sha256=table_sha256,
        calibrated=calibrated,
        measured=measured,
        split="By patient; the table of the set says who is in which part.",
        chosen_burden=ALARM_BURDEN,
        auroc=figure(found.get("macro_auroc", {}).get("test"), measured.studies),
        burden=figure(drafts.get("no_finding_films_with_a_possible")),
        labelled_claimed=figure(drafts.get("possible_of_all_labels")),
        findings=findings,
        quantities=quantities,
        groups=tuple(_groups(found)),
        beside=tuple(_beside(found)),
        distributions=tuple(from_json(Distribution, one) for one in found.get(DISTRIBUTIONS, ())),
        not_measured=tuple(_not_measured(task, findings, quantities)),
        measured_at=at,
        version=__version__,
    )


def score_distributions(scored: Scored) -> list[Json]:
    """Count the scores of test films, and age, sex and view of their patients, as JSON values.

    Grey values and pixel spacing are left out: the films of the set are pictures without a header.
    """
    score = scored.probability.round(4)
    rows = [
        of_numbers(SCORE, score[:, j].tolist(), finding=name) for j, name in enumerate(scored.names)
    ]
    rows.append(of_numbers(ANY_FINDING, [any_finding(film) for film in score.tolist()]))
    rows.append(of_numbers("age", [film.age_years for film in scored.films], unit="a"))
    rows += [of_names(of, [getattr(film, of) for film in scored.films]) for of in ("sex", "view")]
    return [to_json(row) for row in rows if row.studies]


def figure(found: Mapping[str, Any] | float | None, of: int = 0) -> Figure:
    """Make the figure of a number, or of a value with its interval and count."""
    if found is None:
        return UNKNOWN
    if not isinstance(found, Mapping):
        return Figure(value=float(found), of=of)
    return Figure(
        value=found["value"],
        low=found.get("low"),
        high=found.get("high"),
        of=int(found.get("count", of)),
    )


def _counted(found: Mapping[str, Any]) -> tuple[Counted, Counted]:
    films = found.get("films")
    if isinstance(films, Mapping):
        return (
            Counted(studies=films["val"], patients=films["val_patients"]),
            Counted(studies=films["test"], patients=films["patients"]),
        )
    subjects = found.get("subjects") or _subjects(found)
    return Counted(studies=0, patients=0), Counted(studies=subjects, patients=subjects)


def _subjects(found: Mapping[str, Any]) -> int:
    """Count the studies of figures that do not say it: the most that any figure rests on."""
    heads = found.get("heads", {}).get("findings", {}).values()
    counted = [
        head["sensitivity"]["count"] + head["specificity"]["count"]
        for head in heads
        if head["calibrated"]
    ]
    return max([*counted, _marks(found).get("marked", 0)])


def _marks(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figures of cardiothoracic ratios beside marks on the films, if there are any."""
    marks: Mapping[str, Any] = found.get("nih", {}).get("marks", {}).get("all", {})
    return marks


def _findings(task: str, found: Mapping[str, Any]) -> Iterator[MeasuredFinding]:
    heads = found.get("heads", {}).get("findings", {})
    rows = found.get("labels", heads)
    for name in declarations()[task].findings:
        if name in rows and "sensitivity" in rows[name]:
            yield _finding(name, rows[name])
    if task == "brain-lesion":
        yield _finding("brain lesion", {**found["volumes"]})


def _finding(name: str, row: Mapping[str, Any]) -> MeasuredFinding:
    sensitivity, specificity = figure(row["sensitivity"]), figure(row["specificity"])
    studies = sensitivity.of + specificity.of
    return MeasuredFinding(
        name=name,
        positives=sensitivity.of,
        negatives=specificity.of,
        auroc=figure(row.get("auroc"), studies),
        sensitivity=sensitivity,
        specificity=specificity,
        right=figure(row.get("positive_predictive_value")),
        ece=figure(row.get("ece"), studies),
        brier=figure(row.get("brier"), studies),
        brier_of_prevalence=figure(row.get("brier_label_prior", row.get("brier_prior")), studies),
        reliability=tuple(
            ReliabilityBin(mean_probability=one["mean_probability"], share=figure(one["share"]))
            for one in row.get("reliability", ())
        ),
    )


def _quantities(found: Mapping[str, Any]) -> Iterator[MeasuredQuantity]:
    for name, row in found.get("quantities", {}).items():
        bias, half = figure(row["bias"], row["stated"]), float(row["limits_of_agreement"])
        middle = bias.value or 0.0
        holds = figure(row["interval_holds"])
        yield MeasuredQuantity(
            name=name,
            unit=measurement_terms()[name].unit,
            studies=holds.of,
            unmeasured=0,
            bias=bias,
            limits=(
                Figure(value=round(middle - half, 4), of=bias.of),
                Figure(value=round(middle + half, 4), of=bias.of),
            ),
            inside=holds,
        )


def _ratio(found: Mapping[str, Any]) -> Iterator[MeasuredQuantity]:
    if marks := _marks(found):
        yield MeasuredQuantity(
            name="cardiothoracic ratio",
            unit=measurement_terms()["cardiothoracic ratio"].unit,
            studies=marks["marked"],
            unmeasured=marks["marked"] - marks["measured"],
            bias=figure(marks["mean_error"], marks["measured"]),
            limits=(UNKNOWN, UNKNOWN),
            inside=figure(marks["interval_holds"]),
        )


def _groups(found: Mapping[str, Any]) -> Iterator[MeasuredGroup]:
    of: dict[str, Callable[[str], str]] = {
        Attribute.SEX.value: str,
        Attribute.VIEW.value: str,
        Attribute.AGE.value: lambda value: f"{value} years",
    }
    for row in found.get("subgroups", ()):
        attribute, _, value = row["group"].partition(" ")
        if attribute in of and not row["too_few"]:
            yield MeasuredGroup(
                attribute=Attribute(attribute),
                value=of[attribute](value),
                studies=row["films"],
                patients=row["patients"],
                burden=figure(row["no_finding_films_with_a_possible"]),
                labelled_claimed=figure(row["sensitivity"]),
            )


def _beside(found: Mapping[str, Any]) -> Iterator[Beside]:
    for name, row in found.get("baselines", {}).items():
        difference = row.get("network_minus_baseline")
        yield Beside(
            against=BASELINES.get(name, name),
            finding=None,
            auroc=figure(row["test"]),
            difference=figure(difference) if difference else _over_chance(found),
        )


def _over_chance(found: Mapping[str, Any]) -> Figure:
    """Compute the mean AUROC minus 0.5, which one probability for all reaches."""
    macro = found["macro_auroc"]["test"]
    low, value, high = (round(macro[key] - 0.5, 4) for key in ("low", "value", "high"))
    return Figure(value=value, low=low, high=high)


def _not_measured(
    task: str, findings: tuple[MeasuredFinding, ...], quantities: tuple[MeasuredQuantity, ...]
) -> Iterator[NotMeasured]:
    there = {one.name for one in findings} | {one.name for one in quantities}
    declared = declarations()[task]
    for name in (*declared.findings, *declared.quantities):
        if name not in there:
            yield NotMeasured(of=name, why=NO_FIGURE)
