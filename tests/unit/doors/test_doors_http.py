"""The HTTP API in one process: who is let in, what is done, what is refused and how it is said."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from medmm.domain.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    MedmmError,
    PermissionDenied,
    StateError,
    Unavailable,
)
from medmm.domain.reading import Reading
from medmm.domain.study import Study
from medmm.doors.http.acts import ACTS
from medmm.doors.http.problems import status_of
from tests.api import Api, Issuer, api_settings
from tests.dicom_files import film_file
from tests.factories import make_reading_of
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant

FILM_KIND = "application/dicom"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An application over a folder of cases that the tests of this module share."""
    folder, issuer = tmp_path_factory.mktemp("http"), Issuer()
    settings = {"upload_bytes": 3_000_000, **api_settings(issuer, body_bytes=100_000)}
    with quick_assistant(folder / "data", **settings) as assistant:
        yield Api(assistant, issuer)


NUMBERS = iter(range(1, 1000))


def film(folder: Path, **changes: Any) -> Path:
    """A film of a patient and study of its own."""
    n = next(NUMBERS)
    said = {
        "PatientID": f"ZZ-{n}",
        "PatientName": f"ZZFAMILY{n}^ZZGIVEN",
        "StudyInstanceUID": f"1.2.826.0.1.77.{n}",
        "SeriesInstanceUID": f"1.2.826.0.1.77.{n}.1",
        "SOPInstanceUID": f"1.2.826.0.1.77.{n}.1.1",
        "AccessionNumber": f"ACC{n}",
    }
    return film_file(folder, f"film-{n}.dcm", **{**said, **changes})


def new_case(api: Api, folder: Path) -> str:
    return opened(api.assistant, film(folder))


def drafted(api: Api, folder: Path) -> str:
    case_id = new_case(api, folder)
    api.assistant.draft(case_id)
    return case_id


def decide_all(client: TestClient, case_id: str) -> None:
    """Decide on every statement of a case's draft."""
    case = client.get(f"/cases/{case_id}").json()
    drafted = case["draft"]["draft"]["statements"]
    asked = [one["id"] for one in drafted if one["summarises"] is None]
    decisions = [{"kind": "edit", "statement": one, "text": "Own words."} for one in asked]
    answer = client.post(f"/cases/{case_id}/decisions", json={"decisions": decisions})
    assert answer.status_code == 200, answer.text


def tag(client: TestClient, case_id: str) -> dict[str, str]:
    return {"if-match": client.get(f"/cases/{case_id}").headers["etag"]}


def signed(client: TestClient, case_id: str) -> dict[str, Any]:
    decide_all(client, case_id)
    answer = client.post(f"/cases/{case_id}/signature", json={}, headers=tag(client, case_id))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["detail"]
    return found


# ---- who is let in


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer abc"},
        {"authorization": "Bearer"},
    ],
    ids=["none", "basic", "no token", "empty"],
)
@pytest.mark.parametrize("place", ["/cases", "/cases/case-none", "/jobs/draft-x", "/reports/x"])
def test_who_shows_no_token_is_told_how_and_nothing_else(
    api: Api, head: dict[str, str], place: str
) -> None:
    answer = api.client(None).get(place, headers=head)
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith('Bearer realm="medmm"')


def test_every_address_but_the_descriptions_takes_a_token(api: Api) -> None:
    client, paths = api.client(None), api.app.openapi()["paths"]
    places = [
        (
            method,
            place.replace("{case_id}", "case-x")
            .replace("{job_id}", "j")
            .replace("{report_id}", "r"),
        )
        for place, methods in paths.items()  # type: ignore[attr-defined]
        for method in methods
    ]
    assert len(places) > 20
    open_to_all = [
        place for method, place in places if client.request(method, place).status_code != 401
    ]
    assert open_to_all == ["/fhir/metadata"]


