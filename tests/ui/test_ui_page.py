"""Admission on the page with a real assistant, and the server that the page comes from."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.report import CaseState
from medmm.web.uploads import IMAGES
from tests.ui.drafted_case import the_case
from tests.ui.pressing import opened_page, said, sentences, until
from ui.reading_room import uploads

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "ui" / "app.py"


@pytest.fixture
def page(config: Path) -> Iterator[AppTest]:
    """The worklist."""
    streamlit.cache_resource.clear()
    yield opened_page()
    streamlit.cache_resource.clear()


def admit(page: AppTest, path: Path) -> AppTest:
    page.text_input(key="admit_path").set_value(str(path) if path.name else "")
    return next(b for b in page.button if b.label == "Admit and draft").click().run()


def test_a_study_that_is_not_evaluable_says_why(page: AppTest, demo_films: Path) -> None:
    page = admit(page, demo_films / "RG3_UNCR.dcm")
    assert not page.exception
    assert any("Not evaluable" in info.value and "body part" in info.value for info in page.info)


def test_a_file_that_is_no_image_is_told_with_a_remedy(page: AppTest, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.dcm"
    wrong.write_bytes(b"nothing of DICOM")
    page = admit(page, wrong)
    assert not page.exception
    assert any("What helps" in error.value for error in page.error)


def test_a_reader_confirms_in_the_form_that_image_and_record_are_of_one_patient(
    page: AppTest, config: Path, demo_films: Path, tmp_path: Path
) -> None:
    record = tmp_path / "record.json"
    record.write_text(
        json.dumps({"resourceType": "Patient", "id": "p1", "identifier": [{"value": "0009rg1"}]})
    )
    page.text_input(key="admit_record").set_value(str(record))
    page = admit(page, demo_films / "RG1_UNCR.dcm")
    assert any("a person must confirm" in error.value for error in page.error)
    page.checkbox(key="admit_confirmed").check()
    page = admit(page, demo_films / "RG1_UNCR.dcm")
    assert not page.exception
    assert not page.error
    with Assistant.from_config(config) as assistant:
        warnings = assistant.case(the_case(config).case_id).case.study.warnings
    assert any(w.code == "identity-confirmed" and "padding" in w.text for w in warnings)


def test_an_admitted_study_is_drafted_and_opened(
    tmp_path: Path, demo_films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "empty.yaml"
    reader = {"id": "reader-1", "name": "ZZREADER One", "role": "reader"}
    settings.write_text(
        yaml.safe_dump({"data_dir": str(tmp_path / "none"), "threads": 1, "readers": [reader]})
    )
    monkeypatch.setenv("MEDMM_CONFIG", str(settings))
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert "medmm demo" in said(page), "an empty worklist says what to do"
    page = admit(page, demo_films / "RG1_UNCR.dcm")
    assert not page.exception
    assert not page.error
    assert "9RG1" in said(page, "markdown")
    until(page, sentences)  # it opens before its draft is there
    assert the_case(settings).state is CaseState.DRAFTED
    streamlit.cache_resource.clear()


def received(reader: str, part: str, content: bytes) -> None:
    """What the page's browser has sent, as the route writes it."""
    (upload,) = uploads()._uploads.values()
    assert upload.reader == reader
    spool = upload.receive(part, len(content), 0)
    spool.write(content)
    spool.keep()
    spool.end()


def test_what_was_sent_is_admitted_opened_and_removed(page: AppTest, demo_films: Path) -> None:
    page = admit(page, Path())
    assert "Send DICOM files" in said(page, "info")
    received("reader-1", IMAGES, (demo_films / "RG1_UNCR.dcm").read_bytes())
    folder = uploads().own_folder()
    assert len(list(folder.rglob("images/*"))) == 1
    page = admit(page.run(), Path())
    assert not page.exception
    assert not page.error
    assert "9RG1" in said(page, "markdown")
    assert not list(folder.rglob("images/*"))


def test_what_was_sent_stays_after_an_error_and_goes_when_it_is_refused(
    page: AppTest, demo_films: Path
) -> None:
    received("reader-1", IMAGES, b"nothing of DICOM")
    folder = uploads().own_folder()
    page = admit(page.run(), Path())
    assert "What helps" in said(page, "error")
    assert len(list(folder.rglob("images/*"))) == 1
    (upload,) = uploads()._uploads.values()
    upload.clear(IMAGES)
    received("reader-1", IMAGES, (demo_films / "RG3_UNCR.dcm").read_bytes())
    page = admit(page.run(), Path())
    assert "Not evaluable" in said(page, "info")
    assert not list(folder.rglob("images/*"))


def test_files_that_are_still_being_sent_are_waited_for(page: AppTest) -> None:
    (upload,) = uploads()._uploads.values()
    spool = upload.receive(IMAGES, 10, 0)
    page = admit(page, Path())
    assert "still being sent" in said(page, "info")
    spool.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_stopped_dashboard_leaves_no_server(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data")}))
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "medmm.doors",
        "--config",
        str(settings),
        "ui",
        "--no-browser",
        "--port",
        str(port),
    ]
    with (tmp_path / "ui.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(port, server)
        server.terminate()  # it alone: what it started must go with it
        server.wait(timeout=30)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "something still answers"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 9)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                return
        except OSError:
            assert server.poll() is None, "the dashboard ended early"
            time.sleep(0.5)
    raise AssertionError("the dashboard did not start")
