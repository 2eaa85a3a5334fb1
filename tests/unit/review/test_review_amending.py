"""What becomes of a signed report: amended, added to, withdrawn; what was signed stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from medmm.domain.case_state import CaseState
from medmm.domain.draft import Assertion, Section
from medmm.domain.errors import ConfigError, InputError, StateError
from medmm.domain.reading import Side
from medmm.domain.report import (
    Accept,
    Add,
    Addendum,
    CaseFile,
    Decision,
    Edit,
    Impression,
    Reader,
    Reject,
    SignedReport,
)
from medmm.domain.report_kind import ReportKind
from medmm.domain.suspicion import Standing
from medmm.review import Act, addendum, advance, amend, amended, decide, sign, withdraw
from tests.factories import ATTENDING, SECOND, SIGNED_AT, make_case_file, make_statements

LATER = SIGNED_AT + timedelta(days=1)
ALL: tuple[Decision, ...] = tuple(Accept(s.id) for s in make_statements() if not s.summarises)
CONTRADICTED = "No pleural effusion."


def signed() -> CaseFile:
    file = make_case_file(CaseState.IN_REVIEW, decisions=ALL)
    return replace(file, state=CaseState.SIGNED, report=sign(file, ATTENDING, SIGNED_AT))


def after(file: CaseFile, act: Act, made: tuple[CaseFile, SignedReport]) -> CaseFile:
    """The case as the store gives it once the next version is kept."""
    changed, report = made
    return replace(
        changed,
        state=advance(file.state, act),
        report=report,
        earlier=(*file.earlier, file.report) if file.report else (),
    )


def changed(
    file: CaseFile, *decisions: Decision, reason: str = "Seen again.", correction: bool = False
) -> CaseFile:
    made = amend(file, decisions, reason=reason, correction=correction, by=SECOND, at=LATER)
    return after(file, Act.AMEND, made)


def added(file: CaseFile, text: str, reason: str = "A later remark.") -> CaseFile:
    return after(file, Act.ADDENDUM, addendum(file, text, reason=reason, by=SECOND, at=LATER))


def withdrawn(file: CaseFile, reason: str = "Another patient's film.") -> CaseFile:
    report = withdraw(file, reason=reason, by=SECOND, at=LATER)
    return after(file, Act.WITHDRAW, (file, report))


def report_of(file: CaseFile) -> SignedReport:
    assert file.report is not None
    return file.report


def texts(report: SignedReport) -> dict[str, str]:
    return {s.id: s.text for s in report.statements}


# ---- amend ----------------------------------------------------------------------------------------------


def test_an_amended_report_says_the_new_words_and_keeps_the_rest_as_it_was_signed() -> None:
    first = signed()
    second = changed(first, Edit("s2", "Possible right pleural effusion."), correction=True)
    before, now = report_of(first), report_of(second)
    assert second.versions == (before, now)
    assert (now.version, now.replaces, now.first, now.kind) == (
        2,
        before.id,
        before.id,
        ReportKind.CORRECTION,
    )
    assert (now.reason, now.signed_by, now.signed_at) == ("Seen again.", SECOND, LATER)
    assert now.id != before.id
    assert (before.version, before.replaces, before.kind) == (1, None, ReportKind.ORIGINAL)
    assert texts(now) == texts(before) | {
        "s2": "Possible right pleural effusion.",
        "s4": "Possible right pleural effusion.",
    }
    same = [s for s in now.statements if s.id in ("s1", "s3")]
    assert same == [s for s in before.statements if s.id in ("s1", "s3")]
    assert now.statements[1].side is None, "a code never travels with words of another side"


def test_versions_name_the_one_before_and_the_first() -> None:
    file = signed()
    root = report_of(file).id
    file = changed(file, Edit("s3", "Heart not enlarged."))
    second = report_of(file)
    file = changed(file, Edit("s3", "Heart of normal size."))
    third = report_of(file)
    assert (third.version, third.replaces, third.first, third.root) == (3, second.id, root, root)
    assert [report.version for report in file.versions] == [1, 2, 3]


def test_what_no_decision_names_stays_word_for_word_and_code_for_code() -> None:
    """Even where a later release would make another statement of the same decision."""
    file = signed()
    before = report_of(file)
    clinical, *rest = before.statements
    older = replace(clinical, text="Recorded: heart failure.", assertion=Assertion.PRESENT)
    file = replace(file, report=replace(before, statements=(older, *rest)))
    now = report_of(changed(file, Edit("s3", "Heart not enlarged.")))
    assert now.statements[0] == older
    with pytest.raises(InputError, match="changes nothing"):
        changed(file, Accept("s1"))


def test_an_amendment_that_changes_nothing_is_refused() -> None:
    for decisions in ((), (Accept("s2"),), (Edit("s3", make_statements()[2].text),)):
        with pytest.raises(InputError, match="changes nothing"):
            changed(signed(), *decisions)


@pytest.mark.parametrize("reason", ["", " \n\t"])
@pytest.mark.parametrize(
    "act",
    [
        lambda file, reason: changed(file, Reject("s3"), reason=reason),
        lambda file, reason: added(file, "Told by telephone.", reason),
        withdrawn,
    ],
    ids=["amend", "addendum", "withdraw"],
)
def test_without_a_reason_nothing_is_changed(
    act: Callable[[CaseFile, str], CaseFile], reason: str
) -> None:
    with pytest.raises(InputError, match="without a reason") as caught:
        act(signed(), reason)
    assert caught.value.remedy


def test_an_amendment_keeps_to_the_rules_of_a_signature() -> None:
    with pytest.raises(StateError, match="impression and findings"):
        changed(signed(), Edit("s2", CONTRADICTED), Accept("s4"))
    with pytest.raises(StateError, match="nothing is left"):
        changed(signed(), *(Reject(s.id) for s in make_statements()))
    with pytest.raises(InputError, match="s9"):
        changed(signed(), Accept("s9"))
    nameless = Reader(id="reader-3", name="Put your own name here", role="attending")
    with pytest.raises(ConfigError):
        withdraw(signed(), reason="No name.", by=nameless, at=LATER)
    with pytest.raises(InputError, match="time zone"):
        withdraw(signed(), reason="No zone.", by=SECOND, at=datetime(2026, 1, 3))


@pytest.mark.parametrize("state", [CaseState.OPENED, CaseState.DRAFTED, CaseState.IN_REVIEW])
def test_what_is_not_signed_is_decided_and_not_amended(state: CaseState) -> None:
    file = make_case_file(state)
    for act in (
        lambda: amended(file, [Reject("s3")], SECOND),
        lambda: addendum(file, "Told.", reason="Told.", by=SECOND, at=LATER),
        lambda: withdraw(file, reason="No.", by=SECOND, at=LATER),
    ):
        with pytest.raises(StateError):
            act()


def test_what_a_reader_adds_gets_a_number_that_no_version_had() -> None:
    file = changed(signed(), Add("Old rib fracture."))
    assert texts(report_of(file))["r1"] == "Old rib fracture."
    file = changed(file, Reject("r1"))
    assert "r1" not in texts(report_of(file))
    file = changed(file, Add("Scar in the left apex."))
    assert texts(report_of(file))["r2"] == "Scar in the left apex."


# ---- addendum -------------------------------------------------------------------------------------------


def test_an_addendum_adds_its_words_and_leaves_all_others() -> None:
    first = signed()
    second = added(first, "  Told to the ward by telephone. ")
    before, now = report_of(first), report_of(second)
    *rest, last = now.statements
    assert tuple(rest) == before.statements
    assert (last.id, last.section, last.text) == (
        "a2",
        Section.ADDENDUM,
        "Told to the ward by telephone.",
    )
    assert (last.author, last.added_at) == (SECOND, LATER)
    assert (now.kind, now.version, now.replaces) == (ReportKind.ADDENDUM, 2, before.id)
    assert now.rejected_count == before.rejected_count


def test_an_addendum_stays_in_an_amendment_and_may_be_reworded_there() -> None:
    file = added(signed(), "Told to the ward.")
    file = changed(file, Edit("s3", "Heart not enlarged."))
    assert texts(report_of(file))["a2"] == "Told to the ward."
    assert report_of(file).statements[-1].author == SECOND
    later = changed(file, Edit("a2", "Told to the emergency room."))
    assert texts(report_of(later))["a2"] == "Told to the emergency room."
    assert report_of(later).statements[-1].added_at == LATER
    assert "a2" not in texts(report_of(changed(file, Reject("a2"))))
    with pytest.raises(InputError, match="need no acceptance"):
        changed(file, Accept("a2"))


@pytest.mark.parametrize(
    ("text", "against"),
    [(CONTRADICTED, "s2"), ("The left pleural effusion is not seen any more.", "s2")],
)
def test_an_addendum_that_contradicts_the_report_takes_an_amendment(
    text: str, against: str
) -> None:
    with pytest.raises(StateError, match="different things of pleural effusion") as caught:
        added(signed(), text)
    assert caught.value.where["statement"] == against
    assert "amend" in caught.value.remedy


def test_a_report_that_calls_all_normal_gets_no_finding_by_an_addendum() -> None:
    """Who reads the impression alone would not learn it."""
    file = make_case_file(
        CaseState.IN_REVIEW,
        decisions=(Accept("s1"), Edit("s2", "No pleural effusion."), Reject("s3"), Reject("s4")),
    )
    file = replace(file, decisions=decide(file, [Add("Normal chest radiograph.")], ATTENDING))
    file = replace(file, state=CaseState.SIGNED, report=sign(file, ATTENDING, SIGNED_AT))
    with pytest.raises(StateError, match="pneumothorax"):
        added(file, "In retrospect a small left pneumothorax.")
    assert texts(report_of(added(file, "Compared with the film of 2024: unchanged.")))


def test_what_an_addendum_suspects_is_in_the_list_of_the_case() -> None:
    file = added(signed(), "In retrospect a possible left pneumothorax.")
    (found,) = [one for one in file.flagged if one.finding == "Pneumothorax"]
    assert (found.standing, found.critical, found.statement_id, found.side) == (
        Standing.ADDED,
        True,
        "a2",
        Side.LEFT,
    )
    assert file.report is not None
    assert file.report.statements[-1].critical


def test_an_addendum_without_text_is_none_and_is_no_decision() -> None:
    with pytest.raises(InputError, match="without text"):
        added(signed(), " ")
    with pytest.raises(InputError, match="no decision on a draft"):
        decide(make_case_file(), [Addendum("Told.")], ATTENDING)


# ---- withdraw -------------------------------------------------------------------------------------------


def test_a_withdrawn_report_states_nothing_and_is_final() -> None:
    first = signed()
    file = withdrawn(changed(first, Edit("s3", "Heart not enlarged.")))
    now = report_of(file)
    assert (now.kind, now.version, now.withdrawn) == (ReportKind.WITHDRAWAL, 3, True)
    assert (now.statements, now.not_evaluated, now.rejected_count) == ((), (), 0)
    assert (now.reason, now.signed_by, now.signed_at) == ("Another patient's film.", SECOND, LATER)
    assert file.versions[0] == report_of(first)
    assert file.state is CaseState.WITHDRAWN
    for act in (
        lambda: changed(file, Edit("s3", "Heart of normal size.")),
        lambda: added(file, "Told."),
        lambda: withdrawn(file),
    ):
        with pytest.raises(StateError, match="withdrawn"):
            act()


# ---- the noun -------------------------------------------------------------------------------------------


def test_a_report_is_a_first_version_or_names_what_it_replaces_and_why() -> None:
    first = report_of(signed())
    for wrong in (
        {"version": 2},
        {"reason": "Seen again."},
        {"replaces": "report-0"},
        {"kind": ReportKind.AMENDMENT},
        {"version": 0},
    ):
        with pytest.raises(InputError, match="a later version names"):
            replace(first, **wrong)
    second = report_of(changed(signed(), Reject("s3")))
    for lacking in ({"reason": ""}, {"first": None}, {"replaces": None}, {"version": 1}):
        with pytest.raises(InputError, match="a later version names"):
            replace(second, **lacking)
    with pytest.raises(InputError, match="states nothing"):
        replace(second, kind=ReportKind.WITHDRAWAL)


def test_an_own_denial_in_an_amendment_is_denied() -> None:
    file = changed(signed(), Edit("s2", "No pleural effusion."))
    (seen,) = [s for s in report_of(file).statements if s.id == "s2"]
    assert seen.assertion is Assertion.ABSENT
    assert not [one for one in file.flagged if one.finding == "Effusion"]


HALF = "Seen \ud83d again."  # as a command line gives a byte that it can't read, or JSON a \\ud83d


@pytest.mark.parametrize(
    "act",
    [
        lambda file: added(file, HALF),
        lambda file: added(file, "Told to the ward.", HALF),
        lambda file: changed(file, Add("Old rib fracture."), reason=HALF),
        lambda file: changed(file, Add(HALF)),
        lambda file: changed(file, Add("Old rib fracture.", place=HALF)),
        lambda file: changed(file, Impression(HALF)),
        lambda file: changed(file, Edit("s1", HALF)),
        lambda file: withdraw(file, reason=HALF, by=SECOND, at=LATER),
    ],
)
def test_words_that_no_file_could_carry_are_refused_before_they_are_signed(
    act: Callable[[CaseFile], object],
) -> None:
    with pytest.raises(InputError, match="half a character"):
        act(signed())


def test_words_of_a_decision_that_no_file_could_carry_are_refused() -> None:
    file = make_case_file(CaseState.IN_REVIEW, decisions=ALL)
    for decision in (Edit("s1", HALF), Add(HALF), Reject("s1", HALF)):
        with pytest.raises(InputError, match="half a character"):
            decide(file, [decision])
