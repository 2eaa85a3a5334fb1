"""A case refers to the patient's earlier studies, has an id of its own, and is one however often it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Case
from medmm.domain.prior import Prior, ReadingSummary
from medmm.domain.report import CaseState
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant, signed


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", writer="rules") as assistant:
        yield assistant


def film_of(folder: Path, number: int, **changes: Any) -> Path:
    """A film of a study of its own, acquired in the year 2000 and `number`."""
    uids = {
        name: f"1.2.3.{number}.{place}"
        for place, name in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
    }
    changes = {"AcquisitionDate": f"{2000 + number}0304", **uids, **changes}
    return film_file(folder, f"film-{number}", **changes)


def priors_of(assistant: Assistant, film: Path) -> tuple[Prior, ...]:
    return assistant.case(opened(assistant, film), pixels=False).case.priors


def test_earlier_studies_are_named_with_what_was_read_and_signed(
    assistant: Assistant, tmp_path: Path
) -> None:
    reader = assistant.reader_named("reader-1")
    first = opened(assistant, film_of(tmp_path, 1))
    report = signed(assistant, first, reader)
    drafted = opened(assistant, film_of(tmp_path, 2))
    assistant.draft(drafted)
    only_opened = opened(assistant, film_of(tmp_path, 3))
    admitted = assistant.admit(film_of(tmp_path, 4))
    opened(assistant, film_of(tmp_path, 9))  # later than the next
    third, second, one, oldest = priors_of(assistant, film_of(tmp_path, 5))
    assert [p.case_id for p in (third, second, one, oldest)] == [None, only_opened, drafted, first]
    assert third.study_uid == getattr(admitted, "uid", None)
    assert [p.report_id for p in (third, second, one, oldest)] == [None, None, None, report.id]
    seen = assistant.case(drafted, pixels=False).reading
    assert seen is not None
    assert one.reading == oldest.reading == ReadingSummary.of(seen)
    assert (third.reading, second.reading) == (None, None)
    assert (oldest.modality.value, oldest.body_part) == ("DX", "CHEST")
    assert oldest.acquired.moment.year == 2001
    assert assistant.verify().ok


def test_a_superseded_case_is_no_prior(assistant: Assistant, tmp_path: Path) -> None:
    before = opened(assistant, film_of(tmp_path, 1))
    assistant.draft(before)
    uids = {"StudyInstanceUID": "1.2.3.1.0", "SOPInstanceUID": "1.2.3.1.7"}
    also = film_file(tmp_path, "more", AcquisitionDate="20010305", **uids)
    now = opened(assistant, [film_of(tmp_path, 1), also])
    assert assistant.case(before, pixels=False).state is CaseState.SUPERSEDED
    (prior,) = priors_of(assistant, film_of(tmp_path, 2))
    assert (prior.case_id, prior.reading) == (now, None)


@pytest.mark.parametrize(
    "other",
    [
        {"PatientID": "ZZ-9"},
        {"IssuerOfPatientID": "ZZ"},
        {"PatientID": None},
        {"AcquisitionDate": None, "AcquisitionTime": None, "StudyDate": None},
    ],
)
def test_nobody_else_s_study_is_a_prior_nor_one_of_unknown_time(
    other: dict[str, Any], assistant: Assistant, tmp_path: Path
) -> None:
    opened(assistant, film_of(tmp_path, 1, **other))
    assert priors_of(assistant, film_of(tmp_path, 2)) == ()


def test_a_name_without_an_id_may_be_two_people_s(assistant: Assistant, tmp_path: Path) -> None:
    for number in (1, 2):
        assert priors_of(assistant, film_of(tmp_path, number, PatientID=None)) == ()


def test_priors_that_came_since_are_named_when_a_case_is_opened_again_undecided(
    assistant: Assistant, tmp_path: Path
) -> None:
    now = film_of(tmp_path, 5)
    assert priors_of(assistant, now) == ()
    before = opened(assistant, film_of(tmp_path, 1))
    assert [prior.case_id for prior in priors_of(assistant, now)] == [before]


def test_an_id_is_not_made_of_the_content(tmp_path: Path) -> None:
    film, ids = film_of(tmp_path, 1), set()
    for name in ("one", "two"):
        with quick_assistant(tmp_path / name, writer="rules") as assistant:
            ids.add(opened(assistant, film))
    assert len(ids) == 2
    assert all(len(case_id) == len("case-") + 16 for case_id in ids)


def test_a_study_is_one_case_however_often_and_from_wherever_it_is_opened(
    assistant: Assistant, tmp_path: Path
) -> None:
    study = assistant.admit(film_of(tmp_path, 1))
    uid = getattr(study, "uid", "")
    with ThreadPoolExecutor(6) as pool:
        cases = list(pool.map(lambda _: assistant.open_case(uid), range(6)))
    keyed = [assistant.open_case(uid, key="key-1") for _ in range(2)]
    assert len({case.id for case in (*cases, *keyed)}) == 1
    assert keyed[0] == keyed[1]
    assert len(assistant.cases()) == 1


def test_a_case_of_a_release_without_priors_has_none(assistant: Assistant, tmp_path: Path) -> None:
    case = assistant.case(opened(assistant, film_of(tmp_path, 1)), pixels=False).case
    early = {name: value for name, value in to_json(case).items() if name != "priors"}
    assert from_json(Case, early) == case
