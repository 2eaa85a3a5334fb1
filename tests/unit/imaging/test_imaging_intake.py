"""Paths in, one Intake for every study and every file that is none."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.study import Modality, NotEvaluable, Study, View
from medmm.imaging import Intake, PictureKinds, attach_pixels, read_studies
from medmm.imaging.intake import common_folder
from tests.dicom_files import (
    FILM,
    SAYS_FRONTAL,
    SaysKind,
    dataset,
    file_bytes,
    film_file,
    mr_file,
    picture,
)

SECRET = b"a secret for tests"


def read(path: Path, kinds: PictureKinds | None = SAYS_FRONTAL) -> list[Intake]:
    return list(read_studies(path, patient_secret=SECRET, kinds=kinds))


def only(path: Path, kinds: PictureKinds | None = SAYS_FRONTAL) -> Intake:
    (intake,) = read(path, kinds)
    return intake


def study(path: Path) -> Study:
    outcome = only(path).outcome
    assert isinstance(outcome, Study), outcome
    return outcome


def codes(outcome: Study) -> set[str]:
    return {notice.code for notice in outcome.warnings}


def test_a_film_becomes_a_study_with_all_that_its_header_says(tmp_path: Path) -> None:
    path = film_file(tmp_path)
    intake = only(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made = intake.outcome
    assert isinstance(made, Study)
    assert (made.uid, made.modality, made.body_part) == ("1.2.3.1", Modality.RADIOGRAPH, "CHEST")
    assert made.warnings == ()
    assert made.acquired is not None
    assert made.acquired.moment == datetime(
        2020, 3, 4, 10, 11, 12, tzinfo=timezone(timedelta(hours=1))
    )
    assert (made.acquired.source_tag, made.acquired.precise) == ("AcquisitionDate", True)
    volume = made.frontal
    assert volume is not None
    assert (volume.view, volume.patient_left_on, volume.spacing_yx_mm) == (
        View.PA,
        "right",
        (0.2, 0.2),
    )
    assert (volume.shape_zyx, volume.sha256, volume.file_sha256s) == (
        (1, 256, 260),
        digest,
        (digest,),
    )
    assert [(f.path, f.sha256, f.sop_uid) for f in intake.files] == [(path, digest, "1.2.3.3")]
    assert intake.identity is not None
    assert (intake.identity.patient_id, intake.identity.family_name) == ("ZZ-1", "ZZTEST")
    assert made.patient_key == intake.identity.key(SECRET)


def test_a_study_names_the_patient_by_key_only(tmp_path: Path) -> None:
    text = repr(study(film_file(tmp_path, AccessionNumber="ZZACC")))
    assert not any(word in text for word in ("ZZTEST", "ZZ-1", "19600102", "1960, 1, 2", "ZZACC"))
    assert "ak-" in text


def test_pixels_come_on_demand_and_again_from_the_store(tmp_path: Path) -> None:
    path = film_file(tmp_path)
    made = study(path)
    pixels = made.volumes[0].pixels()
    assert (pixels.shape, pixels.dtype) == ((1, 256, 260), np.float32)
    stored = shutil.move(path, tmp_path / "object")
    where = {made.volumes[0].sha256: Path(stored)}
    again = attach_pixels(made, where.__getitem__)
    assert again == made
    np.testing.assert_array_equal(again.volumes[0].pixels(), pixels)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("text.dcm", b"this is a text and no image " * 20),
        ("prefix_only.dcm", bytes(128) + b"DICM"),
        ("cut.dcm", file_bytes(dataset(FILM))[:-2]),
        ("cut_early.dcm", file_bytes(dataset(FILM))[:300]),
        ("joined.dcm", file_bytes(dataset(FILM)) * 2),
        ("no_study.dcm", file_bytes(dataset(FILM, StudyInstanceUID=None))),
        ("path_as_uid.dcm", file_bytes(dataset(FILM, SOPInstanceUID="../../etc/passwd"))),
    ],
)
def test_a_file_that_is_no_image_gives_a_typed_error_with_its_path(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    outcome = only(path).outcome
    assert isinstance(outcome, InputError)
    assert outcome.where["path"] == str(path)
    assert outcome.remedy


def test_a_path_that_is_missing_or_empty_gives_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        assert isinstance(only(path).outcome, InputError)


def test_every_file_of_a_folder_ends_up_in_exactly_one_intake(tmp_path: Path) -> None:
    film_file(tmp_path, "a/one.dcm")
    film_file(
        tmp_path,
        "b/other.dcm",
        StudyInstanceUID="1.2.9.1",
        SOPInstanceUID="1.2.9.3",
        PatientID="ZZ-9",
    )
    film_file(
        tmp_path,
        "a/hand.dcm",
        StudyInstanceUID="1.2.8.1",
        SOPInstanceUID="1.2.8.3",
        BodyPartExamined="HAND",
    )
    (tmp_path / "notes.txt").write_text("a text", encoding="utf-8")
    (tmp_path / ".hidden").write_text("left aside", encoding="utf-8")
    intakes = read(tmp_path)
    assert sorted(type(i.outcome).__name__ for i in intakes) == [
        "InputError",
        "NotEvaluable",
        "Study",
        "Study",
    ]
    named = [f.path.name for i in intakes for f in i.files] + [
        i.path.name for i in intakes if not i.files
    ]
    assert sorted(named) == ["hand.dcm", "notes.txt", "one.dcm", "other.dcm"]


def test_links_out_of_the_folder_and_pipes_are_not_followed(tmp_path: Path) -> None:
    film_file(tmp_path / "outside")
    inside = tmp_path / "inside"
    film_file(inside)
    (inside / "link.dcm").symlink_to(tmp_path / "outside" / "film.dcm")
    (inside / "folder").symlink_to(tmp_path / "outside")
    os.mkfifo(inside / "pipe")
    outcomes = {i.path.name: i.outcome for i in read(inside)}
    assert isinstance(outcomes.pop("film.dcm"), Study)
    assert set(outcomes) == {"link.dcm", "folder", "pipe"}
    assert all(isinstance(outcome, InputError) for outcome in outcomes.values())


def test_two_patients_under_one_study_uid_are_refused(tmp_path: Path) -> None:
    film_file(tmp_path, "1.dcm")
    film_file(tmp_path, "2.dcm", SOPInstanceUID="1.2.3.4", PatientID="ZZ-other")
    intake = only(tmp_path)
    outcome = intake.outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held, outcome.uid) == ("mixed-patients", False, "1.2.3.1")
    assert intake.identity is None
    assert len(intake.files) == 2


@pytest.mark.parametrize(
    "changes", [{"PatientBirthDate": "19700102"}, {"PatientSex": "M"}, {"PatientName": "ZZELSE^X"}]
)
def test_one_id_with_two_identities_is_held_too(tmp_path: Path, changes: dict[str, str]) -> None:
    film_file(tmp_path, "1.dcm")
    film_file(tmp_path, "2.dcm", SOPInstanceUID="1.2.3.4", **changes)
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert outcome.reason_code == "mixed-patients"


def test_an_exact_copy_is_read_once_and_said(tmp_path: Path) -> None:
    shutil.copy(film_file(tmp_path, "1.dcm"), tmp_path / "2.dcm")
    intake = only(tmp_path)
    assert isinstance(intake.outcome, Study)
    assert len(intake.outcome.volumes) == 1
    assert "duplicate-dropped" in codes(intake.outcome)
    assert len(intake.files) == 2


@pytest.mark.parametrize("study_uid", ["1.2.3.1", "1.2.3.7"])
def test_one_image_uid_with_two_contents_is_refused_also_across_studies(
    tmp_path: Path, study_uid: str
) -> None:
    film_file(tmp_path, "1.dcm")
    film_file(tmp_path, "2.dcm", picture()[:, ::-1], StudyInstanceUID=study_uid)
    outcomes = [intake.outcome for intake in read(tmp_path)]
    assert all(
        isinstance(o, NotEvaluable) and not o.held and o.reason_code == "duplicate-uid"
        for o in outcomes
    )


def test_the_files_that_contest_a_uid_are_named(tmp_path: Path) -> None:
    film_file(tmp_path, "1.dcm")
    film_file(tmp_path, "2.dcm", picture()[:, ::-1])
    film_file(tmp_path, "other.dcm", SOPInstanceUID="1.2.3.4")
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert outcome.reason.endswith("different contents: 1.dcm, 2.dcm")


@pytest.mark.parametrize("name", ["0.dcm", "2.dcm"], ids=["met first", "met last"])
@pytest.mark.parametrize("left_bytes", [1, 20_000], ids=["almost whole", "half"])
def test_a_copy_that_was_cut_short_is_said_and_spoils_nothing(
    tmp_path: Path, name: str, left_bytes: int
) -> None:
    whole = film_file(tmp_path, "1.dcm").read_bytes()
    (tmp_path / name).write_bytes(whole[:-left_bytes])
    broken, good = sorted(read(tmp_path), key=lambda intake: isinstance(intake.outcome, Study))
    assert isinstance(broken.outcome, InputError)
    assert broken.path == tmp_path / name
    assert isinstance(good.outcome, Study)
    assert "files-unreadable" in codes(good.outcome)
    assert [f.path.name for f in good.files] == ["1.dcm"]


def test_beside_a_cut_copy_two_contents_are_still_refused(tmp_path: Path) -> None:
    whole = film_file(tmp_path, "1.dcm").read_bytes()
    film_file(tmp_path, "2.dcm", picture()[:, ::-1])
    (tmp_path / "3.dcm").write_bytes(whole[:-100])
    outcomes = [intake.outcome for intake in read(tmp_path)]
    assert not any(isinstance(outcome, Study) for outcome in outcomes)
    assert any(isinstance(o, NotEvaluable) and o.reason_code == "duplicate-uid" for o in outcomes)


def test_a_lateral_goes_along_with_its_frontal_film_but_not_alone(tmp_path: Path) -> None:
    lateral = film_file(tmp_path, "lateral.dcm", SOPInstanceUID="1.2.3.5", ViewPosition="LL")
    alone = only(lateral, SaysKind("lateral")).outcome
    assert isinstance(alone, NotEvaluable)
    assert alone.reason_code == "view"
    film_file(tmp_path, "pa.dcm")
    made = only(tmp_path, None).outcome
    assert isinstance(made, Study)
    assert [v.view for v in made.volumes] == [View.PA, View.LATERAL]
    assert made.frontal is made.volumes[0]


def test_what_the_gate_refuses_beside_a_film_is_left_out_and_said(tmp_path: Path) -> None:
    film_file(tmp_path, "pa.dcm")
    film_file(tmp_path, "report.dcm", SOPInstanceUID="1.2.3.8", Modality="SR")
    made = study(tmp_path)
    assert len(made.volumes) == 1
    (notice,) = (n for n in made.warnings if n.code == "objects-left-out")
    assert notice.text.startswith("1 objects of the study were left out by the gate: 1 x ")
    assert "SR" in notice.text


def test_a_broken_film_gives_its_own_error_and_the_rest_a_study(tmp_path: Path) -> None:
    film_file(tmp_path, "pa.dcm")
    cut = file_bytes(dataset(FILM, SOPInstanceUID="1.2.3.6"))[:-1000]
    (tmp_path / "cut.dcm").write_bytes(cut)
    outcomes = {intake.path.name: intake.outcome for intake in read(tmp_path)}
    assert isinstance(outcomes["cut.dcm"], InputError)
    assert isinstance(outcomes["pa.dcm"], Study)
    assert "files-unreadable" in codes(outcomes["pa.dcm"])


def test_the_earliest_image_dates_the_study(tmp_path: Path) -> None:
    film_file(tmp_path, "1.dcm", AcquisitionTime="180000")
    film_file(
        tmp_path,
        "2.dcm",
        SOPInstanceUID="1.2.3.4",
        AcquisitionTime="090000",
        TimezoneOffsetFromUTC="+0000",
    )
    acquired = study(tmp_path).acquired
    assert acquired is not None
    assert acquired.moment == datetime(2020, 3, 4, 9, tzinfo=UTC)


def test_mr_slices_are_stacked_by_position_not_by_name(tmp_path: Path) -> None:
    for name, z in (("a", 30.0), ("b", 10.0), ("c", 20.0)):
        mr_file(tmp_path, name, z)
    made = study(tmp_path)
    (volume,) = made.volumes
    assert volume.shape_zyx == (3, 64, 64)
    assert volume.affine_lps_mm == (
        (0.75, 0, 0, -10),
        (0, 0.5, 0, -20),
        (0, 0, 10, 10),
        (0, 0, 0, 1),
    )
    first = volume.pixels()[:, 0, 0] * 4095
    np.testing.assert_allclose(first, [10, 20, 30], atol=1)
    again = attach_pixels(made, {f.sha256: f.path for f in only(tmp_path).files}.__getitem__)
    np.testing.assert_array_equal(again.volumes[0].pixels(), volume.pixels())


def test_mr_with_a_gap_is_slices_without_an_affine(tmp_path: Path) -> None:
    for name, z in (("a", 10.0), ("b", 20.0), ("c", 40.0)):
        mr_file(tmp_path, name, z)
    made = study(tmp_path)
    assert made.volumes[0].affine_lps_mm is None
    assert "no-volume" in codes(made)


def test_slices_that_share_a_place_but_not_their_plane_are_held(tmp_path: Path) -> None:
    mr_file(tmp_path, "a", 10.0)
    mr_file(tmp_path, "b", 10.0, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("series", True)


def test_the_chest_film_of_pydicom_data(demo_films: Path) -> None:
    intake = only(demo_films / "RG1_UNCR.dcm")
    made = intake.outcome
    assert isinstance(made, Study)
    volume = made.frontal
    assert volume is not None
    assert (made.modality, made.body_part, volume.view) == (Modality.RADIOGRAPH, "CHEST", View.PA)
    assert (volume.patient_left_on, volume.spacing_yx_mm) == ("right", None)
    assert codes(made) == {"spacing-unknown"}
    assert made.acquired is not None
    assert made.acquired.moment == datetime(
        1995, 9, 26, 12, 51, 30, tzinfo=timezone(timedelta(hours=-4))
    )
    assert (made.acquired.source_tag, made.acquired.precise) == ("SeriesDate", True)
    pixels = volume.pixels()[0]
    right_lung, spine = pixels[450:650, 430:560], pixels[450:650, 880:980]
    assert right_lung.mean() < 0.6 < 0.85 < spine.mean()  # air dark, bone bright
    assert intake.identity == PatientIdentity(
        patient_id="9RG1",
        family_name="CompressedSamples",
        given_name="RG1",
        birth_date=intake.identity and intake.identity.birth_date,
        sex="F",
    )


@pytest.mark.parametrize(
    ("name", "part"), [("RG3_UNCR.dcm", "EXTREMITY"), ("MR2_UNCR.dcm", "SHOULDER")]
)
def test_the_limb_and_the_shoulder_of_pydicom_data_are_refused(
    demo_films: Path, name: str, part: str
) -> None:
    outcome = only(demo_films / name, SaysKind("other")).outcome
    assert isinstance(outcome, NotEvaluable)
    assert outcome.reason_code == "body-part"
    assert (
        outcome.reason
        == f"not evaluable: body part {part}; medmm reads chest radiographs and MR of brain and heart"
    )


def test_images_named_by_relative_and_absolute_paths_have_a_folder_in_common(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study grows: what came before lies in the data folder, what comes may be named from here."""
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / "data" / "one.dcm", Path("in", "two.dcm")]
    assert common_folder(paths) == tmp_path
    assert common_folder([Path("in", "two.dcm")]) == Path("in", "two.dcm")
