"""What a model was measured to do, as one page that stands alone (HTML)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from medmm.domain.acceptance import (
    Acceptance,
    Attribute,
    Beside,
    Distribution,
    Figure,
    MeasuredFinding,
    Place,
    SignedAcceptance,
)
from medmm.domain.promise import LEAST_POSITIVES
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.presentation.blocks import Table
from medmm.presentation.draft_words import RESEARCH
from medmm.presentation.pages import page
from medmm.presentation.plots import Plot
from medmm.presentation.svg_plots import cumulative, reliability, roc
from medmm.presentation.value_words import unit_words

NONE = "not known"
INTERVALS = (
    "In brackets: 95 % intervals, of shares by Wilson with as many draws as patients, of all else "
    "by bootstrap of patients."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A heading with what stands under it."""

    title: str
    words: tuple[str, ...] = ()
    table: Table | None = None
    plots: tuple[Plot, ...] = ()
    items: tuple[str, ...] = ()
    folded: tuple[str, tuple[str, ...]] | None = None
    texts: int = 1  # columns of the table that hold words, from the left


def acceptance_html(measured: Acceptance | SignedAcceptance) -> str:
    """Make the page of an acceptance, signed or not.

    It holds counts, shares and digests: no image, no patient, no text of a record.
    """
    signed = measured if isinstance(measured, SignedAcceptance) else None
    acceptance = measured if isinstance(measured, Acceptance) else measured.acceptance
    return page(
        "acceptance.html",
        title=f"{acceptance.model.name} on {_where(acceptance)}",
        banner=f"{_banner(acceptance, signed)} {RESEARCH}",
        lead=_lead(acceptance, signed),
        cards=tuple(_cards(acceptance)),
        parts=tuple(part for part in _parts(acceptance) if part is not None),
    )


def _where(acceptance: Acceptance) -> str:
    return "this site's studies" if acceptance.place is Place.SITE else acceptance.films


def _banner(acceptance: Acceptance, signed: SignedAcceptance | None) -> str:
    if signed is not None:
        return (
            f"ACCEPTED by {signed.reader.name} ({signed.reader.role}) on "
            f"{signed.at:%Y-%m-%d %H:%M %Z}."
        )
    if acceptance.place is Place.PACKAGED:
        return "MEASURED by the project, not on this site's studies."
    return "MEASURED, not accepted: the model reads in shadow until a named person accepts it."


def _lead(acceptance: Acceptance, signed: SignedAcceptance | None) -> tuple[str, ...]:
    one, two = acceptance.calibrated, acceptance.measured
    others = (
        f"; points set on {one.studies:,} studies of {one.patients:,} other patients"
        if one.studies
        else ""
    )
    did = "Measured" if acceptance.place is Place.SITE else "Written"
    lines = [
        f"Measured on {two.studies:,} studies of {two.patients:,} patients{others}.",
        f"{acceptance.films}; labels from {acceptance.labels_from.value}.",
        acceptance.split,
        f"{did} {acceptance.measured_at:%Y-%m-%d %H:%M %Z} with medmm {acceptance.version}; "
        f"manifest of the model {acceptance.model.manifest_sha256}.",
    ]
    if signed is not None and signed.note:
        lines.append(f"{signed.reader.name} notes: {signed.note}")
    return tuple(line for line in lines if line)


def _cards(acceptance: Acceptance) -> Iterator[tuple[str, str, str]]:
    """Yield the figures that stand on top: words, the figure, what it is a share of."""
    if not acceptance.findings or not acceptance.burden.of:
        return
    burden = acceptance.burden
    yield (
        "studies without any finding that carry a claim",
        percent(burden),
        f"of {burden.of} studies; chosen: at most {acceptance.chosen_burden:.0%}",
    )
    claimed = acceptance.labelled_claimed
    yield "labelled findings that are claimed", percent(claimed), f"of {claimed.of} findings"
    yield "AUROC, mean over findings", number(acceptance.auroc), "1 ranks perfectly, 0.5 by chance"


def _parts(acceptance: Acceptance) -> Iterator[_Part | None]:
    yield _not_measured(acceptance)
    yield _points(acceptance)
    yield _findings(acceptance)
    yield _curves(acceptance)
    yield _beside(acceptance)
    yield _groups(acceptance)
    yield _group_findings(acceptance)
    yield _quantities(acceptance)
    yield _distributions(acceptance)
    yield _films(acceptance)


def _not_measured(acceptance: Acceptance) -> _Part | None:
    items = [f"{_words(one.of)}: {one.why}" for one in acceptance.not_measured]
    items += [f"{count} labelled studies were not read: {why}" for why, count in acceptance.unread]
    return _Part(title="Not measured", items=tuple(items)) if items else None


