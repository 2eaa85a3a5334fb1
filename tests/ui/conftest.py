"""What tests of Streamlit pages leave behind is put back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.drafted_case import drafted_data
from ui import reading_room


@pytest.fixture(autouse=True)
def main_module_put_back() -> Iterator[None]:
    """A page runs as `__main__` and stays there; processes that later tests start would run it again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that run without a browser have no cookie of one; Streamlit's stand-in is no text."""
    monkeypatch.setattr(reading_room, "browser_of", lambda cookies: "")


@pytest.fixture(scope="session")
def drafted_once(tmp_path_factory: pytest.TempPathFactory, demo_films: Path) -> Path:
    """A drafted case in `data`, with its heads, to be copied by each test that changes it."""
    return drafted_data(tmp_path_factory.mktemp("drafted"), demo_films / "RG1_UNCR.dcm")
