"""A case to learn from tells nobody who the patient is, and shows no image that may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry
from medmm.domain.codec import to_json
from medmm.domain.errors import PermissionDenied, StateError
from medmm.domain.influence_of_draft import Difference
from medmm.domain.instruction import Pictures
from medmm.domain.report import Add, Edit
from medmm.domain.study import BURNED_IN, Notice
from medmm.domain.teaching_case import TeachingCase
from medmm.presentation.viewer_data import viewer_study
from tests.dicom_files import film_file
from tests.factories import make_case, make_case_file, make_study
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant

READERS = tuple(
    ReaderEntry(id=i, name=f"ZZ{i.upper()}", role=i.split("-")[0])
    for i in ("attending-1", "resident-1", "auditor-1")
)
TOLD = {
    "PatientName": "ZZNAME^GIVEN",
    "PatientID": "ZZ-4711",
    "AccessionNumber": "ACC-4711",
    "PatientBirthDate": "19500228",
    "AcquisitionDate": "20240517",
    "StudyDate": "20240517",
    "Manufacturer": "ZZMAKER",
    "StudyInstanceUID": "1.2.4711.1",
    "SeriesInstanceUID": "1.2.4711.2",
    "SOPInstanceUID": "1.2.4711.3",
    "FrameOfReferenceUID": "1.2.4711.4",
}
TRACES = ("ZZ", "NAME", "4711", "1950", "2024", "05-17", "GIVEN")


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", readers=READERS) as assistant:
        yield assistant


def record_of(path: Path) -> Path:
    patient = {
        "resourceType": "Patient", "id": "p1", "identifier": [{"value": "ZZ-4711"}], "birthDate": "1950-02-28",
        "name": [{"family": "ZZNAME", "given": ["GIVEN"]}],
    }  # fmt: skip
    told = {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"},
        "code": {"text": "ZZNAME fell on 2024-05-01"}, "onsetDateTime": "2024-05-01",
    }  # fmt: skip
    entries = [{"resource": one} for one in (patient, told)]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def admitted(assistant: Assistant, tmp_path: Path, **changes: Any) -> str:
    film = film_file(tmp_path / "in", **{**TOLD, **changes})
    case_id = opened(assistant, film, record=record_of(tmp_path / "record.json"))
    assistant.draft(case_id)
    return case_id


class Links:
    """Addresses that say nothing themselves: a random token could hold any letters."""

    def frames(self, series: str) -> str:
        return "/frames/{index}"

    def pictures(self, series: str) -> str:
        return "/pictures/{index}"

    def overlay(self, series: str, source: str) -> str:
        return "/overlays"


def test_nothing_of_it_says_who_the_patient_is(assistant: Assistant, tmp_path: Path) -> None:
    case_id = admitted(assistant, tmp_path, BurnedInAnnotation="NO")
    seen = assistant.case(case_id, pixels=False, by="attending-1")
    words = "ZZNAME GIVEN of 2024-05-17 has a left pleural effusion."
    assistant.decide(case_id, [Edit(s.id, words) for s in seen.asked], by="attending-1")
    assistant.sign(case_id, by="attending-1")
    case = assistant.teaching_case(case_id, by="resident-1")
    assert case.file is not None
    shown = json.dumps([to_json(case), viewer_study(case.file, Links()).text()])
    digests = "".join(v.sha256 for v in case.file.case.study.volumes)
    assert {t for t in TRACES if t in shown.replace(digests, "")} == set()
    assert case.age_years == 74
    assert case.file.case.context is None
    assert case.signed is not None
    assert {one.finding for one in case.signed} == {"Effusion"}
    volume, kept_volume = (
        case.file.case.study.volumes[0],
        assistant.case(case_id).case.study.volumes[0],
    )
    assert np.array_equal(volume.pixels(), kept_volume.pixels())
    assert volume.patient_left_on == kept_volume.patient_left_on


def test_one_look_is_logged_and_nothing_is_kept(assistant: Assistant, tmp_path: Path) -> None:
    case_id = admitted(assistant, tmp_path, BurnedInAnnotation="NO")
    before = kept(assistant).case_file(case_id)
    entries = len(kept(assistant).events())
    case = assistant.teaching_case(case_id, by="resident-1")
    case.compared_with([Add.of("Mass")], "No effusion.")
    (event,) = kept(assistant).events()[entries:]
    assert (event.verb, event.subject, event.details["teaching"]) == ("case", case_id, "True")
    assert kept(assistant).case_file(case_id) == before


@pytest.mark.parametrize(
    ("stated", "setting", "shown"),
    [
        ("NO", False, True),
        (None, False, False),
        (None, True, True),
        ("YES", False, False),
        ("YES", True, False),
    ],
)
def test_images_that_may_hold_text_are_not_shown(
    tmp_path: Path, stated: str | None, setting: bool, shown: bool
) -> None:
    changes: dict[str, Any] = {} if stated is None else {"BurnedInAnnotation": stated}
    server = {"pictures_without_statement": setting}
    with quick_assistant(tmp_path / "data", readers=READERS, server=server) as assistant:
        case = assistant.teaching_case(admitted(assistant, tmp_path, **changes), by="resident-1")
    assert (case.file is not None, case.withheld == "") == (shown, shown)
    assert ("do not state" in case.withheld) == (stated is None and not setting)


def test_a_study_of_an_earlier_release_says_it_by_its_warning_alone() -> None:
    warned = make_study(warnings=(Notice(code=BURNED_IN, text="Text."),))
    file = make_case_file()
    for pictures in (Pictures.STATED_WITHOUT_TEXT, Pictures.NOT_STATED_WITH_TEXT):
        with_text = TeachingCase.of(replace(file, case=make_case(study=warned)), pictures)
        assert with_text.file is None
        assert "state that text" in with_text.withheld


def test_what_the_learner_saw_is_laid_beside_draft_and_report(
    assistant: Assistant, tmp_path: Path
) -> None:
    case = assistant.teaching_case(
        admitted(assistant, tmp_path, BurnedInAnnotation="NO"), by="resident-1"
    )
    rows = {row.finding: row for row in case.compared_with([Add.of("Mass")], "No effusion.")}
    assert rows["Effusion"].difference is Difference.DRAFT_ALONE
    assert rows["Mass"].difference is Difference.READER_ALONE
    assert not rows["Mass"].signed
    assert case.signed is None


def test_an_undrafted_case_teaches_nothing_and_roles_are_asked(
    assistant: Assistant, tmp_path: Path
) -> None:
    case_id = opened(assistant, film_file(tmp_path / "in", BurnedInAnnotation="NO"))
    with pytest.raises(StateError, match="no draft"):
        assistant.teaching_case(case_id, by="resident-1")
    with pytest.raises(PermissionDenied):
        assistant.teaching_case(case_id, by="auditor-1")


def test_the_oldest_are_of_one_age(assistant: Assistant, tmp_path: Path) -> None:
    old: dict[str, Any] = {"PatientBirthDate": "19200101", "BurnedInAnnotation": "NO"}
    film = film_file(tmp_path / "in", **{**TOLD, **old})
    case_id = opened(assistant, film)
    assistant.draft(case_id)
    assert assistant.teaching_case(case_id, by="resident-1").age_years == 90
