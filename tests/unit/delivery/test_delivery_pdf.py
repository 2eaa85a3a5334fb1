"""The page of a report as PDF: its words, its fonts, names that go from right to left."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from medmm.delivery.pdf import page
from medmm.delivery.pdf.direction import seen
from medmm.delivery.pdf.page import LACKING, report_pdf
from medmm.domain.identity import PatientIdentity
from medmm.presentation.report_versions import WITHDRAWN
from tests.factories import make_amended_report, make_signed_report
from tests.signed_studies import signed

REPORT = make_signed_report()


def drawn(monkeypatch: pytest.MonkeyPatch, *args: object, **how: object) -> list[str]:
    """The texts that are put on the pages, in their order, each line with its pieces."""
    texts: list[str] = []
    monkeypatch.setattr(
        page.Canvas, "drawString", lambda self, x, y, text, **more: texts.append(text)
    )
    report_pdf(*args, **how)  # type: ignore[arg-type]
    return texts


def named(name: str) -> PatientIdentity:
    return PatientIdentity(patient_id="ZZ-1", family_name=name)


def test_the_same_report_gives_the_same_bytes() -> None:
    assert report_pdf(REPORT, named("ZZTEST")) == report_pdf(REPORT, named("ZZTEST"))


def test_the_fonts_are_embedded_and_no_other_is_used() -> None:
    made = report_pdf(REPORT, named("ZZTEST"))
    assert made.count(b"/FontFile2") >= 2
    fonts = set(re.findall(rb"/BaseFont /([\w+-]+)", made))
    assert fonts
    assert all(b"DejaVuSans" in font for font in fonts), fonts


def test_every_word_of_the_report_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    words = " ".join(drawn(monkeypatch, REPORT, named("ZZTEST")))
    for statement in REPORT.statements:
        assert statement.text in words
    for expected in ("ZZTEST; ZZ-1", "IMPRESSION", "Signed by ZZREADER One (reader-1, attending)"):
        assert expected in words
    assert LACKING not in words


def test_an_amended_and_a_withdrawn_report_say_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    amended = make_amended_report(REPORT)
    first, _, notice, *_ = drawn(monkeypatch, amended, None, versions=(REPORT, amended))
    assert first == "RADIOLOGY REPORT: AMENDED"
    assert notice.startswith("AMENDED on 2026-01-03")
    withdrawn = signed("chest").withdrawn()
    first, *rest = drawn(monkeypatch, withdrawn.report, None, versions=withdrawn.versions)
    assert first == f"RADIOLOGY REPORT: {WITHDRAWN}"
    assert not any("effusion" in text for text in rest)


@pytest.mark.parametrize("name", ["Щербакова Анна", "Δημήτρης Παπαδόπουλος", "Łukasz Øster-Ñandú"])
def test_names_of_european_scripts_are_drawn_as_they_are(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    texts = drawn(monkeypatch, REPORT, named(name))
    assert f"{name}; ZZ-1" in texts
    assert LACKING not in texts


def test_what_the_font_lacks_has_a_mark_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = drawn(monkeypatch, REPORT, named("山田"))
    assert "\ufffd\ufffd; ZZ-1" in texts
    assert LACKING in texts


@pytest.mark.parametrize("name", ["דוד בן־גוריון", "محمد عبد الله", "לוי 12 (א)"])
def test_a_name_that_goes_from_right_to_left_lacks_no_letter(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    texts = drawn(monkeypatch, REPORT, named(name))
    assert LACKING not in texts
    assert not any("\ufffd" in text for text in texts)


@pytest.mark.parametrize(
    ("read", "shown"),
    [
        ("no right to left (12)", "no right to left (12)"),
        ("Patient אבג; ZZ-1", "Patient גבא; ZZ-1"),
        ("אבג דהו", "והד גבא"),
        ("אבג 12 דהו", "והד 12 גבא"),
        ("אבג 1,5 דהו", "והד 1,5 גבא"),
        ("אבג (דה) ו", "ו (הד) גבא"),
        ("car אבג (bus", "car גבא (bus"),
        ("אבג.", "גבא."),
        ("a אב", "a בא"),
        ("50% אב", "50% בא"),
        ("אב 50% גד", "דג 50% בא"),
    ],
)
def test_a_line_is_ordered_as_it_is_seen(read: str, shown: str) -> None:
    """By hand from the rules of UAX 9, in a paragraph that goes from left to right."""
    assert seen(read) == shown


def test_arabic_letters_join_and_digits_among_them_keep_their_order() -> None:
    assert seen("محمد") == "ﺪﻤﺤﻣ"
    assert seen("محمد 123") == "123 ﺪﻤﺤﻣ"


def test_a_long_report_goes_on_over_pages_and_a_word_of_no_end_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, *others = REPORT.statements
    long = replace(first, text="opacity " * 1500 + "x" * 400)
    texts = drawn(monkeypatch, replace(REPORT, statements=(long, *others)), None)
    assert " ".join(texts).count("opacity") == 1500
    assert sum(text.count("x") for text in texts if set(text) == {"x"}) == 400
    feet = [text for text in texts if text.startswith(f"{REPORT.id}, version")]
    assert len(feet) >= 3
    assert all(len(text) < 130 for text in texts)
