"""The one list of what is suspected: where each finding stands after what was drafted and decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.certainty import Strength, certainties, certainty_of
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import AlsoSuspected, Assertion, Draft, ScoreEvidence, Section, Statement
from medmm.domain.reading import Reading, Side
from medmm.domain.report import Accept, Add, CaseFile, CaseState, Decision, Edit, Impression, Reject
from medmm.domain.suspicion import Standing, Suspicion, suspicions
from medmm.domain.vocabulary import finding_called
from medmm.language.certainty_words import says_too_much, strength_of
from tests.factories import (
    MODEL,
    make_case_file,
    make_checked_draft,
    make_draft,
    make_finding,
    make_reading,
)

FOUND = (
    make_finding("Effusion", 0.62),
    make_finding("Pneumothorax", 0.4),
    make_finding("Nodule", 0.5),
)


def said(finding: str, statement_id: str, text: str) -> Statement:
    score = ScoreEvidence(finding=finding, probability=0.5, threshold=0.3, model=MODEL.name)
    return Statement(
        id=statement_id,
        section=Section.FINDINGS,
        text=text,
        assertion=Assertion.POSSIBLE,
        evidence=(score,),
        finding=finding,
    )


def case(*decisions: Decision, state: CaseState = CaseState.IN_REVIEW) -> CaseFile:
    """Pneumothorax and effusion are stated, the nodule is not."""
    stated = (
        said("Pneumothorax", "s1", "Possible pneumothorax."),
        said("Effusion", "s2", "Possible pleural effusion."),
    )
    also = (
        AlsoSuspected(
            statement=said("Nodule", "u1", "Possible pulmonary nodule."), why="nobody says so"
        ),
    )
    draft = make_checked_draft(make_draft(statements=stated, also_suspected=also))
    return replace(
        make_case_file(state, draft=draft, decisions=decisions),
        reading=make_reading(findings=FOUND),
    )


def standings(file: CaseFile) -> dict[str, Standing]:
    return {one.finding: one.standing for one in file.suspicions}


def of(file: CaseFile, finding: str) -> Suspicion:
    return next(one for one in file.suspicions if one.finding == finding)


STATED, NOT_STATED, ADDED, REJECTED = (
    Standing.STATED,
    Standing.NOT_STATED,
    Standing.ADDED,
    Standing.REJECTED,
)


@pytest.mark.parametrize(
    ("decision", "finding", "standing"),
    [
        (Accept("s1"), "Pneumothorax", STATED),
        (Reject("s1"), "Pneumothorax", REJECTED),
        (Edit("s1", "Small right pneumothorax."), "Pneumothorax", STATED),
        (Edit("s1", "No pneumothorax."), "Pneumothorax", REJECTED),
        (Edit("s1", "Skin fold."), "Pneumothorax", REJECTED),
        (Accept("u1"), "Nodule", STATED),
        (Reject("u1"), "Nodule", REJECTED),
        (Edit("u1", "Nodule of the left lung."), "Nodule", STATED),
        (Add("No nodule.", statement_id="r1"), "Nodule", REJECTED),
        (Add("Two nodules.", statement_id="r1"), "Nodule", ADDED),
        (Add("Rib fracture.", statement_id="r1"), "Fracture", ADDED),
        (replace(Add.of("Mass", side=Side.LEFT), statement_id="r1"), "Mass", ADDED),
        (Edit("s2", "Right pneumonia with effusion."), "Pneumonia", ADDED),
    ],
)
def test_where_a_finding_stands_follows_the_readers_words(
    decision: Decision, finding: str, standing: Standing
) -> None:
    file = case(decision)
    assert standings(file)[finding] is standing
    assert (finding in {one.finding for one in file.flagged}) == (standing is not REJECTED)


def test_the_list_is_whole_and_in_order_before_anything_is_decided() -> None:
    file = case(state=CaseState.DRAFTED)
    assert [
        (o.finding, o.standing, o.statement_id, o.critical, o.probability) for o in file.suspicions
    ] == [
        ("Pneumothorax", STATED, "s1", True, 0.4),
        ("Effusion", STATED, "s2", False, 0.62),
        ("Nodule", NOT_STATED, "u1", False, 0.5),
    ]
    assert (of(file, "Nodule").why, of(file, "Nodule").meaning) == (
        "nobody says so",
        "more likely than not",
    )
    assert file.flagged == file.suspicions
    assert all(from_json(Suspicion, to_json(one)) == one for one in file.suspicions)


@pytest.mark.parametrize(
    "decision", [Reject("s1"), Edit("s1", "No pneumothorax."), Edit("s1", "Skin fold.")]
)
def test_a_critical_mark_goes_when_a_reader_rejects_it(decision: Decision) -> None:
    assert case().critical("s1")
    file = case(decision)
    assert not file.critical("s1")
    assert not any(one.critical for one in file.suspicions)


def test_a_critical_finding_that_a_reader_writes_is_marked() -> None:
    assert case(Edit("s2", "Right pneumothorax.")).critical("s2")
    file = case(Reject("s1"), Add("Pneumothorax, right apex.", statement_id="r1"))
    assert file.critical("r1")
    assert not file.critical("s1")
    assert of(file, "Pneumothorax").standing is ADDED


def test_a_signed_case_lists_what_its_report_states() -> None:
    decisions = (Accept("s1"), Reject("s2"), Add("Rib fracture.", statement_id="r1"))
    file = case(*decisions, state=CaseState.SIGNED)
    assert {one.finding for one in file.flagged} == {"Pneumothorax", "Fracture"}


def test_a_draft_of_an_earlier_release_hides_nothing() -> None:
    file = case()
    assert file.draft is not None
    old = "suspected by score alone, not stated by the language model: pulmonary nodule (0.50)"
    draft = replace(file.draft.draft, also_suspected=(), not_evaluated=(old, "fractures"))
    data = to_json(draft)
    del data["also_suspected"]
    stored = from_json(Draft, data)
    file = replace(file, draft=make_checked_draft(stored))
    assert standings(file)["Nodule"] is NOT_STATED
    assert [one.finding for one in file.unstated] == ["Nodule"]
    signed = replace(file, state=CaseState.SIGNED, decisions=(Accept("s1"), Accept("s2")))
    assert "Nodule" in {one.finding for one in signed.flagged}, "nobody could decide on it"
    assert stored.limits == ("fractures",)


def test_a_reading_alone_and_nothing_at_all() -> None:
    alone = suspicions(make_reading(findings=FOUND))
    assert {one.standing for one in alone} == {Standing.READ}
    assert suspicions(None) == suspicions(Reading(study_uid="1.2")) == ()


DECISIONS = st.lists(
    st.sampled_from(
        [
            *(kind(i) for kind in (Accept, Reject) for i in ("s1", "s2", "u1")),
            *(
                Edit(i, t)
                for i in ("s1", "s2", "u1")
                for t in ("No effusion.", "Possible nodule.", "Pneumothorax.", "x")
            ),
            *(
                Add(t, statement_id="r1")
                for t in ("Edema.", "No nodule.", "No pneumothorax.", "Scar.")
            ),
            Impression("Possible edema."),
        ]
    ),
    unique_by=lambda d: d.statement_id,
)


@given(DECISIONS)
def test_nothing_suspected_is_ever_lost_from_the_list(decisions: list[Any]) -> None:
    file = case(*decisions)
    names = [one.finding for one in file.suspicions]
    assert len(set(names)) == len(names)
    assert {f.name for f in FOUND} <= set(names)
    assert all(not one.critical for one in file.suspicions if one.rejected)
    rejected = {d.statement_id for d in decisions if isinstance(d, Reject)}
    assert not any(one.statement_id in rejected for one in file.flagged)


# ---- words and probability -------------------------------------------------------------------------------


def test_the_table_is_in_order_and_covers_every_probability() -> None:
    rows = certainties()
    assert rows[0].from_probability == 0
    assert [r.from_probability for r in rows] == sorted({r.from_probability for r in rows})
    assert [r.strongest for r in rows] == sorted(r.strongest for r in rows)
    assert certainty_of(0.42).meaning == "less likely than not"
    assert certainty_of(1.0).strongest is Strength.PRESENT


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("There is airspace disease.", Strength.PRESENT),
        ("Airspace disease is seen.", Strength.PRESENT),
        ("Probable airspace disease.", Strength.PROBABLE),
        ("Findings suggest airspace disease.", Strength.PROBABLE),
        ("Airspace disease is likely.", Strength.PROBABLE),
        ("Possible airspace disease.", Strength.POSSIBLE),
        ("There may be airspace disease.", Strength.POSSIBLE),
        ("Airspace disease cannot be excluded.", Strength.POSSIBLE),
        ("Airspace disease is less likely, but possible.", Strength.POSSIBLE),
        ("There is no airspace disease.", None),
        ("Airspace disease is unlikely.", None),
        ("Possible airspace disease. There is airspace disease.", Strength.PRESENT),
        ("There is an effusion.", None),
    ],
)
def test_how_sure_a_sentence_is(text: str, strength: Strength | None) -> None:
    assert strength_of(text, "Lung_Opacity") == strength
    assert says_too_much(text, "Lung_Opacity", 0.42) == (
        strength is not None and strength > Strength.POSSIBLE
    )
    assert not says_too_much(text, "Lung_Opacity", 0.95)


def test_a_finding_is_found_by_its_words_and_its_name() -> None:
    assert finding_called("Pulmonary  NODULE").name == finding_called("nodule").name == "Nodule"
    assert finding_called("pleural thickening").name == finding_called("Pleural_Thickening").name
