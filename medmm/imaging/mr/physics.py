"""The physics of an MR image as its header states it, single-frame or enhanced.

Elements of PS3.3 C.8.3 (MR Image) and of the functional groups of C.8.13.5 (Enhanced MR). What is
not stated is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from medmm.imaging.dicom.functional_groups import Frame, frames_of
from medmm.imaging.dicom.header import Tags

# b-value of vendors before Diffusion b-value (0018,9087): creator, group, element. Source: the
# vendors' conformance statements; GE adds multiples of 10^9 to it.
PRIVATE_B = (
    ("SIEMENS MR HEADER", 0x0019, 0x0C),
    ("GEMS_PARM_01", 0x0043, 0x39),
    ("Philips Imaging DD 001", 0x2001, 0x03),
    ("Image Private Header", 0x0065, 0x09),  # United Imaging
)
LARGEST_B = 20_000
NO_AGENT = ("", "NO", "NONE", "N", "NO CONTRAST", "WITHOUT", "0", "NA", "N/A", "UNKNOWN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """How one image was made.

    Attributes:
        family: SE or GR of Scanning Sequence; empty if neither is stated, or both are.
        inversion: whether an inversion pulse was used; None if no element says.
        spoiled, prepared: SP and MP of Sequence Variant.
        dimension: MR Acquisition Type, 2D or 3D; empty if unknown.
        b_value: in s/mm2; one of 0 stands in many files without diffusion weighting.
        agent: whether a contrast agent was given; None if no element says.
        phases: whether the image is one of several phases of a heart beat.
        types: Image Type, or Frame Type, in capitals.
        stated: words of other elements that name a contrast: element to text in capitals.
    """

    family: str = ""
    echo_planar: bool = False
    inversion: bool | None = None
    spoiled: bool = False
    prepared: bool = False
    dimension: str = ""
    echo_ms: float | None = None
    repetition_ms: float | None = None
    inversion_ms: float | None = None
    flip_deg: float | None = None
    b_value: float | None = None
    agent: bool | None = None
    phases: bool = False
    component: str = ""
    types: tuple[str, ...] = ()
    stated: tuple[tuple[str, str], ...] = ()

    @property
    def derived(self) -> bool:
        """Whether Image Type says that the pixels were computed from other images.

        Source: PS3.3 C.7.6.1.1.2.
        """
        return self.types[:1] == ("DERIVED",)

    def words(self) -> str:
        """Quote family and times as a reason does: "SE, TE 92 ms, TR 4000 ms"."""
        numbers = (
            ("TE", self.echo_ms, " ms"),
            ("TR", self.repetition_ms, " ms"),
            ("TI", self.inversion_ms, " ms"),
            ("flip angle", self.flip_deg, "°"),
            ("b", self.b_value or None, " s/mm²"),
        )
        parts = [self.family] if self.family else []
        parts += ["echo planar"] if self.echo_planar else []
        parts += ["inversion"] if self.inversion else []
        return ", ".join(
            parts
            + [
                f"{name} {_digits(value)}{unit}"
                for name, value, unit in numbers
                if value is not None
            ]
        )


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def frames_physics(image: Tags) -> tuple[Physics, ...]:
    """List the distinct physics of the frames of an image; one for a single-frame image."""
    return tuple(dict.fromkeys(physics_of(frame) for frame in frames_of(image)))


def physics_of(frame: Frame) -> Physics:
    """Read the physics of one frame."""
    sequence, variant = frame.texts("ScanningSequence"), frame.texts("SequenceVariant")
    pulse = {"SPIN": "SE", "GRADIENT": "GR"}.get(
        next(iter(frame.texts("EchoPulseSequence")), ""), ""
    )
    kinds = [kind for kind in ("SE", "GR") if kind in sequence]
    inversion_ms = frame.number("InversionTime", "InversionTimes")
    return Physics(
        family=kinds[0] if len(kinds) == 1 else pulse,
        echo_planar="EP" in sequence or frame.texts("EchoPlanarPulseSequence") == ("YES",),
        inversion=_inversion(frame, sequence, inversion_ms),
        spoiled="SP" in variant or frame.texts("Spoiling") in (("RF",), ("RF AND GRADIENT",)),
        prepared="MP" in variant,
        dimension=next(iter(frame.texts("MRAcquisitionType")), "")[:2],
        echo_ms=frame.number("EffectiveEchoTime", "EchoTime"),
        repetition_ms=frame.number("RepetitionTime"),
        inversion_ms=inversion_ms,
        flip_deg=frame.number("FlipAngle"),
        b_value=b_value(frame.image, frame.number("DiffusionBValue")),
        agent=_agent(frame),
        phases=(frame.number("CardiacNumberOfImages") or 0) > 1
        or bool(frame.texts("TriggerTime", "NominalCardiacTriggerDelayTime")),
        component=next(iter(frame.texts("ComplexImageComponent")), ""),
        types=frame.texts("FrameType", "ImageType"),
        stated=tuple(_stated(frame)),
    )


def _stated(frame: Frame) -> Iterator[tuple[str, str]]:
    for name, keywords in (
        ("AcquisitionContrast", ("AcquisitionContrast",)),
        ("SequenceName", ("SequenceName", "PulseSequenceName")),
        ("SeriesDescription", ("SeriesDescription",)),
        ("ProtocolName", ("ProtocolName",)),
    ):
        text = " ".join(frame.texts(*keywords))
        if text:
            yield name, re.sub(r"[^A-Z0-9*+/]+", " ", text).strip()


def _inversion(frame: Frame, sequence: tuple[str, ...], inversion_ms: float | None) -> bool | None:
    """Tell whether an inversion is used: by Inversion Recovery, Scanning Sequence or a time.

    Returns: False only if an element could have said so; else None.
    """
    if inversion_ms is not None or "IR" in sequence or "IR" in frame.texts("ScanOptions"):
        return True
    stated = frame.texts("InversionRecovery")
    if stated:
        return stated[0] == "YES"
    return False if "SE" in sequence or "GR" in sequence else None


def _agent(frame: Frame) -> bool | None:
    """Return Contrast/Bolus Usage of the frame, else whether the image states an agent.

    Source: PS3.3 C.7.6.16.2.12 and C.7.6.4.
    """
    given = frame.texts("ContrastBolusAgentAdministered")
    phase = frame.texts("ContrastBolusAgentPhase") or tuple(
        t for t in frame.texts("ImageType") if "CONTRAST" in t
    )
    if "PRE CONTRAST" in phase or given == ("NO",):
        return False
    if given == ("YES",) or "POST CONTRAST" in phase:
        return True
    agent = frame.image.word("ContrastBolusAgent")
    coded = frame.image.first_item("ContrastBolusAgentSequence")
    if agent in NO_AGENT and coded is None:
        return False if agent not in ("", "UNKNOWN") else None
    return True


def b_value(image: Tags, stated: float | None = None) -> float | None:
    """Return the diffusion b-value in s/mm2; None if none is plausible.

    The standard's element counts first, then the vendor's private one.
    """
    candidates = [stated, image.number("DiffusionBValue")]
    candidates += [
        value % 1e9
        for creator in PRIVATE_B
        if (value := image.private_number(*creator)) is not None
    ]
    return next(
        (value for value in candidates if value is not None and 0 <= value <= LARGEST_B), None
    )


def alike(one: Physics, other: Physics) -> bool:
    """Tell whether two images may be slices of one series by their physics.

    Times must agree within a fifth, and what makes a contrast must be equal.
    """
    kinds = [
        (p.family, p.echo_planar, p.inversion, p.spoiled, p.prepared, p.dimension)
        for p in (one, other)
    ]
    pairs = (
        (one.echo_ms, other.echo_ms),
        (one.repetition_ms, other.repetition_ms),
        (one.inversion_ms, other.inversion_ms),
        (one.b_value, other.b_value),
    )
    return kinds[0] == kinds[1] and all(
        abs((a or 0) - (b or 0)) <= 0.2 * max(a or 0, b or 0) for a, b in pairs
    )
