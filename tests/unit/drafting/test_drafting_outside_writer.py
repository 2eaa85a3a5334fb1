"""The draft in an outside model's words: it proposes, the reading decides, and a failure leaves the rules' draft."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.draft import Assertion, Case, Draft, Fate, Section
from medmm.domain.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    Unavailable,
)
from medmm.domain.instruction import Instruction, Pictures
from medmm.domain.reading import Reading, Side
from medmm.domain.record import Coding, FactKind, FactStatus, Quantity
from medmm.domain.study import Notice
from medmm.domain.vocabulary import SNOMED_CT, finding_terms
from medmm.drafting import OutsideWriter, RuleWriter
from medmm.drafting.writers import outside
from medmm.drafting.writers.instructions import given_facts, instruction_for
from medmm.grounding import check
from tests.factories import (
    STUDY_UID,
    make_case,
    make_context,
    make_fact,
    make_finding,
    make_mr_case,
    make_mr_reading,
    make_mr_study,
    make_reading,
    make_region,
    make_study,
    make_volume,
)
from tests.proposing_models import NAME, Says, findings_of

RULES = RuleWriter()
SOUND = (
    "There is no evidence of pneumothorax.",
    "Cardiomegaly is possible.",
    "There may be a pleural effusion.",
)


def draft(*sentences: str, reading: Reading | None = None, case: Case | None = None) -> Draft:
    return OutsideWriter(Says(*sentences)).write(case or make_case(), reading or make_reading())


def text_of(one: Draft, finding: str) -> str:
    return next(
        s.text for s in one.statements if s.finding == finding and s.section is Section.FINDINGS
    )


def fates(one: Draft) -> list[tuple[str | None, Fate]]:
    return [(s.proposal.finding, s.fate) for s in one.sentences]


# ---- the reading decides --------------------------------------------------------------------------------


def test_what_says_the_same_in_plain_words_is_stated_in_its_own() -> None:
    made = draft(*SOUND)
    assert made.writer == NAME
    assert text_of(made, "Pneumothorax") == SOUND[0]
    assert text_of(made, "Cardiomegaly") == SOUND[1]
    stated = next(s for s in made.statements if s.finding == "Cardiomegaly")
    assert stated.generation is not None
    assert stated.generation.model == NAME
    assert findings_of(made) == findings_of(RULES.write(make_case(), make_reading()))
    assert not any(
        v for s in made.statements for v in check(made, make_case(), make_reading()).failed(s.id)
    )


def test_a_side_comes_from_a_region_and_never_from_the_model() -> None:
    made = draft(*SOUND)
    assert text_of(made, "Effusion") == "Possible left pleural effusion."
    assert ("Effusion", Fate.REWORDED) in fates(made)
    record = next(s for s in made.sentences if s.proposal.finding == "Effusion")
    assert record.words == "Possible left pleural effusion."


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("There is cardiomegaly.", outside.SURER),
        ("Cardiomegaly is possible, BANANA.", outside.STRANGE_WORD),
        ("Large cardiomegaly is possible.", outside.STRANGE_WORD),
        ("Cardiomegaly is possible <b>.", outside.STRANGE_WORD),
        (
            "Possible cardiomegaly and possible pneumonia.",
            "its words say something else than is coded",
        ),
        ("There is no cardiomegaly.", "the reading suspects its finding"),
    ],
)
def test_what_says_more_or_otherwise_is_replaced_with_its_reason(
    sentence: str, reason: str
) -> None:
    made = draft(sentence)
    assert text_of(made, "Cardiomegaly") == "Possible cardiomegaly."
    record = next(s for s in made.sentences if s.proposal.finding == "Cardiomegaly")
    denied = record.proposal.assertion is Assertion.ABSENT
    assert record.fate is (Fate.REPLACED if denied else Fate.REWORDED)
    assert record.proposal.text == sentence
    assert record.reason in (
        reason,
        "its words are surer than the probability of the finding bears",
    )


def test_of_what_the_reading_leaves_open_or_never_read_nothing_is_stated() -> None:
    made = draft(
        "A pulmonary nodule is possible.", "Pneumonia is possible.", "The knee is swollen."
    )
    assert {fate for _, fate in fates(made)} == {Fate.WITHHELD}
    assert all(s.reason for s in made.sentences)
    assert findings_of(made) == findings_of(RULES.write(make_case(), make_reading()))


def test_silence_and_denial_take_no_suspicion_out() -> None:
    suspected = make_reading(
        findings=(
            make_finding("Pneumothorax", 0.6, 0.15),
            make_finding("Nodule", 0.6, 0.2, region=make_region(Side.RIGHT)),
        )
    )
    for said in ("No evidence of pneumothorax.", "There is no nodule."):
        made = draft(said, reading=suspected)
        assert text_of(made, "Pneumothorax") == "Possible pneumothorax."
        assert text_of(made, "Nodule") == "Possible right pulmonary nodule."
        assert not made.also_suspected


def test_a_place_in_a_volume_and_a_caveat_stay() -> None:
    for part in ("HEAD", "HEART"):
        study = make_mr_study(part) if part == "HEART" else make_mr_study()
        case, reading = make_mr_case(study), make_mr_reading(study)
        named = [f.name for f in reading.findings if f.suspected]
        said = [f"{finding_terms()[name].words} is possible." for name in named]
        made = draft(*said, case=case, reading=reading)
        by_rules = RULES.write(case, reading)
        for name in named:
            assert text_of(made, name) == text_of(by_rules, name)


WORDS = st.sampled_from(
    [
        *(term.words for term in finding_terms().values()),
        *[
            "no",
            "not",
            "possible",
            "there",
            "is",
            "left",
            "right",
            "large",
            "stable",
            "compared",
            "3",
            "cm",
            "BANANA",
            "ignore",
            ".",
            ",",
            "and",
            "may",
            "be",
            "seen",
            "without",
        ],
    ]
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=9).map(" ".join), min_size=1, max_size=6))
def test_whatever_it_says_the_findings_are_those_of_the_rules(sentences: list[str]) -> None:
    made = draft(*(s + "." for s in sentences))
    by_rules = RULES.write(make_case(), make_reading())
    assert findings_of(made) == findings_of(by_rules)
    assert not made.also_suspected
    image = [s for s in made.statements if s.section is not Section.CLINICAL_INFORMATION]
    assert not any("BANANA" in s.text or "3 cm" in s.text for s in image)
    assert len(made.sentences) >= len(sentences)


# ---- what fails -------------------------------------------------------------------------------------------


def endless(case: Case, reading: Reading, instruction: Instruction) -> Iterator[str]:
    while True:
        yield "Cardiomegaly is possible."


FAULTS = {
    "fails": (Says(*SOUND, fails=Unavailable("it broke off", remedy="wait")), "it broke off"),
    "breaks the format": (Says(fails=ConfigError("prose, no JSON", remedy="x")), "prose, no JSON"),
    "takes no picture": (Says(fails=InputError("no such picture", remedy="x")), "no such picture"),
    "says nothing": (Says(), "it says nothing"),
    "never ends": (Says(by=endless), "more than 100 sentences"),
    "one long sentence": (Says("possible " * 100_000), "more than 400 characters"),
    "German": (
        Says(
            "Es ist kein Pneumothorax zu sehen.",
            "Das Herz ist nicht vergrößert, mögliche Cardiomegaly.",
        ),
        "another language than English",
    ),
    "French": (
        Says("Il y a un pneumothorax dans le poumon gauche.", "Pas de cardiomegaly."),
        "another language than English",
    ),
    "Chinese": (Says("左侧胸腔积液。", "心脏增大 cardiomegaly。"), "another language than English"),
    "refuses": (Says("I'm sorry, I can't interpret medical images."), "it refuses"),
    "names nothing": (Says("A nice picture."), "names none of the findings"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_writer_that_fails_leaves_the_rules_draft_that_says_so(fault: str) -> None:
    model, why = FAULTS[fault]
    case, reading = make_case(), make_reading()
    made, by_rules = OutsideWriter(model).write(case, reading), RULES.write(case, reading)
    assert made.statements == by_rules.statements
    assert made.writer == RULES.name
    (notice,) = [n for n in made.warnings if n.code == "writer-failed"]
    assert NAME in notice.text
    assert why in notice.text
    assert all(s.fate is Fate.WITHHELD and s.reason for s in made.sentences)
    assert all(len(s.proposal.text) <= 160 for s in made.sentences)


@pytest.mark.parametrize("error", [IntegrityError("altered", remedy="stop"), KeyError("a bug")])
def test_what_is_no_failing_of_a_writer_is_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)):
        OutsideWriter(Says(fails=error)).write(make_case(), make_reading())


def test_nothing_is_asked_where_nothing_was_read_or_the_reading_is_of_another() -> None:
    model = Says(*SOUND)
    made = OutsideWriter(model).write(make_case(), Reading(study_uid=STUDY_UID))
    assert outside.NOTHING_TO_WORD in made.warnings
    with pytest.raises(InputError, match="another study"):
        OutsideWriter(model).write(make_case(), make_reading(study_uid="1.2.3"))
    assert model.given == []


def test_a_picture_of_one_grey_is_not_shown() -> None:
    flat = make_volume(loader=lambda: np.full((1, 64, 48), 0.5, dtype=np.float32))
    model = Says(*SOUND)
    made = OutsideWriter(model).write(make_case(study=make_study(volumes=(flat,))), make_reading())
    assert model.given == []
    assert any("nearly of one grey" in n.text for n in made.warnings)


# ---- what is given ----------------------------------------------------------------------------------------


def coded(label: str, **changes: object) -> object:
    codings = (Coding(system=SNOMED_CT, code="84114007", display=label),)
    return make_fact(FactKind.CONDITION, label, **{"codings": codings, **changes})


def test_facts_name_nobody_and_tell_days_before_the_study() -> None:
    facts = (
        make_fact(FactKind.DEMOGRAPHIC, "Age", id="age", value=Quantity(value=97.5, unit="a")),
        make_fact(FactKind.DEMOGRAPHIC, "Sex", id="sex", value="female"),
        make_fact(FactKind.ORDER, "Chest radiograph", value="for ZZDOE, born 1950"),
        coded("Heart failure", when=date(2025, 12, 23), status=FactStatus.REFUTED),
        coded("Seen by Zzdoe", id="b"),
        coded("Operated 3.4.2019", id="c"),
        coded("Device 123456", id="d"),
        make_fact(FactKind.PRIOR_REPORT, "Report", value="ZZDOE has pneumonia"),
    )
    case = make_case(context=make_context(facts))
    given = list(given_facts(case, names=["ZZDOE^Jane", "Jane"]))
    assert [(g.kind, g.words, g.value) for g in given[:2]] == [
        ("demographic", "Age", 89.0),
        ("demographic", "Sex", "female"),
    ]
    assert (given[2].words, given[2].status, given[2].days_before_study) == (
        "Heart failure",
        "refuted",
        10,
    )
    assert [g.words for g in given[3:]] == [None, None, None]
    assert all(g.code == "84114007" for g in given[2:])
    text = repr(given).lower()
    assert not any(word in text for word in ("zzdoe", "jane", "1950", "2019", "2025", "123456"))


BY_A_WARNING = (Notice(code="burned-in-annotation", text="Text."),)


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ({"burned_in_text": True}, {Pictures.ALL}),
        ({"warnings": BY_A_WARNING}, {Pictures.ALL}),
        ({"warnings": BY_A_WARNING, "burned_in_text": False}, {Pictures.ALL}),
        ({}, {Pictures.ALL, Pictures.NOT_STATED_WITH_TEXT}),
        ({"burned_in_text": False}, set(Pictures)),
    ],
)
def test_a_picture_that_may_hold_text_stays_in_the_house(
    stated: dict[str, Any], shown: set[Pictures]
) -> None:
    case = make_case(study=make_study(**stated))
    for pictures in Pictures:
        instruction, (notice,) = instruction_for(case, make_reading(), pictures=pictures)
        assert (instruction.picture is not None) is (pictures in shown)
        withheld = notice.code == "writer-not-shown-picture"
        assert withheld is (pictures not in shown)
        assert ("does not state" in notice.text) is (withheld and not stated)


def test_the_draft_says_which_slices_were_shown() -> None:
    study = make_mr_study()
    case, reading = make_mr_case(study), make_mr_reading(study)
    instruction, (notice,) = instruction_for(case, reading, pictures=Pictures.NOT_STATED_WITH_TEXT)
    assert instruction.picture is not None
    assert instruction.picture.png.startswith(b"\x89PNG")
    assert "slice" in notice.text
    extent = reading.extents[0]
    assert extent.label in notice.text
    assert extent.volume_sha256 in instruction.picture.sha256s


def test_the_task_tells_nothing_of_the_record_and_not_what_is_suspected() -> None:
    case = make_case(context=make_context((coded("Heart failure"),)))  # type: ignore[arg-type]
    instruction, _ = instruction_for(case, make_reading(), pictures=Pictures.NOT_STATED_WITH_TEXT)
    assert "Heart failure" not in instruction.task
    calm = [replace(f, probability=0.01) for f in make_reading().findings]
    other, _ = instruction_for(
        case, make_reading(findings=tuple(calm)), pictures=Pictures.NOT_STATED_WITH_TEXT
    )
    assert other.task == instruction.task
