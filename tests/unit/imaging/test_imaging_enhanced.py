"""Enhanced multi-frame MR: frames of several contrasts and times in one image are volumes of their own, or are held."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.domain.codec import from_json, to_json
from medmm.domain.grid import from_frames, to_frames
from medmm.domain.reading import LabelMap, Reading
from medmm.domain.study import NotEvaluable, SequenceRole, Study
from medmm.doors.mask_files import write_series_label_maps
from medmm.drafting import RuleWriter
from medmm.imaging import attach_pixels, inspection
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.pixels import stored_values
from medmm.presentation.inspection_words import series_rows, verdict_rows
from tests.dicom_files import mr_file
from tests.enhanced_files import axial, enhanced_file
from tests.factories import make_mr_case
from tests.mr_intakes import only, study

HEIGHTS = (0.0, 6.0, 12.0, 18.0)
ECHO, TYPE, CONTENT = "MREchoSequence", "MRImageFrameTypeSequence", "FrameContentSequence"
DIFFUSION, CARDIAC = "MRDiffusionSequence", "CardiacSynchronizationSequence"
SPIN_ECHO = {"EchoPulseSequence": "SPIN"}
LONG_TR = {
    "MRTimingAndRelatedParametersSequence": {"RepetitionTime": 4000.0, "FlipAngle": 90},
    "MRModifierSequence": {"InversionRecovery": "NO"},
}


def pair(path: Path, one: dict[str, Any], other: dict[str, Any], **changes: Any) -> Path:
    """Frames of two parts in turns, from the last place to the first; marks 0 to 3 and 10 to 13 by place."""
    both = enumerate(HEIGHTS)
    frames = [
        axial(z, n + 10 * second, **(other if second else one))
        for n, z in both
        for second in (False, True)
    ]
    return enhanced_file(path, frames[::-1], **changes)


@pytest.mark.parametrize(
    ("one", "other", "element"),
    [
        ({ECHO: {"EffectiveEchoTime": 20.0}}, {ECHO: {"EffectiveEchoTime": 80.0}}, "Effective Echo Time"),
        ({"MRModifierSequence": {"InversionTimes": 400.0}}, {"MRModifierSequence": {"InversionTimes": 2500.0}}, "Inversion Times"),
        ({DIFFUSION: {"DiffusionBValue": 0.0}}, {DIFFUSION: {"DiffusionBValue": 1000.0}}, "Diffusion b-value"),
        (
            {DIFFUSION: {"DiffusionDirectionality": "DIRECTIONAL"}},
            {DIFFUSION: {"DiffusionDirectionality": "ISOTROPIC"}},
            "Diffusion Directionality",
        ),
        (
            {DIFFUSION: {"DiffusionGradientDirectionSequence": {"DiffusionGradientOrientation": [1.0, 0.0, 0.0]}}},
            {DIFFUSION: {"DiffusionGradientDirectionSequence": {"DiffusionGradientOrientation": [0.0, 1.0, 0.0]}}},
            "Diffusion Gradient Orientation",
        ),
        ({TYPE: {"ComplexImageComponent": "MAGNITUDE"}}, {TYPE: {"ComplexImageComponent": "PHASE"}}, "Complex Image Component"),
        (
            {TYPE: {"FrameType": ["ORIGINAL", "PRIMARY", "T1", "NONE"]}},
            {TYPE: {"FrameType": ["DERIVED", "PRIMARY", "T1", "FIELD_MAP"]}},
            "Frame Type",
        ),
        (
            {"MRArterialSpinLabelingSequence": {"ASLContext": "LABEL"}},
            {"MRArterialSpinLabelingSequence": {"ASLContext": "CONTROL"}},
            "ASL Context",
        ),
        (
            {"ContrastBolusUsageSequence": {"ContrastBolusAgentAdministered": "NO"}},
            {"ContrastBolusUsageSequence": {"ContrastBolusAgentAdministered": "YES"}},
            "Contrast/Bolus Agent Administered",
        ),
        (
            {"MRVelocityEncodingSequence": {"VelocityEncodingDirection": [1.0, 0.0, 0.0]}},
            {"MRVelocityEncodingSequence": {"VelocityEncodingDirection": [0.0, 0.0, 1.0]}},
            "Velocity Encoding Direction",
        ),
        ({CONTENT: {"TemporalPositionIndex": 1}}, {CONTENT: {"TemporalPositionIndex": 2}}, "Temporal Position Index"),
        ({CONTENT: {"FrameAcquisitionNumber": 1}}, {CONTENT: {"FrameAcquisitionNumber": 2}}, "Frame Acquisition Number"),
        (
            {CARDIAC: {"NominalCardiacTriggerDelayTime": 20.0}},
            {CARDIAC: {"NominalCardiacTriggerDelayTime": 100.0}},
            "Nominal Cardiac Trigger Delay Time",
        ),
        (
            {"TemporalPositionSequence": {"TemporalPositionTimeOffset": 0.0}},
            {"TemporalPositionSequence": {"TemporalPositionTimeOffset": 2.5}},
            "Temporal Position Time Offset",
        ),
        (
            {CONTENT: {"FrameReferenceDateTime": "20200304101112.100"}},
            {CONTENT: {"FrameReferenceDateTime": "20200304101112.900"}},
            "Frame Reference DateTime",
        ),
        ({CONTENT: {"StackID": "1"}}, {CONTENT: {"StackID": "2"}}, "plane or Stack ID"),
    ],
)  # fmt: skip
def test_frames_that_share_places_and_are_told_apart_are_volumes_of_their_own(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any], element: str
) -> None:
    pair(tmp_path / "a.dcm", one, other)
    made = study(tmp_path)
    assert len(made.volumes) == 2
    firsts = sorted(tuple(volume.signal()[:, 0, 0]) for volume in made.volumes)
    assert firsts == [(0, 1, 2, 3), (10, 11, 12, 13)]
    for volume in made.volumes:
        start = (
            8 if volume.signal()[0, 0, 0] == 0 else 7
        )  # the frames were written from the last place to the first
        assert volume.frame_numbers == tuple(start - 2 * n for n in range(4))
        assert (volume.spacing_z_mm, volume.sop_uids) == (6, ("1.2.4.9",))
        np.testing.assert_allclose(np.array(volume.affine_lps_mm) @ [0, 0, 2, 1], [-30, -40, 12, 1])
        assert volume.sequence is not None
        assert volume.sequence.reason.endswith(f"told by {element}")
    (notice,) = (n for n in made.warnings if n.code == "several-parts")
    assert notice.text.startswith(f"One image holds 2 volumes, told apart by {element}: ")


def test_a_dimension_of_a_vendor_tells_frames_apart_and_an_index_of_place_does_not(
    tmp_path: Path,
) -> None:
    frames = [
        axial(z, n + 10 * t, **{CONTENT: {"DimensionIndexValues": [1, n + 1, t]}})
        for t in (0, 1)
        for n, z in enumerate(HEIGHTS)
    ]
    enhanced_file(
        tmp_path / "a.dcm", frames, dimensions=("StackID", "InStackPositionNumber", 0x2005106E)
    )
    assert [v.frame_numbers for v in study(tmp_path).volumes] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    enhanced_file(
        tmp_path / "a.dcm", frames, dimensions=("StackID", 0x2005106E, "InStackPositionNumber")
    )
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable), (
        "the third index is one of places here, and the second differs in every part"
    )


def test_frames_that_nothing_tells_apart_are_held_and_no_volume_once_released(
    tmp_path: Path,
) -> None:
    pair(tmp_path / "a.dcm", {}, {})
    intake = only(tmp_path)
    assert isinstance(intake.outcome, NotEvaluable)
    assert (intake.outcome.reason_code, intake.outcome.held) == ("series", True)
    passed = only(tmp_path, {file.sha256: frozenset({"series"}) for file in intake.files}).outcome
    assert isinstance(passed, Study)
    (volume,) = passed.volumes
    assert (volume.affine_lps_mm, volume.spacing_z_mm) == (None, None)
    assert sorted(volume.frame_numbers) == list(range(1, 9))


def test_the_same_places_in_two_images_of_a_series_are_two_volumes(tmp_path: Path) -> None:
    for n in (1, 2):
        frames = [axial(z, 10 * n + k) for k, z in enumerate(HEIGHTS)]
        enhanced_file(tmp_path / f"{n}.dcm", frames, SOPInstanceUID=f"1.2.4.9.{n}")
    made = study(tmp_path)
    assert sorted(v.signal()[0, 0, 0] for v in made.volumes) == [10, 20]
    assert "several-parts" not in {n.code for n in made.warnings}


def test_contrasts_at_places_of_their_own_are_apart_unless_each_slice_has_its_own(
    tmp_path: Path,
) -> None:
    echoes = (20.0, 20.0, 90.0, 90.0)
    frames = [
        axial(z, n, **{ECHO: {"EffectiveEchoTime": echo}})
        for n, (z, echo) in enumerate(zip(HEIGHTS, echoes, strict=True))
    ]
    enhanced_file(tmp_path / "a.dcm", frames, shared=LONG_TR, **SPIN_ECHO)
    assert [v.frame_numbers for v in study(tmp_path).volumes] == [(1, 2), (3, 4)]
    frames = [
        axial(z, n, **{ECHO: {"EffectiveEchoTime": 10.0 * 2**n}}) for n, z in enumerate(HEIGHTS)
    ]
    enhanced_file(tmp_path / "a.dcm", frames, shared=LONG_TR, **SPIN_ECHO)
    made = study(tmp_path)
    (volume,) = made.volumes
    assert "several-contrasts" in {n.code for n in made.warnings}
    assert (volume.affine_lps_mm, volume.sequence and volume.sequence.role) == (
        None,
        SequenceRole.UNKNOWN,
    )


def test_rounding_of_an_echo_time_and_times_of_each_slice_tear_nothing_apart(
    tmp_path: Path,
) -> None:
    frames = []
    for t in (1, 2):
        for n, z in enumerate(HEIGHTS):
            delay = {"NominalCardiacTriggerDelayTime": 40.0 * t + 3 * n}
            echo = {"EffectiveEchoTime": 14.0 + 1e-5 * n}
            frames.append(axial(z, n + 10 * t, **{CARDIAC: delay, ECHO: echo}))
    enhanced_file(tmp_path / "a.dcm", frames)
    assert [v.frame_numbers for v in study(tmp_path).volumes] == [(1, 2, 3, 4), (5, 6, 7, 8)]


def test_two_planes_are_two_volumes_and_an_identifier_of_each_frame_is_none_of_a_stack(
    tmp_path: Path,
) -> None:
    sagittal = {"PlaneOrientationSequence": {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}}
    frames = [axial(z, n, **{CONTENT: {"StackID": str(n)}}) for n, z in enumerate(HEIGHTS)]
    frames += [axial(0, 9, **sagittal, **{CONTENT: {"StackID": "9"}})]
    enhanced_file(tmp_path / "a.dcm", frames)
    assert [v.frame_numbers for v in study(tmp_path).volumes] == [(1, 2, 3, 4), (5,)]


def test_a_part_without_every_second_place_is_not_measured(tmp_path: Path) -> None:
    measures = {
        "PixelMeasuresSequence": {
            "PixelSpacing": [1, 1],
            "SliceThickness": 3,
            "SpacingBetweenSlices": 3.0,
        }
    }
    enhanced_file(tmp_path / "a.dcm", [axial(z, n) for n, z in enumerate(HEIGHTS)], shared=measures)
    made = study(tmp_path)
    assert "slices-left-out" in {n.code for n in made.warnings}
    assert made.volumes[0].spacing_z_mm is None


def two_echoes(path: Path) -> Path:
    pair(
        path,
        {ECHO: {"EffectiveEchoTime": 95.0}},
        {ECHO: {"EffectiveEchoTime": 20.0}},
        shared=LONG_TR,
        **SPIN_ECHO,
    )
    return path


def test_each_part_has_its_role_and_goes_to_json_the_store_and_its_frames_and_back(
    tmp_path: Path,
) -> None:
    path = two_echoes(tmp_path / "a.dcm")
    made = study(path)
    roles = {v.sequence.role for v in made.volumes if v.sequence}
    assert SequenceRole.T2 in roles
    assert len(roles) == len({v.sha256 for v in made.volumes}) == 2
    assert {v.file_sha256s for v in made.volumes} == {(open_dicom(path).sha256,)}
    again = attach_pixels(from_json(Study, to_json(made)), lambda digest: path)
    assert again == made
    for before, after in zip(made.volumes, again.volumes, strict=True):
        np.testing.assert_array_equal(before.signal(), after.signal())
        np.testing.assert_array_equal(before.pixels(), after.pixels())
        labels = np.arange(before.signal().size, dtype=np.int64).reshape(before.shape_zyx)
        np.testing.assert_array_equal(
            from_frames(reversed(to_frames(labels, before)), before, np.int64), labels
        )


def test_the_study_page_and_the_draft_say_which_parts_there_were_and_which_stands_for_its_role(
    tmp_path: Path,
) -> None:
    two_echoes(tmp_path / "a.dcm")
    for n, z in enumerate(HEIGHTS):
        classic = {
            "ScanningSequence": "SE",
            "EchoTime": 95,
            "RepetitionTime": 4000,
            "SeriesInstanceUID": "1.2.4.77",
        }
        mr_file(
            tmp_path,
            f"{n}.dcm",
            z / 6 + 70,
            ImagePositionPatient=[-30, -40, z],
            ImageType=["DERIVED", "SECONDARY"],
            **classic,
        )
    found = inspection(only(tmp_path))
    assert found.study is not None
    rows = list(verdict_rows(found)) + [
        row for n, look in enumerate(found.series) for row in series_rows(look, n, accepted=True)
    ]
    (chosen,) = [value for name, value in rows if name == "stands for"]
    assert "original, not derived" in chosen
    told = [
        value
        for name, value in rows
        if name == "sequence" and "told by Effective Echo Time" in value
    ]
    assert [words.partition(":")[0] for words in told] == ["unknown", "T2"]
    assert all("4 frames from" in words for words in told)
    case = make_mr_case(found.study)
    draft = RuleWriter().write(case, Reading(study_uid=found.study.uid))
    (said,) = [warning.text for warning in draft.warnings if warning.code == "several-parts"]
    assert (
        "T2 (4 frames, stands for its role: before 1 other series of its role: original, not derived)"
        in said
    )
    assert "unknown (4 frames)" in said


def test_the_masks_of_two_parts_name_the_frames_of_each(tmp_path: Path) -> None:
    made = study(two_echoes(tmp_path / "a.dcm"))
    maps = [
        LabelMap.from_array("m", v.sha256, ("x",), np.ones(v.shape_zyx, np.uint8))
        for v in made.volumes
    ]
    written = write_series_label_maps(
        Reading(study_uid=made.uid, label_maps=tuple(maps)), made, tmp_path / "out"
    )
    for volume, path in zip(made.volumes, written.values(), strict=True):
        about = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert [one["frame_number"] for one in about["slices"]] == list(volume.frame_numbers)
        assert [one["position_lps_mm"][2] for one in about["slices"]] == pytest.approx(HEIGHTS)


@pytest.mark.parametrize("wanted", [[2], [3, 0], [1, 1]])
def test_frames_decoded_alone_are_those_of_the_whole(tmp_path: Path, wanted: list[int]) -> None:
    path = enhanced_file(tmp_path / "a.dcm", [axial(z, n) for n, z in enumerate(HEIGHTS)])
    whole, _ = stored_values(path)
    some, _ = stored_values(path, wanted)
    np.testing.assert_array_equal(some, whole[wanted])
