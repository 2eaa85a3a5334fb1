"""What the dashboard decides to show."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import markdown_it
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medmm.config import IdentifierEntry, Settings
from medmm.domain.audit_event import AuditEvent
from medmm.domain.draft import Assertion, FactEvidence, RegionEvidence, ScoreEvidence, Section
from medmm.domain.draft_progress import DraftProgress, DraftStage, UncheckedSentence
from medmm.domain.errors import StateError
from medmm.domain.reading import Side
from medmm.domain.record import FactKind, Quantity
from medmm.domain.report import Accept, CaseFile, CaseState, Edit, Reject
from medmm.domain.study import Notice, View
from medmm.presentation.case_view import case_view
from medmm.presentation.evidence_words import evidence_view
from medmm.presentation.film_picture import BELOW, REACHED, TICK, TRACK, film_picture, score_bar
from medmm.presentation.record_view import fact_value
from medmm.presentation.sentence_rows import sentence_rows
from medmm.presentation.slice_picture import marked_slices, png_bytes
from tests.factories import (
    FILM,
    make_case_file,
    make_checked_draft,
    make_context,
    make_draft,
    make_fact,
    make_finding,
    make_reading,
    make_region,
    make_signed_report,
    make_volume,
)
from tests.mr_cases import case_file
from ui import presenter


def test_a_fresh_draft_shows_every_statement_undecided() -> None:
    view = case_view(make_case_file())
    shown = [
        row.statement for row in sentence_rows(make_case_file(), view, {}) if not row.statement.why
    ]
    assert [s.id for s in shown] == ["s2", "s3", "s4", "s1"], (
        "what stands beside the film comes first"
    )
    assert all(s.decision is None and s.evidence for s in shown)
    assert (view.decided, view.total, view.may_sign) == (0, 3, False), (
        "a summary is no decision of its own"
    )
    assert "A warning that travels." in view.warnings
    assert "fractures" in view.not_evaluated


def test_decisions_are_shown_and_all_of_them_open_the_signature() -> None:
    decisions = (Accept("s1"), Edit("s2", "Small left effusion."), Reject("s3"))
    view = case_view(make_case_file(CaseState.IN_REVIEW, decisions=decisions))
    shown = {s.id: s for s in view.statements}
    assert [shown[i].decision for i in ("s1", "s2", "s3", "s4")] == [
        "accepted",
        "edited",
        "rejected",
        "edited",
    ]
    assert (shown["s4"].text, shown["s4"].summarises, shown["s2"].summarises) == (
        "Small left effusion.",
        "s2",
        None,
    )
    assert (shown["s2"].text, shown["s2"].drafted_text) == (
        "Small left effusion.",
        "Possible left pleural effusion.",
    )
    assert shown["s1"].drafted_text is None
    assert [view.count(word) for word in ("accepted", "edited", "rejected")] == [1, 1, 1]
    assert view.may_sign
    assert not case_view(make_case_file(CaseState.IN_REVIEW, decisions=decisions[:2])).may_sign
    assert not case_view(make_case_file(CaseState.SIGNED)).may_sign


def test_a_statement_with_a_failed_check_may_not_be_accepted() -> None:
    view = case_view(make_case_file(draft=make_checked_draft(failed=("s2",))))
    shown = {s.id: s for s in view.statements}
    assert not shown["s2"].may_accept
    assert [(c.mark, c.number, c.reason) for c in shown["s2"].checks] == [
        ("✓", "G1", "hand-made"),
        ("✗", "G2", "hand-made"),
    ]
    assert (shown["s2"].passed, shown["s4"].passed) == ("✓ G1", "✓ G1 G2")
    assert shown["s4"].may_accept


def test_each_kind_of_evidence_is_said_in_words() -> None:
    shown = {s.id: s for s in case_view(make_case_file()).statements}
    assert shown["s2"].bars == ((0.62, 0.35),)
    assert shown["s2"].heat == "Effusion"
    assert shown["s2"].evidence_line == (
        "pleural effusion 0.62, operating point 0.35: more likely than not · region in the film (patient's left side)"
    )
    assert shown["s3"].evidence_line == "cardiothoracic ratio 0.54, 95 % interval 0.51 to 0.57"
    assert shown["s3"].heat is None
    assert shown["s1"].evidence_line == "record: Heart failure, 2024-05-01 [entry Condition/c1]"


def test_a_denied_or_doubtful_fact_says_so_as_evidence() -> None:
    context = make_context()
    words = {
        fact_id: evidence_view(FactEvidence(fact_id=fact_id, source="entry"), context).text
        for fact_id in ("Condition/c2", "Condition/c3", "Observation/o3", "Observation/gone")
    }
    assert "refuted" in words["Condition/c2"]
    assert "inactive" in words["Condition/c3"]
    assert "1400 g/L" in words["Observation/o3"]
    assert "implausible value" in words["Observation/o3"]
    assert words["Observation/gone"] == "record: [entry]"


def test_words_typed_for_one_statement_meet_no_other() -> None:
    fresh = case_view(make_case_file())
    edited = case_view(make_case_file(CaseState.IN_REVIEW, decisions=(Edit("s3", "Other words."),)))
    keys = {presenter.edit_key("case-1", s) for s in fresh.statements}
    assert len(keys) == 4
    assert keys.isdisjoint(presenter.edit_key("case-2", s) for s in fresh.statements)
    assert len(keys & {presenter.edit_key("case-1", s) for s in edited.statements}) == 3


def test_the_film_that_was_read_is_the_first_picture() -> None:
    lateral = make_volume(view=View.LATERAL, sha256="c" * 64, patient_left_on=None)
    file = make_case_file()
    study = replace(file.case.study, volumes=(lateral, make_volume()))
    images = presenter.pictures(replace(file, case=replace(file.case, study=study)))
    assert [image.view.value for image in images] == ["PA", "LATERAL"]
    assert presenter.side_line(images[0]) == "The patient's left is on the right of the picture."
    assert presenter.side_line(images[1]) == "Orientation unknown: no side is named."


def test_marked_volumes_come_first_with_their_role() -> None:
    file = case_file("BRAIN")
    first, second = presenter.pictures(file)
    marked = marked_slices(file.case.study, file.reading, file.draft)
    assert [one.volume for one in marked] == [first]
    assert [one.sequence and one.sequence.role.value for one in (first, second)] == ["FLAIR", "T1"]
    assert presenter.side_line(first) == "Letters name the patient's directions."


def test_without_orientation_no_side_is_named() -> None:
    (first, _) = presenter.pictures(case_file("BRAIN", oriented=False))
    assert presenter.side_line(first) == "Orientation unknown: shown as stored, no side is named."


def test_the_view_of_an_mr_case_tells_extents_and_numbers() -> None:
    view = case_view(case_file("HEART"))
    assert view.title == "MR HEART, 2026-01-02 08:15"
    lines = [s.evidence_line for s in view.statements]
    assert any(
        "LVEF 55 %, 95 % interval 50 to 61 %" in line and "marked as LV in cardiac-ed" in line
        for line in lines
    )


def test_suspected_findings_come_first_among_the_heat_maps() -> None:
    view = case_view(make_case_file())
    assert view.heats[0].name == "Effusion"
    assert ["suspected" in h.label for h in view.heats] == sorted(
        ["suspected" in h.label for h in view.heats], reverse=True
    )


def test_a_case_without_a_draft_shows_the_studys_warnings() -> None:
    file = make_case_file(CaseState.OPENED)
    study = replace(file.case.study, warnings=(Notice(code="c", text="Orientation unknown."),))
    view = case_view(replace(file, case=replace(file.case, study=study)))
    assert view.warnings == ("Orientation unknown.",)
    assert view.statements == ()
    assert view.statements == ()


HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://127.0.0.1/x.png)",
    "$\\frac{1}{2}$",
    ":red[not red] :smile:",
    "# heading\n- list",
    "`code` **bold** _it_ ~~x~~ | a | b |",
    "&lt;b&gt; &amp;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(text: str) -> None:
    html = markdown_it.MarkdownIt("js-default", {"html": True, "linkify": False}).render(
        presenter.inert(text)
    )
    for tag in ("<script", "<a ", "<img", "<h1", "<li", "<code", "<strong", "<em", "<s>", "<table"):
        assert tag not in html


@given(st.text(max_size=80))
def test_inert_text_reads_the_same(text: str) -> None:
    shown = presenter.inert(text)
    plain = presenter.TURNING.sub("\ufffd", " ".join(text.split()))
    assert shown.replace("\\", "").replace("\u2060", "") == plain.replace("\\", "").replace(
        "\u2060", ""
    )
    assert "$" not in shown.replace("\\$", "")


@pytest.mark.parametrize(
    "text", ["see http://a.example/b", "www.a.example", "me@a.example", ":streamlit:", "a <-> b"]
)
def test_what_streamlit_rewrites_after_markdown_is_broken_up(text: str) -> None:
    shown = presenter.inert(text).replace("\\", "")
    for pattern in (r"https?://", r"www\.", r"\w@\w", r":\w+:", r"<->|->|<-"):
        assert not re.search(pattern, shown)
    assert shown.replace("\u2060", "") == text


def test_an_error_says_what_where_and_what_helps() -> None:
    lines = presenter.error_lines(StateError("It is *signed*.", remedy="look at it", case="case-1"))
    assert lines == (r"It is \*signed\*\.", r"case case\-1", "**What helps:** look at it")
    assert len(presenter.error_lines(StateError("No.", remedy="wait"))) == 2


def test_text_that_turns_its_direction_is_marked() -> None:
    assert presenter.inert("a\u202etfel") == "a\ufffdtfel"


def test_the_record_table_keeps_status_and_doubt() -> None:
    rows = {row["fact"]: row for row in presenter.fact_rows(make_case_file().case.context)}
    assert rows["Tuberculosis"]["status"] == "refuted"
    assert rows["Hemoglobin"]["doubt"] == "implausible value"
    assert rows["C-reactive protein"]["value"] == "87 mg/L"


def test_the_record_is_searched_by_all_words_of_a_row() -> None:
    rows = presenter.fact_rows(make_case_file().case.context)
    found = presenter.rows_with(rows, "87  c-REACTIVE")
    assert [row["fact"] for row in found] == ["C-reactive protein"]
    assert presenter.rows_with(rows, " ") == rows
    assert presenter.rows_with(rows, "c-reactive 88") == []


def test_a_mirrored_film_mirrors_its_picture() -> None:
    grey = np.random.default_rng(0).random((60, 48)).astype(np.float32)
    plain = film_picture(grey, (0.0, 1.0), None, 0.5)
    assert plain.shape == (60, 48, 3)
    assert (film_picture(grey[:, ::-1], (0.0, 1.0), None, 0.5) == plain[:, ::-1]).all()
    heated = film_picture(grey, (0.0, 1.0), make_region(), 0.5)
    assert (heated != plain).any()


@pytest.mark.parametrize(("probability", "colour"), [(0.62, REACHED), (0.2, BELOW)])
def test_a_score_stands_beside_its_operating_point(
    probability: float, colour: tuple[int, int, int]
) -> None:
    bar = score_bar(probability, 0.35)
    middle = bar[len(bar) // 2]
    filled = [place for place, pixel in enumerate(middle) if tuple(pixel) == colour]
    tick = [place for place, pixel in enumerate(bar[0]) if tuple(pixel) == TICK]
    assert abs(max(filled) / len(middle) - probability) < 0.01
    assert abs(tick[0] / len(middle) - 0.35) < 0.01
    assert tuple(middle[-1]) == TRACK


def test_a_picture_travels_as_png_unchanged() -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    assert (np.asarray(Image.open(BytesIO(png_bytes(rgb)))) == rgb).all()


def test_the_presenter_needs_no_streamlit() -> None:
    code = "import sys, ui.presenter, medmm.presentation.film_picture; assert 'streamlit' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_draft_without_models_says_so() -> None:
    draft = make_checked_draft(make_draft(models=()))
    assert "models none" in case_view(make_case_file(draft=draft)).made_by


def critical_case() -> CaseFile:
    """A pneumothorax less probable than an effusion, both suspected, the pneumothorax drafted first."""
    draft, reading = make_draft(), make_reading()
    score = ScoreEvidence(
        finding="Pneumothorax", probability=0.3, threshold=0.15, model="chest-test"
    )
    region = RegionEvidence(
        finding="Pneumothorax",
        box_xyxy=make_region(Side.RIGHT).box_xyxy,
        side=Side.RIGHT,
        image=FILM,
    )
    first, effusion = draft.statements[0], draft.statements[1]
    urgent = replace(
        effusion, id="s9", text="Possible right pneumothorax.", finding="Pneumothorax", side=Side.RIGHT,
        evidence=(score, region),
    )  # fmt: skip
    denied = replace(
        urgent, id="s10", text="No pneumothorax.", assertion=Assertion.ABSENT, evidence=(score,)
    )
    draft = replace(draft, statements=(first, urgent, *draft.statements[1:], denied))
    seen = make_finding("Pneumothorax", 0.3, 0.15, region=make_region(Side.RIGHT))
    findings = tuple(seen if f.name == "Pneumothorax" else f for f in reading.findings)
    return replace(
        make_case_file(draft=make_checked_draft(draft)), reading=replace(reading, findings=findings)
    )


def test_a_critical_finding_is_marked_and_its_heat_map_is_the_first() -> None:
    view = case_view(critical_case())
    shown = {s.id: s for s in view.statements}
    assert [i for i, s in shown.items() if s.critical] == ["s9"], "a denied finding is not urgent"
    assert view.heats[0].name == view.first_heat == "Pneumothorax"
    assert case_view(make_case_file()).first_heat == "Effusion"
    calm = replace(make_case_file(), reading=make_reading(findings=make_reading().findings[2:]))
    assert case_view(calm).first_heat == ""


def test_the_words_to_sign_stand_as_in_the_report() -> None:
    report = make_signed_report()
    words = presenter.report_words(report.statements, report.not_evaluated)
    assert words.splitlines()[:2] == [
        "CLINICAL INFORMATION",
        "Reported in the record: heart failure.",
    ]
    assert words.splitlines()[-2:] == [
        "NOT EVALUATED BY THE MODELS",
        "fractures; comparison with earlier images.",
    ]
    assert "IMPRESSION\nPossible small left pleural effusion." in words
    assert "evaluated" not in presenter.report_words(report.statements, ()).casefold()


def test_a_value_of_the_record_is_shown_in_printed_units() -> None:
    fact = make_fact(
        FactKind.OBSERVATION, "Body temperature", value=Quantity(value=38.1, unit="Cel")
    )
    assert fact_value(fact) == "38.1 °C"


def test_the_fhir_download_says_which_identifier_systems_it_goes_without() -> None:
    assert "`identifiers.mrn` and `identifiers.accession`" in presenter.identifier_settings_lacking(
        Settings()
    )
    assert "not searched for" in presenter.identifier_settings_lacking(Settings())
    full = IdentifierEntry(
        mrn="https://hospital.example/mrn", accession="https://hospital.example/accession"
    )
    assert presenter.identifier_settings_lacking(Settings(identifiers=full)) == ""


def test_a_long_list_of_digests_is_cut_in_the_history() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    details = {"objects": " ".join(["a" * 64] * 3), "images": "3"}
    event = AuditEvent(
        at=at,
        verb="admit",
        outcome="done",
        actor="reader-1",
        role="reader",
        subject="1.2",
        details=details,
    )
    (row,) = presenter.history_rows((event,))
    assert row["details"] == f"objects {'a' * 12}… and 2 more, images 3"


def test_the_history_says_its_time_in_utc_and_of_each_digest_its_beginning() -> None:
    at = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    details = {"models": f"net {'b' * 64}, other {'c' * 64}", "key": "b" * 16}
    event = AuditEvent(
        at=at,
        verb="draft",
        outcome="done",
        actor="reader-1",
        role="reader",
        subject="1.2",
        details=details,
    )
    (row,) = presenter.history_rows((event,))
    assert row["when (UTC)"] == "2025-12-31 23:00:00"
    assert row["details"] == f"models net {'b' * 12}…, other {'c' * 12}…, key {'b' * 16}"


@pytest.mark.parametrize(
    ("stage", "marks"),
    [
        (DraftStage.WAITING, "○○○"),
        (DraftStage.READING, "◐○○"),
        (DraftStage.WRITING, "✓◐○"),
        (DraftStage.CHECKING, "✓✓◐"),
        (DraftStage.ELSEWHERE, ""),
    ],
)
def test_the_steps_of_a_draft_say_what_is_done_and_for_whom(stage: DraftStage, marks: str) -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    progress = DraftProgress(case_id="case-1", by="reader-1", began=at, stage=stage)
    text = "\n".join(presenter.progress_steps(progress, {"reader-1": "ZZ*READER* One"}))
    assert "".join(c for c in text if c in "○◐✓") == marks
    assert "by ZZ\\*READER\\* One at 05:06:07 UTC" in text
    assert ("Waiting" in text) == (stage is DraftStage.WAITING)
    assert ("Another program" in text) == (stage is DraftStage.ELSEWHERE)


def test_unchecked_sentences_stand_by_section_as_plain_text() -> None:
    progress = DraftProgress(
        case_id="case-1",
        by="reader-1",
        began=datetime(2026, 3, 4, tzinfo=UTC),
        stage=DraftStage.WRITING,
        sentences=(
            UncheckedSentence(section=Section.FINDINGS, text="One <b>*two*</b>]."),
            UncheckedSentence(section=Section.IMPRESSION, text="Three."),
        ),
    )
    shown = markdown_it.MarkdownIt().render("\n".join(presenter.unchecked_lines(progress)))
    assert "<strong>" not in shown
    assert "<b>" not in shown
    assert re.findall(r"<em>(\w+)</em>|<li>", shown) == ["Findings", "", "Impression", ""]
