"""A stored frame as a picture file, for browsers that can't draw it themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO

from PIL import Image

from medmm.domain.errors import InputError
from medmm.domain.stored_frame import StoredFrame, Window, WindowFunction
from medmm.presentation.film_picture import grey_bytes

SMALLEST_PX, LARGEST_PX = 16, 8192
USUAL_PX = 1024
JPEG_QUALITY = 92
_MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnAs:
    """How a frame is drawn.

    Attributes:
        size_px: its longest side, at most; a smaller frame is not enlarged.
        window: None for what the frame shows first.
        inverted: whether small values are white; None for what the frame says.
        form: "png" or "jpeg".
    """

    size_px: int = USUAL_PX
    window: Window | None = None
    inverted: bool | None = None
    form: str = "png"

    @classmethod
    def of(cls, query: Mapping[str, str]) -> DrawnAs:
        """Read `longest_px`, `center`, `width`, `function`, `inverted` and `format`.

        Raises: InputError if one can't be used.
        """
        form, size = query.get("format", "png"), _number(query, "longest_px", USUAL_PX)
        inverted = query.get("inverted", "")
        if form not in _MEDIA_TYPES:
            raise InputError("no such picture format", remedy="ask for png or jpeg")
        if not SMALLEST_PX <= size <= LARGEST_PX:
            raise InputError(
                "no such picture size", remedy=f"ask for {SMALLEST_PX} to {LARGEST_PX} pixels"
            )
        if inverted not in ("", "0", "1"):
            raise InputError("inverted is neither 0 nor 1", remedy="write 0 or 1")
        return cls(
            size_px=int(size),
            window=_window(query),
            inverted=inverted == "1" if inverted else None,
            form=form,
        )

    @property
    def media_type(self) -> str:
        """Media type of the picture file."""
        return _MEDIA_TYPES[self.form]


def _window(query: Mapping[str, str]) -> Window | None:
    if "center" not in query and "width" not in query:
        return None
    try:
        function = WindowFunction(query.get("function", WindowFunction.LINEAR.value))
    except ValueError as error:
        raise InputError(
            "no such window function", remedy="ask for LINEAR, LINEAR_EXACT or SIGMOID"
        ) from error
    return Window(
        name="asked for",
        center=_number(query, "center", math.nan),
        width=_number(query, "width", math.nan),
        function=function,
    )


def _number(query: Mapping[str, str], name: str, otherwise: float) -> float:
    try:
        return float(query.get(name, otherwise))
    except ValueError as error:
        raise InputError(f"{name} is no number", remedy="write it as 40 or 0.5") from error


def drawn_frame(frame: StoredFrame, drawn: DrawnAs, aspect: float = 1.0) -> bytes:
    """Draw a frame as it lies; return the bytes of the picture file.

    Args:
        aspect: height of a pixel over its width.
    """
    if drawn.inverted is not None:
        frame = replace(frame, inverted=drawn.inverted)
    grey = grey_bytes(frame.grey(drawn.window), drawn.size_px, aspect=aspect)
    target = BytesIO()
    image = Image.fromarray(grey)
    if drawn.form == "jpeg":
        image.save(target, format="JPEG", quality=JPEG_QUALITY)
    else:
        image.save(target, format="PNG", compress_level=1)
    return target.getvalue()
