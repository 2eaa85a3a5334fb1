"""Real MR: a brain study of four sequences, an enhanced file and its classic twin, headers alone, and single series."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from medmm.domain.study import NotEvaluable, SequenceRole, Study
from medmm.imaging import Intake, read_studies
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.header import Tags
from medmm.imaging.mr.physics import frames_physics
from medmm.imaging.mr.sequence_roles import sequence_of

ROLES = {  # part of a series' folder: its role
    "T1post": SequenceRole.T1_CONTRAST,
    "T1prereg": SequenceRole.T1,
    "FLAIRreg": SequenceRole.FLAIR,
    "T2reg": SequenceRole.T2,
}


@pytest.fixture(scope="module")
def mr(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (shared_data / "mri").is_dir():
        pytest.skip("the shared data hold no MR")
    folder = tmp_path_factory.mktemp("mr")
    for name in ("mri/dicom_brain_study", "mri/dicom_small", "dicom/mr"):
        with tarfile.open(shared_data / f"{name}.tar.xz") as archive:
            archive.extractall(folder / Path(name).name, filter="data")
    return folder


def read(path: Path) -> list[Intake]:
    return list(read_studies(path, patient_secret=b"x"))


def study(path: Path) -> Study:
    (intake,) = read(path)
    assert isinstance(intake.outcome, Study), intake.outcome
    return intake.outcome


def test_the_brain_study_is_four_volumes_of_known_roles_that_its_pixels_bear_out(mr: Path) -> None:
    made = study(mr / "dicom_brain_study")
    assert (made.body_part, made.missing) == ("BRAIN", ())
    assert {choice.role for choice in made.sequences} == set(ROLES.values())
    folders = {
        open_dicom(next(f.glob("*"))).header.SeriesInstanceUID: f.name
        for f in (mr / "dicom_brain_study").glob("*/*")
    }
    assert len(made.volumes) == 4
    for volume in made.volumes:
        (expected,) = [role for part, role in ROLES.items() if part in folders[volume.series_uid]]
        assert volume.sequence is not None
        assert (volume.sequence.role, volume.sequence.confirmed) == (expected, True)
        assert volume.shape_zyx == (22, 320, 280)
        assert volume.spacing_z_mm == pytest.approx(6.5, abs=0.01)
        signal = volume.signal()
        assert (signal.shape, signal.dtype) == (volume.shape_zyx, np.float32)
        assert signal.max() > 200
    assert len({volume.frame_of_reference_uid for volume in made.volumes}) == 1
    assert len({np.array(volume.affine_lps_mm).round(2).tobytes() for volume in made.volumes}) == 1


def test_a_role_that_is_given_wrongly_is_contradicted_by_the_pixels(mr: Path) -> None:
    """T1 and FLAIR against T2: the fluid of a real head."""
    from medmm.imaging.mr.contrast_check import bears_out, middle

    for volume in study(mr / "dicom_brain_study").volumes:
        signal = volume.signal()[middle(22)]
        wrong = (
            SequenceRole.T1
            if volume.sequence and volume.sequence.role is SequenceRole.T2
            else SequenceRole.T2
        )
        assert bears_out(wrong, signal, volume.affine_lps_mm) is False


def test_headers_alone_name_their_roles_and_are_not_evaluable(mr: Path) -> None:
    folders = sorted((mr / "dicom_small" / "PGBM-002_headers").glob("*"))
    assert len(folders) == 4
    for folder in folders:
        tags = [Tags(open_dicom(path).header) for path in sorted(folder.glob("*"))]
        assert len(tags) == 22
        physics = dict.fromkeys(one for header in tags for one in frames_physics(header))
        found = sequence_of(list(physics), "BRAIN")
        (expected,) = [role for part, role in ROLES.items() if part in folder.name]
        assert found.role is expected, found.reason
    (outcome,) = [intake.outcome for intake in read(mr / "dicom_small" / "PGBM-002_headers")]
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("no-pixels", False)
    named = outcome.reason.split("the series are: ")[1].split(", ")
    assert sorted(named) == sorted(role.value for role in ROLES.values())


def test_the_enhanced_file_and_its_classic_twin_are_one_volume(mr: Path) -> None:
    (one,) = study(mr / "dicom_small" / "enhanced" / "philips_1901_3DpCASL.dcm").volumes
    (other,) = study(mr / "dicom_small" / "classic_twin_of_1901").volumes
    assert one.shape_zyx == other.shape_zyx == (40, 96, 96)
    np.testing.assert_allclose(
        np.array(one.affine_lps_mm), np.array(other.affine_lps_mm), atol=2e-3
    )
    np.testing.assert_allclose(one.signal(), other.signal(), rtol=1e-6)
    np.testing.assert_allclose(one.pixels(), other.pixels(), atol=1e-6)
    assert one.signal().max() > 1
    assert sorted(one.frame_numbers) == list(range(1, 41))
    assert (one.spacing_z_mm, other.spacing_z_mm) == (pytest.approx(4), pytest.approx(4))
    assert one.sequence is not None
    assert other.sequence is not None
    assert one.sequence.role is other.sequence.role is SequenceRole.PERFUSION


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("dicom_small/sagittal_mprage_6_of_170", SequenceRole.T1),
        ("dicom_small/sagittal_gre_fieldmap", SequenceRole.UNKNOWN),
        ("dicom_small/enhanced/siemens_xa10_6_1.dcm", SequenceRole.UNKNOWN),
        ("mr/enh_flair_24f.dcm", SequenceRole.FLAIR),
        ("mr/enh_t2_24f.dcm", SequenceRole.T2),
        ("mr/ge_flair_single.dcm", SequenceRole.FLAIR),
        ("mr/philips_head_survey_j2k.dcm", SequenceRole.LOCALISER),
        ("mr/ge_pd", SequenceRole.UNKNOWN),
    ],
)
def test_roles_of_single_series(mr: Path, path: str, role: SequenceRole) -> None:
    for intake in read(mr / path):
        made = intake.outcome
        assert isinstance(made, Study), made
        for volume in made.volumes:
            assert volume.sequence is not None
            assert volume.sequence.role is role, volume.sequence.reason
            assert volume.sequence.confirmed is not False


def test_an_enhanced_image_of_two_stacks_and_three_contrasts_is_four_volumes(mr: Path) -> None:
    made = study(mr / "mr" / "enh_mixed_stacks_12f.dcm")
    found = {v.frame_numbers: v.sequence.role for v in made.volumes if v.sequence}
    assert found == {
        (1, 2, 3): SequenceRole.T2,
        (5, 6, 4): SequenceRole.T1,
        (7, 8, 9): SequenceRole.T1_CONTRAST,
        (10, 11, 12): SequenceRole.T1_CONTRAST,
    }
    heights = [np.array(v.affine_lps_mm)[2, 3] for v in made.volumes[:3]]
    assert heights == pytest.approx([10.5, 10.5, 18])  # the third stack begins a slice higher
    assert all(v.spacing_z_mm == pytest.approx(7.5) for v in made.volumes)
    post = made.chosen(SequenceRole.T1_CONTRAST)
    assert post is not None
    assert post.frame_numbers == (7, 8, 9), "the axial one, not the coronal one"
    (notice,) = (n for n in made.warnings if n.code == "several-parts")
    assert "told apart by Effective Echo Time, Frame Type, plane or Stack ID" in notice.text


def test_magnitude_and_field_map_of_one_enhanced_image_are_two_volumes(mr: Path) -> None:
    one, other = study(mr / "mr" / "philips_enh_fieldmap.dcm").volumes
    assert (one.frame_numbers, other.frame_numbers) == (tuple(range(1, 33)), tuple(range(33, 65)))
    assert one.sequence is not None
    assert other.sequence is not None
    assert (one.sequence.role, other.sequence.role) == (SequenceRole.T1, SequenceRole.DERIVED)
    np.testing.assert_allclose(
        np.array(one.affine_lps_mm), np.array(other.affine_lps_mm), atol=1e-3
    )
    assert one.signal().min() >= 0 > other.signal().min()


def test_the_siemens_image_of_one_time_is_one_volume(mr: Path) -> None:
    made = study(mr / "dicom_small" / "enhanced" / "siemens_xa10_6_1.dcm")
    (volume,) = made.volumes
    assert volume.frame_numbers == (1, 2, 3, 4, 5, 6)
    assert volume.spacing_z_mm == pytest.approx(2.4)
    assert volume.sha256 == volume.file_sha256s[0]
    assert "several-parts" not in {notice.code for notice in made.warnings}


def test_crops_of_a_hippocampus_are_no_images_of_a_head(mr: Path) -> None:
    outcomes = [intake.outcome for intake in read(mr / "dicom_small" / "hippocrop")]
    assert outcomes
    assert all(
        isinstance(o, NotEvaluable) and o.reason_code == "too-small" and not o.held
        for o in outcomes
    )
