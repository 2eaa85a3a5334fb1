"""The role of an MR series: physics of every vendor's tags, words, contradictions, and what is left unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage

from medmm.domain.study import Sequence, SequenceRole
from medmm.imaging.dicom.header import Tags
from medmm.imaging.mr import sequence_roles
from medmm.imaging.mr.contrast_check import bears_out, bright, middle
from medmm.imaging.mr.physics import Physics, alike, b_value, frames_physics
from medmm.imaging.mr.sequence_roles import role_of, rules, sequence_of, terms
from tests.dicom_files import MR_SLICE, dataset, picture

SE = {"ScanningSequence": "SE"}
IR = {"ScanningSequence": ["SE", "IR"]}
GR3 = {"ScanningSequence": "GR", "SequenceVariant": ["SP", "OSP"], "MRAcquisitionType": "3D"}


def physics(te: float | None = None, tr: float | None = None, **changes: Any) -> Physics:
    (found,) = frames_physics(
        Tags(dataset(MR_SLICE, picture(64, 64), EchoTime=te, RepetitionTime=tr, **changes))
    )
    return found


def role(
    te: float | None = None, tr: float | None = None, region: str = "BRAIN", **changes: Any
) -> Sequence:
    return role_of(physics(te, tr, **changes), region)


@pytest.mark.parametrize(
    ("expected", "te", "tr", "changes"),
    [
        # Siemens
        ("FLAIR", 90, 9000, {**IR, "SequenceName": "*tir2d1_21", "InversionTime": 2500}),
        ("FLAIR", 388, 5000, {**IR, "SequenceVariant": ["SK", "SP", "MP"], "InversionTime": 1800}),
        (
            "T1",
            2.3,
            2300,
            {**GR3, "SequenceVariant": ["SK", "SP", "MP"], "InversionTime": 900, "FlipAngle": 8},
        ),
        (
            "T1_CONTRAST",
            2.3,
            2300,
            {**GR3, "SequenceVariant": ["SP", "MP"], "FlipAngle": 8, "ContrastBolusAgent": "x"},
        ),
        ("T2", 92, 4000, {**SE, "SequenceName": "*tse2d1_13"}),
        ("SUSCEPTIBILITY", 20, 28, {**GR3, "ImageType": ["ORIGINAL", "PRIMARY", "M", "SWI"]}),
        ("SUSCEPTIBILITY", 20, 28, {**GR3, "FlipAngle": 15}),
        ("DERIVED", 20, 28, {**GR3, "ImageType": ["DERIVED", "PRIMARY", "MNIP", "SWI"]}),
        ("UNKNOWN", 20, 28, {**GR3, "ImageType": ["ORIGINAL", "PRIMARY", "P", "SWI"]}),
        ("DWI", 80, 5000, {"ScanningSequence": "EP", "SequenceName": "*ep_b1000t"}),
        (
            "ADC",
            80,
            5000,
            {"ScanningSequence": "EP", "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]},
        ),
        (
            "DERIVED",
            80,
            5000,
            {"ScanningSequence": "EP", "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "FA"]},
        ),
        ("UNKNOWN", 2.46, 6.7, {"ScanningSequence": "GR", "SequenceName": "fm2d2", "FlipAngle": 8}),
        # GE
        ("FLAIR", 128, 9000, {**IR, "InversionTime": 2250}),
        ("T1", 24, 2200, {**IR, "InversionTime": 860}),
        (
            "T1",
            3,
            8,
            {**GR3, "ScanningSequence": ["GR", "IR"], "InversionTime": 450, "FlipAngle": 12},
        ),
        ("T1", 10, 650, {"ScanningSequence": "RM", "SequenceVariant": "NONE"}),
        ("FLAIR", 140, 10000, {"ScanningSequence": "RM", "SeriesDescription": "Ax T2 FLAIR"}),
        ("UNKNOWN", 140, 10000, {"ScanningSequence": "RM"}),  # it may be T2 as well
        ("DWI", 78, 8000, {"ScanningSequence": ["EP", "RM"], "SeriesDescription": "Ax DWI"}),
        # Philips: a b-value of 0 stands in every file
        ("T1", 2.93, 6.5, {**GR3, "SequenceVariant": "MP", "FlipAngle": 9, "DiffusionBValue": 0.0}),
        (
            "FLAIR",
            120,
            11000,
            {"ScanningSequence": "IR", "InversionTime": 2800, "DiffusionBValue": 0.0},
        ),
        ("DWI", 70, 4000, {**SE, "DiffusionBValue": 800.0}),
        (
            "PERFUSION",
            9,
            4250,
            {"ScanningSequence": "GR", "ImageType": ["ORIGINAL", "PRIMARY", "PERFUSION FFE"]},
        ),
        # United Imaging
        ("FLAIR", 110, 8500, {**IR, "SequenceName": "fse_arms_flair", "InversionTime": 2400}),
        ("T2", 105, 4600, {**SE, "SequenceName": "fse", "SeriesDescription": "t2_fse_tra"}),
        # every vendor
        ("UNKNOWN", 15, 2500, {**SE}),  # proton density
        ("UNKNOWN", 60, 5000, {**IR, "InversionTime": 150}),  # STIR
        ("UNKNOWN", 30, 2000, {"ScanningSequence": ["EP", "GR"]}),
        ("UNKNOWN", 4, 22, {**GR3, "FlipAngle": 20}),  # T1, or time-of-flight
        ("UNKNOWN", 4, 7, {**GR3, "FlipAngle": 20, "SeriesDescription": "TOF 3D multislab"}),
        ("LOCALISER", 5, 15, {"ScanningSequence": "GR", "SeriesDescription": "3-PLANE LOC"}),
        (
            "LOCALISER",
            5,
            15,
            {"ScanningSequence": "GR", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        ),
        ("UNKNOWN", None, None, {}),
        ("DERIVED", None, None, {"ImageType": ["DERIVED", "SECONDARY"]}),
        (
            "T1",
            None,
            None,
            {"ImageType": ["DERIVED", "SECONDARY"], "SeriesDescription": "anat-T1w"},
        ),
        (
            "UNKNOWN",
            30,
            500,
            {"ScanningSequence": ["EP", "GR"], "SeriesDescription": "REST1"},
        ),  # no T1
    ],
)
def test_the_role_by_tags(expected: str, te: float, tr: float, changes: dict[str, Any]) -> None:
    found = role(te, tr, **changes)
    assert found.role is SequenceRole[expected], found.reason
    assert found.confirmed is None


def test_the_reason_names_elements_and_values_and_repeats_no_text() -> None:
    found = role(
        92, 4000, **SE, SeriesDescription="ZZNAME T2 for ZZDOCTOR", ProtocolName="ZZPROTOCOL"
    )
    assert found.role is SequenceRole.T2
    assert "Series Description says T2" in found.reason
    assert "TE 92 ms, TR 4000 ms" in found.reason
    assert "ZZ" not in found.reason


@pytest.mark.parametrize(
    ("expected", "te", "tr", "changes"),
    [
        ("T2", 92, 4000, {**SE, "SeriesDescription": "T1 SE"}),
        ("T1", 10, 500, {**SE, "SeriesDescription": "T2 TSE"}),
        ("T2", 100, 8000, {**SE, "SeriesDescription": "FLAIR"}),
        ("UNKNOWN", 15, 2500, {**SE, "SeriesDescription": "T2 TSE"}),
    ],
)
def test_where_words_and_physics_contradict_physics_counts_and_it_is_said(
    expected: str, te: float, tr: float, changes: dict[str, Any]
) -> None:
    found = role(te, tr, **changes)
    assert found.role is SequenceRole[expected]
    assert "contradict" in found.reason


def test_words_that_contradict_each_other_name_no_role() -> None:
    found = role(40, 1300, **SE, SeriesDescription="T1", SequenceName="flair3d")
    assert found.role is SequenceRole.UNKNOWN
    assert "do not agree" in found.reason


def test_a_protocol_name_is_that_of_the_examination_and_decides_nothing() -> None:
    assert (
        role(10, 650, **SE, ProtocolName="Brain - RCBV", SeriesDescription="T1 SE").role
        is SequenceRole.T1
    )
    assert role(10, 650, **SE, ProtocolName="Brain perfusion").role is SequenceRole.T1


@pytest.mark.parametrize(
    ("expected", "changes", "said"),
    [
        ("T1", {}, "no element states"),
        ("T1_CONTRAST", {"ContrastBolusAgent": "10 ml of it"}, "is stated"),
        ("T1", {"ContrastBolusAgent": "NONE"}, "no contrast agent was given"),
        ("T1_CONTRAST", {"SeriesDescription": "T1 post"}, "post-contrast"),
        ("T1_CONTRAST", {"SeriesDescription": "T1 +C"}, "post-contrast"),
        ("T1", {"SeriesDescription": "T1 without contrast"}, "no element states"),
        ("T1_CONTRAST", {"SeriesDescription": "T1 pre", "ContrastBolusAgent": "x"}, "contradict"),
        ("T1", {"SeriesDescription": "T1 posterior fossa"}, "no element states"),
    ],
)
def test_before_or_after_a_contrast_agent(
    expected: str, changes: dict[str, Any], said: str
) -> None:
    found = role(10, 500, **SE, **changes)
    assert found.role is SequenceRole[expected]
    assert said in found.reason


def test_a_heart_has_a_cine_and_no_weightings() -> None:
    cine = {"ScanningSequence": "GR", "SequenceVariant": "SS", "TriggerTime": 0.0, "FlipAngle": 60}
    assert role(1.4, 40, "HEART", **cine).role is SequenceRole.CINE
    assert role(1.4, 40, "HEART", SeriesDescription="CINE sa").role is SequenceRole.CINE
    assert role(1.4, 40, "BRAIN", **cine).role is SequenceRole.UNKNOWN
    assert role(60, 1800, "HEART", **SE, SeriesDescription="T2").role is SequenceRole.UNKNOWN
    flow = role(None, None, "BRAIN", SeriesDescription="CINE of the aqueduct")
    assert flow.role is SequenceRole.UNKNOWN
    assert "no role of a series of the brain" in flow.reason


@pytest.mark.parametrize(
    ("creator", "group", "element", "stored", "expected"),
    [
        ("SIEMENS MR HEADER", 0x0019, 0x0C, ("IS", "1000"), 1000),
        ("GEMS_PARM_01", 0x0043, 0x39, ("IS", ["1000000800", "8", "0", "0"]), 800),
        ("Philips Imaging DD 001", 0x2001, 0x03, ("FL", 700.0), 700),
        ("Image Private Header", 0x0065, 0x09, ("FD", 1200.0), 1200),
        ("SIEMENS MR HEADER", 0x0019, 0x0C, ("LO", "a text"), None),
        ("SOMEBODY ELSE", 0x0019, 0x0C, ("IS", "1000"), None),
    ],
)
def test_b_values_of_vendors(
    creator: str, group: int, element: int, stored: tuple[str, Any], expected: Any
) -> None:
    made = dataset(MR_SLICE, picture(64, 64))
    made.private_block(group, creator, create=True).add_new(element, *stored)
    assert b_value(Tags(made)) == expected
    assert (role_of(frames_physics(Tags(made))[0], "BRAIN").role is SequenceRole.DWI) is (
        expected is not None
    )


def group(**sequences_: dict[str, Any]) -> Dataset:
    """A functional group: sequence keyword to the elements of its one item."""
    made = Dataset()
    for keyword, elements in sequences_.items():
        item = Dataset()
        for name, value in elements.items():
            setattr(item, name, value)
        setattr(made, keyword, Items([item]))
    return made


def enhanced(own: list[Dataset], shared: Dataset, **changes: Any) -> Tags:
    made = dataset(
        MR_SLICE,
        picture(64, 64),
        SOPClassUID=EnhancedMRImageStorage,
        NumberOfFrames=len(own),
        **changes,
    )
    made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence = (
        Items([shared]),
        Items(own),
    )
    return Tags(made)


def test_the_functional_groups_of_an_enhanced_image() -> None:
    shared = group(
        MRTimingAndRelatedParametersSequence={"RepetitionTime": 9000.0, "FlipAngle": 90.0},
        MREchoSequence={"EffectiveEchoTime": 120.0},
        MRModifierSequence={"InversionRecovery": "YES", "InversionTimes": 2400.0},
        MRImageFrameTypeSequence={"FrameType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]},
    )
    (found,) = frames_physics(enhanced([group(), group()], shared, EchoPulseSequence="SPIN"))
    assert (found.family, found.echo_ms, found.inversion_ms, found.inversion) == (
        "SE",
        120,
        2400,
        True,
    )
    assert role_of(found, "BRAIN").role is SequenceRole.FLAIR


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([{"MRDiffusionSequence": {"DiffusionBValue": 1000.0}}] * 2, "DWI"),
        (
            [
                {
                    "MRImageFrameTypeSequence": {
                        "AcquisitionContrast": "T2",
                        "ComplexImageComponent": "PHASE",
                    }
                }
            ],
            "UNKNOWN",
        ),
        (
            [
                {"MREchoSequence": {"EffectiveEchoTime": 10.0}},
                {"MREchoSequence": {"EffectiveEchoTime": 100.0}},
            ],
            "UNKNOWN",
        ),
        (
            [{"ContrastBolusUsageSequence": {"ContrastBolusAgentAdministered": "YES"}}],
            "T1_CONTRAST",
        ),
        ([{"ContrastBolusUsageSequence": {"ContrastBolusAgentAdministered": "NO"}}], "T1"),
        (
            [
                {
                    "ContrastBolusUsageSequence": {
                        "ContrastBolusAgentAdministered": "YES",
                        "ContrastBolusAgentPhase": "PRE_CONTRAST",
                    }
                }
            ],
            "T1",
        ),
    ],
)
def test_frames_of_one_enhanced_image(own: list[dict[str, Any]], expected: str) -> None:
    shared = group(
        MRTimingAndRelatedParametersSequence={"RepetitionTime": 500.0},
        MREchoSequence={"EffectiveEchoTime": 10.0},
    )
    frames = frames_physics(
        enhanced([group(**one) for one in own], shared, EchoPulseSequence="SPIN")
    )
    found = sequence_of(frames, "BRAIN")
    assert found.role is SequenceRole[expected], found.reason


def test_images_of_several_contrasts_have_no_role() -> None:
    one, other = physics(10, 500, **SE), physics(14, 500, **SE)
    assert not alike(one, other)
    assert sequence_of([one, other], "BRAIN") == sequence_roles.MIXED
    near = replace(one, echo_ms=10.5)
    assert sequence_of([one, near], "BRAIN").role is SequenceRole.T1


def test_every_row_of_both_tables_is_reached_by_a_source() -> None:
    assert all(term.name for term in terms())
    assert {rule.role for rule in rules()} >= {
        SequenceRole.FLAIR,
        SequenceRole.T1,
        SequenceRole.T2,
        SequenceRole.CINE,
    }
    for rule in rules():  # each range is one: low below high
        assert all(low < high for _, low, high in rule.ranges)


AXIAL = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 5.0, 0), (0, 0, 0, 1.0))
SAGITTAL = ((0, 0, 5.0, 0), (1.0, 0, 0, 0), (0, -1.0, 0, 0), (0, 0, 0, 1.0))


def head(fluid: float, tissue: float = 400.0) -> np.ndarray:
    """Slices of a round head of tissue with fluid in its middle."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    r = np.hypot(y / 0.9, x / 0.75)
    plane = np.where(r < 1, tissue * (1 - 0.1 * r), 3.0)
    plane = np.where(np.hypot(y / 0.2, x / 0.12) < 1, fluid, plane)
    noise = np.abs(np.random.default_rng(3).normal(0, 4, (4, 96, 96)))
    return (plane + noise).astype(np.float32)