def test_a_person_without_a_role_is_not_let_in_and_the_log_is_told(api: Api) -> None:
    answer = api.client("gardener", "g-9").get("/cases")
    problem(answer, 403)
    assert "g-9" in api.not_let_in
    assert "insufficient_scope" in answer.headers["www-authenticate"]


def test_a_role_that_may_not_is_refused_and_the_log_says_so(api: Api, tmp_path: Path) -> None:
    case_id = drafted(api, tmp_path)
    for client in (api.client("technologist"), api.client("auditor")):
        body = {"decisions": [{"kind": "accept", "statement": "s1"}]}
        problem(client.post(f"/cases/{case_id}/decisions", json=body), 403)
    problem(api.client("auditor").get(f"/cases/{case_id}"), 403)
    problem(api.client("resident").post(f"/cases/{case_id}/signature", json={}), 403)
    failed = [(one.verb, one.role) for one in kept(api.assistant).events()[-4:]]
    assert failed == [
        ("decide", "technologist"),
        ("decide", "auditor"),
        ("case", "auditor"),
        ("sign", "resident"),
    ]


def test_an_unknown_id_and_a_known_one_look_alike_to_who_may_not_read(
    api: Api, tmp_path: Path
) -> None:
    case_id, client = new_case(api, tmp_path), api.client("auditor")
    known, unknown = (client.get(f"/cases/{one}") for one in (case_id, "case-none"))
    assert problem(known, 403) == problem(unknown, 403)
    problem(api.client().get("/cases/case-none"), 404)


def test_each_act_is_the_persons_of_the_token(api: Api, tmp_path: Path) -> None:
    case_id = drafted(api, tmp_path)
    api.client("attending", "att-5").post(f"/cases/{case_id}/claim", json={})
    events = api.client().get(f"/cases/{case_id}/history").json()
    assert [one["actor"] for one in events if one["verb"] == "claim"] == ["att-5"]


# ---- looking


def test_the_worklist_comes_page_by_page(api: Api, tmp_path: Path) -> None:
    ids = {new_case(api, tmp_path) for _ in range(5)}
    client, seen, after = api.client(), [], ""
    while True:
        page = client.get(f"/cases?limit=2&sort=newest{after}").json()
        assert len(page["cases"]) <= 2
        seen += [one["case_id"] for one in page["cases"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert ids <= set(seen)
    assert len(seen) == len(set(seen)) == page["total"]
    assert client.get("/cases?state=opened&modality=DX").json()["total"] >= 5
    assert client.get("/cases?modality=MR").json()["cases"] == []


def test_names_are_for_roles_that_may_see_them(api: Api, tmp_path: Path) -> None:
    new_case(api, tmp_path)
    named = api.client("technologist").get("/cases?sort=newest&limit=1").json()["cases"][0]
    unnamed = api.client("administrator").get("/cases?sort=newest&limit=1").json()["cases"][0]
    assert named["patient"]["family_name"].startswith("ZZFAMILY")
    assert unnamed["patient"] is unnamed["accession"] is None
    problem(api.client("administrator").get("/cases?search=zzfamily"), 403)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "state=lost", "acquired_from=yesterday", "after=case-none", "sort=x"],
)
def test_a_wrong_question_is_refused(api: Api, query: str) -> None:
    problem(api.client().get(f"/cases?{query}"), 422)


def test_a_look_leaves_an_entry_and_a_case_has_a_tag(api: Api, tmp_path: Path) -> None:
    case_id, client = drafted(api, tmp_path), api.client()
    answer = client.get(f"/cases/{case_id}")
    assert answer.json()["draft"]["draft"]["statements"]
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["cache-control"] == "no-store"
    verbs = [one["verb"] for one in client.get(f"/cases/{case_id}/history").json()]
    assert verbs.count("case") == 1


# ---- acting


