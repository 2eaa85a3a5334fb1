"""Whether a volume network's number can be believed: signs of input unlike its set.

Signs of the outline: entropy for each marked voxel, disagreement of the mirrored passes (test-time
augmentation, Wang et al., Neurocomputing 2019;338:34-45), parts that hang apart. Signs of the image
as the network is shown it: how its tones lie and change from voxel to voxel. Each is held against
the extremes on subjects of the network's own set, with room, which stand in its calibration. A
number is left out where one lies beyond; outline and finding stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from medmm.domain.study import Notice

Probabilities = NDArray[np.float32]
Signs = dict[str, float]
Bounds = Mapping[str, Sequence[float]]
DOUBT = "doubt"  # the key of the bounds in calibration.json
ENTROPY, DISAGREEMENT, LOOSE = "entropy", "disagreement", "loose"
GRAIN, SLICE_STEP, LEAN, SKEW, EDGE = "grain", "slice step", "lean", "skew", "edge"
SAID = {
    ENTROPY: "the network is far less sure of its outline",
    DISAGREEMENT: "the mirror image gives another outline",
    LOOSE: "the outline falls into parts",
    GRAIN: "tones change otherwise from one voxel to the next within slices",
    SLICE_STEP: "tones change otherwise from slice to slice",
    LEAN: "rows and columns differ otherwise from each other",
    SKEW: "bright and dark are otherwise spread",
    EDGE: "the edge of the slices is otherwise bright",
}
OUTLINE_ROOM = 1.2  # times the greatest on validation subjects
# Of the distance of the extremes on training and validation subjects, on either side
IMAGE_ROOM = 0.5


def outline_signs(probabilities: Probabilities, disagreement: float | None, loose: float) -> Signs:
    """Compute the signs of an outline, each greater if it is less to be believed.

    Args:
        probabilities: (labels + 1, slices, rows, columns), background first.
        disagreement: of the mirrored passes, see `disagreement_of`; None if there was one pass.
        loose: share of the marked voxels outside the part that is kept, 0 to 1.
    """
    signs = {ENTROPY: entropy(probabilities), LOOSE: loose}
    return signs if disagreement is None else {**signs, DISAGREEMENT: disagreement}


def entropy(probabilities: Probabilities) -> float:
    """Compute the entropy of a network's labels in nats, summed, for each marked voxel."""
    exact = probabilities.astype(np.float64)
    total = -(exact * np.log(np.maximum(exact, 1e-12))).sum()
    return float(total / max(int((probabilities.argmax(0) > 0).sum()), 1))


def disagreement_of(views: Sequence[Tensor]) -> float | None:
    """Measure how far passes over mirror images differ: 1 - Dice of their labels.

    It is the mean over labels that one of them has.

    Args:
        views: labels (slices, rows, columns) of each pass, turned back. With fewer than two there
            is no answer.
    """
    if len(views) < 2:
        return None
    first, *others = views
    dices = []
    for other in others:
        for label in range(1, 1 + int(max(first.max(), other.max()))):
            one, two = first == label, other == label
            marked = int(one.sum()) + int(two.sum())
            if marked:
                dices.append(2 * int((one & two).sum()) / marked)
    return 1 - sum(dices) / len(dices) if dices else 0.0


def image_signs(prepared: Tensor) -> Signs:
    """Compute the signs of one sequence as the network is shown it.

    It is (slices, rows, columns); no sign depends on brightness or contrast.
    """
    values = prepared.numpy().astype(np.float64)
    deviation = float(values.std()) + 1e-9
    standard = (values - values.mean()) / deviation
    slices, rows, columns = (_step(standard, axis) for axis in range(3))
    edge = np.concatenate([standard[:, [0, -1], :].ravel(), standard[:, :, [0, -1]].ravel()])
    return {
        GRAIN: rows + columns,
        SLICE_STEP: slices,
        LEAN: math.log((rows + 1e-9) / (columns + 1e-9)),
        SKEW: float((standard**3).mean()),
        EDGE: float(edge.mean()),
    }


def _step(values: NDArray[np.float64], axis: int) -> float:
    """Compute the mean difference of neighbours along an axis; 0 for a single plane."""
    return float(np.abs(np.diff(values, axis=axis)).mean()) if values.shape[axis] > 1 else 0.0


def bounds_of(outlines: Sequence[Signs], images: Sequence[Signs]) -> dict[str, list[float]]:
    """Find the bounds of each sign, from outlines and images.

    Outlines are of validation subjects (none: without), images of training and validation subjects.
    """
    names = outlines[0] if outlines else ()
    bounds = {
        name: [0.0, round(OUTLINE_ROOM * max(row[name] for row in outlines), 4)] for name in names
    }
    for name in images[0]:
        low, high = (of(row[name] for row in images) for of in (min, max))
        room = IMAGE_ROOM * (high - low)
        bounds[name] = [round(low - room, 4), round(high + room, 4)]
    return bounds


def bounds_in(calibration: Mapping[str, Any]) -> Bounds:
    """Read the bounds of a calibration.

    There are none if it was made without, and only entropy's in one of an earlier release.
    """
    if DOUBT in calibration:
        bounds: Bounds = calibration[DOUBT]
        return bounds
    return {ENTROPY: (0.0, calibration["most_doubt"])} if "most_doubt" in calibration else {}


def beyond(signs: Mapping[str, float], bounds: Bounds) -> tuple[str, ...]:
    """List the signs beyond their bounds, or not a number, in the order of `SAID`."""
    return tuple(
        n
        for n in SAID
        if n in signs and n in bounds and not bounds[n][0] <= signs[n] <= bounds[n][1]
    )


def doubt_notice(
    volumes: Sequence[Mapping[str, float]], bounds: Bounds, kept: str
) -> tuple[Notice, ...]:
    """Say why nothing was measured, if a sign of one of these volumes is beyond its bounds.

    Args:
        kept: what is kept all the same, as the begin of a sentence ("The outline was").
    """
    odd = {name for signs in volumes for name in beyond(signs, bounds)}
    found = [name for name in SAID if name in odd]
    if not found:
        return ()
    why = "; ".join(SAID[name] for name in found)
    text = (
        "Not measured, because the volume is unlike those that the network learned from "
        f"({why}). {kept} kept; look at it."
    )
    return (Notice(code="unsure", text=text),)