@pytest.mark.parametrize("name", ["T1", "T1_CONTRAST", "FLAIR"])
def test_dark_fluid_bears_out_t1_and_flair_and_bright_fluid_contradicts_it(name: str) -> None:
    assert bears_out(SequenceRole[name], head(60), AXIAL) is True
    assert bears_out(SequenceRole[name], head(1000), AXIAL) is False
    assert bears_out(SequenceRole.T2, head(60), AXIAL) is False
    assert bears_out(SequenceRole.T2, head(1000), AXIAL) is True


def test_nothing_is_said_where_the_pixels_cannot_say() -> None:
    assert bears_out(SequenceRole.DWI, head(60), AXIAL) is None
    assert bears_out(SequenceRole.T1, head(60), SAGITTAL) is None
    assert bears_out(SequenceRole.T1, head(60), None) is None
    assert bears_out(SequenceRole.T1, np.zeros((3, 90, 90), np.float32), AXIAL) is None
    assert bright(np.full(900, 7, np.float32)) is None
    assert (
        bright(
            np.concatenate([np.full(500, 100.0), np.full(60, 30.0), np.full(200, 240.0)]).astype(
                np.float32
            )
        )
        is None
    )


def test_the_middle_of_a_stack() -> None:
    assert middle(1) == [0]
    assert middle(21) == [7, 8, 9, 10, 11, 12, 13]
    assert len(middle(200)) == 7
