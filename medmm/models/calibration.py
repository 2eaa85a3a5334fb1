"""From a network's logit to a finding: the one place that reads calibration.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medmm.domain.calibration import ALARM, AlarmPoint, platt_probability
from medmm.domain.promise import AlarmRule, Promise
from medmm.domain.reading import Finding, Region
from medmm.domain.vocabulary import finding_term

Row = Mapping[str, Any]  # of one finding: slope, intercept, threshold, rule_out, promise


def calibrated_probability(row: Row, logit: float) -> float:
    """Compute the probability of a logit by a row; see `platt_probability`."""
    return platt_probability(row["slope"], row["intercept"], logit)


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
        point: that of calibration.json.
    """

    model: str
    findings: tuple[str, ...]
    point: AlarmPoint

    @classmethod
    def of(
        cls, model: str, findings: Iterable[str], calibration: Mapping[str, Any]
    ) -> Alarm | None:
        """Read the rule of a calibration.json; None if it has none."""
        row = calibration.get(ALARM)
        if not row:
            return None
        said = {key: row[key] for key in ("point", "burden", "studies", "films")}
        return cls(model=model, findings=tuple(findings), point=AlarmPoint(**said))

    def rule(self, findings: Iterable[Finding]) -> AlarmRule:
        """Apply the rule to what was read of one study."""
        read = [f.probability for f in findings if f.name in self.findings]
        return self.point.rule(self.model, read)