def test_a_case_goes_from_upload_to_a_signed_and_amended_report(api: Api, tmp_path: Path) -> None:
    client = api.client()
    sent = client.post(
        "/cases", content=film(tmp_path).read_bytes(), headers={"content-type": FILM_KIND}
    )
    assert sent.status_code == 201, sent.text
    case_id = sent.json()["case_id"]
    assert sent.headers["location"] == f"/cases/{case_id}"
    begun = client.post(f"/cases/{case_id}/draft", json={})
    assert begun.status_code == 202
    with client.stream("GET", f"{begun.headers['location']}/events") as events:
        said = "".join(events.iter_text())
    assert said.startswith("event: progress\ndata: ")
    last = json.loads(said.strip().rpartition("data: ")[2])
    assert (last["stage"], last["going"]) == ("done", False)
    report = signed(client, case_id)
    texts = client.get(f"/reports/{report['id']}?form=text")
    assert "Own words." in texts.text
    reason = {"reason": "a word was missing"}
    body = {"decisions": [{"kind": "edit", "statement": "s1", "text": "Other words."}], **reason}
    problem(client.post(f"/cases/{case_id}/amendment", json=body), 428)
    amended = client.post(f"/cases/{case_id}/amendment", json=body, headers=tag(client, case_id))
    assert amended.json()["version"] == 2
    gone = client.post(f"/cases/{case_id}/withdrawal", json=reason, headers=tag(client, case_id))
    assert gone.json()["kind"] == "withdrawal"


def test_nothing_is_signed_on_what_is_not_so_any_more(api: Api, tmp_path: Path) -> None:
    case_id, client = drafted(api, tmp_path), api.client()
    before = tag(client, case_id)
    decide_all(client, case_id)
    problem(client.post(f"/cases/{case_id}/signature", json={}, headers=before), 412)
    problem(client.post(f"/cases/{case_id}/signature", json={}), 428)
    assert client.get(f"/cases/{case_id}").json()["report"] is None
    stale = [act.place for act in ACTS if act.binds and act.place in ("decisions", "undo")]
    for place in stale:
        decisions = [{"kind": "edit", "statement": "s1", "text": "Again."}]
        body = {"decisions": decisions} if place == "decisions" else {}
        problem(client.post(f"/cases/{case_id}/{place}", json=body, headers=before), 412)


def test_a_case_that_another_holds_is_refused_with_the_holders_id_alone(
    api: Api, tmp_path: Path
) -> None:
    case_id = drafted(api, tmp_path)
    assert (
        api.client("resident", "res-1").post(f"/cases/{case_id}/claim", json={}).status_code == 200
    )
    body = {"decisions": [{"kind": "edit", "statement": "s1", "text": "Mine."}]}
    answer = api.client("attending", "att-1").post(f"/cases/{case_id}/decisions", json=body)
    found = problem(answer, 409)
    assert found["where"]["holder"] == "res-1"
    assert "ZZRES" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decisions": []},
        {"decisions": [{"kind": "approve", "statement": "s1"}]},
        {"decisions": [{"kind": "edit", "statement": "s1", "text": ""}]},
        {"decisions": [{"kind": "accept", "statement": "s1", "by": "somebody"}]},
        {"decisions": [{"kind": "reject", "statement": "s1", "code": "no-such"}]},
        {"decisions": [{"kind": "accept", "statement": "s99"}]},
        {"decisions": [{"kind": "add", "finding": "Unicorn"}]},
        [],
    ],
)
def test_a_wrong_body_is_refused_without_repeating_it(api: Api, tmp_path: Path, body: Any) -> None:
    case_id = drafted(api, tmp_path)
    answer = api.client().post(f"/cases/{case_id}/decisions", json=body)
    problem(answer, 422)
    assert "somebody" not in answer.text


def test_another_kind_of_body_and_one_too_large_are_refused(api: Api) -> None:
    client, place = api.client(), "/cases/case-x/claim"
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        problem(client.post(place, content=b"minutes=3", headers={"content-type": kind}), 415)
    big, head = b"[" + b" " * 100_001, {"content-type": "application/json"}
    problem(client.post(place, content=big, headers=head), 413)
    chunks = iter([b" " * 60_000, b" " * 60_000])
    problem(client.post(place, content=chunks, headers=head), 413)  # no length is announced
    problem(client.post(place, content=b"{", headers=head), 422)
    problem(client.put(place), 405)
    problem(client.get("/no/such/address"), 404)