def _points(acceptance: Acceptance) -> _Part | None:
    calibration = acceptance.calibration
    if calibration is None:
        return None
    words: tuple[str, ...] = ()
    if (alarm := calibration.alarm) is not None:
        words = (
            f"A study carries claims only where the probability of any finding reaches "
            f"{alarm.point:.4f}: by {alarm.studies} studies without any finding, at most "
            f"{alarm.burden:.0%} of such studies do (with 95 % confidence).",
        )
    rows = []
    for row in calibration.findings:
        promise = row.promise
        rows.append(
            (
                _words(row.name),
                f"{row.threshold:.4f}",
                NONE if row.rule_out is None else f"{row.rule_out:.4f}",
                f"{row.slope:.3f}, {row.intercept:+.3f}",
                "nothing" if promise is None else f"at most {promise.false_claim_rate:.1%}",
                f"fewer than {LEAST_POSITIVES} studies with it"
                if promise is None
                else f"at least {promise.claimed:.1%}",
            )
        )
    head = (
        "finding", "claimed from", "denied below", "slope, intercept", "promised: false claims",
        "promised: found",
    )  # fmt: skip
    return _Part(
        title="Points set on this site's studies",
        words=words,
        table=Table(head=head, rows=tuple(rows)),
    )


def _findings(acceptance: Acceptance) -> _Part | None:
    if not acceptance.findings:
        return None
    head = (
        "finding", "with", "without", "AUROC", "sensitivity", "specificity",
        "claims that are right", "ECE", "Brier", "Brier of prevalence",
    )  # fmt: skip
    return _Part(
        title="By finding",
        words=(
            f"Sensitivity and specificity are those of claims in drafts, the alarm point included. "
            f"{INTERVALS}",
        ),
        table=Table(head=head, rows=tuple(_finding_row(one) for one in acceptance.findings)),
    )


def _finding_row(one: MeasuredFinding) -> tuple[str, ...]:
    return (
        _words(one.name),
        str(one.positives),
        str(one.negatives),
        number(one.auroc),
        percent(one.sensitivity),
        percent(one.specificity),
        percent(one.right),
        number(one.ece),
        NONE if one.brier.value is None else f"{one.brier.value:.3f}",
        NONE if one.brier_of_prevalence.value is None else f"{one.brier_of_prevalence.value:.3f}",
    )


def _curves(acceptance: Acceptance) -> _Part | None:
    plots: list[Plot] = []
    for one in acceptance.findings:
        if one.roc:
            plots.append(roc(f"{_words(one.name)}: ROC", one.roc, f"AUROC {number(one.auroc)}"))
        if one.reliability:
            points = [(b.mean_probability, b.share) for b in one.reliability]
            note = f"ECE {number(one.ece)}"
            plots.append(reliability(f"{_words(one.name)}: reliability", points, note))
    if not plots:
        return None
    return _Part(
        title="Ranking and probabilities",
        words=("On the dashed line a reliability is what it says, and a ROC is chance.",),
        plots=tuple(plots),
    )


def _beside(acceptance: Acceptance) -> _Part | None:
    if not acceptance.beside:
        return None
    return _Part(
        title="Beside trivial baselines and the model in use",
        words=(
            "Differences of AUROC on the same draws of patients; above 0 this model ranks better. "
            "An interval that holds 0 shows no difference.",
        ),
        table=Table(
            head=("beside", "finding", "its AUROC", "this model minus it"),
            rows=tuple(_beside_row(one) for one in acceptance.beside),
        ),
        texts=2,
    )


def _beside_row(one: Beside) -> tuple[str, ...]:
    finding = "mean over findings" if one.finding is None else _words(one.finding)
    return one.against, finding, number(one.auroc), number(one.difference, signed=True)


def _groups(acceptance: Acceptance) -> _Part | None:
    rows = [
        (
            one.attribute.value,
            one.value,
            str(one.studies),
            str(one.patients),
            percent(one.burden),
            percent(one.labelled_claimed),
        )
        for one in acceptance.groups
    ]
    if not rows:
        return None
    alone = [a.value for a in Attribute if _one_group(acceptance, a)]
    words = f"All studies are of one group by {', '.join(alone)}." if alone else ""
    return _Part(
        title="By group",
        words=tuple(filter(None, (words,))),
        table=Table(
            head=("by", "group", "studies", "patients", "without any, with a claim", "found"),
            rows=tuple(rows),
        ),
        texts=2,
    )


def _one_group(acceptance: Acceptance, attribute: Attribute) -> bool:
    return sum(one.attribute is attribute for one in acceptance.groups) == 1


