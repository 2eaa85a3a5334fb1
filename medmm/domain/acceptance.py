"""What a reading model was measured to do on labelled studies, and who accepted it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from medmm.domain.calibration import SiteCalibration, below_alarm_point
from medmm.domain.errors import InputError, StateError
from medmm.domain.promise import Withheld
from medmm.domain.reading import Finding, ModelIdentity, Reading, Side
from medmm.domain.report import Reader


class Place(Enum):
    """Whose studies a model was measured on."""

    SITE = "this site"
    PACKAGED = "packaged"


class LabelsFrom(Enum):
    """Where the labels of the measured studies come from."""

    TABLE = "a table of labels"
    SIGNED_REPORTS = "signed reports, by rules over their sentences"
    PUBLIC_SET = "public sets"


class Attribute(Enum):
    """What studies are grouped by."""

    SEX = "sex"
    AGE = "age"
    VIEW = "view"
    SCANNER = "scanner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its 95 % interval by patient.

    Attributes:
        value: None if the studies at hand carry no such figure.
        of: the studies that it rests on; of a share, those that it is a share of.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    of: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """A point of a reliability diagram: a mean probability and the share that has it.

    Source: Niculescu-Mizil and Caruana, ICML 2005.
    """

    mean_probability: float
    share: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFinding:
    """How often claims of one finding are right, on studies not calibrated on.

    Attributes:
        positives: studies labelled with the finding; `negatives` those labelled without it.
        sensitivity: share of the positives that carry a claim, below the alarm point none.
        specificity: share of the negatives that carry none.
        right: share of the claims that are right.
        ece: expected calibration error over bins of equal count.
        brier: mean squared distance of probability and label; `brier_of_prevalence` is that of one
            probability for all, the prevalence of the studies that were calibrated on.
        reliability: points by rising probability; empty where none were drawn.
        roc: points (share of negatives, share of positives) of the ROC curve; likewise.
    """

    name: str
    positives: int
    negatives: int
    auroc: Figure
    sensitivity: Figure
    specificity: Figure
    right: Figure
    ece: Figure
    brier: Figure
    brier_of_prevalence: Figure
    reliability: tuple[ReliabilityBin, ...] = ()
    roc: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredQuantity:
    """How a model's measurements agree with reference values, in the unit of both.

    Attributes:
        studies: those that have a reference value; `unmeasured` of them have no measurement.
        bias: mean of measurement minus reference.
        limits: between which 95 % of the differences lie, with their own intervals.
        inside: share of the reference values within the interval that the measurement states.
    Source: Bland and Altman, Lancet 1986;327:307-310.
    """

    name: str
    side: Side | None = None
    unit: str
    studies: int
    unmeasured: int
    bias: Figure
    limits: tuple[Figure, Figure]
    inside: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredGroup:
    """The figures of one group of patients, or of films of one kind.

    Attributes:
        value: "F", "18 to 39 years", "PA", a scanner's name; "not stated" where it is unknown.
        burden: of the studies without any finding, the share that carries a claim.
        labelled_claimed: of the findings that labels name, the share that is claimed.
        findings: those with enough studies of both kinds in the group.
    """

    attribute: Attribute
    value: str
    studies: int
    patients: int
    burden: Figure
    labelled_claimed: Figure
    findings: tuple[MeasuredFinding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """How a model ranks studies beside a trivial baseline, or beside the model in use.

    Attributes:
        against: what it stands beside, in words: "age and sex", the name of a model.
        finding: None for the mean over the findings that both rank.
        auroc: that of the other.
        difference: the AUROC of this model minus that of the other, on the same draws of patients.
    """

    against: str
    finding: str | None
    auroc: Figure
    difference: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How a score or an input is distributed over studies, as counts.

    Attributes:
        of: "score" of a finding, or what of the input: "mean grey", "age", "scanner".
        finding: the finding of a score; None for an input.
        unit: UCUM; "" for a name.
        edges: rising, of numbers alone: the first count is of values up to the first edge, the
            last of values above the last.
        labels: of names alone, one a count.
        missing: studies that state no value.
    """

    of: str
    finding: str | None = None
    unit: str = "1"
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    missing: int = 0

    def __post_init__(self) -> None:
        kinds = len(self.labels) if self.labels else len(self.edges) + 1
        if (self.labels and self.edges) or len(self.counts) != kinds:
            raise InputError(
                f"{len(self.counts)} counts of {len(self.edges)} edges, {len(self.labels)} labels",
                remedy="give one count more than edges, or one a label",
                of=self.of,
            )
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise InputError(
                "edges that do not rise", remedy="give each edge once, in order", of=self.of
            )

    @property
    def studies(self) -> int:
        """How many studies state a value."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many studies, of how many patients."""

    studies: int
    patients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMeasured:
    """What the studies could not bear out, and why: a finding, a quantity, a group."""

    of: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What one version of a reading model was measured to do on labelled studies.

    Attributes:
        model: which weights; another version needs an acceptance of its own.
        films: the studies in words, as drafts say them: "212 labelled studies of this site".
        table_sha256: of the label table; of signed reports, of the table made of them.
        films_sha256: of each study's images, in order; empty for a public set, which its table
            names.
        calibrated: what the site's scale was set on; no patient of it is among `measured`.
        unread: labelled studies that were not read: (why, how many).
        split: how studies came to be calibrated or measured on, in words.
        chosen_burden: the most studies without any finding that may carry a claim, 0 to 1.
        calibration: the site's; None leaves the model's own.
        auroc: mean over the findings.
        burden: as in `MeasuredGroup`, over all studies; `labelled_claimed` likewise.
        not_measured: what the page must say is unknown.
        measured_at: of a packaged network, when its figures were written as an acceptance.
        version: of medmm, which measured.
    """

    model: ModelIdentity
    place: Place
    films: str
    labels_from: LabelsFrom
    table_sha256: str
    films_sha256: tuple[str, ...] = ()
    calibrated: Counted
    measured: Counted
    unread: tuple[tuple[str, int], ...] = ()
    split: str = ""
    chosen_burden: float
    calibration: SiteCalibration | None = None
    auroc: Figure
    burden: Figure
    labelled_claimed: Figure
    findings: tuple[MeasuredFinding, ...] = ()
    quantities: tuple[MeasuredQuantity, ...] = ()
    groups: tuple[MeasuredGroup, ...] = ()
    beside: tuple[Beside, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    not_measured: tuple[NotMeasured, ...] = ()
    measured_at: datetime
    version: str

    def __post_init__(self) -> None:
        if not 0 < self.chosen_burden < 1:
            raise InputError(
                f"a burden of {self.chosen_burden}",
                remedy="choose a share above 0 and below 1",
                model=self.model.name,
            )

    def applied(self, reading: Reading) -> Reading:
        """Put a reading of this model on the site's scale, with its points.

        Findings that the site did not measure are withheld. Without a calibration of the site the
        reading stays as it is.

        Raises: StateError if the reading is not one of this version of the model.
        """
        if self.model not in reading.models:
            raise StateError(
                "a reading of another version than the one that was measured",
                remedy="measure and accept the version that reads, or read with this one",
                model=self.model.name,
            )
        if self.calibration is None:
            return reading
        return self._on_site(reading, self.calibration)

    def _on_site(self, reading: Reading, calibration: SiteCalibration) -> Reading:
        """Apply the site's calibration, and its alarm to what follows it.

        These are its findings, and those of other networks that followed the
        alarm that it had before.
        """
        first, name = reading.models[0].name, self.model.name
        own = [(f.model or first) == name for f in reading.findings]
        led = reading.alarm is not None and reading.alarm.model == name
        found = [
            _on_scale(f, calibration if mine else None) if mine or led else f
            for f, mine in zip(reading.findings, own, strict=True)
        ]
        if calibration.alarm is None:
            return replace(reading, findings=tuple(found), alarm=None if led else reading.alarm)
        scored = [f for f, mine in zip(found, own, strict=True) if mine and calibration.of(f.name)]
        rule = calibration.alarm.rule(name, (f.probability for f in scored))
        if not rule.reached:
            found = [
                below_alarm_point([f])[0] if mine or led else f
                for f, mine in zip(found, own, strict=True)
            ]
        alarm = rule if led or reading.alarm is None else reading.alarm
        return replace(reading, findings=tuple(found), alarm=alarm)


def _on_scale(finding: Finding, calibration: SiteCalibration | None) -> Finding:
    """Take back what another alarm point withheld, and apply the site's calibration."""
    if finding.withheld is Withheld.BELOW_ALARM_POINT:
        finding = replace(finding, withheld=None)
    return finding if calibration is None else calibration.applied(finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAcceptance:
    """An acceptance that a named person took responsibility for.

    Attributes:
        note: why, in the reader's words; "" if none were given.
    """

    acceptance: Acceptance
    reader: Reader
    at: datetime
    note: str = ""
