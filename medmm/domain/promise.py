"""What a calibration promises of the claims of a reading model, and why one is withheld."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from medmm.domain.errors import InputError

LEAST_POSITIVES = 30  # calibration studies with a finding; with fewer nothing is promised of it


class Withheld(Enum):
    """Why nothing is said of a finding, whatever its probability."""

    BELOW_ALARM_POINT = "below the alarm point"
    UNFAMILIAR_IMAGE = "unlike the images learned from"
    NOT_MEASURED = "not measured on this site's studies"


# Of a finding withheld for these nothing is known; one below the alarm point is undecided
SILENT = (Withheld.UNFAMILIAR_IMAGE, Withheld.NOT_MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How often a finding is claimed on studies without it, and on studies with it.

    Both are limits, from studies of patients that the network did not learn from.

    Attributes:
        false_claim_rate: of the studies without the finding, at most this share carry a claim.
        claimed: of the studies with it, at least this share do.
        positives: calibration studies with the finding; `negatives` those without it.
        prevalence: share of the calibration studies that have it.
    """

    false_claim_rate: float
    claimed: float
    positives: int
    negatives: int
    prevalence: float

    def __post_init__(self) -> None:
        shares = (self.false_claim_rate, self.claimed, self.prevalence)
        if not all(0 <= share <= 1 for share in shares) or self.positives < LEAST_POSITIVES:
            raise InputError(
                f"a promise of {self.positives} studies with shares {shares}",
                remedy=f"calibrate on at least {LEAST_POSITIVES} studies with the finding",
            )

    def right_at(self, prevalence: float) -> float:
        """Compute the share of claims that are right at least, at a prevalence of 0 to 1.

        Source: Bayes' rule over the two limits.
        """
        right = self.claimed * prevalence
        wrong = self.false_claim_rate * (1 - prevalence)
        return right / (right + wrong) if right > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """The point from which a study as a whole may carry claims.

    Attributes:
        any_finding: probability that the study shows any finding of its reading model, if they
            came one by one: 1 - prod(1 - p).
        point: the alarm point; a study below it carries no claim.
        burden: of the studies without any finding, at most this share reach the point.
        studies: calibration studies without any finding.
        films: what was calibrated on, in words; of other films nothing is promised.
        model: the network whose findings decide.
    """

    any_finding: float
    point: float
    burden: float
    studies: int
    films: str
    model: str

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in (self.any_finding, self.point, self.burden)):
            raise InputError(
                f"an alarm rule of {self.any_finding}, {self.point}, {self.burden}",
                remedy="give probabilities of 0 to 1",
            )

    @property
    def reached(self) -> bool:
        """Whether the study may carry claims."""
        return self.any_finding >= self.point
