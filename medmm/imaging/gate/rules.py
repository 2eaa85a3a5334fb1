"""Which images may go on to a model: rules on the header in a table, then on the picture.

The rules are asked in the order of the table.

A rule that answers refuses the image, or holds it until a person has looked; what only warns stands
in `warnings`. What rules can't know from tags (a hand labelled CHEST) they do not decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Modality, View
from medmm.imaging.dicom.acquisition_time import study_time
from medmm.imaging.dicom.anatomy import (
    DESCRIPTIONS,
    OF_ONE_IMAGE,
    body_part_of,
    modality_of,
    named_view,
    view_in,
    view_of,
)
from medmm.imaging.dicom.film_views import views_against
from medmm.imaging.dicom.geometry import field_of_view_mm, film_lies, frame_numbers, in_places
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.patient import is_animal

SCOPE = "medmm reads chest radiographs and MR of brain and heart"
GREYS = 1024  # of the histogram that a picture is judged by
ROWS = 32  # of a picture that are looked at at a time
BLANK_SPAN = 0.02  # of 0 to 1: fewer greys than that are no picture
SMALLEST_FILM_PX = 256
SMALLEST_MR_PX = 64
# Of one MR picture: bores of whole-body scanners are 600 to 700 mm, their fields up to 550 mm
LARGEST_FIELD_MM = 600
_UID = "1.2.840.10008.5.1.4.1.1."
SOP_CLASSES = {
    Modality.RADIOGRAPH: (f"{_UID}1", f"{_UID}1.1", f"{_UID}7"),
    Modality.MR: (f"{_UID}4", f"{_UID}4.1"),
}
SECONDARY_CAPTURE = f"{_UID}7"
REGIONS = {Modality.RADIOGRAPH: ("CHEST",), Modality.MR: ("BRAIN", "HEART")}
_NO_IMAGES = [
    "AU",
    "DOC",
    "ECG",
    "HD",
    "KO",
    "M3D",
    "PLAN",
    "PR",
    "REG",
    "RTDOSE",
    "RTPLAN",
    "RTSTRUCT",
    "SEG",
    "SR",
]
_PROGRAMS = (b"MZ", b"%PDF", b"\x7fELF", b"#!")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an image does not go on; `held` until a person has looked."""

    code: str
    reason: str
    held: bool = False


NO_UIDS = Refusal(
    code="no-uids",
    reason="the file states no UID of study, series or image; it would go under UIDs made from its "
    "content",
    held=True,
)
LATERAL_FILM = Refusal(
    code="view", reason="not evaluable: a lateral film; medmm reads frontal chest radiographs"
)


def _animal(tags: Tags) -> str | None:
    """Object to a patient of another species (C.7.1.1, veterinary attributes)."""
    return "not evaluable: the patient is an animal" if is_animal(tags) else None


def _no_image(tags: Tags) -> str | None:
    """Object to a modality that is not a picture: reports, waveforms, plans, segmentations."""
    modality = tags.word("Modality")
    return f"not evaluable: {modality} is no image" if modality in _NO_IMAGES else None


def _modality(tags: Tags) -> str | None:
    """Object to a modality other than CR, DX and MR."""
    if modality_of(tags) is not None:
        return None
    word = tags.word("Modality")
    named = word if re.fullmatch(r"[A-Z0-9]{2,16}", word) else "not stated"
    return f"not evaluable: modality {named}; {SCOPE}"


def _sop_class(tags: Tags) -> str | None:
    """Object to a SOP class that does not belong to its modality."""
    modality = modality_of(tags)
    if modality is None or tags.text("SOPClassUID") in SOP_CLASSES[modality]:
        return None
    return "not evaluable: the SOP class is no image of this modality that medmm reads"


def _for_processing(tags: Tags) -> str | None:
    """Object to Presentation Intent Type FOR PROCESSING."""
    raw = tags.word("PresentationIntentType") == "FOR PROCESSING"
    return (
        "not evaluable: the image is for processing; send the image for presentation"
        if raw
        else None
    )


