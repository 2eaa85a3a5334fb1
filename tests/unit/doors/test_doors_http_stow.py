"""STOW-RS: what is kept of a request, and what each instance is answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medmm.config import TitleEntry
from medmm.doors.dicom.admissions import Admissions
from medmm.doors.dicom.spool import Spool
from medmm.doors.http.stow import TITLE
from tests.api import Api, Issuer, api_settings
from tests.dicom_files import film_file
from tests.listener import entry
from tests.quick_assistant import quick_assistant

STUDY, CT = "1.2.826.0.1.88", "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    issuer = Issuer()
    with quick_assistant(tmp_path / "data", **api_settings(issuer)) as assistant:
        yield Api(assistant, issuer, spool=spool_of(tmp_path))


def spool_of(folder: Path, free_bytes: int = 0, object_bytes: int = 2**30) -> Spool:
    return Spool(folder / "received", object_bytes=object_bytes, free_bytes=free_bytes)


def film(folder: Path, number: int = 1, **changes: Any) -> bytes:
    said = {"StudyInstanceUID": STUDY, "SOPInstanceUID": f"{STUDY}.1.{number}", **changes}
    path = film_file(folder, f"film-{number}.dcm", **said)
    # the header says the same
    from pydicom import dcmread

    read = dcmread(path)
    read.file_meta.MediaStorageSOPInstanceUID = read.SOPInstanceUID
    read.file_meta.MediaStorageSOPClassUID = read.SOPClassUID
    read.save_as(path)
    return path.read_bytes()


def related(*files: bytes, kind: str = "application/dicom", end: bool = True) -> bytes:
    parts = [f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + one + b"\r\n" for one in files]
    return b"".join(parts) + (b"--b--\r\n" if end else b"")


RELATED = {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}


def send(api: Api, body: bytes, place: str = "", role: str = "technologist", **head: str) -> Any:
    headers = {**RELATED, **head}
    return api.client(role).post(f"/dicom-web/studies{place}", content=body, headers=headers)


def items(answer: Any, sequence: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.json().get(sequence, {"Value": []})["Value"]
    return found


def stored(api: Api) -> list[Path]:
    return sorted(api.spool.studies.glob("*/*/*.dcm"))


def arriving(api: Api) -> list[Path]:
    return list(api.spool.room.folder.iterdir())


def test_instances_are_kept_and_go_to_the_assistant(api: Api, tmp_path: Path) -> None:
    answer = send(api, related(film(tmp_path, 1), film(tmp_path, 2)))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    uids = [one["00081155"]["Value"][0] for one in items(answer, "00081199")]
    assert uids == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    assert len(stored(api)) == 2
    listen = entry(quiet_seconds=1e-6).model_copy(update={"titles": {TITLE: TitleEntry()}})
    told: list[str] = []
    admissions = Admissions(
        api.assistant, listen, api.spool, lambda event, **said: told.append(event)
    )
    while admissions.step():
        pass
    assert told == ["admitted", "drafted"]
    assert [one.study_uid for one in api.assistant.cases()] == [STUDY]
    again = send(api, related(film(tmp_path, 1)))  # as it came before: kept once
    assert again.status_code == 200


def test_what_is_not_read_here_is_taken_with_a_warning(api: Api, tmp_path: Path) -> None:
    other = film(tmp_path, 2, SOPClassUID=CT)
    answer = send(api, related(film(tmp_path, 1), other))
    assert answer.status_code == 202
    warned = [one.get("00081196", {}).get("Value") for one in items(answer, "00081199")]
    assert warned == [None, [0xB000]]
    assert len(stored(api)) == len(list(api.spool.aside.glob("*/*.dcm"))) == 1
    changed = send(api, related(film(tmp_path, 1, PatientID="ZZ-OTHER")))
    assert changed.status_code == 202


def test_an_instance_of_another_study_is_refused(api: Api, tmp_path: Path) -> None:
    other = film(tmp_path, 2, StudyInstanceUID="1.2.3")
    answer = send(api, related(film(tmp_path, 1), other), place=f"/{STUDY}")
    assert answer.status_code == 202
    assert [one["00081197"]["Value"] for one in items(answer, "00081198")] == [[0xA900]]
    assert send(api, related(other), place=f"/{STUDY}").status_code == 409
    assert (len(stored(api)), arriving(api)) == (1, [])


@pytest.mark.parametrize("wrong", [b"", b"no DICOM" * 100, b"\0" * 128 + b"DICM" + b"\xff" * 400])
def test_what_is_no_dicom_fails_alone(api: Api, tmp_path: Path, wrong: bytes) -> None:
    answer = send(api, related(wrong, film(tmp_path)))
    assert answer.status_code == 202
    assert [one["00081197"]["Value"] for one in items(answer, "0008119A") if "00081197" in one] == [
        [0xC000]
    ]
    assert len(stored(api)) == 1


def test_a_full_disk_is_said_of_each_instance(tmp_path: Path) -> None:
    issuer = Issuer()
    with quick_assistant(tmp_path / "data", **api_settings(issuer)) as assistant:
        for spool in (spool_of(tmp_path / "1", 2**60), spool_of(tmp_path / "2", 0, 1000)):
            api = Api(assistant, issuer, spool=spool)
            answer = send(api, related(film(tmp_path)))
            assert answer.status_code == 409
            assert items(answer, "00081198")[0]["00081197"]["Value"] == [0xA700]
            assert stored(api) == arriving(api) == []


def test_a_request_that_is_cut_keeps_what_had_come_whole(api: Api, tmp_path: Path) -> None:
    whole = related(film(tmp_path, 1), film(tmp_path, 2), end=False)
    answer = send(api, whole[: -len(whole) // 4])
    assert answer.status_code == 422
    assert (len(stored(api)), arriving(api)) == (1, [])


@pytest.mark.parametrize(
    ("head", "kind", "status"),
    [
        ({"content-type": "application/dicom"}, "application/dicom", 415),
        ({"content-type": "multipart/related"}, "application/dicom", 415),
        (
            {"content-type": 'multipart/related; type="application/dicom+json"; boundary=b'},
            "application/dicom",
            415,
        ),
        ({}, "application/dicom+json", 415),
        ({"content-type": "multipart/related; boundary=other"}, "application/dicom", 422),
    ],
)
def test_another_kind_is_refused(
    api: Api, tmp_path: Path, head: dict[str, str], kind: str, status: int
) -> None:
    answer = send(api, related(film(tmp_path), kind=kind), **head)
    assert answer.status_code == status, answer.text
    assert stored(api) == arriving(api) == []


def test_who_may_not_admit_stores_nothing(api: Api, tmp_path: Path) -> None:
    body = related(film(tmp_path))
    assert send(api, body, role="auditor").status_code == 403
    answer = api.client(None).post("/dicom-web/studies", content=body, headers=RELATED)
    assert answer.status_code == 401
    assert stored(api) == []


def test_without_the_setting_there_is_no_such_address(tmp_path: Path) -> None:
    issuer = Issuer()
    with quick_assistant(tmp_path / "data", **api_settings(issuer)) as assistant:
        assert send(Api(assistant, issuer), related(film(tmp_path))).status_code == 404


def test_what_is_told_names_nobody(api: Api, tmp_path: Path) -> None:
    send(api, related(film(tmp_path, 1)), place=f"/{STUDY}")
    told = [one for one in api.told if one["event"] == "stored"]
    assert told == [{"event": "stored", "instances": 1, "failed": 0}]
    assert STUDY not in str(api.told)
