"""HTML pages from templates: each stands alone, has no script, and escapes all values."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmm.presentation.slice_picture import png_bytes

if TYPE_CHECKING:
    from jinja2 import Environment


def page(template: str, **values: object) -> str:
    """Render a template of `medmm/presentation/templates/`.

    A value that the template asks for and that is not given raises jinja2.UndefinedError: a page
    lacks nothing silently.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # no command but a page needs it

    return Environment(
        loader=PackageLoader("medmm.presentation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture in a page, its caption, and the letters of its left and right edges.

    The letters are "" if they are unknown.
    """

    source: str
    caption: str
    left: str = ""
    right: str = ""

    @classmethod
    def of(
        cls, picture: NDArray[np.uint8], caption: str, edges: tuple[str, str] = ("", "")
    ) -> Figure:
        """Make the figure of a grey or RGB picture, which travels in the page as PNG."""
        encoded = base64.b64encode(png_bytes(picture)).decode()
        left, right = edges
        return cls(
            source=f"data:image/png;base64,{encoded}", caption=caption, left=left, right=right
        )
