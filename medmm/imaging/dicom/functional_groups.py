"""The frames of an enhanced multi-frame MR image, and what is stated of each.

An element stands in a frame's own functional groups, in those it shares, or in the image.

Source: PS3.3 C.7.6.16 (functional groups), C.7.6.17 (dimensions), C.8.13.5 (functional groups of
Enhanced MR).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.pixels import frame_count

# Functional groups that hold an element, outermost first.
_GROUPS_OF = {
    "EffectiveEchoTime": ("MREchoSequence",),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence",),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence",),
    "InversionRecovery": ("MRModifierSequence",),
    "InversionTimes": ("MRModifierSequence",),
    "Spoiling": ("MRModifierSequence",),
    "DiffusionBValue": ("MRDiffusionSequence",),
    "DiffusionDirectionality": ("MRDiffusionSequence",),
    "DiffusionGradientOrientation": ("MRDiffusionSequence", "DiffusionGradientDirectionSequence"),
    "FrameType": ("MRImageFrameTypeSequence",),
    "AcquisitionContrast": ("MRImageFrameTypeSequence",),
    "ComplexImageComponent": ("MRImageFrameTypeSequence",),
    "ContrastBolusAgentAdministered": ("ContrastBolusUsageSequence",),
    "ContrastBolusAgentPhase": ("ContrastBolusUsageSequence",),
    "ASLContext": ("MRArterialSpinLabelingSequence",),
    "MetaboliteMapDescription": ("MRMetaboliteMapSequence",),
    "VelocityEncodingDirection": ("MRVelocityEncodingSequence",),
    "NominalCardiacTriggerDelayTime": ("CardiacSynchronizationSequence",),
    "NominalPercentageOfCardiacPhase": ("CardiacSynchronizationSequence",),
    "NominalPercentageOfRespiratoryPhase": ("RespiratorySynchronizationSequence",),
    "TemporalPositionTimeOffset": ("TemporalPositionSequence",),
    "SpacingBetweenSlices": ("PixelMeasuresSequence",),
    "SliceThickness": ("PixelMeasuresSequence",),
    "StackID": ("FrameContentSequence",),
    "TemporalPositionIndex": ("FrameContentSequence",),
    "FrameAcquisitionNumber": ("FrameContentSequence",),
    "FrameAcquisitionDateTime": ("FrameContentSequence",),
    "FrameReferenceDateTime": ("FrameContentSequence",),
    "DimensionIndexValues": ("FrameContentSequence",),
}
# Dimensions that tell where a frame lies, not which contrast it has.
_PLACES = {
    tag_for_keyword(keyword)
    for keyword in ("StackID", "InStackPositionNumber", "ImagePositionPatient")
}
_MEASURED = (
    "EffectiveEchoTime",
    "InversionTimes",
    "FlipAngle",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
)


class _Read(Tags):
    """Elements that are asked for again and again, such as shared ones, each read once."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self._texts: dict[str, tuple[str, ...]] = {}
        self._items: dict[str, tuple[Tags, ...]] = {}

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return all values as `Tags.texts` does, read once."""
        if keyword not in self._texts:
            self._texts[keyword] = super().texts(keyword)
        return self._texts[keyword]

    def items(self, keyword: str) -> Iterator[Tags]:
        """Yield the items of a sequence as `Tags.items` does, read once."""
        if keyword not in self._items:
            self._items[keyword] = tuple(_Read(item.dataset) for item in super().items(keyword))
        return iter(self._items[keyword])


class Frame:
    """One frame: its own functional groups, those it shares, then the elements of the image."""

    def __init__(self, image: Tags, groups: Sequence[Tags] = ()) -> None:
        self.image, self.groups = image, groups

    def _homes(self, keyword: str) -> Iterator[Tags]:
        for group in self.groups if keyword in _GROUPS_OF else ():
            item: Tags | None = group
            for sequence in _GROUPS_OF[keyword]:
                item = item.first_item(sequence) if item else None
            if item is not None:
                yield item
        yield self.image

    def values(self, keyword: str) -> tuple[str, ...]:
        """Return an element's values as text, from the first place that states it."""
        return next(
            (texts for home in self._homes(keyword) if any(texts := home.texts(keyword))), ()
        )

    def texts(self, *keywords: str) -> tuple[str, ...]:
        """Return the first of these elements that is there, in capitals with `_` as space."""
        found = next((texts for keyword in keywords if (texts := self.values(keyword))), ())
        return tuple(text.upper().replace("_", " ") for text in found)

    def number(self, *keywords: str) -> float | None:
        """Return the first of these elements that is a number above 0."""
        homes = (home.number(keyword) for keyword in keywords for home in self._homes(keyword))
        return next((number for number in homes if number is not None and number > 0), None)

    def said(self, keyword: str) -> tuple[str, ...]:
        """Return what an element says that may tell frames apart.

        Measured values come without their rounding; an index of a place says nothing.
        """
        found = self.values(keyword)
        if keyword in _MEASURED:
            return tuple(_rounded(text) for text in found)
        if keyword != "DimensionIndexValues":
            return found
        pointers = [
            item.dataset.get("DimensionIndexPointer")
            for item in self.image.items("DimensionIndexSequence")
        ]
        if len(pointers) != len(found):
            return ()
        return tuple(
            value for pointer, value in zip(pointers, found, strict=True) if pointer not in _PLACES
        )


def frames_of(image: Tags) -> tuple[Frame, ...]:
    """List the frames of an image with functional groups; any other image stands as one."""
    image = _Read(image.dataset)
    shared = image.first_item("SharedFunctionalGroupsSequence")
    own = (
        list(image.items("PerFrameFunctionalGroupsSequence"))
        if frame_count(image) > 1 or shared
        else []
    )
    common = [shared] if shared else []
    return tuple(Frame(image, [item, *common]) for item in own) or (Frame(image, common),)


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.5g}"
    except ValueError:
        return text
