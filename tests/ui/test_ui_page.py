"""The page with a real assistant on a real film, and once in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.report import Accept, CaseState, CaseSummary, Reader, Reject
from tests.kept import kept
from tests.ui.drafted_case import LINKS, SCRIPT
from ui.admission import saved

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "ui" / "app.py"


@pytest.fixture
def config(tmp_path: Path, drafted_once: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a data folder with one drafted case whose record carries a script."""
    path = tmp_path / "settings.yaml"
    readers = [
        {"id": "reader-1", "name": "ZZREADER One", "role": "reader"},
        {"id": "auditor-1", "name": "ZZREADER Two", "role": "auditor"},
    ]
    path.write_text(
        yaml.safe_dump({"data_dir": str(tmp_path / "data"), "threads": 1, "readers": readers})
    )
    shutil.copytree(drafted_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return path


@pytest.fixture
def page(config: Path) -> Iterator[AppTest]:
    """The page with the case opened."""
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not page.exception
    yield next(b for b in page.button if str(b.key).startswith("open ")).click().run()
    streamlit.cache_resource.clear()


def the_case(config: Path) -> CaseSummary:
    with Assistant.from_config(config) as assistant:
        return assistant.cases()[0]


def keys(page: AppTest, verb: str) -> list[str]:
    return [str(button.key) for button in page.button if str(button.key).startswith(f"{verb} s")]


def reader_one(assistant: Assistant) -> Reader:
    return assistant.reader_named("reader-1")


def test_no_case_opens_by_itself(config: Path) -> None:
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not page.exception
    assert "DRAFT" in page.warning[0].value
    assert any("Choose a case" in info.value for info in page.info)
    assert not keys(page, "accept")
    with Assistant.from_config(config) as assistant:
        assert not any(
            event.verb == "case" for event in assistant.history(the_case(config).case_id)
        )


def test_the_reading_flow_from_draft_to_signed_report(page: AppTest, config: Path) -> None:
    assert "DRAFT" in page.warning[0].value
    undecided = keys(page, "accept")
    assert undecided
    assert page.button(key="sign").disabled
    for key in undecided:
        button = page.button(key=key)
        page = (
            (page.button(key=key.replace("accept", "reject")) if button.disabled else button)
            .click()
            .run()
        )
        assert not page.exception
    assert the_case(config).state is CaseState.IN_REVIEW
    page = page.button(key="sign").click().run()
    assert the_case(config).state is CaseState.IN_REVIEW, "the question alone signs nothing"
    question = page.code[0].value
    assert any("ZZREADER One" in info.value and "9RG1" in info.value for info in page.info)
    page = page.button(key="sign now").click().run()
    assert not page.exception
    assert the_case(config).state is CaseState.SIGNED
    assert "SIGNED" in page.warning[0].value
    assert not any("DRAFT" in warning.value for warning in page.warning), (
        "what is signed is no draft"
    )
    report = page.code[0].value
    assert "RADIOLOGY REPORT" in report
    for line in question.splitlines():  # what was shown before is what was signed
        assert " ".join(line.split()) in " ".join(report.split())


def test_a_signature_holds_only_what_was_shown(page: AppTest, config: Path) -> None:
    for key in keys(page, "reject")[:-1]:
        page = page.button(key=key).click().run()
    last = keys(page, "accept")[-1]
    page = page.button(key=last).click().run()
    page = page.button(key="sign").click().run()
    with Assistant.from_config(config) as other:
        other.decide(
            the_case(config).case_id, [Reject(last.removeprefix("accept "))], by=reader_one(other)
        )
    page = page.button(key="sign now").click().run()
    assert not page.exception
    assert any("changed elsewhere" in error.value for error in page.error)
    assert the_case(config).state is CaseState.IN_REVIEW
    assert not [b for b in page.button if b.key == "sign now"], "the question is asked again"
    assert page.markdown  # and the page shows the case as it is now
    with Assistant.from_config(config) as other:
        draft = other.case(the_case(config).case_id).draft
    assert draft is not None
    assert sum("gray-badge" in m.value for m in page.markdown) == len(draft.statements), (
        "summaries follow"
    )


def test_a_case_signed_elsewhere_is_shown_signed(page: AppTest, config: Path) -> None:
    case_id = the_case(config).case_id
    with Assistant.from_config(config) as other:
        draft = other.case(case_id).draft
        assert draft is not None
        decisions = [
            Accept(s.id) if not draft.failed(s.id) else Reject(s.id) for s in draft.statements
        ]
        other.decide(case_id, decisions, by=reader_one(other))
        other.sign(case_id, by=reader_one(other))
    page = page.button(key=keys(page, "reject")[0]).click().run()
    assert not page.exception
    assert any("What helps" in error.value for error in page.error)
    assert "RADIOLOGY REPORT" in page.code[0].value


def test_a_slider_leaves_no_audit_entry(page: AppTest, config: Path) -> None:
    with Assistant.from_config(config) as assistant:
        before = assistant.verify().size
    window = next(s for s in page.slider if str(s.key).startswith("window "))
    assert not window.set_range(0.2, 0.8).run().exception
    with Assistant.from_config(config) as assistant:
        assert assistant.verify().size == before + 1  # the verification's own entry


def test_the_name_of_a_patient_is_one_audited_look(page: AppTest, config: Path) -> None:
    page = page.button(key=keys(page, "accept")[0]).click().run()
    assert any("9RG1" in heading.value for heading in page.subheader)
    with Assistant.from_config(config) as assistant:
        looks = kept(assistant).events(the_case(config).patient_key)
    assert [(event.verb, event.actor) for event in looks] == [("identity", "reader-1")]


def test_a_role_that_may_not_look_is_told_so_and_may_verify(page: AppTest) -> None:
    auditor = next(r for r in page.selectbox(key="reader").options if "auditor" in r)
    page = (
        page.selectbox(key="reader")
        .select_index(page.selectbox(key="reader").options.index(auditor))
        .run()
    )
    assert not page.exception
    assert any("may not" in error.value.replace("\\", "") for error in page.error)
    assert not keys(page, "accept")
    page = page.button(key="verify").click().run()
    assert any("sound" in success.value for success in page.success)


def test_an_edit_is_kept(page: AppTest, config: Path) -> None:
    field = next(
        area
        for area in page.text_area
        if str(area.key).startswith("text ") and " s1 " in str(area.key)
    )
    field.set_value("The reader's own words.")
    page = page.button(key="save s1").click().run()
    assert not page.exception
    with Assistant.from_config(config) as assistant:
        (decision,) = assistant.case(the_case(config).case_id).decisions
    assert getattr(decision, "text", None) == "The reader's own words."


def test_an_empty_edit_is_refused_with_its_remedy(page: AppTest, config: Path) -> None:
    next(area for area in page.text_area if " s1 " in str(area.key)).set_value("  ")
    page = page.button(key="save s1").click().run()
    assert not page.exception
    assert any("edit without text" in error.value for error in page.error)
    with Assistant.from_config(config) as assistant:
        assert assistant.case(the_case(config).case_id).decisions == ()


def test_the_history_names_who_did_what(page: AppTest, config: Path) -> None:
    assert not [frame for frame in page.dataframe if "verb" in frame.value], (
        "a look is an entry: only when asked for"
    )
    page.session_state[f"tab {the_case(config).case_id} False"] = "History"
    page = page.run()
    assert not page.exception
    (table,) = (frame.value for frame in page.dataframe if "verb" in frame.value)
    assert {"admit", "draft", "case"} <= set(table["verb"])
    assert "reader-1" in set(table["who"])


def admit(page: AppTest, path: Path) -> AppTest:
    page.text_input(key="admit_path").set_value(str(path))
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
    assert any("medmm demo" in info.value for info in page.info), (
        "an empty worklist says what to do"
    )
    page = admit(page, demo_films / "RG1_UNCR.dcm")
    assert not page.exception
    assert not page.error
    assert any("9RG1" in heading.value for heading in page.subheader)
    assert the_case(settings).state is CaseState.DRAFTED
    streamlit.cache_resource.clear()


def test_uploads_are_kept_under_numbers(tmp_path: Path) -> None:
    files = [BytesIO(b"one"), BytesIO(b"two")]
    files[0].name = "../../escape.dcm"
    folder = saved(files, tmp_path / "study")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"1": b"one", "2": b"two"}
    assert [p.name for p in tmp_path.iterdir()] == ["study"]


