"""From the labels that a network of others gave to label maps, places and millilitres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medmm.domain.label_location import extent_of, to_lps_mm
from medmm.domain.measurement_formulas import voxel_count, voxel_ml
from medmm.domain.reading import Extent, LabelMap, Measurement, Side
from medmm.domain.study import Volume
from medmm.domain.vocabulary import measurement_terms
from medmm.models.mr.intervals import measured
from medmm.models.mr.resampling import middle_x_lps_mm
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.declaration_parts import BACKGROUND, Channel
from medmm.models.outside.preparation import Prepared

Labels = NDArray[np.uint8]
SIDES = (Side.LEFT, Side.RIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What the masks say.

    Attributes:
        extents: where each channel lies, by its number.
        unmeasured: why a declared quantity was not measured, in words.
        contradiction: why nothing of it can be relied on; "" if nothing is against it.
    """

    label_maps: tuple[LabelMap, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    extents: Mapping[int, Extent] = field(default_factory=dict)
    unmeasured: tuple[str, ...] = ()
    contradiction: str = ""


def masks_of(declared: OutsideDeclaration, given: Prepared, out: Labels, model: str) -> Marked:
    """Bring labels to the grid of the first image, and measure what is declared.

    Args:
        out: of exclusive channels their number (batch, axes of the grid); of overlapping ones
            whether each marks the voxel (batch, channels, axes of the grid).
        model: by whose name label maps and measurements go.
    """
    masks = _Masks(declared=declared, volume=given.volumes[0], model=model)
    by_channel = dict(_on_source(declared, given, out))
    any_label = np.zeros(masks.volume.shape_zyx, dtype=bool)
    for mask in by_channel.values():
        any_label |= mask
    middle = middle_x_lps_mm(any_label, masks.volume)
    against = masks.contradiction(by_channel, middle)
    if against:
        return Marked(contradiction=against)
    return masks.marked(by_channel, middle)


def _on_source(
    declared: OutsideDeclaration, given: Prepared, out: Labels
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the mask of each channel but the background, on the source's grid."""
    stacked, placement = declared.grid.stacked, given.placement
    if placement is None:
        return
    exclusive = declared.output.classes == "exclusive"
    whole = placement.back(out if stacked else out[0]) if exclusive else None
    for number, channel in declared.output.channels.items():
        if channel.name == BACKGROUND:
            continue
        if whole is not None:
            yield number, whole == number
        else:
            yield number, placement.back(out[:, number] if stacked else out[0, number]) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    declared: OutsideDeclaration
    volume: Volume
    model: str

    def contradiction(
        self, by_channel: Mapping[int, NDArray[np.bool_]], middle: float | None
    ) -> str:
        """Say which label of a side lies on the other side of the patient; "" if none does."""
        affine = self.volume.affine_lps_mm
        if affine is None or middle is None:
            return ""
        for number, mask in by_channel.items():
            side = self.declared.output.channels[number].side
            if side is None or not mask.any():
                continue
            x = float(to_lps_mm(np.argwhere(mask).astype(float).mean(0)[None], affine)[0, 0])
            if (x > middle) is not (side == "left"):  # LPS: x grows toward the patient's left
                label = self.declared.labels[number]
                return f"its {label} lies on the other side of the patient"
        return ""

    def marked(self, by_channel: Mapping[int, NDArray[np.bool_]], middle: float | None) -> Marked:
        labelled = [
            (number, label, side, mask)
            for number, whole in by_channel.items()
            for label, side, mask in self._sides(number, whole, middle)
        ]
        maps = self._maps(labelled)
        extents: dict[int, Extent] = {}
        measurements: list[Measurement] = []
        unmeasured: list[str] = []
        for number, label, side, _ in labelled:
            channel = self.declared.output.channels[number]
            if channel.quantity is None and not channel.is_finding:
                continue
            place = extent_of(maps[label], label, self.volume, midline_x_lps_mm=middle)
            if place is not None:
                extents.setdefault(number, place)
            if channel.quantity is None:
                continue
            found = self._measured(channel, maps[label], label, side, place)
            if isinstance(found, str):
                unmeasured.append(found)
            else:
                measurements.append(found)
        return Marked(
            label_maps=tuple({one.name: one for one in maps.values()}.values()),
            measurements=tuple(measurements),
            extents=extents,
            unmeasured=tuple(dict.fromkeys(unmeasured)),
        )

    def _sides(
        self, number: int, mask: NDArray[np.bool_], middle: float | None
    ) -> Iterator[tuple[str, Side | None, NDArray[np.bool_]]]:
        """Yield the labels of a channel: both sides of it where the affine tells them apart."""
        channel, label = self.declared.output.channels[number], self.declared.labels[number]
        affine = self.volume.affine_lps_mm
        sided = channel.quantity is not None and measurement_terms()[channel.quantity].sided
        if sided and self.declared.laterality == "by-affine" and affine is not None:
            left = np.zeros(mask.shape, dtype=bool)
            places = np.argwhere(mask)
            if middle is not None and len(places):
                on_left = to_lps_mm(places.astype(float), affine)[:, 0] > middle
                left[tuple(places[on_left].T)] = True
            for side, half in zip(SIDES, (left, mask & ~left), strict=True):
                yield f"{side.value} {label}", side, half
            return
        known = affine is not None and channel.side is not None
        yield label, Side(channel.side) if known else None, mask

    def _maps(
        self, labelled: list[tuple[int, str, Side | None, NDArray[np.bool_]]]
    ) -> dict[str, LabelMap]:
        """Build one label map of exclusive labels, or one for each label that may overlap."""
        sha256 = self.volume.sha256
        if self.declared.output.classes == "overlapping":
            return {
                label: LabelMap.from_array(
                    f"{self.model} {label}", sha256, (label,), mask.astype(np.uint8)
                )
                for _, label, _, mask in labelled
            }
        values = np.zeros(self.volume.shape_zyx, dtype=np.uint8)
        for number, (_, _, _, mask) in enumerate(labelled, start=1):
            values[mask] = number
        labels = tuple(label for _, label, _, _ in labelled)
        one = LabelMap.from_array(self.model, sha256, labels, values)
        return dict.fromkeys(labels, one)

    def _measured(
        self,
        channel: Channel,
        label_map: LabelMap,
        label: str,
        side: Side | None,
        place: Extent | None,
    ) -> Measurement | str:
        """Compute the volume in ml, or say why there is none."""
        size = voxel_ml(self.volume)
        if channel.quantity is None or channel.interval is None or place is None:
            return f"no {label} was found"
        if size is None or self.volume.shape_zyx[0] < 2:
            return "the voxel size of the images is unknown, or there is one slice"
        return measured(
            channel.quantity,
            size * voxel_count(label_map, label),
            "ml",
            channel.interval.model_dump(),
            side=side,
            extents=(place,),
            model=self.model,
        )