def _colour(tags: Tags) -> str | None:
    """Object to a photometric interpretation other than MONOCHROME1 and MONOCHROME2."""
    stated = tags.word("PhotometricInterpretation")
    # Missing: the header is not consistent, an error later
    grey = stated in ("", "MONOCHROME1", "MONOCHROME2")
    return None if grey else "not evaluable: the picture is not grey"


def _body_part(tags: Tags) -> str | None:
    """Object to a body part other than the chest (radiograph) or the brain or heart (MR)."""
    part = body_part_of(tags)
    if part.region in (*REGIONS.get(modality_of(tags) or Modality.MR, ()), ""):
        return None
    word = part.word if re.fullmatch(r"[A-Z0-9 -]{1,40}", part.word) else "of another name"
    return f"not evaluable: body part {word}; {SCOPE}"


def _body_part_unknown(tags: Tags) -> str | None:
    """Object to a header without a body part in any element."""
    return None if body_part_of(tags).region else "the image does not say which body part it shows"


def _view(tags: Tags) -> str | None:
    """Object to a lateral, oblique or decubitus chest film; a lateral may go with its frontal."""
    if modality_of(tags) is not Modality.RADIOGRAPH:
        return None
    view = view_of(tags)
    if view is View.LATERAL:
        return LATERAL_FILM.reason
    return (
        None
        if view
        else "not evaluable: the view is neither PA nor AP; medmm reads frontal chest radiographs"
    )


def _view_contradiction(tags: Tags) -> str | None:
    """Object to orientation or descriptions that contradict an upright frontal view."""
    if modality_of(tags) is not Modality.RADIOGRAPH:
        return None
    lies = film_lies(tags)
    if lies in ("upside down", "rotated"):
        return f"the film is stored {lies}"
    if lies == "other":
        return (
            "by its patient orientation the film is no upright picture from the front or from "
            "the side"
        )
    view, words = (
        named_view(tags)[0],
        [view_in(word) for k in OF_ONE_IMAGE for word in tags.word(k).split()],
    )
    if view in (View.PA, View.AP) and lies == "lateral":
        return "the film says a frontal view but lies as a lateral one"
    maybe = view is View.UNKNOWN and View.LATERAL in words
    maybe = maybe or any(said.views == {View.LATERAL} for said in views_against(view, tags))
    return "the descriptions name a lateral view beside a frontal one" if maybe else None


def _frames(tags: Tags) -> str | None:
    """Object to several frames in one radiograph."""
    several = modality_of(tags) is Modality.RADIOGRAPH and (tags.number("NumberOfFrames") or 1) > 1
    return "not evaluable: several pictures in one film" if several else None


def _small(tags: Tags) -> str | None:
    """Object to a picture of fewer pixels a side than anatomy needs."""
    film = modality_of(tags) is Modality.RADIOGRAPH
    least = SMALLEST_FILM_PX if film else SMALLEST_MR_PX
    short, long = sorted((tags.number("Rows") or 0, tags.number("Columns") or 0))
    if short < 1:  # missing: the header is not consistent, an error later
        return None
    if film and short < SMALLEST_FILM_PX / 2:
        return f"not evaluable: the shortest side is under {SMALLEST_FILM_PX // 2} pixels"
    return f"not evaluable: the longest side is under {least} pixels" if long < least else None


def _shape(tags: Tags) -> str | None:
    """Object to a radiograph with one side at least twice the other."""
    short, long = sorted((tags.number("Rows") or 0, tags.number("Columns") or 0))
    wide = modality_of(tags) is Modality.RADIOGRAPH and 0 < 2 * short <= long
    return "one side is twice the other: perhaps two films in one picture" if wide else None