# ---- idempotency keys


def test_an_act_under_a_key_is_done_once(api: Api, tmp_path: Path) -> None:
    case_id, client = drafted(api, tmp_path), api.client()
    decide_all(client, case_id)
    head = {**tag(client, case_id), "idempotency-key": "sign-once"}
    first, again = (
        client.post(f"/cases/{case_id}/signature", json={}, headers=head) for _ in range(2)
    )
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    events = client.get(f"/cases/{case_id}/history").json()
    assert [one["verb"] for one in events].count("sign") == 1


def test_a_key_with_other_content_is_refused(api: Api, tmp_path: Path) -> None:
    case_id, client, head = drafted(api, tmp_path), api.client(), {"idempotency-key": "k-2"}
    place, level = f"/cases/{case_id}/priority", {"priority": "stat", "reason": "dyspnoea"}
    assert client.post(place, json=level, headers=head).status_code == 200
    found = problem(client.post(place, json={**level, "reason": "other"}, headers=head), 422)
    assert found["where"]["idempotency_key"] == "reused"
    # another person's keys are their own
    other = api.client("attending", "att-2").post(place, json=level, headers=head)
    assert other.status_code == 200


def test_a_draft_under_a_key_is_made_once(api: Api, tmp_path: Path) -> None:
    case_id, client, head = new_case(api, tmp_path), api.client(), {"idempotency-key": "d-1"}
    for _ in range(2):
        begun = client.post(f"/cases/{case_id}/draft", json={}, headers=head)
        with client.stream("GET", f"{begun.headers['location']}/events") as events:
            events.read()
    verbs = [one["verb"] for one in client.get(f"/cases/{case_id}/history").json()]
    assert verbs.count("draft") == 1
    other = client.post(f"/cases/{case_id}/draft", json={"again": False}, headers=head)
    problem(other, 422)
    problem(client.get("/jobs/draft-case-none"), 404)
    problem(client.get("/jobs/case-none"), 404)


def test_a_study_sent_twice_under_a_key_is_one_case(api: Api, tmp_path: Path) -> None:
    client, head = api.client(), {"content-type": FILM_KIND, "idempotency-key": "u-1"}
    data = film(tmp_path).read_bytes()
    first, again = (client.post("/cases", content=data, headers=head) for _ in range(2))
    assert first.json() == again.json()
    problem(client.post("/cases", content=film(tmp_path).read_bytes(), headers=head), 422)


# ---- uploads


def spooled(api: Api) -> list[Path]:
    root = api.assistant.settings.data_dir / "uploads"
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_study_comes_as_files_an_archive_or_a_form_with_its_record(
    api: Api, tmp_path: Path
) -> None:
    client, one = api.client("technologist"), film(tmp_path)
    form = {"images": ("a.dcm", one.read_bytes(), FILM_KIND)}
    assert client.post("/cases", files=form).status_code == 201
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.write(film(tmp_path), "../../escape.dcm")
    head = {"content-type": "application/zip"}
    assert client.post("/cases", content=held.getvalue(), headers=head).status_code == 201
    record = {"resourceType": "Bundle", "type": "collection", "entry": []}
    form["record"] = ("record.json", json.dumps(record).encode(), "application/fhir+json")
    answer = client.post("/cases", files=form)
    assert answer.status_code in (201, 422), answer.text
    assert spooled(api) == []


