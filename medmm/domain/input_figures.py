"""What a reading model was given of a study, in a few figures: what drift is told by."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.study import Modality, Study, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFigures:
    """What a reading model was given of a study, in a few figures.

    Attributes:
        rows, columns, slices: of the film that is read, or the volume that the reading rests on.
        spacing_yx_mm: distance of rows, of columns; None if unknown.
        mean_grey, grey_spread: mean and standard deviation: of a film on the scale of 0 black to 1
            white, of an MR volume in the units of its signal.
        age_years: by the first source that states one; the least of a range.
        sex: M, F or O; None if it is not stated.
        view: of a film, as DICOM names it.
        scanner: manufacturer and model; None if they are not stated.
    """

    rows: int
    columns: int
    slices: int
    spacing_yx_mm: tuple[float, float] | None
    mean_grey: float
    grey_spread: float
    age_years: float | None = None
    sex: str | None = None
    view: str | None = None
    scanner: str | None = None


def input_figures(study: Study, sex: str | None) -> InputFigures | None:
    """Compute the figures of a study whose pixels can be opened; None if no image is read.

    Raises: InputError if its pixels do not decode.
    """
    volume = _read_image(study)
    if volume is None:
        return None
    film = study.modality is Modality.RADIOGRAPH
    grey = volume.pixels() if film else volume.signal()
    slices, rows, columns = volume.shape_zyx
    return InputFigures(
        rows=rows,
        columns=columns,
        slices=slices,
        spacing_yx_mm=volume.spacing_yx_mm,
        mean_grey=round(float(grey.mean()), 4),
        grey_spread=round(float(grey.std()), 4),
        age_years=study.ages[0].least_years if study.ages else None,
        sex=sex,
        view=volume.view.value if film else None,
        scanner=volume.scanner,
    )


def _read_image(study: Study) -> Volume | None:
    """Find the film that is read, or the volume that the reading of a study rests on."""
    if study.modality is Modality.RADIOGRAPH:
        return study.frontal
    main = study.volume(study.main_sha256) if study.main_sha256 else None
    return main or study.volumes[0]
