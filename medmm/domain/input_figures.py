"""What the images of a study are like, in a few figures by which drift is told."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.study import Modality, Study, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFigures:
    """What the images of a study are like, for comparison with those of an acceptance.

    Attributes:
        rows: of the film that is read, or of the volume that the reading rests on; `columns`
            likewise.
        spacing_mm: distance of its rows; None if unknown.
        mean_grey: of its display-ready pixels, 0 black to 1 white; `grey_spread` is their standard
            deviation.
        age_years: by the first source that states one; the least of a range.
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


def input_figures(study: Study, sex: str | None = None) -> InputFigures | None:
    """Compute the figures of a study whose pixels can be opened; None if it has no image to read.

    Raises: InputError if its pixels do not decode.
    """
    volume = _read_image(study)
    if volume is None:
        return None
    grey, spacing = volume.pixels(), volume.spacing_yx_mm
    return InputFigures(
        rows=volume.shape_zyx[1],
        columns=volume.shape_zyx[2],
        spacing_mm=spacing[0] if spacing else None,
        mean_grey=round(float(grey.mean()), 4),
        grey_spread=round(float(grey.std()), 4),
        age_years=study.ages[0].least_years if study.ages else None,
        sex=sex,
        view=volume.view.value if study.modality is Modality.RADIOGRAPH else None,
        scanner=volume.scanner,
    )


def _read_image(study: Study) -> Volume | None:
    """Find the film that is read, or the volume that the reading of a study rests on."""
    if study.modality is Modality.RADIOGRAPH:
        return study.frontal
    main = study.volume(study.main_sha256) if study.main_sha256 else None
    return main or study.volumes[0]
