"""Warnings are sorted by use, and a packaged film says what nobody knows of it."""

from __future__ import annotations

from pathlib import Path

from medmm.domain.notices import FOR_THE_RECORD, sorted_notices
from medmm.domain.packaged_films import packaged_note
from medmm.domain.study import Notice
from tests.factories import make_study, make_volume

RG1 = "946f28f48b9fbf360196a9b835c8fce83b0c654bf85a5107663c8a61df02e498"
MEDMM = Path(__file__).resolve().parents[3] / "medmm"


def test_what_matters_comes_first_and_each_text_once() -> None:
    child = Notice(code="child", text="A child.")
    spacing = Notice(code="spacing-unknown", text="No spacing.")
    new = Notice(code="a-code-of-tomorrow", text="Something new.")
    assert sorted_notices((spacing, child, spacing, new)) == ((child, new), (spacing,))


def test_every_code_for_the_record_is_one_that_is_given() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in MEDMM.rglob("*.py")
        if path.name != "notices.py"
    )
    assert [name for name in sorted(FOR_THE_RECORD) if f'"{name}"' not in code] == []


def test_only_the_packaged_film_has_a_note() -> None:
    note = packaged_note(make_study(volumes=(make_volume(sha256=RG1),)))
    assert note is not None
    assert "no report of it is known" in note
    assert "round opacities" in note
    assert packaged_note(make_study()) is None
