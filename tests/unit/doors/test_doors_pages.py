"""The pages of a draft: complete, readable at 80 columns, inert."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from medmm.domain.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    PermissionDenied,
    StateError,
    Unavailable,
)
from medmm.doors.draft_html import draft_html
from medmm.doors.draft_page import draft_page
from medmm.doors.session import report
from tests.factories import make_case_file, make_checked_draft, make_draft

HOSTILE = "<script>alert(1)</script> [bold]x[/bold] \" onload='x'"


def printed(file: Any) -> str:
    text = io.StringIO()
    draft_page(file, Console(file=text, width=80, no_color=True, highlight=False))
    return text.getvalue()


def test_the_terminal_page_shows_evidence_checks_and_limits_within_80_columns() -> None:
    page = printed(make_case_file(draft=make_checked_draft(failed=("s2",))))
    assert "DRAFT, not signed" in page
    for part in ("Possible left pleural effusion.", "probability 0.62, operating point 0.35", "patient's left side",
                 "record: entry Condition/c1", "measured 0.54", "G2 ✗", "G1 ✓", "fractures", "A warning that travels."):  # fmt: skip
        assert part in page
    assert max(len(line) for line in page.splitlines()) <= 80


def test_the_html_page_shows_the_same_and_holds_no_script() -> None:
    page = draft_html(make_case_file(draft=make_checked_draft(failed=("s2",))))
    for part in ("DRAFT, not signed", "Possible left pleural effusion.", "operating point 0.35", "G2 ✗", "fractures"):
        assert part in page
    assert page.count("data:image/png;base64,") == 3  # the film, and a heat-map for each suspected finding
    assert "<script" not in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize("where", ["text", "limit"])
def test_hostile_words_are_inert_on_both_pages(where: str) -> None:
    draft = make_draft()
    first, *rest = draft.statements
    if where == "text":
        draft = replace(draft, statements=(replace(first, text=HOSTILE), *rest))
    else:
        draft = replace(draft, not_evaluated=(HOSTILE,))
    file = make_case_file(draft=make_checked_draft(draft))
    page = draft_html(file)
    assert "<script>" not in page
    assert "onload='x'" not in page
    assert "[bold]x[/bold]" in " ".join(printed(file).split())


def test_a_case_without_draft_says_so() -> None:
    file = replace(make_case_file(), draft=None)
    assert "No draft yet" in printed(file)
    assert "No draft yet" in draft_html(file)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(InputError, 3), (ConfigError, 4), (PermissionDenied, 5), (StateError, 6), (Unavailable, 7), (IntegrityError, 8)],
)
def test_an_error_is_told_with_place_and_remedy(kind: Any, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(kind("what went wrong", remedy="what helps", file="a.dcm")) == code
    told = capsys.readouterr().err
    for part in (kind.__name__, "what went wrong", "file: a.dcm", "remedy: what helps"):
        assert part in told
