"""From a logit to a probability, and when a study may carry claims: the one place of both.

The packaged networks' calibration and that of a site's acceptance are applied by these functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from medmm.domain.errors import InputError
from medmm.domain.promise import AlarmRule, Promise, Withheld
from medmm.domain.reading import Finding

ALARM = "alarm"  # the key of the alarm point in a calibration.json, beside the findings
DIGITS = 4  # of a probability in a reading
NEAREST = 10**-DIGITS / 4  # of a probability that is written as 0 or 1: its mean distance to that


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCalibration:
    """What a site's own studies make of a model's probability of one finding.

    Attributes:
        slope: of the logit of the model's own probability; `intercept` is added to it.
        threshold: the operating point on the recalibrated scale.
        rule_out: below it the finding is not suspected; None: no score is low enough.
        promise: what the site's studies bear out of claims of it; None: nothing.
    """

    name: str
    slope: float = 1.0
    intercept: float = 0.0
    threshold: float
    rule_out: float | None = None
    promise: Promise | None = None

    def __post_init__(self) -> None:
        if not (self.slope > 0 and math.isfinite(self.slope) and math.isfinite(self.intercept)):
            raise InputError(
                f"a calibration of slope {self.slope} and intercept {self.intercept}",
                remedy="calibrate again: the slope is above 0, and both are finite",
                finding=self.name,
            )
        lowest = self.threshold if self.rule_out is None else self.rule_out
        if not 0 < lowest <= self.threshold < 1:
            raise InputError(
                f"a threshold of {self.threshold} with the rule-out point {self.rule_out}",
                remedy="give 0 < rule_out <= threshold < 1, or no rule-out point",
                finding=self.name,
            )

    def probability(self, own: float) -> float:
        """Recalibrate the model's own probability; see `platt_probability`."""
        return platt_probability(self.slope, self.intercept, logit_of(own))

    def applied(self, finding: Finding) -> Finding:
        """Put a finding on the site's scale, with the site's points and promise."""
        return replace(
            finding,
            probability=self.probability(finding.probability),
            own_probability=finding.probability,
            threshold=self.threshold,
            rule_out=self.rule_out,
            promise=self.promise,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPoint:
    """The point from which a study may carry claims; the fields are those of `AlarmRule`."""

    point: float
    burden: float
    studies: int
    films: str

    def rule(self, model: str, probabilities: Iterable[float]) -> AlarmRule:
        """Apply the point to the probabilities of one study's findings by `model`."""
        return AlarmRule(
            any_finding=any_finding(probabilities),
            point=self.point,
            burden=self.burden,
            studies=self.studies,
            films=self.films,
            model=model,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCalibration:
    """How a model's findings are put on a site's scale.

    Of a finding without a row nothing is said.

    Attributes:
        findings: a row for each finding that the site's studies can bear out.
        alarm: the point from which a study may carry claims; None for a model without findings.
    """

    findings: tuple[FindingCalibration, ...] = ()
    alarm: AlarmPoint | None = None

    def of(self, name: str) -> FindingCalibration | None:
        """Return the row of a finding, if it has one."""
        return next((row for row in self.findings if row.name == name), None)

    def applied(self, finding: Finding) -> Finding:
        """Put one finding on the site's scale, or withhold it if the site did not measure it."""
        row = self.of(finding.name)
        if row is not None:
            return row.applied(finding)
        return replace(finding, promise=None, withheld=finding.withheld or Withheld.NOT_MEASURED)


def platt_probability(slope: float, intercept: float, logit: float) -> float:
    """Compute the probability of a logit: 1 / (1 + exp(-(slope * logit + intercept))).

    It is rounded to four digits (Platt 1999).
    """
    return round(float(1 / (1 + np.exp(-(slope * logit + intercept)))), DIGITS)


def logit_of(probability: float) -> float:
    """Compute ln(p / (1 - p)) of a probability as readings state it, with its four digits."""
    inside = min(max(probability, NEAREST), 1 - NEAREST)
    return math.log(inside / (1 - inside))


def any_finding(probabilities: Iterable[float]) -> float:
    """Compute the probability of any finding if they come one by one, to four digits."""
    return round(1 - math.prod(1 - p for p in probabilities), DIGITS)


def below_alarm_point(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Withhold every claim of a study below its alarm point; denials stand."""
    return tuple(
        replace(f, withheld=Withheld.BELOW_ALARM_POINT) if f.suspected else f for f in findings
    )


def unfamiliar_image(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Withhold every word on an image unlike those that the network learned from."""
    return tuple(replace(f, withheld=Withheld.UNFAMILIAR_IMAGE) for f in findings)
