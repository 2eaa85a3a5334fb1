"""What a radiograph's pixels say it is, held against its tags: the gate's second witness.

The witness is asked after every rule that can decide by tags, size and plain pixel statistics. It
never lets in what they refuse: the most it does against a tag is to have a person look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Notice
from medmm.imaging.gate.rules import Refusal, judge_pixels


class PictureKinds(Protocol):
    """Says what kind of picture a display-ready film (rows, columns; 0 black to 1 white) is."""

    def kind_of(self, grey: NDArray[np.float32]) -> str:
        """Return a key of `KINDS`, or "frontal"."""
        ...

    def surely_frontal(self, grey: NDArray[np.float32]) -> bool:
        """Tell whether the picture alone may stand for a body part that no tag names.

        Then its kind is "frontal".
        """
        ...


def _held(kind: str, reason: str) -> Refusal:
    return Refusal(
        code=f"picture-{kind}", reason=f"by its pixels {reason}; a person must look", held=True
    )


KINDS = {
    "mirrored": _held("mirrored", "the film is mirrored, or the heart is on the right"),
    "inverted": _held("inverted", "the film is shown as a negative"),
    "upside down": _held("upside-down", "the film is upside down"),
    "rotated": _held("rotated", "the film is rotated"),
    "lateral": Refusal(
        code="picture-lateral", reason="not evaluable: by its pixels a lateral film"
    ),
    "other": Refusal(
        code="picture-other", reason="not evaluable: by its pixels no frontal chest radiograph"
    ),
}
CONTRADICTION = Refusal(
    code="tags-contradict-picture",
    reason="the tags name another body part or view, but by its pixels it is a frontal chest "
    "radiograph",
    held=True,
)
UNCHECKED = Notice(
    code="picture-unchecked",
    text="No network for the kind of picture is installed; the film was let in by its tags alone.",
)
RELEASED = Notice(
    code="released", text="The gate held this study; a person looked and let it pass."
)
BY_PICTURE = Notice(
    code="body-part-by-picture",
    text="No body part is stated; by its pixels the film is surely a frontal chest radiograph "
    "and was taken for one.",
)
UNSTATED_PART = "body-part-unknown"  # the hold that a sure picture lifts
DOUBTED = ("body-part", "view")  # refusals by a tag that a picture can contradict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPicture:
    """The part of a display-ready picture that the gate looks at.

    It is a film without the border that a collimator left.

    Attributes:
        pixels: (slices, rows, columns).
        notices: what a reader must know of it.
    """

    pixels: NDArray[np.float32]
    notices: tuple[Notice, ...] = ()

    @classmethod
    def of(cls, pixels: NDArray[np.float32], *, film: bool) -> JudgedPicture:
        """Cut out the field of a collimated film; leave anything else as it is."""
        from medmm.imaging.gate.exposed_field import exposed_field

        field = exposed_field(pixels[0]) if film else None
        if field is None:
            return cls(pixels=pixels)
        notice = Notice(
            code="collimated",
            text=f"Only {field.share:.0%} of the picture is exposed; a uniform border is the "
            "rest. Nothing outside of the field was seen, and the models read field and "
            "border as if they were a whole film.",
        )
        return cls(pixels=field.grey[None], notices=(notice,))

    def empty(self, *, film: bool, background: NDArray[np.bool_] | None = None) -> Refusal | None:
        """Judge the picture by plain pixels.

        The background of the whole picture counts if nothing was cut off.
        """
        same = background is not None and background.shape == self.pixels.shape
        return judge_pixels(self.pixels, film=film, background=background if same else None)


def judge_kind(kind: str, by_tags: Refusal | None) -> Refusal | None:
    """Judge a film by its kind and by what the tags said.

    Args:
        kind: what the pixels say.
        by_tags: None if the tags pass; otherwise a hold, or a refusal whose code is in DOUBTED.
    """
    by_picture = KINDS.get(kind)
    if by_tags is None:
        return by_picture
    if by_tags.held:
        return by_picture if by_picture and not by_picture.held else by_tags
    return CONTRADICTION if by_picture is None else by_tags
