"""The pages of a draft: complete, readable at 80 columns, inert."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from medmm.domain.draft import Assertion, Fate, SentenceRecord
from medmm.domain.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    PermissionDenied,
    StateError,
    Unavailable,
)
from medmm.domain.record import FactKind, Quantity
from medmm.domain.report import Accept, CaseState, Edit, Reject
from medmm.doors.draft_page import draft_page
from medmm.doors.session import report
from medmm.presentation.draft_html import draft_html
from tests.factories import (
    make_case,
    make_case_file,
    make_checked_draft,
    make_context,
    make_draft,
    make_fact,
    make_finding,
    make_reading,
    make_region,
    make_study,
    make_volume,
)
from tests.language_models import say

HOSTILE = "<script>alert(1)</script> [bold]x[/bold] \" onload='x'"


def printed(file: Any, *, withheld: bool = False) -> str:
    text = io.StringIO()
    console = Console(file=text, width=80, no_color=True, highlight=False)
    draft_page(file, console, withheld=withheld)
    return text.getvalue()


def test_the_terminal_page_shows_evidence_checks_and_limits_within_80_columns() -> None:
    page = printed(make_case_file(draft=make_checked_draft(failed=("s2",))))
    assert "DRAFT, not signed" in page
    for part in ("Possible left pleural effusion.", "probability 0.62, operating point 0.35", "patient's left side",
                 "record: entry Condition/c1", "measured 0.54", "G2 ✗", "G1 ✓", "fractures", "A warning that travels."):  # fmt: skip
        assert part in page
    assert max(len(line) for line in page.splitlines()) <= 80


def test_what_was_proposed_and_is_not_stated_is_told_after_the_findings_with_why() -> None:
    def record(number: str, text: str, fate: Fate, reason: str = "") -> SentenceRecord:
        said = say("Effusion", Assertion.POSSIBLE, text)
        stands = None if fate is Fate.WITHHELD else "s2"
        return SentenceRecord(
            id=number, proposal=said, evidence=(), fate=fate, statement_id=stands, reason=reason
        )

    sentences = (
        record("p1", "Words that stand.", Fate.STATED),
        record("p2", "Large effusion.", Fate.REPLACED, "too sure"),
        record("p3", "\x1b[31m[bold]Mass.", Fate.WITHHELD, "not read"),
    )
    file = make_case_file(draft=make_checked_draft(make_draft(sentences=sentences)))
    counted = printed(file)
    assert "2 sentences proposed, not stated; --withheld lists them" in counted
    assert "Large effusion" not in counted
    page = printed(file, withheld=True)
    told = page[page.index("PROPOSED, NOT STATED") : page.index("NOT EVALUATED")]
    assert "p2 “Large effusion.” replaced by s2: too sure" in told
    assert "[bold]Mass.” withheld: not read" in told
    assert "p1" not in told
    assert "\x1b" not in page
    assert "PROPOSED" not in printed(make_case_file())


def test_the_html_page_shows_the_same_and_holds_no_script() -> None:
    page = draft_html(make_case_file(draft=make_checked_draft(failed=("s2",))))
    for part in (
        "DRAFT, not signed",
        "Possible left pleural effusion.",
        "operating point 0.35",
        "G2 ✗",
        "fractures",
    ):
        assert part in page
    assert (
        page.count("data:image/png;base64,") == 3
    )  # the film, and a heat-map for each suspected finding
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


def test_the_terminal_page_stands_as_it_was_read(golden: Callable[[str, str], None]) -> None:
    draft = make_draft()
    long = replace(
        draft.statements[0],
        text="Recorded: a condition whose words reach over the end of the line and stay beside the mark.",
    )
    draft = replace(draft, statements=(long, *draft.statements[1:]))
    file = make_case_file(
        draft=make_checked_draft(draft, failed=("s2",)),
        decisions=(Accept("s1"), Edit("s2", "No effusion.")),
    )
    golden(
        "doors/draft_page.txt", "".join(f"{line.rstrip()}\n" for line in printed(file).splitlines())
    )


def test_both_pages_show_what_a_reader_decided() -> None:
    file = make_case_file(decisions=(Accept("s1"), Edit("s2", "<b>No</b> effusion."), Reject("s3")))
    for page in (printed(file), draft_html(file)):
        assert page.count("by a reader") == 4, "the summary of s2 follows it"
        assert "accepted by a reader" in page
        assert "rejected by a reader" in page
    assert "<b>" not in draft_html(file)


def test_a_draft_that_was_signed_points_at_its_report() -> None:
    file = make_case_file(CaseState.SIGNED)
    for page in (" ".join(printed(file).split()), draft_html(file)):
        assert "Report report-1 was signed" in page
        assert "DRAFT, not signed" not in page


def test_the_html_page_shows_the_whole_record_with_what_is_denied_marked() -> None:
    page = draft_html(make_case_file())
    assert "9 facts, 1 left out" in page
    row = next(row for row in page.split("<tr>") if "Tuberculosis" in row)
    assert "REFUTED" in row
    assert "INACTIVE" in next(row for row in page.split("<tr>") if "Appendicitis" in row)
    assert "implausible value" in page
    assert "87 mg/L" in page
    assert "entry[7] Claim/x: not clinical" in page


@pytest.mark.parametrize(
    ("left_on", "letters", "told"),
    [
        ("right", ["R", "L"], "is on the right"),
        ("left", ["L", "R"], "is on the left"),
        (None, [], "Orientation unknown"),
    ],
)
def test_the_picture_s_letters_stand_on_the_patient_s_sides(
    left_on: str | None, letters: list[str], told: str
) -> None:
    study = make_study(volumes=(make_volume(patient_left_on=left_on),))
    page = draft_html(replace(make_case_file(), case=make_case(study=study)))
    assert re.findall(r'<span class="letter(?: far)?">(.)</span>', page) == letters
    assert told in page


def test_control_characters_in_a_statement_do_not_reach_the_terminal() -> None:
    draft = make_draft()
    bad = replace(draft.statements[0], text="calm\x1b[2J\x1b]0;title\x07 words")
    draft = replace(draft, statements=(bad, *draft.statements[1:]), not_evaluated=("\x1b[31mred",))
    assert "\x1b" not in printed(make_case_file(draft=make_checked_draft(draft)))


def test_the_same_evidence_is_told_once() -> None:
    draft = make_draft()
    first = draft.statements[0]
    twice = replace(first, evidence=first.evidence * 2)
    draft = replace(draft, statements=(twice, *draft.statements[1:]))
    assert printed(make_case_file(draft=make_checked_draft(draft))).count("entry Condition/c1") == 1


def test_a_case_without_draft_says_so() -> None:
    file = replace(make_case_file(), draft=None)
    assert "No draft yet" in printed(file)
    assert "No draft yet" in draft_html(file)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InputError, 3),
        (ConfigError, 4),
        (PermissionDenied, 5),
        (StateError, 6),
        (Unavailable, 7),
        (IntegrityError, 8),
    ],
)
def test_an_error_is_told_with_place_and_remedy(
    kind: Any, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(kind("what went wrong", remedy="what helps", file="a.dcm")) == code
    told = capsys.readouterr().err
    for part in (kind.__name__, "what went wrong", "file: a.dcm", "remedy: what helps"):
        assert part in told


def test_a_critical_suspicion_is_marked_on_both_pages_and_a_denial_is_not() -> None:
    draft = make_draft()
    urgent = replace(
        draft.statements[1], text="Possible pneumothorax.", finding="Pneumothorax", side=None
    )
    denied = replace(urgent, text="No pneumothorax.", assertion=Assertion.ABSENT)
    for statement, marks in ((urgent, 1), (denied, 0)):
        file = make_case_file(draft=make_checked_draft(replace(draft, statements=(statement,))))
        assert printed(file).count("CRITICAL") == marks
        assert draft_html(file).count('class="critical"') == marks


def test_the_html_page_shows_critical_heat_maps_first() -> None:
    reading = make_reading()
    seen = make_finding("Pneumothorax", 0.2, 0.15, region=make_region())
    file = replace(
        make_case_file(), reading=replace(reading, findings=(*reading.findings[:3], seen))
    )
    page = draft_html(file)
    assert page.index("pneumothorax 0.20 (op") < page.index("pleural effusion 0.62 (op")


def test_units_are_printed_for_people() -> None:
    fact = make_fact(
        FactKind.OBSERVATION, "Body temperature", value=Quantity(value=38.1, unit="Cel")
    )
    page = draft_html(replace(make_case_file(), case=make_case(context=make_context((fact,)))))
    assert "38.1 °C" in page
    assert "Cel" not in page
