"""From a network's logit to a finding: the one place that applies calibration.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medmm.domain.promise import AlarmRule, Promise, Withheld
from medmm.domain.reading import Finding, Region
from medmm.domain.vocabulary import finding_term

Row = Mapping[str, Any]  # of one finding: slope, intercept, threshold, rule_out, promise
ALARM = "alarm"  # the key of the alarm rule in calibration.json, beside the findings


def calibrated_probability(row: Row, logit: float) -> float:
    """Compute the probability of a logit: 1 / (1 + exp(-(slope * logit + intercept))).

    It is rounded to four digits (Platt 1999).
    """
    return round(float(1 / (1 + np.exp(-(row["slope"] * logit + row["intercept"])))), 4)


def calibrated_finding(
    name: str, row: Row, logit: float, region: Region | None, model: str | None = None
) -> Finding:
    """Build a finding with its probability, points and codes; `model` is as in `Finding`."""
    return Finding(
        name=name,
        probability=calibrated_probability(row, logit),
        threshold=round(row["threshold"], 4),
        rule_out=row["rule_out"],
        codings=finding_term(name).codings,
        region=region,
        model=model,
        promise=_promise(row),
    )


def _promise(row: Row) -> Promise | None:
    said = row.get("promise")
    return Promise(**said, prevalence=row["prevalence"]) if said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """When a study may carry claims, by the findings of one network together.

    Attributes:
        model: the network that reads `findings`, whose probabilities decide.
        row: of calibration.json: `point`, `burden`, `studies` and `films`, as in `AlarmRule`.
    """

    model: str
    findings: tuple[str, ...]
    row: Row

    @classmethod
    def of(
        cls, model: str, findings: Iterable[str], calibration: Mapping[str, Any]
    ) -> Alarm | None:
        """Read the rule of a calibration.json; None if it has none."""
        row = calibration.get(ALARM)
        return cls(model=model, findings=tuple(findings), row=row) if row else None

    def rule(self, findings: Iterable[Finding]) -> AlarmRule:
        """Apply the rule to what was read of one study."""
        read = [f.probability for f in findings if f.name in self.findings]
        said = {key: self.row[key] for key in ("point", "burden", "studies", "films")}
        return AlarmRule(any_finding=any_finding(read), model=self.model, **said)


def any_finding(probabilities: Iterable[float]) -> float:
    """Compute the probability of any finding if they come one by one, to four digits."""
    return round(1 - math.prod(1 - p for p in probabilities), 4)


def below_alarm_point(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Withhold every claim of a study below its alarm point; denials stand."""
    return tuple(
        replace(f, withheld=Withheld.BELOW_ALARM_POINT) if f.suspected else f for f in findings
    )


def unfamiliar_image(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Withhold every word on an image unlike those that the network learned from."""
    return tuple(replace(f, withheld=Withheld.UNFAMILIAR_IMAGE) for f in findings)
