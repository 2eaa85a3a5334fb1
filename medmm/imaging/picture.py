"""What a radiograph's pixels say it is, held against its tags: the gate's second witness.

The witness is asked after every rule that can decide by tags, size and plain pixel statistics. It never lets in what
they refuse: the most it does against a tag is to have a person look.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Notice
from medmm.imaging.gate import Refusal


class PictureKinds(Protocol):
    """Says what kind of picture a display-ready film (rows, columns; 0 black to 1 white) is."""

    def kind_of(self, grey: NDArray[np.float32]) -> str:
        """A key of `KINDS`, or "frontal"."""
        ...


def _held(kind: str, reason: str) -> Refusal:
    return Refusal(code=f"picture-{kind}", reason=f"by its pixels {reason}; a person must look", held=True)


KINDS = {
    "mirrored": _held("mirrored", "the film is mirrored, or the heart is on the right"),
    "inverted": _held("inverted", "the film is shown as a negative"),
    "upside down": _held("upside-down", "the film is upside down"),
    "rotated": _held("rotated", "the film is rotated"),
    "lateral": Refusal(code="picture-lateral", reason="not evaluable: by its pixels a lateral film"),
    "other": Refusal(code="picture-other", reason="not evaluable: by its pixels no frontal chest radiograph"),
}
CONTRADICTION = Refusal(
    code="tags-contradict-picture",
    reason="the tags name another body part or view, but by its pixels it is a frontal chest radiograph",
    held=True,
)
UNCHECKED = Notice(
    code="picture-unchecked",
    text="No network for the kind of picture is installed; the film was let in by its tags alone.",
)
RELEASED = Notice(code="released", text="The gate held this study; a person looked and let it pass.")
DOUBTED = ("body-part", "view")  # refusals by a tag that a picture can contradict


def judge_kind(kind: str, by_tags: Refusal | None) -> Refusal | None:
    """The verdict on a film from its kind and from what the tags said.

    Args:
        kind: what the pixels say.
        by_tags: None where the tags pass; otherwise a hold, or a refusal whose code is in DOUBTED.
    """
    by_picture = KINDS.get(kind)
    if by_tags is None:
        return by_picture
    if by_tags.held:
        return by_picture if by_picture and not by_picture.held else by_tags
    return CONTRADICTION if by_picture is None else by_tags
