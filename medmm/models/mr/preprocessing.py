"""From MR signal to a network's input and back, for training and live use alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.study import SequenceRole
from medmm.models.film.preprocessing import TONE_PERCENTILES

Signal = NDArray[np.float32]
Shape = tuple[int, int, int]
FOREGROUND = 0.1  # of the stretched range: darker voxels are air
LEAST_FOREGROUND = 0.02  # of the voxels: with less the whole volume counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The grid on which a network reads: by voxel size, or by the side of square slices.

    The latter is for sources whose voxel size is not known.

    Attributes:
        spacing_zyx_mm: voxel size; None on an axis leaves it as it is.
        side_px: side of the square to which slices are padded and scaled; then in-plane spacing
            plays no part.
    """

    spacing_zyx_mm: tuple[float | None, float | None, float | None] = (None, None, None)
    side_px: int | None = None

    def shape(self, source: Shape, spacing_zyx_mm: Sequence[float] | None) -> Shape:
        """Compute the shape on this grid of a source of this shape and voxel size.

        Raises: InputError if the grid needs a voxel size and the source has none.
        """
        if self.side_px is not None:
            return source[0], self.side_px, self.side_px
        if any(self.spacing_zyx_mm) and spacing_zyx_mm is None:
            raise InputError(
                "voxel size unknown; nothing can be measured",
                remedy="send the volume with its spacing in mm",
            )
        have = spacing_zyx_mm or (1.0, 1.0, 1.0)
        wanted = zip(source, have, self.spacing_zyx_mm, strict=True)
        z, y, x = (max(1, round(n * mm / goal)) if goal else n for n, mm, goal in wanted)
        return z, y, x


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How a prepared volume lies over its source, which was padded in-plane, then scaled."""

    source: Shape
    padded: Shape
    prepared: Shape

    @property
    def corner(self) -> tuple[int, int]:
        """First row and column of the source within the padded slices."""
        return (self.padded[1] - self.source[1]) // 2, (self.padded[2] - self.source[2]) // 2

    def back(self, values: Tensor) -> Tensor:
        """Resample values (k, z, y, x) from the prepared grid to the source's, linearly."""
        full = scaled(values, self.padded)
        row, column = self.corner
        return full[:, :, row : row + self.source[1], column : column + self.source[2]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MrImage:
    """Sequences of an MR study on one grid.

    Attributes:
        signals: (slices, rows, columns) of each sequence that is there, its axes as the network
            learned them (`turn_to`).
        spacing_zyx_mm: voxel size; None if unknown.
    """

    signals: Mapping[SequenceRole, Signal]
    spacing_zyx_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What a network is shown of an MR image: its sequences in order, on its grid.

    `stand_in` is the sequence that is shown again where another is missing; None if none may be
    missing.
    """

    sequences: tuple[SequenceRole, ...]
    grid: Grid
    stand_in: SequenceRole | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Preparation:
        """Read it from JSON: "sequences", "stand_in", "spacing_zyx_mm", "side_px".

        Raises: ConfigError for anything else.
        """
        try:
            stand_in = row.get("stand_in")
            return cls(
                sequences=tuple(SequenceRole(name) for name in row["sequences"]),
                grid=Grid(spacing_zyx_mm=tuple(row["spacing_zyx_mm"]), side_px=row["side_px"]),
                stand_in=None if stand_in is None else SequenceRole(stand_in),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"no preparation of volumes: {error}",
                remedy="give sequences, stand_in, spacing_zyx_mm and side_px, as `preparation_of` "
                "a weights folder does",
            ) from error

    def prepared(self, image: MrImage) -> Tensor:
        """Prepare (sequences, z, y, x), as in live use.

        Raises: InputError as `in_order` and `prepare_sequences`.
        """
        signals = in_order(image.signals, self.sequences, self.stand_in)
        return prepare_sequences(signals, self.grid, image.spacing_zyx_mm)[0]


def in_order(
    signals: Mapping[SequenceRole, Signal],
    sequences: Sequence[SequenceRole],
    stand_in: SequenceRole | None,
) -> list[Signal]:
    """Order a network's inputs; a missing sequence is `stand_in` again, as in training.

    Raises: InputError if nothing stands in for a missing sequence.
    """
    found = [signals.get(role, signals.get(stand_in) if stand_in else None) for role in sequences]
    there = [signal for signal in found if signal is not None]
    if len(there) < len(sequences):
        missing = stand_in or next(
            role for role, signal in zip(sequences, found, strict=True) if signal is None
        )
        raise InputError(
            f"an MR image without {missing.value}",
            remedy="give its sequences by their roles: "
            f"{', '.join(role.value for role in sequences)}",
        )
    return there


def prepare_sequences(
    signals: Sequence[Signal], grid: Grid, spacing_zyx_mm: Sequence[float] | None
) -> tuple[Tensor, Placement]:
    """Prepare volumes of one grid as a network takes them.

    They are padded, scaled to its grid, tones stretched, air apart, normalised.

    Args:
        signals: one array (slices, rows, columns) a sequence, finite, all of one shape.
        spacing_zyx_mm: voxel size of the source; None if unknown.
    Returns: float32 (sequences, z, y, x), and how it lies over the source.
    Raises: InputError if shapes differ, values are not finite, a volume shows a single tone, or the
        grid needs a voxel size that is unknown.
    """
    source = signals[0].shape
    if len(source) != 3 or any(signal.shape != source for signal in signals):
        raise InputError(
            f"sequences of shapes {', '.join(str(s.shape) for s in signals)}",
            remedy="give volumes (slices, rows, columns) of one grid",
        )
    z, y, x = source
    side = max(y, x) if grid.side_px is not None else 0
    padded = (z, max(y, side), max(x, side))
    shape = grid.shape(source, spacing_zyx_mm)
    placement = Placement(source=source, padded=padded, prepared=shape)
    return torch.stack([_prepared(signal, placement) for signal in signals]), placement


def _prepared(signal: Signal, placement: Placement) -> Tensor:
    if not np.isfinite(signal).all():
        raise InputError(
            "a volume with values that are not finite", remedy="send the original volume"
        )
    row, column = placement.corner
    _, rows, columns = placement.source
    below, beside = placement.padded[1] - rows - row, placement.padded[2] - columns - column
    whole = np.pad(
        signal, ((0, 0), (row, below), (column, beside)), constant_values=float(signal.min())
    )
    volume = scaled(
        torch.from_numpy(np.ascontiguousarray(whole, dtype=np.float32))[None], placement.prepared
    )[0]
    low, high = (float(v) for v in np.percentile(volume.numpy(), TONE_PERCENTILES))
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-6):
        raise InputError("the volume shows a single tone", remedy="check that it holds an image")
    stretched = ((volume - low) / (high - low)).clamp(0, 1)
    body = stretched[stretched > FOREGROUND]
    if body.numel() < LEAST_FOREGROUND * stretched.numel():
        body = stretched.flatten()
    return (stretched - body.mean()) / (body.std() + 1e-6)


def scaled(volume: Tensor, shape: Shape) -> Tensor:
    """Scale (k, z, y, x) to `shape`: means over areas to shrink, linearly to grow."""
    if tuple(volume.shape[1:]) == tuple(shape):
        return volume
    if all(new <= old for new, old in zip(shape, volume.shape[1:], strict=True)):
        return functional.interpolate(volume[None], size=shape, mode="area")[0]
    return functional.interpolate(volume[None], size=shape, mode="trilinear", align_corners=False)[
        0
    ]


def padded_to_multiple(volumes: Tensor, multiple_zyx: Sequence[int]) -> Tensor:
    """Repeat the last planes of (b, k, z, y, x) until each axis is a multiple."""
    shape = volumes.shape[2:]
    margin = [(0, -(-n // m) * m - n) for n, m in zip(shape, multiple_zyx, strict=True)]
    return functional.pad(
        volumes, [pad for pair in reversed(margin) for pad in pair], mode="replicate"
    )


def batched(volumes: Sequence[Tensor]) -> Tensor:
    """Batch volumes (k, z, y, x) of several shapes as (b, k, z, y, x), NaN beyond each end."""
    whole = [max(sizes) for sizes in zip(*(volume.shape[1:] for volume in volumes), strict=True)]
    margins = [
        [(0, w - n) for w, n in zip(whole, volume.shape[1:], strict=True)] for volume in volumes
    ]
    rows = [
        functional.pad(volume, [pad for pair in reversed(margin) for pad in pair], value=torch.nan)
        for volume, margin in zip(volumes, margins, strict=True)
    ]
    return torch.stack(rows)


def of_one_shape(batch: Tensor) -> list[Tensor]:
    """Split a batch of `batched` into batches without margins: itself, or one a volume."""
    there = ~torch.isnan(batch[:, 0])
    if bool(there.all()):
        return [batch]
    parts = []
    for volume, inside in zip(batch, there, strict=True):
        z, y, x = (int(inside.any(dim=axes).sum()) for axes in ((1, 2), (0, 2), (0, 1)))
        # A map of NaN alone is an overflow, no margin
        parts.append(volume[None, :, :z, :y, :x] if z else volume[None])
    return parts
