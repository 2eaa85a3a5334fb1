"""Who reads, without a browser: the demo says that it is one, and nobody sees anything before signing in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from ui import reading_room
from ui.left_page import fields
from ui.presenter import sign_in_words

APP = Path(__file__).resolve().parents[2] / "ui" / "app.py"
SIGN_IN = {
    "metadata_url": "https://idp.example/.well-known/openid-configuration",
    "client_id": "medmm",
    "roles": {"rad-attending": "attending"},
}


@pytest.fixture
def page_of(tmp_path: Path, drafted_once: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the first page of a site with such settings, in a browser of its own."""
    shutil.copytree(drafted_once, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "settings.yaml"
    monkeypatch.setenv("MEDMM_CONFIG", str(config))
    monkeypatch.setattr("ui.reading_room.browser", lambda: "B1")
    monkeypatch.setattr("ui.sign_in.browser", lambda: "B1")

    def make(**settings: Any) -> AppTest:
        streamlit.cache_resource.clear()
        given = {"data_dir": str(tmp_path / "data"), "threads": 1, **settings}
        config.write_text(yaml.safe_dump(given))
        return AppTest.from_file(str(APP), default_timeout=60).run()

    yield make
    streamlit.cache_resource.clear()


def labels(page: AppTest) -> set[str]:
    return {str(button.label) for button in page.button}


def html(page: AppTest) -> str:
    return " ".join(str(one.proto.body) for one in page.get("html"))


def test_a_demo_says_so(page_of: Any) -> None:
    page = page_of(readers=[{"id": "r", "name": "ZZREADER One", "role": "reader"}])
    assert not page.exception
    assert "DEMO · NO SIGN-IN" in html(page)
    assert "Sign out" not in labels(page)
    page = page_of(readers=[])
    assert "DEMO · NO SIGN-IN" in html(page)
    assert any("Nobody may review yet" in one.value for one in page.info)


def test_before_signing_in_nothing_is_shown_and_nothing_looked_at(page_of: Any) -> None:
    page = page_of(readers=[{"id": "r", "name": "ZZREADER One", "role": "reader"}], sign_in=SIGN_IN)
    assert not page.exception
    assert labels(page) == {"Sign in"}
    assert "DEMO" not in html(page)
    assert not page.selectbox
    assert "CHEST" not in str(page.main)


def test_who_is_signed_in_stands_on_the_page_until_it_ends(page_of: Any) -> None:
    page = page_of(sign_in=SIGN_IN)
    known = reading_room.sign_ins()
    assert known is not None
    known.arrived("B1", "digest")
    claims = {"sub": "att-1", "name": "ZZ *One*", "exp": 4e9, "roles": ["rad-attending"]}
    known.admit("B1", "digest", claims)
    page = page.run()
    assert not page.exception
    assert "Sign out" in labels(page)
    assert any("ZZ \\*One\\* · attending" in one.value for one in page.markdown)
    known.end("B1")
    page = page.run()
    assert not page.exception
    assert labels(page) == {"Sign in again"}
    assert [one.value for one in page.warning] == ["You have signed out."]


def test_fields_of_a_case_are_kept_and_what_the_page_remembers_for_itself_is_not() -> None:
    state = {
        "text case-abc s1 77": "Own words.",
        "own impression case-abc": "",
        "sentence": "s3",
        "identity_of": "patient-1",
        "reader": "reader-1",
        "accept s1 case-abc": True,
        "worklist_of": ("reader-1", ""),
        7: "case-abc",
    }
    assert fields(state) == {
        "text case-abc s1 77": "Own words.",
        "own impression case-abc": "",
        "sentence": "s3",
    }


def test_what_was_too_much_is_said() -> None:
    assert "kept for you alone" in sign_in_words(kept=True)
    assert "too much" in sign_in_words(kept=False)
