"""Where a signed report went, beside the report; and what was given up, for who may have it tried again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.delivery import DeliveryState
from tests.dicom_files import film_file
from tests.mllp_receiver import MllpPeer, mllp_peer
from tests.quick_assistant import opened, quick_assistant, signed
from tests.ui.pressing import keys, opened_page, press, said, sound

NAME = "ZZPATIENT"
READERS = [
    {"id": "reader-1", "name": "ZZREADER One", "role": "attending"},
    {"id": "administrator-1", "name": "ZZADMIN", "role": "administrator"},
    {"id": "auditor-1", "name": "ZZAUDITOR", "role": "auditor"},
]


def audit_page() -> None:
    """The audit page alone."""
    import streamlit as st

    from medmm.assistant import Assistant
    from ui.desk import Desk
    from ui.views.audit import show_audit

    assistant = Assistant.from_config()
    reader = assistant.reader_named(st.session_state["acts for"])
    show_audit(Desk(assistant=assistant, reader=reader))


@pytest.fixture
def peer() -> Iterator[MllpPeer]:
    with mllp_peer(f"AE|of {NAME}", "AA") as made:
        yield made


@pytest.fixture
def assistant(
    tmp_path: Path, peer: MllpPeer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Assistant]:
    """What the page opens, with one signed case that one of two destinations refused."""
    streamlit.cache_resource.clear()
    (tmp_path / "box").mkdir()
    destinations = [
        {"name": "ehr", "kind": "mllp", "host": "127.0.0.1", "port": peer.port},
        {"name": "box", "kind": "folder", "path": str(tmp_path / "box"), "forms": ["text"]},
    ]
    data = tmp_path / "data"
    with quick_assistant(data, readers=READERS, destinations=destinations) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        signed(assistant, case_id, assistant.reader_named("reader-1"))
        list(assistant.deliver())
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        yield assistant
    streamlit.cache_resource.clear()


def the_audit_page(reader: str) -> AppTest:
    page = AppTest.from_function(audit_page, default_timeout=60)
    page.session_state["acts for"] = reader
    return sound(page.run())


def test_a_signed_case_shows_where_each_version_went(assistant: Assistant) -> None:
    (case,) = assistant.cases()
    page = opened_page(case.case_id)
    told = said(page, "caption")
    assert "Version 1 to box: arrived, written; attempt 1" in told
    assert "Version 1 to ehr: given up, MSA AE 101 at PID-1-5" in told
    assistant.retry_delivery(1, by="reader-1")
    list(assistant.deliver())
    assert "given up" in said(page.run(), "caption"), "it was read once"
    page = press(page, "ways ")
    assert "Version 1 to ehr: arrived, MSA AA" in said(page, "caption")
    looks = [e for e in assistant.history(case.case_id) if e.verb == "deliveries"]
    assert len(looks) == 2


def test_an_administrator_has_a_dead_letter_tried_again(
    assistant: Assistant, peer: MllpPeer
) -> None:
    page = the_audit_page("administrator-1")
    assert "ehr: version 1 of case-" in said(page, "markdown")
    assert NAME not in said(page), "who may not see identities reads no words of a receiver"
    page = press(page, "retry 1")
    assert "Nothing that was sent was given up." in said(page, "caption")
    assert [one.state for one in assistant.deliver()] == [DeliveryState.SENT]
    assert len(peer.came) == 2


def test_who_reads_sees_why_and_who_only_audits_changes_nothing(assistant: Assistant) -> None:
    assert NAME in said(the_audit_page("reader-1"), "markdown")
    page = the_audit_page("auditor-1")
    assert "given up, MSA AE" in said(page, "markdown")
    assert keys(page, "retry ") == []


def test_what_another_put_back_is_told(assistant: Assistant) -> None:
    page = the_audit_page("administrator-1")
    assistant.retry_delivery(1, by="reader-1")
    page = press(page, "retry 1")
    assert "only one that was given up is tried again" in said(page, "error")


def test_without_destinations_nothing_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with quick_assistant(tmp_path / "data", readers=READERS) as assistant:
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        page = the_audit_page("administrator-1")
        assert "given up" not in said(page)
