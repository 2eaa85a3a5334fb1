"""The second door: geometry, values, the gate's hold, and files that lie about their size."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medmm.domain.codec import from_json, to_json
from medmm.domain.errors import InputError
from medmm.domain.study import Modality, NotEvaluable, SequenceRole, Study
from medmm.imaging import Intake, attach_pixels, look_at, read_studies
from medmm.imaging.nifti.files import is_nifti, load_nifti, open_nifti
from tests.nifti_files import OBLIQUE, head, nifti_file

RELEASED = frozenset({"nifti-unstated"})


def only(path: Path, released: dict[str, frozenset[str]] | None = None) -> Intake:
    (intake,) = read_studies(path, patient_secret=b"x", released=released or {})
    return intake


def released(path: Path) -> Study:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    outcome = only(path, {digest: RELEASED}).outcome
    assert isinstance(outcome, Study), outcome
    return outcome


@pytest.mark.parametrize("name", ["head.nii", "head.nii.gz", "HEAD.NII.GZ"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_file_is_held_until_a_person_says_what_it_is(
    tmp_path: Path, name: str, version: int
) -> None:
    made = nifti_file(tmp_path, name.lower(), version=version)
    path = made.rename(tmp_path / name)
    outcome = only(path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("nifti-unstated", True)
    study = released(path)
    assert study.uid == outcome.uid
    assert study.uid.startswith("2.25.")
    assert len(study.uid) <= 64
    assert (study.modality, study.body_part, study.acquired) == (Modality.MR, "BRAIN", None)
    codes = {notice.code for notice in study.warnings}
    stated = {"nifti", "no-patient-id", "age-unknown", "date-unknown", "window-unknown"}
    assert codes == {"released", "sequences-missing", *stated}
    assert study.missing == (SequenceRole.FLAIR, SequenceRole.T1, SequenceRole.T1_CONTRAST)
    sequence = study.volumes[0].sequence
    assert sequence is not None
    assert sequence.role is SequenceRole.UNKNOWN


def test_voxels_lie_where_nibabel_says_with_x_and_y_turned(tmp_path: Path) -> None:
    path = nifti_file(tmp_path)
    (volume,) = released(path).volumes
    assert volume.shape_zyx == (6, 80, 70)
    index = np.array([3, 5, 2, 1])
    ras = nibabel.load(path).affine @ index
    np.testing.assert_allclose(
        np.array(volume.affine_lps_mm) @ index, ras * [-1, -1, 1, 1], atol=1e-4
    )
    assert volume.spacing_yx_mm == pytest.approx((1, 1))
    assert volume.spacing_z_mm == pytest.approx(2)


def test_values_are_scaled_and_shown_over_their_range_and_come_back_from_the_store(
    tmp_path: Path,
) -> None:
    path = nifti_file(tmp_path, scl_slope=2.0, scl_inter=-10.0)
    study = released(path)
    pixels = study.volumes[0].pixels()
    true = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
    np.testing.assert_allclose(pixels, (true - true.min()) / (true.max() - true.min()), atol=1e-6)
    stored = shutil.copy(path, tmp_path / "object")  # an object in the store has no suffix
    kept = from_json(Study, to_json(study))
    again = attach_pixels(kept, {study.volumes[0].sha256: Path(stored)}.__getitem__)
    np.testing.assert_array_equal(again.volumes[0].pixels(), pixels)


def test_a_stated_display_range_is_the_window(tmp_path: Path) -> None:
    path = nifti_file(tmp_path, cal_min=100, cal_max=300)
    true = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
    np.testing.assert_allclose(load_nifti(path), np.clip((true - 100) / 200.0, 0, 1), atol=1e-6)


def test_what_is_not_finite_is_black_and_does_not_set_the_range(tmp_path: Path) -> None:
    values = head(dtype="<f4")
    values[0, 0], values[1, 0] = np.nan, np.inf
    grey = load_nifti(nifti_file(tmp_path, values=values))
    assert np.isfinite(grey).all()
    assert grey[:, 0, :2].max() == 0
    assert grey.max() == 1


DIAGONAL = np.diag([-1.0, 1, 2, 1])
SHEARED = OBLIQUE.copy()
SHEARED[0, 2] = 1.5


@pytest.mark.parametrize(
    ("affine", "codes", "fields"),
    [
        (OBLIQUE, (0, 0), {}),
        (DIAGONAL, (0, 0), {}),
        (SHEARED, (1, 0), {}),
        (OBLIQUE, (1, 0), {"pixdim": [1, 3, 3, 3, 1, 1, 1, 1]}),
        (OBLIQUE, (1, 0), {"srow_x": [np.nan] * 4}),
        (OBLIQUE, (1, 1), {"srow_x": -OBLIQUE[0]}),  # sform and qform name opposite sides
    ],
)
def test_an_orientation_that_is_not_stated_or_not_credible_is_unknown(
    tmp_path: Path, affine: np.ndarray, codes: tuple[int, int], fields: dict[str, Any]
) -> None:
    path = nifti_file(tmp_path, affine=affine, codes=codes, **fields)
    study = released(path)
    (volume,) = study.volumes
    assert volume.affine_lps_mm is None
    assert not study.orientation_known
    assert volume.spacing_yx_mm is not None
    assert volume.spacing_z_mm is not None
    assert "orientation-unknown" in {notice.code for notice in study.warnings}


@pytest.mark.parametrize("codes", [(1, 0), (2, 0), (4, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, 1, -1)])
def test_axes_without_a_turn_count_where_they_are_stated(
    tmp_path: Path, signs: tuple[int, int, int], codes: tuple[int, int]
) -> None:
    affine = np.diag([*(np.array(signs) * (1, 1, 2)), 1.0])
    study = released(nifti_file(tmp_path, affine=affine, codes=codes))
    (volume,) = study.volumes
    np.testing.assert_allclose(
        np.array(volume.affine_lps_mm), np.diag([-1.0, -1, 1, 1]) @ affine, atol=1e-6
    )
    plain = "orientation-plain" in {notice.code for notice in study.warnings}
    assert plain == (signs == (1, 1, 1))


@pytest.mark.parametrize(
    ("fields", "spacing", "code"),
    [
        ({"pixdim": [1, 0, 0, 0, 1, 1, 1, 1]}, None, "spacing-unknown"),
        (
            {"pixdim": [1, 0.001, 0.001, 0.002, 0, 0, 0, 0], "xyzt_units": 1},
            (1, 1),
            None,
        ),  # in metres
        (
            {"pixdim": [1, 900, 900, 2000, 0, 0, 0, 0], "xyzt_units": 3},
            (0.9, 0.9),
            None,
        ),  # in micrometres
        ({"xyzt_units": 0}, (1, 1), "spacing-unit"),
    ],
)
def test_the_unit_of_the_voxel_size(
    tmp_path: Path, fields: dict[str, Any], spacing: tuple[float, float] | None, code: str | None
) -> None:
    file = open_nifti(nifti_file(tmp_path, codes=(0, 0), **fields))
    found = file.spacing_zyx_mm[1:]
    assert found == (pytest.approx(spacing) if spacing else (None, None))
    codes = {notice.code for notice in file.notices} - {"orientation-unknown"}
    assert codes == ({code} if code else set())


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("frames", head((70, 80, 3, 2))),
        ("colour", head().astype("c8")),
        ("colour", np.zeros((70, 80, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])),
        ("too-small", head((30, 40, 30))),
        ("blank", np.zeros((70, 80, 3), "<i2")),
        ("noise", np.random.default_rng(1).integers(0, 999, (70, 80, 3)).astype("<i2")),
    ],
)
def test_what_is_no_grey_volume_is_refused(tmp_path: Path, code: str, values: np.ndarray) -> None:
    outcome = only(nifti_file(tmp_path, values=values)).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == (code, False)


def test_a_last_axis_of_one_and_a_single_slice_are_volumes(tmp_path: Path) -> None:
    assert released(nifti_file(tmp_path, "a.nii", head((70, 80, 3, 1)))).volumes[0].shape_zyx == (
        3,
        80,
        70,
    )
    assert released(nifti_file(tmp_path, "b.nii", head((70, 80, 1)))).volumes[0].shape_zyx == (
        1,
        80,
        70,
    )


def header(**fields: Any) -> bytes:
    made = nibabel.Nifti1Header()
    made.set_data_dtype("<i2")
    for key, value in {"vox_offset": 352, "magic": b"n+1", **fields}.items():
        made[key] = value
    return made.binaryblock + bytes(4)


def gzip_bomb(size: int, head_bytes: bytes) -> bytes:
    return gzip.compress(head_bytes + bytes(size), 6)


BROKEN = {
    "claims.nii": header(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]) + bytes(100),
    "claims.nii.gz": gzip.compress(header(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1])),
    "negative.nii": header(dim=[3, -1, -1, -1, 1, 1, 1, 1]) + bytes(100),
    "no_axes.nii": header(dim=[0, 1, 1, 1, 1, 1, 1, 1]) + bytes(100),
    "many_axes.nii": header(dim=[9, 1, 1, 1, 1, 1, 1, 1]) + bytes(100),
    "offset.nii": header(dim=[3, 70, 80, 3, 1, 1, 1, 1], vox_offset=1e30) + bytes(40000),
    "nan_offset.nii": header(dim=[3, 70, 80, 3, 1, 1, 1, 1], vox_offset=np.nan) + bytes(40000),
    "datatype.nii": header(dim=[3, 70, 80, 3, 1, 1, 1, 1], datatype=9999) + bytes(40000),
    "cut.nii": header(dim=[3, 70, 80, 3, 1, 1, 1, 1]) + bytes(100),
    "cut.nii.gz": gzip.compress(header(dim=[3, 70, 80, 3, 1, 1, 1, 1]) + bytes(70 * 80 * 6))[:-20],
    "short.nii.gz": gzip.compress(header(dim=[3, 70, 80, 3, 1, 1, 1, 1]) + bytes(100)),
    "bad_sum.nii.gz": gzip.compress(header(dim=[3, 70, 80, 3, 1, 1, 1, 1]) + bytes(70 * 80 * 6))[
        :-8
    ]
    + bytes(8),
    "inflates.nii.gz": gzip_bomb(2**24, header(dim=[3, 70, 80, 3, 1, 1, 1, 1])),
    "bomb.nii.gz": gzip_bomb(2**27, header(dim=[3, 512, 512, 256, 1, 1, 1, 1])),
    "magic.nii": header(magic=b"xxx") + bytes(40000),
    "pair.hdr": header(magic=b"ni1", dim=[3, 70, 80, 3, 1, 1, 1, 1]),
    "text.nii": b"this is a text",
    "empty.nii": b"",
    "gzip_of_text.nii.gz": gzip.compress(b"this is a text" * 100),
    "no_gzip.nii.gz": b"\x1f\x8b" + b"no gzip" * 100,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_lies_is_an_input_error_at_once_and_in_bounded_memory(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    tracemalloc.start()
    start = time.monotonic()
    try:
        outcome = only(path).outcome
        took, peak = time.monotonic() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, InputError), outcome
    assert outcome.where["path"] == str(path)
    assert took < 2
    assert peak < 100 * 2**20


def test_a_nifti_2_header_that_claims_a_cube_of_65535_is_refused(tmp_path: Path) -> None:
    made = nibabel.Nifti2Header()
    made.set_data_shape((65535, 65535, 65535))
    made["vox_offset"], made["magic"] = 544, b"n+2"
    path = tmp_path / "cube.nii"
    path.write_bytes(made.binaryblock + bytes(4000))
    assert isinstance(only(path).outcome, InputError)


def test_a_zip_of_a_volume_is_no_nifti(tmp_path: Path) -> None:
    inner = nifti_file(tmp_path / "in", "head.nii")
    for name in ("head.nii.zip", "head.nii"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(inner, "head.nii")
        assert isinstance(only(tmp_path / name).outcome, InputError)


def test_content_decides_before_the_name(tmp_path: Path) -> None:
    unnamed = shutil.copy(nifti_file(tmp_path), tmp_path / "1")
    assert is_nifti(Path(unnamed))
    dicom = tmp_path / "dicom.nii"
    dicom.write_bytes(bytes(128) + b"DICM" + struct.pack("<HH", 2, 0))
    assert not is_nifti(dicom)


def test_a_gzip_of_several_members_is_read_whole(tmp_path: Path) -> None:
    plain = nifti_file(tmp_path, "head.nii").read_bytes()
    path = tmp_path / "members.nii.gz"
    path.write_bytes(gzip.compress(plain[:5000]) + gzip.compress(plain[5000:]))
    np.testing.assert_array_equal(load_nifti(path), load_nifti(tmp_path / "head.nii"))


def test_a_copy_is_read_once_and_two_files_of_nobody_are_two_patients(tmp_path: Path) -> None:
    first = nifti_file(tmp_path / "one", "a.nii")
    shutil.copy(first, tmp_path / "one" / "b.nii")
    other = nifti_file(tmp_path, "c.nii", values=head()[::-1])
    codes = {hashlib.sha256(path.read_bytes()).hexdigest(): RELEASED for path in (first, other)}
    once = only(tmp_path / "one", codes)
    assert isinstance(once.outcome, Study)
    assert "duplicate-dropped" in {notice.code for notice in once.outcome.warnings}
    assert len(once.files) == 2
    two = only(other, codes).outcome
    assert isinstance(two, Study)
    assert two.patient_key != once.outcome.patient_key


def test_a_look_shows_geometry_and_pictures_while_it_is_held(tmp_path: Path) -> None:
    (look,) = look_at(only(nifti_file(tmp_path)))
    (volume,) = look.volumes
    assert volume.affine_lps_mm is not None
    assert volume.pixels().shape == (6, 80, 70)
    assert [objection.code for objection in look.objections] == ["nifti-unstated"]
    (several,) = look_at(only(nifti_file(tmp_path, "b.nii", head((70, 80, 3, 2)))))
    assert several.volumes == ()
    assert several.problem
