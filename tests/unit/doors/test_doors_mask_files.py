"""Label maps as NIfTI: the header of the source, the voxels of the map, and a place that no name of a folder chooses."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medmm.domain.errors import InputError, Unavailable
from medmm.domain.reading import LabelMap
from medmm.doors.mask_files import folders_for, study_name, write_label_map
from tests.array_files import CROP, blob, diagonal
from tests.nifti_files import OBLIQUE, nifti_file

TURNED = OBLIQUE[:, [2, 0, 1, 3]]  # the slices of the patient run along the first axis of the array


def label_map(path: Path, values: Any, name: str = "hippocampus") -> LabelMap:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LabelMap.from_array(name, digest, ("anterior", "posterior"), values)


def labels_zyx(path: Path) -> Any:
    stored = np.asarray(nibabel.load(path).dataobj)
    return (stored.reshape(stored.shape[:3]).T > 500).astype(np.uint8) * 2


@pytest.mark.parametrize("name", ["t1.nii", "t1.nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("dtype", ["<i2", ">f4", "<f8"])
@pytest.mark.parametrize(
    ("affine", "codes"),
    [
        (diagonal(), (2, 0)),
        (diagonal((-1, 1, 1)), (0, 0)),
        (OBLIQUE, (1, 1)),
        (OBLIQUE, (0, 3)),
        (TURNED, (4, 0)),
    ],
)
def test_shape_affine_codes_units_and_voxels_are_those_of_the_source(
    tmp_path: Path, name: str, version: int, dtype: str, affine: Any, codes: tuple[int, int]
) -> None:
    path = nifti_file(
        tmp_path, name, blob(CROP).astype(dtype), affine=affine, codes=codes, version=version
    )
    values = labels_zyx(path)
    written = write_label_map(label_map(path, values), tmp_path, tmp_path / "out")
    assert written == tmp_path / "out" / "hippocampus.nii.gz"
    source, made = nibabel.load(path), nibabel.load(written)
    assert type(made) is type(source)
    assert made.shape == source.shape
    assert made.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(made.affine, source.affine)
    for field in (
        "sform_code",
        "qform_code",
        "xyzt_units",
        "pixdim",
        "dim",
        "srow_x",
        "srow_y",
        "srow_z",
    ):
        np.testing.assert_array_equal(made.header[field], source.header[field], err_msg=field)
    for form in ("get_sform", "get_qform"):
        np.testing.assert_array_equal(getattr(made.header, form)(), getattr(source.header, form)())
    np.testing.assert_array_equal(np.asarray(made.dataobj).T, values)
    assert made.header.get_slope_inter() in ((None, None), (1.0, 0.0))


def test_scale_window_extensions_and_text_of_the_source_do_not_come_along(tmp_path: Path) -> None:
    path = nifti_file(
        tmp_path, "t1.nii", blob(CROP), scl_slope=3, scl_inter=8, cal_max=50, descrip=b"ZZNAME", aux_file=b"ZZNAME",
        intent_name=b"ZZNAME", db_name=b"ZZNAME",
    )  # fmt: skip
    image = nibabel.load(path)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"ZZNAME"))
    nibabel.save(image, tmp_path / "other.nii")
    source = tmp_path / "other.nii"
    assert b"ZZNAME" in source.read_bytes()
    written = write_label_map(label_map(source, labels_zyx(source)), tmp_path, tmp_path)
    assert b"ZZNAME" not in gzip.decompress(written.read_bytes())
    made = nibabel.load(written)
    assert set(np.unique(made.get_fdata())) <= {0.0, 2.0}
    assert made.header["cal_max"] == 0
    assert not made.header.extensions


def test_a_name_that_lies_about_gzip_is_no_matter(tmp_path: Path) -> None:
    plain = nifti_file(tmp_path, "t1.nii", blob(CROP))
    values = labels_zyx(plain)
    plain.rename(tmp_path / "t1.nii.gz")
    written = write_label_map(label_map(tmp_path / "t1.nii.gz", values), tmp_path, tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(nibabel.load(written).dataobj).T, values)


def test_a_fourth_axis_of_one_is_kept(tmp_path: Path) -> None:
    path = nifti_file(tmp_path, "t1.nii.gz", blob(CROP)[..., None])
    written = write_label_map(label_map(path, labels_zyx(path)), tmp_path, tmp_path / "out")
    assert nibabel.load(written).shape == (*CROP, 1)


def test_the_same_map_gives_the_same_bytes(tmp_path: Path) -> None:
    path = nifti_file(tmp_path, "t1.nii.gz", blob(CROP))
    made = [
        write_label_map(label_map(path, labels_zyx(path)), tmp_path, tmp_path / n).read_bytes()
        for n in "ab"
    ]
    assert made[0] == made[1]
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["hippocampus.nii.gz"]


def test_a_source_that_changed_or_went_is_an_error(tmp_path: Path) -> None:
    path = nifti_file(tmp_path / "in", "t1.nii.gz", blob(CROP))
    made = label_map(path, labels_zyx(path))
    nifti_file(tmp_path / "in", "t1.nii.gz", blob(CROP, seed=9))
    with pytest.raises(InputError, match="was changed"):
        write_label_map(made, tmp_path / "in", tmp_path / "out")
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(InputError, match="there no more"):
        write_label_map(made, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_takes_nothing_is_unavailable_and_a_link_is_replaced(tmp_path: Path) -> None:
    path = nifti_file(tmp_path, "t1.nii.gz", blob(CROP))
    made = label_map(path, labels_zyx(path))
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="can't be written"):
        write_label_map(made, tmp_path, tmp_path / "file")
    away = tmp_path / "away"
    away.write_text("untouched")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "hippocampus.nii.gz").symlink_to(away)
    written = write_label_map(made, tmp_path, tmp_path / "out")
    assert away.read_text() == "untouched"
    assert not written.is_symlink()


def test_a_name_of_a_label_map_is_no_path(tmp_path: Path) -> None:
    path = nifti_file(tmp_path, "t1.nii.gz", blob(CROP))
    written = write_label_map(
        label_map(path, labels_zyx(path), "../../ZZ out"), tmp_path, tmp_path / "out"
    )
    assert written.parent == tmp_path / "out"
    assert written.is_file()


def test_one_study_goes_into_the_folder_and_each_of_several_into_its_own() -> None:
    out = Path("masks")
    assert folders_for([Path("sets/p1")], out) == {Path("sets/p1"): out}
    assert folders_for([Path("sets/p1"), Path("sets/p2/")], out) == {
        Path("sets/p1"): out / "p1",
        Path("sets/p2"): out / "p2",
    }


@pytest.mark.parametrize(
    "name",
    ["CON", "nul.x", "com1", "..a\nb", "Z" * 300, "ä", "a b", "-x", ".hidden", "dot.", "a:b"],
)
def test_a_folders_name_that_could_be_more_than_a_name_is_a_digest(name: str) -> None:
    made = folders_for([Path("in") / name, Path("in/p1")], Path("out"))[Path("in") / name]
    assert made.parent == Path("out")
    assert len(made.name) == 16
    assert set(made.name) <= set("0123456789abcdef")


def test_studies_of_one_name_never_share_a_folder() -> None:
    studies = [Path("a/p1"), Path("b/p1"), Path("c/P1"), Path("c/p2"), Path("c/../c/p2")]
    made = folders_for(studies, Path("out"))
    assert len({str(path).casefold() for path in made.values()}) == 4
    assert made[Path("c/p2")] == made[Path("c/../c/p2")] == Path("out/p2")


def test_a_folder_given_as_a_dot_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "p7"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert study_name(Path(".")) == "p7"
    assert study_name(Path("../p7")) == "p7"
    assert os.path.basename(study_name(tmp_path / "..")) == study_name(tmp_path / "..")