def _group_findings(acceptance: Acceptance) -> _Part | None:
    rows = [
        (f"{group.attribute.value} {group.value}", *_finding_row(one)[:8])
        for group in acceptance.groups
        if not _one_group(acceptance, group.attribute)
        for one in group.findings
    ]
    if not rows:
        return None
    head = (
        "group", "finding", "with", "without", "AUROC", "sensitivity", "specificity",
        "claims that are right", "ECE",
    )  # fmt: skip
    table = Table(head=head, rows=tuple(rows))
    return _Part(title="By group and finding", table=table, texts=2)


def _quantities(acceptance: Acceptance) -> _Part | None:
    if not acceptance.quantities:
        return None
    rows = []
    for one in acceptance.quantities:
        side = f", {one.side.value}" if one.side else ""
        unit = unit_words(one.unit)
        rows.append(
            (
                f"{measurement_terms()[one.name].words}{side}{f' ({unit})' if unit else ''}",
                str(one.studies),
                str(one.unmeasured),
                number(one.bias, signed=True),
                number(one.limits[0], signed=True),
                number(one.limits[1], signed=True),
                percent(one.inside),
            )
        )
    head = (
        "quantity", "with a reference", "of them not measured", "bias", "lower limit",
        "upper limit", "reference inside the stated interval",
    )  # fmt: skip
    return _Part(
        title="Measurements beside reference values",
        words=(
            "Bias is the mean of measurement minus reference; between the limits of agreement lie "
            "95 % of the differences (Bland and Altman 1986).",
        ),
        table=Table(head=head, rows=tuple(rows)),
    )


def _distributions(acceptance: Acceptance) -> _Part | None:
    numbers = [one for one in acceptance.distributions if len(one.edges) > 1]
    rest = [one for one in acceptance.distributions if len(one.edges) <= 1]
    if not acceptance.distributions:
        return None
    plots = tuple(
        cumulative(distribution_title(one), one.edges, [shares(one)], missing_words(one))
        for one in numbers
    )
    return _Part(
        title="What later studies are compared with",
        words=(
            "Share of studies with a value of at most that on the axis; scores are on the model's "
            "own scale, before any calibration of the site.",
        ),
        plots=plots,
        items=tuple(map(counts_words, rest)),
    )


def _films(acceptance: Acceptance) -> _Part:
    digests = acceptance.films_sha256
    return _Part(
        title="Which studies and labels",
        words=(f"SHA-256 of the labels: {acceptance.table_sha256}.",),
        folded=(f"SHA-256 of {len(digests)} images", digests) if digests else None,
    )


def distribution_title(one: Distribution) -> str:
    """Name what is distributed, with its unit."""
    unit = unit_words(one.unit).strip("{}")
    of = f"{one.of}: {_words(one.finding)}" if one.finding else one.of
    return f"{of} ({unit})" if unit else of


def shares(one: Distribution) -> tuple[float, ...]:
    """Compute the share of studies up to each edge."""
    total, sums = one.studies, 0
    found = []
    for count in one.counts[: len(one.edges)]:
        sums += count
        found.append(sums / total if total else 0.0)
    return tuple(found)


def counts_words(one: Distribution) -> str:
    """Write a distribution by name, or of one value, in a line."""
    total = one.studies or 1
    parts: Iterable[str] = (
        f"{label} {count / total:.0%}" for label, count in zip(one.labels, one.counts, strict=False)
    )
    if one.edges:
        parts = (f"{one.edges[0]:g} in {one.counts[0] / total:.0%}",)
    return f"{distribution_title(one)}: {', '.join(parts) or NONE}{_missing(one)}"


def missing_words(one: Distribution) -> str:
    """Say of how many studies a value is known."""
    return f"{one.studies} studies{_missing(one)}"


def _missing(one: Distribution) -> str:
    return f"; not stated by {one.missing}" if one.missing else ""


def percent(one: Figure) -> str:
    """Write a share with its interval in percent."""
    if one.value is None:
        return NONE
    if one.low is None or one.high is None:
        return f"{one.value:.1%}"
    return f"{one.value:.1%} [{100 * one.low:.1f}, {100 * one.high:.1f}]"


def number(one: Figure, *, signed: bool = False) -> str:
    """Write a figure with its interval."""
    if one.value is None:
        return NONE
    form = "+.3f" if signed else ".3f"
    if one.low is None or one.high is None:
        return f"{one.value:{form}}"
    return f"{one.value:{form}} [{one.low:{form}}, {one.high:{form}}]"


def _words(name: str) -> str:
    """Say a finding or a quantity in words; what the vocabulary does not know stays."""
    if name in finding_terms():
        return finding_terms()[name].words
    return measurement_terms()[name].words if name in measurement_terms() else name