def test_a_wrong_configuration_is_told_without_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "wrong.yaml"
    settings.write_text("data_dri: /nowhere\n")
    monkeypatch.setenv("MEDMM_CONFIG", str(settings))
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not page.exception
    assert any("data_dir" in error.value.replace("\\", "") for error in page.error)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_page_in_a_real_browser_shows_a_planted_script_inert(
    config: Path, tmp_path: Path
) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    port = free_port()
    command = [
        sys.executable,
        "-m",
        "medmm.doors",
        "--config",
        str(config),
        "ui",
        "--no-browser",
        "--port",
        str(port),
    ]
    with (tmp_path / "ui.log").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            env=dict(os.environ),
            start_new_session=True,
        )
    try:
        wait_for(port, server)
        with sync_playwright() as driver:
            flags = [
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ]
            browser = driver.chromium.launch(executable_path=chromium, args=flags)
            tab = browser.new_page(viewport={"width": 1500, "height": 1100})
            tab.goto(f"http://localhost:{port}")
            tab.get_by_text("Worklist (1)").wait_for(timeout=60_000)
            tab.get_by_role("button", name="CHEST").click()
            tab.get_by_text("0 of").first.wait_for(timeout=60_000)
            tab.get_by_text("document.title='owned'").first.wait_for(timeout=60_000)
            tab.get_by_text("evil.example").first.wait_for(timeout=60_000)
            assert tab.title() != "owned"
            links = tab.locator("a[href]").evaluate_all(
                "links => links.map(l => l.getAttribute('href'))"
            )
            assert set(links) <= {"#stMain", "#findings", "#impression", "#clinical-information"}
            text = '[data-testid="stMarkdownContainer"]'
            for made in ("script", "img", ".katex", f"{text} p > strong > strong"):
                assert tab.locator(f"{text} {made}").count() == 0
            shown = " ".join(tab.locator(text).all_inner_texts()).replace("\u2060", "")
            assert LINKS in shown
            assert SCRIPT.replace('"', "'") in shown
            tab.screenshot(path=str(tmp_path / "page.png"))
            browser.close()
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


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
    import time

    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                return
        except OSError:
            assert server.poll() is None, "the dashboard ended early"
            time.sleep(0.5)
    raise AssertionError("the dashboard did not start")
