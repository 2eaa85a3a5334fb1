"""Spoken commands: a closed list, in which no denial ever becomes a finding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.draft import Assertion
from medmm.domain.reading import Side
from medmm.domain.report import Add
from medmm.domain.vocabulary import finding_terms
from medmm.language.sides import named_side
from medmm.language.spoken_commands import Act, Command, FreeText, NeverByVoice, grammar, heard

CHEST = tuple(t for t in finding_terms().values() if t.body_part == "CHEST")
GRAMMAR = grammar(CHEST)
DENIALS = ("no", "not", "without", "never", "none", "negative for", "absent", "denies", "nor")
WORDS = st.sampled_from(
    sorted({w for phrase in GRAMMAR for w in phrase.split()} | {*DENIALS, "the", "is", "seen", "but"})
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("Next.", Act.NEXT),
        ("previous sentence", Act.PREVIOUS),
        (" ACCEPT! ", Act.ACCEPT),
        ("Accept all", Act.ACCEPT_ALL),
        ("reject this", Act.REJECT),
        ("Undo.", Act.UNDO),
    ],
)
def test_a_command_is_known_however_the_server_writes_it(said: str, act: Act) -> None:
    found = heard(said, CHEST)
    assert isinstance(found, Command)
    assert (found.act, found.finding) == (act, None)


@pytest.mark.parametrize(
    "said",
    ["accept, but not the left one", "do not accept", "don't reject", "not next", "accept or reject", "", "nextt", "accept accept"],
)  # fmt: skip
def test_what_is_not_of_the_list_is_free_text(said: str) -> None:
    assert heard(said, CHEST) == FreeText(said)


@pytest.mark.parametrize("said", ["Sign.", "sign the report", "sign off"])
def test_nothing_is_signed_by_voice(said: str) -> None:
    found = heard(said, CHEST)
    assert isinstance(found, NeverByVoice)
    assert "never signed by voice" in found.why


@given(st.sampled_from(CHEST), st.sampled_from(["no {}", "No {}.", "no left {}", "NO RIGHT {}!"]))
def test_a_denied_finding_is_denied(term, form) -> None:  # type: ignore[no-untyped-def]
    found = heard(form.format(term.words), CHEST)
    if isinstance(found, Command):
        assert (found.finding, found.assertion) == (term.name, Assertion.ABSENT)
        assert found.side == named_side(form)
    else:
        assert not term.sided
        assert named_side(form) is not None


@given(st.lists(WORDS, max_size=6).map(" ".join))
def test_words_that_deny_never_state_a_finding(said: str) -> None:
    found = heard(said, CHEST)
    if isinstance(found, Command) and any(f" {d} " in f" {said} " for d in DENIALS):
        assert found.assertion is Assertion.ABSENT


@given(st.lists(WORDS, max_size=6).map(" ".join))
def test_a_side_is_the_one_that_was_said(said: str) -> None:
    found = heard(said, CHEST)
    if isinstance(found, Command):
        assert found.side == named_side(said)


def test_each_finding_of_the_list_can_be_added_as_it_was_said() -> None:
    commands = [c for c in GRAMMAR.values() if isinstance(c, Command) and c.act is Act.ADD]
    assert {c.side for c in commands} == {None, *Side}
    for one in commands:
        assert one.finding is not None
        made = Add.of(one.finding, side=one.side, assertion=one.assertion)
        assert (made.finding, made.side, made.assertion) == (one.finding, one.side, one.assertion)


def test_only_a_move_needs_no_question() -> None:
    assert [act for act in Act if not act.decides] == [Act.NEXT, Act.PREVIOUS]


def test_findings_of_another_study_are_free_text() -> None:
    assert heard("no brain lesion", CHEST) == FreeText("no brain lesion")
    brain = [t for t in finding_terms().values() if t.body_part == "BRAIN"]
    assert isinstance(heard("no brain lesion", brain), Command)
