"""Synthetic studies for the viewer's tests and its benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.ui.viewer_page import Series, Site

IN_PATIENT = {"spacing_yx_mm": [1.2, 1.5], "spacing_meaning": "in the patient"}
AFFINE = [[1.5, 0, 0, -60], [0, 1.2, 0, -40], [0, 0, 4, -30], [0, 0, 0, 1]]
FILM_EDGES = {"left": "R", "right": "L", "top": "H", "bottom": "F"}
MASK = np.zeros((12, 64, 80), np.uint8)
MASK[5:10, 20:40, 30:50] = 1
HEAT = np.zeros((12, 10), np.uint8)
HEAT[4:7, 2:5] = 255


def mr_stack(slices: int = 12) -> NDArray[np.int16]:
    z, y, x = np.mgrid[0:slices, 0:64, 0:80]
    stack = (100 + z * 40 + x + y).astype(np.int16)
    stack[:, 4:14, 4:20] = 950  # at the side where columns and rows begin
    return stack


def film(rows: int = 300, columns: int = 240) -> NDArray[np.uint16]:
    y, x = np.mgrid[0:rows, 0:columns]
    grid = (x * 4 + y * 2).astype(np.uint16)
    grid[10:40, 10:60] = 4000
    return grid[None]


def reading_site(**told: Any) -> Site:
    """An MR series with a mask, its prior, and a film with heat and a box."""
    site = Site(
        series=[
            Series(id="t1", stored=mr_stack(), told={**IN_PATIENT, "affine_lps_mm": AFFINE}),
            Series(
                id="film",
                stored=film(),
                told={
                    "modality": "DX",
                    "edges": FILM_EDGES,
                    "spacing_yx_mm": [0.2, 0.2],
                    "spacing_meaning": "at the detector",
                    "windows": [
                        {"name": "default", "center": 1000, "width": 2000, "function": "LINEAR"},
                        {"name": "bone", "center": 3000, "width": 2000, "function": "LINEAR"},
                    ],
                    **told,
                },
            ),
            Series(
                id="old",
                stored=mr_stack(),
                told={
                    **IN_PATIENT,
                    "affine_lps_mm": AFFINE,
                    "prior": True,
                    "acquired": "2025-03-01",
                },
            ),
        ],
        statements=[
            {"id": "s1", "series": "t1", "slice": 8, "overlays": ["m1"]},
            {"id": "s2", "series": "film", "slice": 0, "overlays": ["h1"]},
        ],
    )
    site.overlays = [
        {
            "id": "m1", "kind": "mask", "series": "t1", "name": "lesion", "label": None,
            "url": "/overlays/m1", "box_xyxy": None,
            "slices": [5, 9], "statements": ["s1"],
        },
        {
            "id": "h1", "kind": "heat", "series": "film", "name": "opacity", "label": None,
            "url": "/overlays/h1", "box_xyxy": [0.2, 0.3, 0.5, 0.6],
            "slices": None, "statements": ["s2", "s3"],
        },
    ]  # fmt: skip
    site.grids = {"m1": MASK, "h1": HEAT}
    return site


def only(site: Site, *identities: str) -> Site:
    """The same server, with some of its series told of."""
    return Site(
        series=[site.find(one) for one in identities], token=site.token, address=site.address
    )


@contextmanager
def added(site: Site, series: list[Series]) -> Iterator[None]:
    """Let the server give more series for a while."""
    site.series.extend(series)
    try:
        yield
    finally:
        for one in series:
            site.series.remove(one)


def spot(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the bright patch lies, as fractions of the drawn picture (across, down)."""
    grey = picture[..., 0]
    rows, columns = np.nonzero(grey >= 235)
    drawn_rows, drawn_columns = np.nonzero(grey > 8)
    left, right = drawn_columns.min(), drawn_columns.max()
    top, bottom = drawn_rows.min(), drawn_rows.max()
    return (
        float((columns.mean() - left) / (right - left)),
        float((rows.mean() - top) / (bottom - top)),
    )
