"""What tests of Streamlit pages leave behind is put back; a data folder with a drafted case, and its page."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit
import yaml
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from tests.ui.drafted_case import drafted_data, the_case
from tests.ui.pressing import opened_page
from ui import reading_room

# What a browser shows is waited for: a page may be drawn in parts, and the machine may be busy.
expect.set_options(timeout=90_000)
BROWSER = "b" * 43  # a cookie as the server sets it
READERS = [
    {"id": "reader-1", "name": "ZZREADER One", "role": "reader"},
    {"id": "auditor-1", "name": "ZZREADER Two", "role": "auditor"},
]


@pytest.fixture(autouse=True)
def main_module_put_back() -> Iterator[None]:
    """A page runs as `__main__` and stays there; processes that later tests start would run it again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True)
def one_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's page under test has no browser, and so no cookie: it says that it is a mock."""
    monkeypatch.setattr(reading_room, "browser_of", lambda cookies: BROWSER)


@pytest.fixture(scope="session")
def drafted_once(tmp_path_factory: pytest.TempPathFactory, demo_films: Path) -> Path:
    """A drafted case in `data`, with its heads, to be copied by each test that changes it."""
    return drafted_data(tmp_path_factory.mktemp("drafted"), demo_films / "RG1_UNCR.dcm")


@pytest.fixture
def config(tmp_path: Path, drafted_once: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a data folder with one drafted case whose record carries a script."""
    path = tmp_path / "settings.yaml"
    path.write_text(
        yaml.safe_dump({"data_dir": str(tmp_path / "data"), "threads": 1, "readers": READERS})
    )
    shutil.copytree(drafted_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return path


@pytest.fixture
def page(config: Path) -> Iterator[AppTest]:
    """The page with the case opened by its address."""
    streamlit.cache_resource.clear()
    yield opened_page(the_case(config).case_id)
    streamlit.cache_resource.clear()