def test_what_the_gate_refuses_is_told_and_is_no_case(api: Api, tmp_path: Path) -> None:
    one = film(tmp_path, BodyPartExamined="KNEE")
    answer = api.client().post(
        "/cases", content=one.read_bytes(), headers={"content-type": FILM_KIND}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["case_id"] is None
    assert answer.json()["not_evaluable"]["reason_code"]


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", FILM_KIND, 422),
        (b"no DICOM", FILM_KIND, 422),
        (b"PK\x03\x04 damaged", "application/zip", 422),
        (b"--x\r\n", "multipart/form-data; boundary=x", 422),
        (b"no form", "multipart/form-data; boundary=x", 422),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422),
        (b"x", "multipart/form-data", 415),
        (b"x", "text/plain", 415),
        (b"x", "multipart/form-data; boundary=" + "y" * 500, 422),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            422,
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="images"\r\n\r\n1\r\n',
            "multipart/form-data; boundary=x",
            422,
        ),
        (b"x" * 4_100_000, FILM_KIND, 413),
        (b"x" * 3_500_000, FILM_KIND, 413),
    ],
)
def test_a_wrong_upload_is_refused_and_leaves_nothing(
    api: Api, data: bytes, kind: str, status: int
) -> None:
    problem(api.client().post("/cases", content=data, headers={"content-type": kind}), status)
    assert spooled(api) == []


def test_a_role_that_may_not_admit_sends_nothing(api: Api, tmp_path: Path) -> None:
    head = {"content-type": FILM_KIND}
    answer = api.client("auditor").post("/cases", content=film(tmp_path).read_bytes(), headers=head)
    problem(answer, 403)


# ---- FHIR


