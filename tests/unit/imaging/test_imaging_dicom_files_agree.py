"""Age, view and side from all that state them: the cautious one counts, and a contradiction is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from medmm.domain.patient_age import age_notices, conflict, under_age
from medmm.domain.study import NotEvaluable, Study, View
from medmm.imaging.dicom.anatomy import view_conflict, view_of
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.patient import stated_ages
from tests.dicom_files import FILM, dataset, film_file, mr_file
from tests.mr_intakes import only, study


def tags(**changes: Any) -> Tags:
    return Tags(dataset(FILM, **changes))


def coded(value: str, meaning: str = "") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


@pytest.mark.parametrize(
    ("age", "birth", "child", "against"),
    [
        ("064Y", "19560101", False, False),
        ("064Y", "19550601", False, False),
        ("064Y", "20140101", True, True),
        ("008Y", "19560101", True, True),
        ("017Y", "20020305", True, False),
        ("018Y", "20020303", False, False),
        ("018Y", "20020305", True, False),  # a day too young by the birth date
        ("216M", "20020303", False, False),
        ("215M", None, True, False),
        ("003W", "20200212", True, False),
        ("010D", "20200223", True, False),
        ("000Y", "19560101", True, True),
        ("000Y", "20190601", True, False),
        ("000D", None, True, False),
        (" 64Y", "19560101", False, False),
        ("64Y", "20140101", True, True),
        ("064y", "20140101", True, True),
        ("089Y", "19200101", False, False),  # capped: 89 years or more
        ("089Y+", "19200101", False, False),
        ("090Y", "19560101", False, True),
        ("999Y", "19560101", False, False),
        ("64", "19560101", False, False),
        ("8", "19560101", True, True),  # a child's in any unit
        ("", "20140101", True, False),
        ("064Y", "20210101", False, False),  # born after the film: held for that
        (None, None, False, False),
    ],
)
def test_the_age_from_its_sources(
    age: str | None, birth: str | None, child: bool, against: bool
) -> None:
    ages = stated_ages([tags(PatientAge=age, PatientBirthDate=birth)])
    assert under_age(ages) is child
    assert any(conflict(one, other) for one in ages for other in ages) is against
    assert {n.code for n in age_notices(ages)} == {
        *(["child"] * child),
        *(["age-conflict"] * against),
    }


@pytest.mark.parametrize(
    ("view", "changes"),
    [
        (View.PA, {}),
        (View.PA, {"StudyDescription": "XR CHEST PA AND LATERAL", "SeriesDescription": "CHEST PA"}),
        (View.PA, {"StudyDescription": "XR CHEST 2 VIEWS (AP/PA)"}),
        (View.PA, {"SeriesDescription": "THORAX P.A. STEHEND"}),
        (View.PA, {"ViewCodeSequence": coded("272479007")}),
        (View.PA, {"ViewPosition": None, "ViewCodeSequence": coded("272479007")}),
        (View.AP, {"ViewPosition": "AP", "SeriesDescription": "CHEST PORTABLE"}),
        (View.AP, {"ViewPosition": None, "ViewCodeSequence": coded("R-10206")}),
        (View.AP, {"ViewPosition": None, "ViewCodeSequence": coded("X", "antero-posterior")}),
        (View.UNKNOWN, {"SeriesDescription": "CHEST AP"}),
        (View.UNKNOWN, {"StudyDescription": "Thorax a.p. im Bett"}),
        (View.UNKNOWN, {"SeriesDescription": "THORAX LIEGEND"}),
        (View.UNKNOWN, {"ProtocolName": "Chest A/P"}),
        (View.UNKNOWN, {"SeriesDescription": "Thorax couché"}),
        (View.UNKNOWN, {"SeriesDescription": "RX TORAX PORTÁTIL"}),
        (View.UNKNOWN, {"StudyDescription": "XR CHEST PORTABLE"}),
        (View.UNKNOWN, {"AcquisitionDeviceProcessingDescription": "CHEST antero-posterior"}),
        (View.UNKNOWN, {"ViewCodeSequence": coded("399348003")}),
        (View.UNKNOWN, {"ViewPosition": "AP", "ViewCodeSequence": coded("272479007")}),
        (
            View.UNKNOWN,
            {"ViewPosition": None, "SeriesDescription": "CHEST PA", "StudyDescription": "CHEST AP"},
        ),
        (View.LATERAL, {"ViewPosition": "LL", "SeriesDescription": "CHEST PA"}),
        (View.LATERAL, {"ViewPosition": None, "ViewCodeSequence": coded("399173006")}),
    ],
)
def test_the_view_from_its_sources(view: View, changes: dict[str, Any]) -> None:
    assert view_of(tags(**changes)) is view
    assert (view_conflict(tags(**changes)) is not None) is (view is View.UNKNOWN)


@pytest.mark.parametrize("changes", [{"SeriesDescription": "CHEST LAT"}, {"ViewCodeSequence": coded("399173006")},
                                     {"SeriesDescription": "THORAX SEITLICH"}])  # fmt: skip
def test_a_frontal_film_that_is_called_lateral_is_held(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    film_file(tmp_path, **changes)
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("view-contradiction", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"ImageLaterality": "L", "Laterality": "R"},
        {"Laterality": "L", "StudyDescription": "CHEST, RIGHT SIDE"},
        {"Laterality": "R", "SeriesDescription": "Thorax links"},
        {"ImageOrientationPatient": [-1, 0, 0, 0, 0, -1]},
        {"PatientOrientation": ["R", "F"], "ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
    ],
)
def test_a_film_that_contradicts_itself_on_its_sides_names_none(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    film_file(tmp_path, **changes)
    made = study(tmp_path)
    assert made.volumes[0].patient_left_on is None
    assert not made.orientation_known
    assert "side-conflict" in {notice.code for notice in made.warnings}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ImageLaterality": "U"},
        {"ImageLaterality": "B", "Laterality": "R"},
        {"SeriesDescription": "CHEST PA, LEFT LATERAL"},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
    ],
)
def test_sides_that_agree_are_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    film_file(tmp_path, **changes)
    assert study(tmp_path).volumes[0].patient_left_on == "right"


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"PatientOrientation": ["L", "P"]}, True),
        ({"PatientOrientation": ["R", "P"]}, False),
        ({"PatientOrientation": ["L", "A"]}, False),
        ({"Laterality": "L"}, True),  # the slices reach over the middle
        ({"Laterality": "R", "ImageLaterality": "L"}, False),
        ({"Laterality": "R", "ImagePositionPatient": None}, False),
    ],
)
def test_slices_that_contradict_their_orientation_have_no_affine(
    tmp_path: Path, changes: dict[str, Any], known: bool
) -> None:
    for n in range(3):
        place = [5 if changes.get("ImagePositionPatient", 0) is None else -10, -20, 5.0 * n]
        mr_file(tmp_path, f"{n}", 5.0 * n, **{**changes, "ImagePositionPatient": place})
    made = study(tmp_path)
    assert isinstance(made, Study)
    assert (made.volumes[0].affine_lps_mm is not None) is known
    assert made.volumes[0].spacing_z_mm == pytest.approx(5)
    assert ("side-conflict" in {notice.code for notice in made.warnings}) is not known
