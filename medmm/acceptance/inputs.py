"""What the images of a study are like: figures that later studies are compared by."""

from __future__ import annotations

import numpy as np

from medmm.domain.acceptance import InputFigures
from medmm.domain.study import StatedAge, Study, View, Volume

DIGITS = 4  # of grey values, which are 0 to 1


def input_figures(
    study: Study, *, sex: str | None = None, scanner: str | None = None
) -> InputFigures:
    """Measure the image that a study's reading rests on.

    Args:
        sex, scanner: as the image's header states them, which no study keeps.
    Raises: as `Volume.pixels`.
    """
    volume = main_volume(study)
    grey = volume.pixels()
    return InputFigures(
        rows=volume.shape_zyx[1],
        columns=volume.shape_zyx[2],
        spacing_mm=volume.spacing_yx_mm[0] if volume.spacing_yx_mm else None,
        mean_grey=round(float(np.mean(grey, dtype=np.float64)), DIGITS),
        grey_spread=round(float(np.std(grey, dtype=np.float64)), DIGITS),
        age_years=age_of(study.ages),
        sex=sex,
        view=volume.view.value if volume.view is not View.UNKNOWN else None,
        scanner=scanner,
    )


def main_volume(study: Study) -> Volume:
    """Return the volume that the reading rests on: the frontal film, else the main one."""
    main = study.volume(study.main_sha256) if study.main_sha256 else None
    return study.frontal or main or study.volumes[0]


def age_of(ages: tuple[StatedAge, ...]) -> float | None:
    """Return the age that the first source states, in whole years; None if none does."""
    return float(int(ages[0].least_years + 1e-6)) if ages else None
