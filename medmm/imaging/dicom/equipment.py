"""Which machine made an image (DICOM PS3.3 C.7.5.1, General Equipment)."""

from __future__ import annotations

from medmm.imaging.dicom.header import Tags

_LONGEST = 64  # characters of each: the VR LO holds no more (PS3.5 section 6.2)


def scanner_of(tags: Tags) -> str | None:
    """Name manufacturer and model; None if neither is stated."""
    stated = (tags.text("Manufacturer"), tags.text("ManufacturerModelName"))
    return " ".join(text[:_LONGEST] for text in stated if text) or None
