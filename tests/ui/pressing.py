"""Pages pressed as a reader does; widgets are found by what their keys begin with."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from ui import presenter

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "ui" / "app.py"
WAIT_S = 120.0
TEXTS = ("markdown", "caption", "warning", "info", "error", "success", "code")


def opened_page(case_id: str | None = None) -> AppTest:
    """A new session: at the worklist, or at the case that its address names."""
    page = AppTest.from_file(str(APP), default_timeout=60)
    if case_id is not None:
        page.query_params["case"] = case_id
    return sound(page.run())


def sound(page: AppTest) -> AppTest:
    """The page, which ended without an exception."""
    assert not page.exception
    return page


def keys(page: AppTest, start: str) -> list[str]:
    """The keys of the buttons that begin so, in the order of the page."""
    return [str(one.key) for one in page.button if str(one.key).startswith(start)]


def widget(page: AppTest, kind: str, start: str) -> Any:
    """The one widget of a kind whose key begins so."""
    (found,) = [one for one in getattr(page, kind) if str(one.key).startswith(start)]
    return found


def press(page: AppTest, start: str) -> AppTest:
    """Press the button whose key begins so."""
    button = widget(page, "button", start)
    assert not button.disabled, f"{button.key} is disabled"
    return sound(button.click().run())


def until(page: AppTest, holds: Callable[[AppTest], object]) -> AppTest:
    """Run the page as its timer does until something holds, as that a draft is there."""
    end = time.monotonic() + WAIT_S
    while not holds(page):
        assert time.monotonic() < end, said(page)
        time.sleep(0.05)
        page = sound(page.run())
    return page


def write(page: AppTest, kind: str, start: str, value: object) -> AppTest:
    """Put a value into the widget whose key begins so, and leave it."""
    return sound(widget(page, kind, start).set_value(value).run())


def plain(text: str) -> str:
    """Markdown as a browser shows it, but for bold, colours and the like."""
    return text.replace("\\", "").replace(presenter.JOINER, "")


def said(page: AppTest, *kinds: str) -> str:
    """All that stands on the page in elements of these kinds, or of any."""
    return "\n".join(plain(one.value) for kind in kinds or TEXTS for one in getattr(page, kind))


def sentences(page: AppTest) -> dict[str, str]:
    """The sentences as they are listed, by id."""
    return {
        str(one.key).split()[1]: plain(one.label)
        for one in page.button
        if str(one.key).startswith("pick ")
    }


def decide_all(page: AppTest) -> AppTest:
    """Accept what passed its checks and reject what is open then, of what is asked for."""
    page = press(page, "accept-all ")
    while open_ones := [i for i, words in sentences(page).items() if is_open(page, i, words)]:
        page = press(page, f"reject {open_ones[0]} ")
    return page


def is_open(page: AppTest, statement_id: str, label: str) -> bool:
    """Whether a sentence of the draft is still to be decided."""
    return statement_id.startswith("s") and "○" in label


def question(page: AppTest) -> AppTest:
    """Press *Sign …*; the whole report is shown with the question."""
    return press(page, "sign ")


def sign(page: AppTest) -> AppTest:
    """Say that it is the patient, and sign what the question shows."""
    page = write(page, "checkbox", "same ", True)
    return press(page, "sign-now ")
