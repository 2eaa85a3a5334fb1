"""What the images of a study are like, in a few figures by which drift is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medmm.domain.study import Study, View, Volume

DIGITS = 4  # of grey values, which are 0 to 1
SLACK = 1e-6  # years: a birthday is a year, whatever a float makes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFigures:
    """What the images of a study are like, for comparison with those of an acceptance.

    Attributes:
        rows: of the film that is read, or of the volume that the reading rests on; `columns`
            likewise.
        spacing_mm: distance of its rows; None if unknown.
        mean_grey: of its display-ready pixels, 0 black to 1 white; `grey_spread` is their standard
            deviation.
        age_years: in whole years, by the first source that states one; the least of a range.
        sex: "M", "F" or "O", as DICOM states it.
        view: of a radiograph; None of other images.
        scanner: its maker and model.
    """

    rows: int
    columns: int
    spacing_mm: float | None = None
    mean_grey: float
    grey_spread: float
    age_years: float | None = None
    sex: str | None = None
    view: str | None = None
    scanner: str | None = None


def input_figures(study: Study, sex: str | None = None) -> InputFigures:
    """Compute the figures of a study whose pixels can be opened.

    Raises: as `Volume.pixels`.
    """
    volume = _main_volume(study)
    grey, spacing, view = volume.pixels(), volume.spacing_yx_mm, volume.view
    return InputFigures(
        rows=volume.shape_zyx[1],
        columns=volume.shape_zyx[2],
        spacing_mm=spacing[0] if spacing else None,
        mean_grey=round(float(np.mean(grey, dtype=np.float64)), DIGITS),
        grey_spread=round(float(np.std(grey, dtype=np.float64)), DIGITS),
        age_years=float(int(study.ages[0].least_years + SLACK)) if study.ages else None,
        sex=sex,
        view=view.value if view is not View.UNKNOWN else None,
        scanner=volume.scanner,
    )


def _main_volume(study: Study) -> Volume:
    """Return the volume that the reading rests on: the frontal film, else the main one."""
    main = study.volume(study.main_sha256) if study.main_sha256 else None
    return study.frontal or main or study.volumes[0]