def _uid(tags: Tags) -> str | None:
    """Object to a malformed UID: over 64 characters, or other than numbers with dots."""
    uids = [tags.text(k) or "" for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    bad = not all(len(uid) <= 64 and re.fullmatch(r"[0-9]+(\.[0-9]+)*", uid) for uid in uids)
    return "a UID is longer than 64 characters or is no row of numbers with dots" if bad else None


def _mosaic(tags: Tags) -> str | None:
    """Object to an MR mosaic, by Image Type or by a field of view that no scanner makes.

    Image Type MOSAIC counts unless each frame has a plane of its own.
    """
    if modality_of(tags) is not Modality.MR:
        return (
            "a mosaic of many slices in one picture"
            if "MOSAIC" in tags.texts("ImageType")
            else None
        )
    field = field_of_view_mm(tags)
    if field is not None and max(field) > LARGEST_FIELD_MM:
        return (
            f"a field of view of {field[1]:.0f} x {field[0]:.0f} mm, which no scanner makes: "
            "perhaps a mosaic of many slices"
        )
    named = "MOSAIC" in tags.texts("ImageType") and not in_places(tags)
    return "a mosaic of many slices in one picture" if named else None


def _phantom(tags: Tags) -> str | None:
    """Object to the word PHANTOM in a description or the patient's name or number."""
    text = " ".join(tags.word(k) for k in (*DESCRIPTIONS, "PatientName", "PatientID"))
    return "the image seems to be of a phantom" if "PHANTOM" in text else None


def _slope(tags: Tags) -> str | None:
    """Object to a Rescale Slope of 0, of the image or of one of its frames."""
    blank = 0 in (
        tags.number("RescaleSlope"),
        *frame_numbers(tags, "PixelValueTransformationSequence", "RescaleSlope"),
    )
    return "a rescale slope of 0 would blank the picture" if blank else None


def _hounsfield(tags: Tags) -> str | None:
    """Object to MR with the values of CT: Rescale Type HU, or an intercept of -1024 or -1000."""
    if modality_of(tags) is not Modality.MR:
        return None
    shifted = tags.number("RescaleIntercept") in (-1024, -1000) and tags.number("RescaleSlope") == 1
    hounsfield = tags.word("RescaleType") in ("HU", "HU MOD") or shifted
    return "the tags say MR but the values are Hounsfield units, as of a CT" if hounsfield else None


def _future(tags: Tags) -> str | None:
    """Object to an acquisition more than a day in the future."""
    when, _ = study_time(tags)
    late = when is not None and when.moment > datetime.now(UTC) + timedelta(days=1)
    return "the image is dated in the future" if late else None


def _unborn(tags: Tags) -> str | None:
    """Object to an acquisition before the patient's birth."""
    when, _ = study_time(tags)
    birth = tags.date("PatientBirthDate")
    wrong = when is not None and birth is not None and birth > when.moment.date()
    return "the patient was born after the image was acquired" if wrong else None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRule:
    """One row of the gate: its stable code, the question, and whether a person may release it."""

    code: str
    asks: Callable[[Tags], str | None]
    held: bool = False


RULES = (
    GateRule(code="animal", asks=_animal),
    GateRule(code="not-an-image", asks=_no_image),
    GateRule(code="modality", asks=_modality),
    GateRule(code="sop-class", asks=_sop_class),
    GateRule(code="for-processing", asks=_for_processing),
    GateRule(code="body-part", asks=_body_part),
    GateRule(code="colour", asks=_colour),
    GateRule(code="frames", asks=_frames),
    GateRule(code="too-small", asks=_small),
    GateRule(code="body-part-unknown", asks=_body_part_unknown, held=True),
    GateRule(code="view-contradiction", asks=_view_contradiction, held=True),
    GateRule(code="uid", asks=_uid, held=True),
    GateRule(code="shape", asks=_shape, held=True),
    GateRule(code="mosaic", asks=_mosaic, held=True),
    GateRule(code="phantom", asks=_phantom, held=True),
    GateRule(code="rescale", asks=_slope, held=True),
    GateRule(code="hounsfield", asks=_hounsfield, held=True),
    GateRule(code="future-date", asks=_future, held=True),
    GateRule(code="born-after-study", asks=_unborn, held=True),
    GateRule(code="view", asks=_view),
)


def judge_header(
    tags: Tags, preamble: bytes = b"", *, released: Container[str] = (), uids_stated: bool = True
) -> Refusal | None:
    """Return the first objection that stands; None if the header may pass.

    Args:
        released: codes of rules that hold and that a person let these contents pass.
    """
    found = objections(tags, preamble, uids_stated=uids_stated)
    return next((one for one in found if not (one.held and one.code in released)), None)


def objections(tags: Tags, preamble: bytes = b"", *, uids_stated: bool = True) -> Iterator[Refusal]:
    """Yield all objections of the rules to a header, in the order of the table."""
    for rule in RULES:
        reason = rule.asks(tags)
        if reason is not None:
            yield Refusal(code=rule.code, reason=reason, held=rule.held)
    if not uids_stated:
        yield NO_UIDS
    if preamble.startswith(_PROGRAMS):
        yield Refusal(
            code="preamble", reason="the file also begins like a program or a document", held=True
        )


def judge_pixels(
    pixels: NDArray[np.float32], *, film: bool, background: NDArray[np.bool_] | None = None
) -> Refusal | None:
    """Refuse a display-ready picture without content: blank, saturated, or noise.

    Of 282 real films no single grey fills more than 18 % and the mean step between neighbours is at
    most 0.18 of the spread; independent noise has 1.1. Only MR has a background of one grey.

    Args:
        pixels: shape (slices, rows, columns), 0 to 1; the middle slice is looked at.
        film: whether it is a radiograph.
        background: where nothing was measured, of the same shape; it says nothing of the picture.
    """
    sample = pixels[pixels.shape[0] // 2]
    there = None if background is None else ~background[pixels.shape[0] // 2]
    values = sample if there is None else sample[there]
    bins, mean_step = _bins_and_step(sample, there)
    if _blank(values, bins):
        return Refusal(code="blank", reason="not evaluable: the picture is blank or saturated")
    if _noise(values, bins, mean_step):
        return Refusal(code="noise", reason="not evaluable: the picture is noise")
    if film and bins.max() > 0.4 * values.size:
        return Refusal(code="saturated", reason="nearly half of the picture is one grey", held=True)
    return None


def _bins_and_step(
    sample: NDArray[np.float32], there: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], float]:
    """Count greys, and measure the mean step between neighbours along rows.

    Some rows at a time: their values stay in the processor's cache.
    """
    bins, steps, pairs = np.zeros(GREYS, dtype=np.int64), 0.0, 0
    for first in range(0, len(sample), ROWS):
        rows = sample[first : first + ROWS]
        seen = None if there is None else there[first : first + ROWS]
        values = rows.ravel() if seen is None else rows[seen]
        bins += np.bincount((values * (GREYS - 1)).astype(np.intp), minlength=GREYS)
        step = np.diff(rows, axis=1)
        step = step.ravel() if seen is None else step[seen[:, 1:] & seen[:, :-1]]
        steps += float(np.abs(step, out=step).sum(dtype=np.float64))
        pairs += step.size
    return bins, steps / pairs if pairs else 0.0


def _noise(values: NDArray[np.float32], bins: NDArray[np.int64], mean_step: float) -> bool:
    """Tell whether neighbours differ by more than half of the spread of all values.

    The spread is taken from the histogram where that decides: a value lies within its bin, so the
    two spreads differ by half a bin at most.
    """
    greys = np.arange(GREYS)
    mean = float(bins @ greys) / values.size
    spread = float(np.sqrt(float(bins @ (greys - mean) ** 2) / values.size))
    if mean_step < 0.5 * (spread - 0.5) / (GREYS - 1):
        return False
    return mean_step > 0.5 * float(values.std())


def _blank(values: NDArray[np.float32], bins: NDArray[np.int64]) -> bool:
    """Say whether the greys between the 1st and 99th percentile span under `BLANK_SPAN`.

    The percentiles are taken from the histogram where it decides, and sorted out of all pixels,
    which takes a hundred times longer, only where it does not.
    """
    if not values.size:
        return True
    below = np.cumsum(bins)
    places = np.asarray([0.01, 0.99]) * (values.size - 1)  # between two ranks, which may lie apart
    low_bin = np.searchsorted(below, np.ceil(places[0]), side="right")
    high_bin = np.searchsorted(below, np.floor(places[1]), side="right")
    if (high_bin - low_bin - 1) / (GREYS - 1) > BLANK_SPAN:
        return False
    low, high = (float(v) for v in np.percentile(values, [1, 99]))
    return high - low < BLANK_SPAN
