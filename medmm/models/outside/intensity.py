"""From the signal of an image to the values that a network of others was trained on.

The steps are named and parametrised as `reading-model.yaml` declares them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from medmm.domain.errors import InputError

Signal = NDArray[np.float32]
LEAST_FOREGROUND = 0.02  # of the voxels: with less the whole image counts
Percent = Annotated[float, Field(ge=0, le=100)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Step(BaseModel):
    """One step, applied to each channel by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Stretch(Step):
    """A step that scales what lies between two limits to 0..1."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must lie below high")
        return self


class Window(_Stretch):
    """Clip to a window and scale it to 0..1."""

    rule: Literal["window"]
    low: Finite = Field(description="the value that becomes 0")
    high: Finite = Field(description="the value that becomes 1")

    def __call__(self, signal: Signal) -> Signal:
        """Scale the window to 0..1."""
        return _stretched(signal, self.low, self.high)


class Percentiles(_Stretch):
    """Clip to two percentiles of the channel and scale them to 0..1."""

    rule: Literal["percentile"]
    low: Percent = Field(description="the percentile that becomes 0")
    high: Percent = Field(description="the percentile that becomes 1")

    def __call__(self, signal: Signal) -> Signal:
        """Scale between the percentiles, linear between neighbours."""
        low, high = (float(value) for value in np.percentile(signal, (self.low, self.high)))
        return _stretched(signal, low, high)


class MinMax(Step):
    """Scale least and greatest value of the channel to 0..1."""

    rule: Literal["min-max"]

    def __call__(self, signal: Signal) -> Signal:
        """Scale the whole range."""
        return _stretched(signal, float(signal.min()), float(signal.max()))


class ZScore(Step):
    """Give the channel mean 0 and spread 1."""

    rule: Literal["z-score"]
    nonzero: bool = Field(description="whether voxels of value 0 are left out, and stay 0")

    def __call__(self, signal: Signal) -> Signal:
        """Subtract the mean and divide by the standard deviation, of nonzero voxels if asked."""
        counted = signal != 0 if self.nonzero else np.ones(signal.shape, dtype=bool)
        values = signal[counted].astype(np.float64)
        if not values.size or float(values.std()) == 0:
            raise _single_tone()
        out = signal.astype(np.float64)
        out[counted] = (values - values.mean()) / values.std()
        return out.astype(np.float32)


class ForegroundZScore(_Stretch):
    """Stretch between two percentiles, then give what is no air mean 0 and spread 1.

    Air is darker than `foreground` of the stretched range; medmm's own networks for MR see this.
    """

    rule: Literal["foreground-z-score"]
    low: Percent = Field(description="the percentile that becomes 0")
    high: Percent = Field(description="the percentile that becomes 1")
    foreground: Annotated[float, Field(ge=0, lt=1)]

    def __call__(self, signal: Signal) -> Signal:
        """Stretch, then normalise; where nearly all is air, all of it counts."""
        low, high = (float(value) for value in np.percentile(signal, (self.low, self.high)))
        stretched = _stretched(signal, low, high)
        body = stretched[stretched > self.foreground]
        if body.size < LEAST_FOREGROUND * stretched.size:
            body = stretched.ravel()
        spread = float(body.std(ddof=1, dtype=np.float64)) + 1e-6
        return ((stretched - body.mean(dtype=np.float64)) / spread).astype(np.float32)


class Divide(Step):
    """Divide by a number."""

    rule: Literal["divide"]
    by: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    def __call__(self, signal: Signal) -> Signal:
        """Divide."""
        return (signal / np.float32(self.by)).astype(np.float32)


class DividePercentile(Step):
    """Divide by a percentile of the channel, without clipping."""

    rule: Literal["divide-percentile"]
    percentile: Annotated[float, Field(gt=0, le=100)]

    def __call__(self, signal: Signal) -> Signal:
        """Divide by the percentile, linear between neighbours."""
        by = float(np.percentile(signal, self.percentile))
        if by <= 0:
            raise _single_tone()
        return (signal / np.float32(by)).astype(np.float32)


class Standardise(Step):
    """Subtract a fixed mean and divide by a fixed spread, as networks for photographs need."""

    rule: Literal["standardise"]
    mean: Finite
    spread: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    def __call__(self, signal: Signal) -> Signal:
        """Subtract and divide."""
        return ((signal - self.mean) / self.spread).astype(np.float32)


IntensityStep = Annotated[
    Window
    | Percentiles
    | MinMax
    | ZScore
    | ForegroundZScore
    | Divide
    | DividePercentile
    | Standardise,
    Field(discriminator="rule"),
]
RULES: tuple[type[Step], ...] = (
    Window,
    Percentiles,
    MinMax,
    ZScore,
    ForegroundZScore,
    Divide,
    DividePercentile,
    Standardise,
)


def with_steps(signal: Signal, steps: tuple[IntensityStep, ...]) -> Signal:
    """Apply steps in their order.

    Raises: InputError for values that are not finite, or an image of a single tone.
    """
    if not np.isfinite(signal).all():
        raise InputError(
            "an image with values that are not finite", remedy="send the original image"
        )
    if float(signal.max()) - float(signal.min()) <= 1e-6 * max(abs(float(signal.max())), 1e-6):
        raise _single_tone()
    for step in steps:
        signal = step(signal)
    return np.ascontiguousarray(signal, dtype=np.float32)


def _stretched(signal: Signal, low: float, high: float) -> Signal:
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-6):
        raise _single_tone()
    scaled: Signal = np.clip((signal - low) / (high - low), 0, 1).astype(np.float32)
    return scaled


def _single_tone() -> InputError:
    return InputError("the image shows a single tone", remedy="check that it holds an image")