def resource(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    found: dict[str, Any] = answer.json()
    return found


def outcome(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    found = answer.json()
    assert found["resourceType"] == "OperationOutcome"
    return str(found["issue"][0]["code"])


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["reference"]] if isinstance(value.get("reference"), str) else []
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_a_report_a_study_and_its_work_are_valid_fhir(api: Api, tmp_path: Path) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    client, case_id = api.client(), drafted(api, tmp_path)
    outcome(client.get(f"/fhir/DiagnosticReport/{case_id}"), 404)
    assert resource(client.get(f"/fhir/Task/{case_id}"))["status"] == "ready"
    signed(client, case_id)
    kinds = ("DiagnosticReport", "ImagingStudy", "Task")
    found = {kind: resource(client.get(f"/fhir/{kind}/{case_id}")) for kind in kinds}
    found["CapabilityStatement"] = resource(api.client(None).get("/fhir/metadata"))
    for kind, one in found.items():
        get_fhir_model_class(kind).model_validate(one)
    report = found["DiagnosticReport"]
    within = {f"#{one['id']}" for one in report["contained"]} | {"#"}
    assert set(references(report)) <= within
    kinds_within = {one["resourceType"] for one in report["contained"]}
    assert {"Patient", "ImagingStudy", "Practitioner", "Provenance", "Device"} <= kinds_within
    assert (report["status"], report["meta"]["versionId"]) == ("final", "1")
    assert found["Task"]["status"] == "completed"


def test_reports_are_searched_page_by_page(api: Api, tmp_path: Path) -> None:
    client, ids = api.client(), set()
    for _ in range(3):
        case_id = drafted(api, tmp_path)
        signed(client, case_id)
        ids.add(case_id)
    seen: list[str] = []
    url: str | None = "/fhir/DiagnosticReport?_count=2"
    while url:
        page = resource(client.get(url))
        seen += [one["resource"]["id"] for one in page["entry"]]
        url = next((one["url"] for one in page["link"] if one["relation"] == "next"), None)
    assert ids <= set(seen)
    assert len(seen) == len(set(seen))
    uid = api.assistant.case(case_id, pixels=False).case.study.uid
    for query in (f"identifier=urn:dicom:uid|urn:oid:{uid}", f"_id={case_id}"):
        page = resource(client.get(f"/fhir/DiagnosticReport?{query}"))
        assert [one["resource"]["id"] for one in page["entry"]] == [case_id]
    withdrawn = resource(client.get("/fhir/DiagnosticReport?status=entered-in-error"))
    assert case_id not in [one["resource"]["id"] for one in withdrawn["entry"]]
    assert outcome(client.get("/fhir/DiagnosticReport?_lastUpdated=gt2026"), 400) == "invalid"
    assert outcome(client.get("/fhir/DiagnosticReport?status=draft"), 400) == "invalid"
    assert outcome(client.get("/fhir/DiagnosticReport?after=nowhere"), 400) == "invalid"
    assert outcome(client.get("/fhir/DiagnosticReport/case-none"), 404) == "not-found"
    assert outcome(client.get("/fhir/Patient/1"), 404) == "not-found"
    assert outcome(api.client(None).get("/fhir/DiagnosticReport"), 401) == "login"
    assert outcome(api.client("technologist").get("/fhir/DiagnosticReport"), 403) == "forbidden"


def test_the_log_is_searched_as_audit_events(api: Api, tmp_path: Path) -> None:
    from fhir.resources.R4B.auditevent import AuditEvent

    case_id, client = drafted(api, tmp_path), api.client("auditor")
    seen: list[dict[str, Any]] = []
    url: str | None = "/fhir/AuditEvent?_count=400"
    while url:
        page = resource(client.get(url))
        seen += [one["resource"] for one in page["entry"]]
        url = next((one["url"] for one in page["link"] if one["relation"] == "next"), None)
    for one in seen[-5:]:
        AuditEvent.model_validate(one)
    assert len({one["id"] for one in seen}) == len(seen)
    assert case_id in json.dumps(seen)
    assert "ZZFAMILY" not in json.dumps(seen)
    later = {"date": ["ge2999-01-01T00:00:00Z", "lt2999-02-01T00:00:00Z"]}
    assert resource(client.get("/fhir/AuditEvent", params=later))["entry"] == []
    for wrong in ("date=2026", "date=ge2026-01-01T00:00:00", "date=gt2026-01-01T00:00:00Z", "a=b"):
        assert outcome(client.get(f"/fhir/AuditEvent?{wrong}"), 400) == "invalid"
    assert outcome(api.client("resident").get("/fhir/AuditEvent"), 403) == "forbidden"


# ---- what is told, and what an answer may do


def test_the_access_log_names_nobody(api: Api, tmp_path: Path) -> None:
    case_id, client = new_case(api, tmp_path), api.client("attending", "zz-person")
    api.told.clear()
    client.get(f"/cases/{case_id}")
    client.get("/cases?search=ZZFAMILY&site=ZZSITE")
    client.get("/ZZFAMILY")
    client.request("ZZVERB", "/cases")
    said = json.dumps(api.told)
    assert [one["address"] for one in api.told[:2]] == ["/cases/{case_id}", "/cases"]
    for word in (case_id, "ZZ", "zz-person"):
        assert word not in said
    assert set(api.told[0]) == {"event", "method", "address", "status", "ms"}


def test_answers_load_and_run_nothing(api: Api) -> None:
    client = api.client(None)
    for place in ("/docs", "/openapi.json", "/cases", "/fhir/metadata"):
        head = client.get(place).headers
        assert head["content-security-policy"].startswith("default-src 'none'")
        assert head["x-content-type-options"] == "nosniff"
    page = client.get("/docs").text
    assert "<script" not in page
    assert "http" not in page.replace("HTTP", "")
    assert "/cases/{case_id}/signature" in page


def test_another_host_name_is_not_answered(api: Api) -> None:
    assert api.client().get("/cases", headers={"host": "attacker.example"}).status_code == 400


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("x", remedy="y"), 422),
        (InputError("no such case in the store", remedy="y", case="c"), 404),
        (InputError("x", remedy="y", limit_bytes="3"), 413),
        (PermissionDenied("x", remedy="y"), 403),
        (PermissionDenied("x", remedy="y", token="expired"), 401),
        (StateError("x", remedy="y"), 409),
        (StateError("x", remedy="y", idempotency_key="reused"), 422),
        (StateError("x", remedy="y", differs="state"), 412),
        (Unavailable("x", remedy="y"), 503),
        (ConfigError("x", remedy="y"), 500),
        (IntegrityError("x", remedy="y"), 500),
    ],
)
def test_each_error_has_its_status(error: MedmmError, status: int) -> None:
    assert status_of(error)[0] == status


