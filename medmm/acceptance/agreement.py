"""How measurements agree with reference values of labelled studies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medmm.acceptance.figures import interval, share
from medmm.acceptance.labels import Quantity
from medmm.acceptance.metrics import BOOTSTRAPS, patient_draws
from medmm.acceptance.scores import ReadStudy
from medmm.domain.acceptance import Figure, MeasuredQuantity
from medmm.domain.reading import Measurement
from medmm.domain.vocabulary import measurement_terms

LEAST_PAIRS = 10  # measured studies, for a bias with limits of agreement
WITHIN = 1.96  # standard deviations that hold 95 % of normal differences


def quantity(studies: Sequence[ReadStudy], what: Quantity, model: str) -> MeasuredQuantity:
    """Measure the agreement of one quantity, of one side if it has one.

    Args:
        studies: all that were measured on; those without a reference value are left out.
    """
    name, side = what
    known = [one for one in studies if what in one.labels.quantities]
    pairs = [(one, found) for one in known if (found := _measured(one, what, model)) is not None]
    patients = [one.labels.patient for one, _ in pairs]
    reference = np.asarray([one.labels.quantities[what] for one, _ in pairs], dtype=np.float64)
    difference = np.asarray([found.value for _, found in pairs], dtype=np.float64) - reference
    inside = np.asarray(
        [low <= value <= high for (_, m), value in zip(pairs, reference.tolist(), strict=True)
         for low, high in (m.interval,)],
        dtype=bool,
    )  # fmt: skip
    draws = patient_draws(patients, BOOTSTRAPS) if len(pairs) >= LEAST_PAIRS else []

    def figure(times: float) -> Figure:
        if not draws:
            return Figure(value=None, of=len(pairs))
        return interval(
            lambda i: float(difference[i].mean() + times * difference[i].std(ddof=1)),
            len(pairs),
            draws,
        )

    return MeasuredQuantity(
        name=name,
        side=side,
        unit=measurement_terms()[name].unit,
        studies=len(known),
        unmeasured=len(known) - len(pairs),
        bias=figure(0.0),
        limits=(figure(-WITHIN), figure(WITHIN)),
        inside=share(inside, patients),
    )


def _measured(study: ReadStudy, what: Quantity, model: str) -> Measurement | None:
    """Return the measurement of a quantity that the model made."""
    name, side = what
    stated = (*study.reading.measurements, *study.reading.other_measurements)
    first = study.reading.models[0].name if study.reading.models else ""
    return next(
        (
            m
            for m in stated
            if m.name == name and side in (None, m.side) and (m.model or first) == model
        ),
        None,
    )
