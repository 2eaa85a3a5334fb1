"""The door for arrays: what a folder and a task become, what is refused, and what is an error."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.read_task import ReadTask
from medmm.domain.study import Modality, NotEvaluable, SequenceRole, Study
from medmm.imaging import Intake, read_arrays
from medmm.imaging.nifti.files import nifti_signal
from medmm.models.mr.resampling import on_grid_of
from tests import mri_sets
from tests.array_files import CINE, CINE_MM, CROP, NAMES, SLAB, blob, diagonal, folder_of
from tests.nifti_files import OBLIQUE, nifti_file

HIPPOCAMPUS, LESION, CARDIAC = ReadTask.HIPPOCAMPUS, ReadTask.BRAIN_LESION, ReadTask.CARDIAC


def intake(folder: Path, task: ReadTask) -> Intake:
    (found,) = read_arrays(folder, task, patient_secret=b"x")
    return found


def study_of(folder: Path, task: ReadTask) -> Study:
    outcome = intake(folder, task).outcome
    assert isinstance(outcome, Study), outcome
    return outcome


def refused(folder: Path, task: ReadTask) -> NotEvaluable:
    outcome = intake(folder, task).outcome
    assert isinstance(outcome, NotEvaluable), outcome
    assert outcome.reason.startswith("not evaluable: ")
    assert not outcome.held
    return outcome


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NII.GZ"])
@pytest.mark.parametrize(
    ("task", "body_part", "roles"),
    [
        (HIPPOCAMPUS, "HIPPOCAMPUS", (SequenceRole.T1,)),
        (LESION, "BRAIN", (SequenceRole.FLAIR, SequenceRole.T1, SequenceRole.T1_CONTRAST)),
        (CARDIAC, "HEART", (SequenceRole.CINE_ED, SequenceRole.CINE_ES)),
    ],
)
def test_the_names_of_files_give_the_roles(
    tmp_path: Path, task: ReadTask, body_part: str, roles: tuple[SequenceRole, ...], suffix: str
) -> None:
    folder = folder_of(tmp_path, task, suffix=suffix.lower())
    for path in folder.iterdir():
        path.rename(folder / path.name.replace(suffix.lower(), suffix))
    study = study_of(folder, task)
    assert (study.modality, study.body_part, study.acquired) == (Modality.MR, body_part, None)
    assert tuple(choice.role for choice in study.sequences) == roles
    assert study.missing == ()
    for stem, role in zip(NAMES[task], roles, strict=True):
        volume = study.chosen(role)
        assert volume is not None
        assert volume.sequence is not None
        assert volume.sequence.reason == f"named by the file {stem}{suffix}"
        assert volume.affine_lps_mm is None
        true = np.asarray(nibabel.load(folder / (stem + suffix)).dataobj).T
        np.testing.assert_array_equal(volume.signal(), true)
        assert volume.pixels().max() == 1
    codes = {notice.code for notice in study.warnings}
    assert {"arrays-by-name", "age-unknown", "orientation-unknown"} <= codes
    assert ("lesion-not-in-ml" in codes) == (task is LESION)


def test_the_signal_is_scaled_and_has_no_window(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, HIPPOCAMPUS, scl_slope=0.5, scl_inter=-7, cal_min=0, cal_max=50)
    (volume,) = study_of(folder, HIPPOCAMPUS).volumes
    true = np.asarray(nibabel.load(folder / "t1.nii.gz").dataobj).T
    np.testing.assert_allclose(volume.signal(), true, rtol=1e-6)
    assert volume.signal().dtype == np.float32
    assert volume.pixels().mean() > 0.5  # most of it lies above that window


def test_the_signal_keeps_what_is_not_finite(tmp_path: Path) -> None:
    values = blob(CROP).astype("<f8")
    values[0, 0, 0], values[1, 0, 0] = np.nan, 1e300
    signal = nifti_signal(nifti_file(tmp_path, values=values))
    assert np.isnan(signal[0, 0, 0])
    assert np.isposinf(signal[0, 0, 1])


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, LESION)
    (folder / "t1.nii.gz").unlink()
    assert study_of(folder, LESION).missing == (SequenceRole.T1,)
    (folder / "t1c.nii.gz").unlink()
    study = study_of(folder, LESION)
    assert study.missing == (SequenceRole.T1, SequenceRole.T1_CONTRAST)
    assert len(study.volumes) == 1


def test_a_missing_sequence_that_was_filled_with_another_is_missing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, LESION)
    flair = nibabel.load(folder / "flair.nii.gz")
    (folder / "t1.nii.gz").unlink()
    nibabel.save(flair, folder / "t1.nii")  # the same values in other bytes
    shutil.copy(folder / "flair.nii.gz", folder / "t1c.nii.gz")
    study = study_of(folder, LESION)
    assert study.missing == (SequenceRole.T1, SequenceRole.T1_CONTRAST)
    repeated = [notice.text for notice in study.warnings if notice.code == "array-repeated"]
    assert repeated == [
        f"{name} holds the same values as flair.nii.gz and was left out: that sequence is missing."
        for name in ("t1.nii", "t1c.nii.gz")
    ]


def test_the_same_content_is_the_same_study_of_nobody(tmp_path: Path) -> None:
    one = folder_of(tmp_path, CARDIAC, "one")
    other = Path(shutil.copytree(one, tmp_path / "other"))
    first, second = study_of(one, CARDIAC), study_of(other, CARDIAC)
    assert (first.uid, first.patient_key) == (second.uid, second.patient_key)
    found = intake(one, CARDIAC)
    assert found.path == one
    assert found.identity is not None
    assert found.identity.patient_id is None
    assert {file.path.name for file in found.files} == {"ed.nii.gz", "es.nii.gz"}


def test_spacing_counts_without_orientation_but_not_for_a_lesion(tmp_path: Path) -> None:
    (crop,) = study_of(folder_of(tmp_path, HIPPOCAMPUS), HIPPOCAMPUS).volumes
    assert (crop.spacing_z_mm, crop.spacing_yx_mm, crop.affine_lps_mm) == (1, (1, 1), None)
    ed, _ = study_of(folder_of(tmp_path, CARDIAC), CARDIAC).volumes
    assert (ed.spacing_z_mm, ed.spacing_yx_mm) == (8, (1.5, 1.5))
    flair = study_of(folder_of(tmp_path, LESION), LESION).volumes[0]
    assert (flair.spacing_z_mm, flair.spacing_yx_mm) == (None, (1, 1))


def test_an_oblique_affine_is_known(tmp_path: Path) -> None:
    study = study_of(folder_of(tmp_path, LESION, affine=OBLIQUE), LESION)
    assert study.orientation_known
    assert "orientation-unknown" not in {notice.code for notice in study.warnings}


def without(stem: str) -> Callable[[Path], None]:
    return lambda folder: (folder / f"{stem}.nii.gz").unlink()


def other(stem: str, values: Any, affine: Any = None, **fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        nifti_file(
            folder,
            f"{stem}.nii.gz",
            values,
            affine=diagonal() if affine is None else affine,
            **fields,
        )

    return change


def twin(folder: Path) -> None:
    shutil.copy(folder / "ed.nii.gz", folder / "es.nii.gz")


def slanted(affine: np.ndarray) -> np.ndarray:
    """Slices that are shifted along the rows, each by a fifth of a voxel more."""
    return affine @ np.array([[1, 0, 0.2, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def holed(value: float) -> np.ndarray:
    values = blob(CROP).astype("<f4")
    values[3, 4, 5] = value
    return values


NOISE = np.random.default_rng(3).integers(0, 900, CROP).astype("<i2")
COLOURS = np.zeros(CROP, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
FOUR_D = np.repeat(blob(CROP)[..., None], 3, axis=3)
CINE_AFFINE = diagonal(CINE_MM)


@pytest.mark.parametrize(
    ("task", "change", "code"),
    [
        (HIPPOCAMPUS, other("t1", FOUR_D), "frames"),
        (HIPPOCAMPUS, other("t1", COLOURS), "colour"),
        (HIPPOCAMPUS, other("t1", np.zeros(CROP, "<i2")), "blank"),
        (HIPPOCAMPUS, other("t1", np.full(CROP, 7, "<i2")), "blank"),
        (HIPPOCAMPUS, other("t1", holed(np.nan)), "not-finite"),
        (HIPPOCAMPUS, other("t1", holed(np.inf)), "not-finite"),
        (HIPPOCAMPUS, other("t1", NOISE), "noise"),
        (HIPPOCAMPUS, other("t1", blob((34, 50, 1))), "single-slice"),
        (HIPPOCAMPUS, other("t1", blob(CROP)[:, :, 0]), "single-slice"),
        (HIPPOCAMPUS, other("t1", blob((34, 1, 36))), "single-slice"),
        (HIPPOCAMPUS, other("t1", blob((160, 200, 160))), "not-a-crop"),
        (HIPPOCAMPUS, other("t1", blob((34, 50, 66))), "not-a-crop"),
        (HIPPOCAMPUS, other("t1", blob((18, 50, 36))), "not-a-crop"),
        (HIPPOCAMPUS, other("t1", blob(CROP), diagonal((1e-3, 1, 1))), "spacing-unknown"),
        (HIPPOCAMPUS, other("t1", blob(CROP), diagonal((1, 1, 5e4))), "spacing-unknown"),
        (HIPPOCAMPUS, other("t1", blob(CROP), diagonal((4, 4, 4))), "spacing-odd"),
        (HIPPOCAMPUS, other("t1", blob(CROP), slanted(diagonal())), "slanted"),
        (
            HIPPOCAMPUS,
            other("t1", blob(CROP), diagonal(), pixdim=[1, 1.5, 1, 1, 1, 1, 1, 1]),
            "slanted",
        ),
        (CARDIAC, other("es", blob(CINE), slanted(diagonal(CINE_MM))), "slanted"),
        (CARDIAC, other("ed", blob(CINE)), "spacing-odd"),
        (CARDIAC, other("es", blob(CINE), diagonal((8, 1.5, 1.5))), "spacing-odd"),
        (
            CARDIAC,
            other("es", blob(CINE), CINE_AFFINE, pixdim=[1, 0, 0, 0, 1, 1, 1, 1]),
            "spacing-unknown",
        ),
        (CARDIAC, other("es", blob((70, 66, 8)), CINE_AFFINE), "grids-differ"),
        (CARDIAC, other("es", blob(CINE), diagonal((1.5, 1.5, 9))), "grids-differ"),
        (CARDIAC, other("es", blob(CINE), diagonal((-1.5, 1.5, 8))), "grids-differ"),
        (CARDIAC, twin, "same-image"),
        (CARDIAC, other("es", blob((40, 40, 9)), CINE_AFFINE), "too-small"),
        (LESION, other("t1", blob((60, 80, 10)), diagonal((1, 1, 3))), "grids-differ"),
        (LESION, other("t1", blob(SLAB), diagonal((1, 1, 4))), "grids-differ"),
        (
            LESION,
            other("t1c", np.repeat(blob(SLAB)[..., None], 2, axis=3), diagonal((1, 1, 3))),
            "frames",
        ),
    ],
)
def test_what_can_not_be_read_as_its_task_is_refused_with_the_reason(
    tmp_path: Path, task: ReadTask, change: Callable[[Path], None], code: str
) -> None:
    folder = folder_of(tmp_path, task)
    change(folder)
    outcome = refused(folder, task)
    assert outcome.reason_code == code, outcome.reason


def test_a_whole_head_is_told_its_size_and_the_bound(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, HIPPOCAMPUS)
    other("t1", blob((80, 100, 90)), diagonal((2, 2, 2)))(folder)
    assert "t1.nii.gz spans 160 x 200 x 180 mm" in refused(folder, HIPPOCAMPUS).reason
    assert "20 to 64 mm" in refused(folder, HIPPOCAMPUS).reason


def test_a_lesion_without_any_spacing_is_read_and_says_so(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, LESION, pixdim=[1, 1e6, 1e6, 1e6, 1, 1, 1, 1])
    study = study_of(folder, LESION)
    assert "spacing-unknown" in {notice.code for notice in study.warnings}
    assert study.volumes[0].spacing_yx_mm is None


def test_another_grid_can_be_brought_over_where_both_headers_are_known(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, LESION, affine=OBLIQUE)
    # every voxel of t1 is half a voxel of flair: the same field in twice as many rows and columns
    finer = OBLIQUE @ np.diag([0.5, 0.5, 1, 1])
    finer[:3, 3] = (OBLIQUE @ [-0.25, -0.25, 0, 1])[:3]
    values = np.asarray(nibabel.load(folder / "t1.nii.gz").dataobj)
    nifti_file(folder, "t1.nii.gz", values.repeat(2, 0).repeat(2, 1), affine=finer)
    study = study_of(folder, LESION)
    flair, t1 = study.chosen(SequenceRole.FLAIR), study.chosen(SequenceRole.T1)
    assert flair is not None
    assert t1 is not None
    np.testing.assert_allclose(on_grid_of(flair, t1), values.T, atol=1e-3)
    assert [n.code for n in study.warnings].count("array-resampled") == 1


def test_a_turned_grid_lies_where_its_header_says(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, LESION, affine=OBLIQUE)
    values = np.asarray(nibabel.load(folder / "t1.nii.gz").dataobj)
    turned = OBLIQUE @ np.array(
        [[-1.0, 0, 0, SLAB[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    )
    nifti_file(folder, "t1.nii.gz", values[::-1].copy(), affine=turned)
    study = study_of(folder, LESION)
    flair, t1 = study.chosen(SequenceRole.FLAIR), study.chosen(SequenceRole.T1)
    assert flair is not None
    assert t1 is not None
    np.testing.assert_allclose(on_grid_of(flair, t1), values.T, atol=1e-2)


def test_a_grid_that_misses_flair_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, LESION, affine=OBLIQUE)
    away = OBLIQUE.copy()
    away[:3, 3] += 40
    nifti_file(folder, "t1.nii.gz", blob(SLAB), affine=away)
    assert refused(folder, LESION).reason_code == "not-covered"


@pytest.mark.parametrize("task", list(ReadTask))
def test_a_file_that_is_no_nifti_or_cut_short_is_an_error_of_that_file(
    tmp_path: Path, task: ReadTask
) -> None:
    folder = folder_of(tmp_path, task)
    path = folder / f"{NAMES[task][-1]}.nii.gz"
    whole = path.read_bytes()
    for content in (b"", b"no nifti at all", whole[: len(whole) // 2], whole[:-400]):
        path.write_bytes(content)
        outcome = intake(folder, task).outcome
        assert isinstance(outcome, InputError)
        assert outcome.where["path"] == str(path)
        assert outcome.remedy


def test_wrong_names_say_what_was_looked_for_what_is_there_and_the_remedy(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, HIPPOCAMPUS)
    (folder / "notes.txt").write_text("x")
    with pytest.raises(InputError) as caught:
        intake(folder, CARDIAC)
    assert caught.value.problem == (
        "--task cardiac looks for ed.nii.gz and es.nii.gz, or .nii; there is: t1.nii.gz; 1 other files"
    )
    assert caught.value.remedy == "give the files these names"
    with pytest.raises(
        InputError,
        match=r"flair\.nii\.gz \(with t1\.nii\.gz and t1c\.nii\.gz where there are any\)",
    ):
        intake(folder, LESION)


def test_one_phase_alone_is_no_heart(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, CARDIAC)
    without("es")(folder)
    with pytest.raises(InputError, match=r"there is: ed\.nii\.gz"):
        intake(folder, CARDIAC)


def test_a_dicom_folder_is_told_to_leave_the_task_out(tmp_path: Path, demo_films: Path) -> None:
    shutil.copy(demo_films / "MR2_UNCR.dcm", tmp_path / "a.dcm")
    with pytest.raises(InputError, match="1 DICOM files") as caught:
        intake(tmp_path, HIPPOCAMPUS)
    assert caught.value.remedy.startswith("leave --task out")
    shutil.copy(demo_films / "MR2_UNCR.dcm", tmp_path / "t1.nii.gz")
    outcome = intake(tmp_path, HIPPOCAMPUS).outcome
    assert isinstance(outcome, InputError)
    assert outcome.problem == "DICOM under the name of a NIfTI file"


def test_what_is_no_folder_of_arrays_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "all", HIPPOCAMPUS)
    for path, problem in (
        (tmp_path / "nothing", "no such folder"),
        (folder / "t1.nii.gz", "reads a folder, and this is none"),
        (tmp_path / "all", "there is: 1 folders"),
    ):
        with pytest.raises(InputError, match=problem) as caught:
            intake(path, HIPPOCAMPUS)
        assert caught.value.where["path"] == str(path)
    shutil.copy(folder / "t1.nii.gz", folder / "t1.nii")
    with pytest.raises(InputError, match=r"t1\.nii and t1\.nii\.gz"):
        intake(folder, HIPPOCAMPUS)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    away, folder = folder_of(tmp_path, HIPPOCAMPUS, "away"), tmp_path / "here"
    folder.mkdir()
    (folder / "t1.nii.gz").symlink_to(away / "t1.nii.gz")
    with pytest.raises(InputError, match="a link is not followed"):
        intake(folder, HIPPOCAMPUS)


def test_no_subject_of_the_shared_sets_is_refused(shared_data: Path, tmp_path: Path) -> None:
    load = mri_sets.loader(shared_data)
    for name, task in mri_sets.SETS.items():
        for row in load.table(name, "test")[:4]:
            study = study_of(mri_sets.subject_folder(load, row, tmp_path / row["subject"]), task)
            have = row["channels"].split("+") if name == "lgg" else NAMES[task]
            assert len(study.volumes) == len(have)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_a_header_of_absurd_places_is_refused_or_read_without_orientation(
    tmp_path: Path, value: float
) -> None:
    row = np.array([[value, 0, 0, value]], dtype="<f4")[0]
    alone = folder_of(tmp_path, HIPPOCAMPUS, affine=diagonal(), srow_x=row)
    finite = bool(np.isfinite(value))
    if finite:
        assert refused(alone, HIPPOCAMPUS).reason_code == "slanted"
    else:
        assert not study_of(alone, HIPPOCAMPUS).orientation_known
    folder = folder_of(tmp_path, CARDIAC)
    nifti_file(folder, "es.nii.gz", blob(CINE, 0.2), affine=CINE_AFFINE, srow_x=row)
    assert refused(folder, CARDIAC).reason_code == ("slanted" if finite else "grids-differ")
