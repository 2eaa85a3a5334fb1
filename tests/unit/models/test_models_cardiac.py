"""The heart: fractions, volumes and mass of planted ventricles by hand, and what is not stated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.domain.draft import Case, Outcome
from medmm.domain.reading import LabelMap
from medmm.domain.reading_model import read_by
from medmm.domain.study import ChosenSequence, Modality, SequenceRole, Study
from medmm.drafting import RuleWriter
from medmm.grounding import check
from medmm.models.mr.cardiac import (
    CardiacModel,
    Phase,
    group_probabilities,
    quantities,
    ventricles_of,
)
from medmm.models.mr.volume_segmenter import Labelled
from medmm.models.weights.catalogue import WeightsFolder, row_named
from tests.factories import make_mr_study
from tests.mr_phantoms import heart, unspaced
from tests.volume_models import SPREAD, Planted, volume_of

LABELS = ("right ventricle", "myocardium", "left ventricle")
SPACING = (10.0, 2.0, 2.5)  # 0.05 ml a voxel
NAMES = (
    "LVEF",
    "LV EDV",
    "LV ESV",
    "RVEF",
    "RV EDV",
    "RV ESV",
    "LV mass",
    "LV mass to LV EDV ratio",
    "RV EDV to LV EDV ratio",
)
PERCENT = {"kind": "absolute", "half_width": 8.0}
CALIBRATION = {**dict.fromkeys(NAMES, SPREAD), "LVEF": PERCENT, "RVEF": PERCENT}
GROUPS = {
    "of": ["LVEF", "LV EDV"],
    "groups": ["DCM", "HCM", "MINF", "NOR", "RV"],
    "mean": [50.0, 100.0],
    "spread": [10.0, 50.0],
    "weights": [[-2.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, -1.0]],
    "intercepts": [0.0, 0.0, 0.0, 0.0, 0.0],
    "threshold": 0.5,
}


def model(**changes: Any) -> CardiacModel:
    return CardiacModel(
        weights=WeightsFolder(row=row_named("cardiac"), folder=Path()),
        segmenter=Planted(lambda signal: np.rint(signal).astype(int), labels=3),  # type: ignore[arg-type]
        labels=LABELS,
        calibration={**CALIBRATION, **changes},
    )


def planted(rv: int, myocardium: int, lv: int) -> Any:
    """Labels on (2, 10, 60) with so many voxels each, apart from each other."""
    values = np.zeros((2, 10, 60), dtype=np.float32)
    for label, count, start in ((1, rv, 0), (2, myocardium, 20), (3, lv, 40)):
        block = np.zeros(2 * 10 * 18, dtype=np.float32)
        block[:count] = label
        values[:, :, start : start + 18] = block.reshape(2, 10, 18)
    return values


def study(ed: Any, es: Any, **changes: Any) -> Study:
    spaced = {"spacing_yx_mm": SPACING[1:], "spacing_z_mm": SPACING[0], **changes}
    volumes = tuple(volume_of(v, sha256=s * 64, **spaced) for v, s in ((ed, "d"), (es, "e")))
    roles = (SequenceRole.CINE_ED, SequenceRole.CINE_ES)
    return Study(
        uid="1.2.9",
        patient_key="pk-" + "1" * 32,
        modality=Modality.MR,
        body_part="HEART",
        acquired=None,
        volumes=volumes,
        sequences=tuple(
            ChosenSequence(role=r, volume_sha256=v.sha256, reason="x")
            for r, v in zip(roles, volumes, strict=True)
        ),
    )


def assert_grounded(made: Study, reading: Any) -> list[str]:
    case = Case(id="case-1", study=made, context=None)
    draft = check(RuleWriter().write(case, reading), case, reading)
    assert not [(v.check, v.reason) for v in draft.verdicts if v.outcome is Outcome.FAILED]
    return [statement.text for statement in draft.draft.statements]


def test_what_is_measured_is_that_by_hand() -> None:
    made = study(planted(200, 80, 160), planted(120, 90, 40))
    reading = model().read(made)
    found = {m.name: m.value for m in reading.measurements}
    assert {m.model for m in reading.measurements} == {"cardiac"}
    assert found == pytest.approx(
        {
            "LVEF": 75.0,
            "LV EDV": 8.0,
            "LV ESV": 2.0,
            "RVEF": 40.0,
            "RV EDV": 10.0,
            "RV ESV": 6.0,
            "LV mass": 4.2,  # 80 voxels of 0.05 ml, 1.05 g/ml
            "LV mass to LV EDV ratio": 0.525,
            "RV EDV to LV EDV ratio": 1.25,
        },
        abs=1e-4,
    )
    assert reading.measurement("LVEF").interval == (67.0, 83.0)  # type: ignore[union-attr]
    assert [n.code for n in reading.warnings] == ["axes-assumed"]
    assert [m.name for m in reading.label_maps] == ["cardiac-ed", "cardiac-es"]
    assert_grounded(made, reading)


def test_what_no_heart_is_known_to_have_is_said_and_not_stated() -> None:
    ranges = {"LVEF": [5.0, 91.0], "LV mass": [20.0, 300.0], "RV EDV": [5.0, 20.0]}
    made = study(planted(200, 80, 160), planted(120, 90, 40))
    reading = model(plausible=ranges, groups=GROUPS).read(made)
    assert {m.name for m in reading.measurements} == set(NAMES) - {
        "LV mass",
        "LV mass to LV EDV ratio",
    }
    (notice,) = (n for n in reading.warnings if n.code == "implausible")
    assert "LV mass came out as 4.2 g" in notice.text
    assert "20 to 300 g" in notice.text
    assert reading.findings == ()  # no pattern is suggested by numbers that can't be
    assert model(plausible={**ranges, "LV mass": [2.0, 300.0]}, groups=GROUPS).read(made).findings
    assert not any("mass" in text for text in assert_grounded(made, reading))
    narrow = model(plausible={"LV ESV": [5.0, 9.0]}).read(made)  # measured: 2 ml
    assert {m.name for m in narrow.measurements} == set(NAMES) - {"LV ESV", "LVEF"}


def test_a_fraction_s_interval_ends_at_a_hundred() -> None:
    reading = model().read(study(planted(200, 80, 160), planted(100, 80, 2)))
    lvef = reading.measurement("LVEF")
    assert lvef is not None
    assert lvef.value == pytest.approx(98.75)
    assert lvef.interval == (90.75, 100.0)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("LVEF", {("cardiac-ed", "left ventricle"), ("cardiac-es", "left ventricle")}),
        ("LV EDV", {("cardiac-ed", "left ventricle")}),
        ("LV ESV", {("cardiac-es", "left ventricle")}),
        ("RVEF", {("cardiac-ed", "right ventricle"), ("cardiac-es", "right ventricle")}),
        ("RV ESV", {("cardiac-es", "right ventricle")}),
        ("LV mass", {("cardiac-ed", "myocardium")}),
        (
            "LV mass to LV EDV ratio",
            {("cardiac-ed", "myocardium"), ("cardiac-ed", "left ventricle")},
        ),
        (
            "RV EDV to LV EDV ratio",
            {("cardiac-ed", "right ventricle"), ("cardiac-ed", "left ventricle")},
        ),
    ],
)
def test_each_quantity_names_the_voxels_it_was_measured_on(
    name: str, places: set[tuple[str, str]]
) -> None:
    reading = model().read(study(planted(200, 80, 160), planted(120, 90, 40)))
    measurement = reading.measurement(name)
    assert measurement is not None
    assert {(e.label_map, e.label) for e in measurement.extents} == places


def test_a_ventricle_that_is_larger_at_end_systole_is_not_stated() -> None:
    made = study(planted(200, 80, 40), planted(120, 90, 60))
    reading = model(groups=GROUPS).read(made)
    assert {m.name for m in reading.measurements} == {"RVEF", "RV EDV", "RV ESV", "LV mass"}
    assert [n.code for n in reading.warnings] == ["axes-assumed", "lv-not-measured"]
    assert reading.findings == ()
    assert_grounded(made, reading)


def test_a_ventricle_that_is_missing_in_a_phase_is_not_stated() -> None:
    reading = model().read(study(planted(0, 80, 160), planted(0, 90, 0)))
    assert [m.name for m in reading.measurements] == ["LV mass"]
    assert [n.code for n in reading.warnings] == [
        "axes-assumed",
        "lv-not-measured",
        "rv-not-measured",
    ]


def test_phases_that_are_swapped_are_said_to_be_and_not_measured() -> None:
    made = study(planted(120, 90, 40), planted(200, 80, 160))
    reading = model(groups=GROUPS).read(made)
    assert (reading.measurements, reading.findings) == ((), ())
    assert [n.code for n in reading.warnings] == ["axes-assumed", "phases-swapped"]
    assert len(reading.label_maps) == 2
    assert_grounded(made, reading)


def test_nothing_found_at_all_measures_nothing() -> None:
    reading = model().read(study(planted(0, 0, 0), planted(0, 0, 0)))
    assert reading.measurements == ()
    assert [n.code for n in reading.warnings] == [
        "axes-assumed",
        "lv-not-measured",
        "rv-not-measured",
    ]


@pytest.mark.parametrize("unknown", [{"spacing_z_mm": None}, {"spacing_yx_mm": None}])
def test_without_a_voxel_size_nothing_is_looked_at(unknown: dict[str, Any]) -> None:
    one = model()
    reading = read_by([one], study(planted(200, 80, 160), planted(120, 90, 40), **unknown))
    assert (reading.measurements, reading.label_maps) == ((), ())
    assert one.segmenter.asked == []  # type: ignore[attr-defined]
    (warning,) = reading.warnings
    assert warning.code == "not-measured"
    assert "neither outlined nor measured" in warning.text


def test_one_slice_or_one_uneven_phase_is_not_measured() -> None:
    single = study(planted(200, 80, 160)[:1], planted(120, 90, 40)[:1])
    assert [n.code for n in read_by([model()], single).warnings] == ["not-measured"]
    made = study(planted(200, 80, 160), planted(120, 90, 40))
    uneven = replace(made, volumes=(made.volumes[0], unspaced(made.volumes[1])))
    assert [n.code for n in read_by([model()], uneven).warnings] == ["not-measured"]


def test_one_phase_alone_is_not_read() -> None:
    made = study(planted(200, 80, 160), planted(120, 90, 40))
    reading = read_by([model()], replace(made, sequences=made.sequences[:1]))
    assert [n.code for n in reading.warnings] == ["no-phases"]
    assert (reading.measurements, reading.label_maps, reading.models) == ((), (), ())


def test_the_heart_of_the_phantom_is_grounded() -> None:
    made = make_mr_study("HEART")
    one = model(groups={**GROUPS, "weights": [[0.0, 0.0]] * 4 + [[5.0, 0.0]]})
    tones = np.array([250.0, 750.0, 350.0, 850.0])
    one.segmenter.rule = lambda signal: np.abs(signal[..., None] - tones).argmin(-1)  # type: ignore[attr-defined, misc]
    reading = one.read(made)
    for label_map, truth in zip(reading.label_maps, heart()[1], strict=True):
        assert np.array_equal(label_map.array(), truth)
    texts = assert_grounded(made, reading)
    assert any("LVEF" in text for text in texts)
    assert any("right ventric" in text.lower() and "pattern" in text for text in texts)


def test_suggestions_are_a_probability_for_each_group() -> None:
    found = {"LVEF": 20.0, "LV EDV": 100.0}
    probabilities = group_probabilities(GROUPS, found)
    assert set(probabilities) == set(GROUPS["groups"])
    assert sum(probabilities.values()) == pytest.approx(1)
    logits = np.array([6.0, -3.0, 0.0, 0.0, 0.0])
    assert list(probabilities.values()) == pytest.approx(
        list(np.exp(logits) / np.exp(logits).sum())
    )
    suggested = model(groups=GROUPS).suggestions(found)
    assert [f.name for f in suggested if f.suspected] == ["Dilated_Cardiomyopathy_Pattern"]
    assert len(suggested) == 4  # a normal heart is no finding
    assert sum(f.probability for f in suggested) == pytest.approx(
        1 - probabilities["NOR"], abs=1e-3
    )
    assert all(f.model == "cardiac" for f in suggested)


def test_no_group_is_suggested_where_a_measurement_is_missing() -> None:
    assert model(groups=GROUPS).suggestions({"LVEF": 20.0}) == ()
    assert model().suggestions({"LVEF": 20.0, "LV EDV": 100.0}) == ()


def test_extreme_measurements_overflow_nothing() -> None:
    probabilities = group_probabilities(GROUPS, {"LVEF": -1e6, "LV EDV": 1e6})
    assert sum(probabilities.values()) == pytest.approx(1)
    assert probabilities["DCM"] == pytest.approx(1)


def test_equal_phases_have_a_fraction_of_nought() -> None:
    volume = volume_of(planted(2, 2, 2), spacing_yx_mm=(1.0, 1.0), spacing_z_mm=1.0)
    label_map = LabelMap.from_array(
        "cardiac-ed", volume.sha256, LABELS, planted(2, 2, 2).astype(np.uint8)
    )
    found = quantities(
        Phase(volume=volume, label_map=label_map), Phase(volume=volume, label_map=label_map)
    )
    assert (found["LVEF"], found["LV EDV"]) == (0, 0.002)


def test_the_largest_part_of_each_label_is_kept() -> None:
    values = np.zeros((2, 6, 8), dtype=np.uint8)
    values[0, :2, :2], values[1, 5, 7] = 1, 1
    values[0, 3:5, :3], values[1, 0, 7] = 3, 3
    values[0, 2, :2] = 2
    probabilities = np.stack([(values == n).astype(np.float32) for n in range(4)])
    kept = ventricles_of(Labelled(probabilities=probabilities, presence=None))
    values[1, 5, 7] = values[1, 0, 7] = 0
    assert np.array_equal(kept, values)


def test_nothing_is_measured_on_a_doubted_heart_and_the_outlines_stay() -> None:
    made = study(planted(200, 80, 160), planted(120, 90, 40))
    sure = model(groups=GROUPS)
    known = max(phase.signs["entropy"] for phase in _phases(sure, made))
    within = model(groups=GROUPS, doubt={"entropy": [0, known * 1.01]}).read(made)
    assert within.measurements == sure.read(made).measurements != ()
    reading = model(groups=GROUPS, doubt={"entropy": [0, known * 0.99]}).read(made)
    assert (reading.measurements, reading.findings) == ((), ())
    assert reading.label_maps == within.label_maps
    assert [n.code for n in reading.warnings] == ["axes-assumed", "unsure"]
    assert_grounded(made, reading)


def _phases(of: CardiacModel, made: Study) -> list[Phase]:
    roles = (SequenceRole.CINE_ED, SequenceRole.CINE_ES)
    return [of.phase(role, volume) for role, volume in zip(roles, made.volumes, strict=True)]
