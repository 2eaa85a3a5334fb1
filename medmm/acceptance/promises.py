"""Points from which a network's claims are rare enough on calibration films.

Risk-controlling prediction sets (Bates et al., J. ACM 2021;68:43) with the exact binomial bound.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from medmm.domain.promise import LEAST_POSITIVES

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
FALSE_CLAIMS = 0.10  # of the studies without a finding: so many may carry a claim of it
ALARM_BURDEN = 0.15  # of the studies without any finding: so many may carry a claim
CONFIDENCE = 0.95  # that a limit holds, over the draw of calibration studies
DIGITS = 4  # of a probability in a reading
HIGHEST = 0.999


def controlled_point(score: Array, most: float) -> float:
    """Find the lowest point that at most a share of studies reaches, at `CONFIDENCE`.

    Args:
        score: of calibration studies that should not reach it, (n,), rounded as in a reading.
        most: the share, 0 to 1.
    Returns: the point on the grid of a reading's digits; `HIGHEST` if no lower one is borne out.
    """
    step = 10**-DIGITS
    points = np.unique(np.clip(np.append(score + step, step), step, HIGHEST))
    reached = (score[:, np.newaxis] >= points - step / 2).sum(0)
    held = [
        p for p, hits in zip(points, reached, strict=True) if upper(int(hits), len(score)) <= most
    ]
    return round(float(min(held, default=HIGHEST)), DIGITS)


def promise_row(claimed: Flags, truth: Array) -> dict[str, float | int] | None:
    """Say what calibration studies bear out of the claims of one finding.

    Args:
        claimed: whether each study carries a claim of it, (n,).
        truth: 1 with the finding, 0 without, NaN if nobody said, (n,).
    Returns: the fields of `Promise` but its prevalence; None with fewer than `LEAST_POSITIVES`
        studies that have the finding, or that have not.
    """
    there, free = truth > 0, truth == 0
    positives, negatives = int(there.sum()), int(free.sum())
    if min(positives, negatives) < LEAST_POSITIVES:
        return None
    missed = int((~claimed)[there].sum())
    return {
        "false_claim_rate": round(upper(int(claimed[free].sum()), negatives), DIGITS),
        "claimed": round(1 - upper(missed, positives), DIGITS),
        "positives": positives,
        "negatives": negatives,
    }


def upper(hits: int, of: int) -> float:
    """Compute the exact upper limit of a share at `CONFIDENCE`, one-sided.

    Source: Clopper and Pearson, Biometrika 1934;26:404-413.
    """
    from scipy.stats import beta

    return float(beta.ppf(CONFIDENCE, hits + 1, of - hits)) if hits < of else 1.0


def least_studies(most: float) -> int:
    """Count how many studies must not reach a point to bear out that at most a share does.

    The exact bound of none of n is 1 - (1 - CONFIDENCE)^(1/n).
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - most))