def test_every_kind_of_report_comes_in_its_form(api: Api, tmp_path: Path) -> None:
    client, case_id = api.client(), drafted(api, tmp_path)
    report = signed(client, case_id)["id"]
    kinds = {
        "text": "text/plain; charset=utf-8",
        "json": "application/json",
        "fhir": "application/fhir+json",
        "sr": "application/dicom",
        "pdf": "application/dicom",
        "oru": "x-application/hl7-v2+er7",
    }
    for form, kind in kinds.items():
        answer = client.get(f"/reports/{report}?form={form}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind), answer.text
        if kind == "application/dicom":
            assert answer.content[128:132] == b"DICM"
    problem(client.get("/reports/none"), 404)
    problem(client.get(f"/reports/{report}?form=docx"), 422)
    assert not list(api.assistant.settings.data_dir.glob("sent-*"))


def test_many_studies_of_one_program_are_taken_at_once(api: Api, tmp_path: Path) -> None:
    films = [film(tmp_path).read_bytes() for _ in range(12)]
    client = api.client("technologist", "gateway-1")

    def send(data: bytes) -> int:
        return client.post("/cases", content=data, headers={"content-type": FILM_KIND}).status_code

    with ThreadPoolExecutor(12) as threads:
        assert set(threads.map(send, films)) == {201}


def test_who_reads_blind_first_sees_images_alone_until_then(tmp_path: Path) -> None:
    issuer = Issuer()
    settings = api_settings(issuer)
    with quick_assistant(tmp_path / "data", reading_mode="blind-first", **settings) as assistant:
        api = Api(assistant, issuer)
        case_id, client = drafted(api, tmp_path), api.client()
        before = client.get(f"/cases/{case_id}")
        assert before.json()["blind"]
        assert before.json()["draft"] is None
        assert "etag" not in before.headers
        line = client.get("/cases").json()["cases"][0]
        assert (line["withheld"], line["suspected"]) == (True, [])
        progress = client.get(f"/jobs/draft-{case_id}")
        problem(progress, 404)  # it was not begun here; and nothing of its words is told
        said = {"nothing_suspected": True}
        first = client.post(f"/cases/{case_id}/first-read", json=said)
        assert first.status_code == 200, first.text
        after = client.get(f"/cases/{case_id}")
        assert not after.json()["blind"]
        assert after.json()["draft"] is not None


def test_progress_is_told_no_longer_than_the_token_lasts(tmp_path: Path) -> None:
    issuer, offset = Issuer(), [0.0]
    slow = SlowReader()
    with quick_assistant(tmp_path / "data", reader=slow, **api_settings(issuer)) as assistant:
        api = Api(assistant, issuer, clock=lambda: time.time() + offset[0])
        case_id, client = new_case(api, tmp_path), api.client()
        place = client.post(f"/cases/{case_id}/draft", json={}).headers["location"]
        offset[0] = 659.0  # the minute by which clocks may differ is nearly over
        with client.stream("GET", f"{place}/events") as events:
            said = "".join(events.iter_text())
        slow.go.set()
    assert "event: progress" in said
    assert json.loads(said.strip().rpartition("data: ")[2])["status"] == 401


def test_progress_ends_with_the_server(api: Api, tmp_path: Path) -> None:
    issuer, slow = Issuer(), SlowReader()
    with quick_assistant(tmp_path / "data", reader=slow, **api_settings(issuer)) as assistant:
        api = Api(assistant, issuer)
        case_id, client = new_case(api, tmp_path), api.client()
        place = client.post(f"/cases/{case_id}/draft", json={}).headers["location"]
        api.app.state.stopping.set()
        with client.stream("GET", f"{place}/events") as events:
            said = "".join(events.iter_text())
        slow.go.set()
    assert said.count("event: ") == 1


class SlowReader:
    """Reads when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def read(self, study: Study) -> Reading:
        self.go.wait(30)
        return make_reading_of(study)
