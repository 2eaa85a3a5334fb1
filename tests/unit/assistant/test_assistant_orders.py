"""Orders of an order system: kept as the newest message has them, and joined to their study."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.domain.errors import InputError, PermissionDenied
from medmm.domain.study import Study
from tests.dicom_files import film_file
from tests.kept import kept
from tests.orders import order_message
from tests.quick_assistant import opened, quick_assistant, signed

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"value": "ZZ-1"}],
    "name": [{"family": "ZZTEST", "given": ["FILM"]}],
    "gender": "female",
    "birthDate": "1960-01-02",
}
CAME_FROM_THE_ORDER = "Cough, no fever"


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data") as opened_:
        yield opened_


def take(assistant: Assistant, **how: Any) -> str:
    (order,) = assistant.take_order(order_message(**how).encode()).orders
    return order.outcome


def film(folder: Path, **tags: Any) -> Path:
    return film_file(folder, **{"AccessionNumber": "ACC1", **tags})


def admitted(assistant: Assistant, path: Path, **how: Any) -> Study:
    study = assistant.admit(path, **how)
    assert isinstance(study, Study), study
    return study


def codes(study: Study) -> set[str]:
    return {n.code for n in study.warnings if n.code.startswith("order-")}


def reasons(assistant: Assistant, study: Study) -> list[str]:
    context = kept(assistant).context(study.uid)
    return [str(f.value) for f in context.facts if f.kind.value == "order"] if context else []


def record(path: Path, *requests: dict[str, Any]) -> Path:
    made = [
        {"resourceType": "ServiceRequest", "id": f"r{number}", "status": "active", "intent": "order",
         "subject": {"reference": "Patient/p1"}, "authoredOn": "2020-03-01", "code": {"text": "Film"}, **one}
        for number, one in enumerate(requests)
    ]  # fmt: skip
    entries = [{"resource": one} for one in (PATIENT, *made)]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def test_the_order_is_the_reason_for_the_exam_and_its_priority_the_case_s(
    assistant: Assistant, tmp_path: Path
) -> None:
    assert take(assistant, priority="S^stat^HL70485") == "new"
    case_id = opened(assistant, film(tmp_path))
    (line,) = assistant.cases()
    assert line.priority == "stat"
    said = [s.text for s in assistant.draft(case_id).statements]
    assert any(CAME_FROM_THE_ORDER in text for text in said)
    order = kept(assistant).order("1.2.3.1")
    assert {i.value for i in order.request.identifiers} == {"P1", "ACC1"}
    assert order.request.reference is None
    assert assistant.verify().ok


@pytest.mark.parametrize(
    ("message", "tags"),
    [
        ({"accession": "", "study": "1.2.3.1"}, {"AccessionNumber": None}),
        ({"accession": ""}, {"PlacerOrderNumberImagingServiceRequest": "P1"}),
        ({"accession": "", "filler": "F1"}, {"FillerOrderNumberImagingServiceRequest": "F1"}),
    ],
)
def test_study_uid_and_numbers_join(
    assistant: Assistant, tmp_path: Path, message: dict[str, Any], tags: dict[str, Any]
) -> None:
    take(assistant, **message)
    study = admitted(assistant, film(tmp_path, **tags))
    assert reasons(assistant, study) == [CAME_FROM_THE_ORDER]


def test_an_order_of_another_study_is_not_joined_by_its_number(
    assistant: Assistant, tmp_path: Path
) -> None:
    take(assistant, study="1.2.3.999")
    study = admitted(assistant, film(tmp_path))
    assert reasons(assistant, study) == []
    assert codes(study) == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"born": "19610102"}, "order-of-another"),
        ({"ids": "ZZ-9^^^HOSP^MR"}, "order-of-another"),
        ({"ids": "zz1^^^HOSP^MR"}, "order-unconfirmed"),
        ({"sex": "M"}, "order-of-another"),
    ],
)
def test_an_order_of_another_patient_is_said_and_never_joined(
    assistant: Assistant, tmp_path: Path, change: dict[str, str], code: str
) -> None:
    take(assistant, **change)
    study = admitted(assistant, film(tmp_path))
    assert codes(study) == {code}
    assert reasons(assistant, study) == []
    assert kept(assistant).order(study.uid).request is None
    for notice in study.warnings:
        assert not {"ZZ-9", "ZZTEST", "1961"} & set(notice.text.split())


def test_what_is_nearly_the_patient_s_is_joined_and_said(
    assistant: Assistant, tmp_path: Path
) -> None:
    take(assistant, name="ZZTEST^FILMA")
    study = admitted(assistant, film(tmp_path))
    assert codes(study) == {"order-identity-near"}
    assert reasons(assistant, study) == [CAME_FROM_THE_ORDER]


def test_changes_cancellations_and_older_messages(assistant: Assistant, tmp_path: Path) -> None:
    later = {"control": "XO", "sent": "20200304090000+0100", "reason": "Fall", "control_id": "C2"}
    assert take(assistant) == "new"
    assert take(assistant) == "again"
    assert take(assistant, **later) == "changed"
    assert take(assistant, reason="Older words", control_id="C0") == "older"
    study = admitted(assistant, film(tmp_path))
    assert reasons(assistant, study) == ["Fall"]
    first = assistant.open_case(study.uid).id
    gone = {"control": "CA", "sent": "20200304093000+0100", "control_id": "C3"}
    assert take(assistant, **gone) == "cancelled"
    assert take(assistant, **later) == "older", "a cancelled order does not come back"
    again = admitted(assistant, tmp_path)
    assert codes(again) == {"order-cancelled"}
    assert reasons(assistant, again) == []
    assert assistant.open_case(study.uid).id != first, "another context is another case"
    assert assistant.verify().ok


def test_what_was_entered_after_the_study_stays_out(assistant: Assistant, tmp_path: Path) -> None:
    take(assistant, entered="20200304150000+0100")
    study = admitted(assistant, film(tmp_path))
    assert reasons(assistant, study) == []
    context = kept(assistant).context(study.uid)
    assert [one.reason for one in context.left_out] == [
        "dated after the study, or on its day without a time"
    ]


def test_the_record_s_own_request_goes_first(assistant: Assistant, tmp_path: Path) -> None:
    take(assistant, priority="S")
    own = {
        "identifier": [{"value": "ACC1", "type": {"coding": [{"code": "ACSN"}]}}],
        "reasonCode": [{"text": "Of the record"}],
        "priority": "routine",
    }
    path = film(tmp_path / "film")
    study = admitted(assistant, path, record=record(tmp_path / "r.json", own))
    assert reasons(assistant, study) == ["Of the record"]
    order = kept(assistant).order(study.uid)
    assert order.request.reference == "ServiceRequest/r0"
    assert order.message_orders == ()


def test_an_order_joins_beside_a_record_without_its_request_and_stays_with_it(
    assistant: Assistant, tmp_path: Path
) -> None:
    take(assistant)
    path = film(tmp_path / "film")
    study = admitted(assistant, path, record=record(tmp_path / "r.json"))
    context = kept(assistant).context(study.uid)
    assert reasons(assistant, study) == [CAME_FROM_THE_ORDER]
    assert {f.id for f in context.facts} > {"Patient#sex"}
    again = admitted(assistant, path)  # the record of before is used, and the order with it
    assert "record-kept" in {n.code for n in again.warnings}
    assert kept(assistant).context(study.uid) == context
    take(assistant, control="CA", sent="20200304093000+0100")
    admitted(assistant, path)
    assert kept(assistant).context(study.uid).facts == tuple(
        f for f in context.facts if f.kind.value != "order"
    )
    assert kept(assistant).order(study.uid).request is None


def test_an_order_that_comes_later_counts_at_the_next_admission(
    assistant: Assistant, tmp_path: Path
) -> None:
    first = opened(assistant, film(tmp_path))
    take(assistant)
    assert reasons(assistant, assistant.case(first).case.study) == []
    study = admitted(assistant, tmp_path)
    second = assistant.open_case(study.uid)
    assert second.id != first
    assert second.context is not None


def test_a_signed_report_stands_on_what_it_was_drafted_from(
    assistant: Assistant, tmp_path: Path
) -> None:
    reader = assistant.reader_named("reader-1")
    case_id = opened(assistant, film(tmp_path))
    signed(assistant, case_id, reader)
    take(assistant)
    study = admitted(assistant, tmp_path)
    assert assistant.open_case(study.uid).id == case_id
    assert reasons(assistant, study) == []


def test_who_may_take_orders_and_what_the_log_says(assistant: Assistant) -> None:
    with pytest.raises(PermissionDenied):
        assistant.take_order(order_message().encode(), by="reader-1")
    with pytest.raises(InputError):
        assistant.take_order(order_message(control="QQ").encode())
    take(assistant)
    take(assistant, control="CA", sent="20200304093000+0100")
    log = [e for e in kept(assistant).events() if e.verb == "take_order"]
    assert [e.outcome for e in log] == ["failed", "failed", "done", "done"]
    assert [e.details.get("order") for e in log] == [None, None, "new", "cancelled"]
    assert log[2].subject == log[3].subject
    for event in log:
        for secret in ("ZZ-1", "ZZTEST", "ACC1", "P1", "Cough"):
            assert secret not in repr(event)


def test_an_altered_order_is_found(assistant: Assistant, tmp_path: Path) -> None:
    take(assistant)
    with sqlite3.connect(assistant.settings.data_dir / "medmm.sqlite") as database:
        database.execute("UPDATE waiting_order SET body = replace(body, 'no fever', 'fever')")
    database.close()
    (problem,) = assistant.verify().problems
    assert problem.place.startswith("waiting order order-")


def test_the_same_key_gives_the_same_answer(assistant: Assistant) -> None:
    message = order_message().encode()
    first = assistant.take_order(message, key="k")
    assert assistant.take_order(message, key="k") == first
    assert first.orders[0].outcome == "new"


def test_systems_that_know_other_numbers_speak_of_one_order(
    assistant: Assistant, tmp_path: Path
) -> None:
    assert take(assistant, placer="P1^OE", accession="") == "new"
    scheduled = {"control": "SC", "placer": "P1", "filler": "F1^RIS", "reason": "", "priority": "S"}
    assert take(assistant, sent="20200304081000+0100", **scheduled) == "changed"
    study = admitted(assistant, film(tmp_path))
    assert reasons(assistant, study) == [CAME_FROM_THE_ORDER], "a change of status keeps the reason"
    assert kept(assistant).order(study.uid).stated_priority.level.value == "stat"
    # placer and filler of other systems are other orders
    assert take(assistant, placer="P1^ELSEWHERE", accession="") == "new"
    gone = {"control": "OC", "placer": "", "filler": "F1^RIS", "reason": "", "accession": ""}
    assert take(assistant, sent="20200304082000+0100", **gone) == "cancelled"
    assert codes(admitted(assistant, tmp_path)) == {"order-cancelled"}


def test_a_number_of_another_patient_s_order_is_refused(assistant: Assistant) -> None:
    take(assistant)
    with pytest.raises(InputError, match="another patient") as caught:
        take(assistant, ids="ZZ-7", control_id="C8", sent="20200304090000+0100")
    assert caught.value.where == {"fault": "205", "at": "ORC-2"}
    assert take(assistant) == "again"
