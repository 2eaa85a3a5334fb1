"""The lifecycle of a case as a table: what is not in it is refused."""

from __future__ import annotations

from enum import Enum

from medmm.domain.errors import StateError
from medmm.domain.report import CaseFile, CaseState


class Act(Enum):
    """An act that moves a case on."""

    OPEN = "open"
    DRAFT = "draft"
    DECIDE = "decide"
    UNDO = "undo a decision on"
    PROPOSE = "leave to another's signature"
    SIGN = "sign"
    SUPERSEDE = "supersede"
    AMEND = "amend"
    ADDENDUM = "add an addendum to"
    WITHDRAW = "withdraw"


# `None` is a case that is not there yet. Drafting again is possible until a reader has decided
# something. Another record or other images supersede a case until it is signed
# (medmm.review.succession). What follows a signature makes a further version of the report in one
# act; an addendum is an amendment that leaves what stood there (so FHIR R4 orders its statuses
# too).
NEXT: dict[tuple[CaseState | None, Act], CaseState] = {
    (None, Act.OPEN): CaseState.OPENED,
    (CaseState.OPENED, Act.DRAFT): CaseState.DRAFTED,
    (CaseState.DRAFTED, Act.DRAFT): CaseState.DRAFTED,
    (CaseState.DRAFTED, Act.DECIDE): CaseState.IN_REVIEW,
    (CaseState.IN_REVIEW, Act.DECIDE): CaseState.IN_REVIEW,
    (CaseState.IN_REVIEW, Act.UNDO): CaseState.IN_REVIEW,
    (CaseState.IN_REVIEW, Act.PROPOSE): CaseState.PRELIMINARY,
    (CaseState.IN_REVIEW, Act.SIGN): CaseState.SIGNED,
    (CaseState.PRELIMINARY, Act.DECIDE): CaseState.IN_REVIEW,
    (CaseState.PRELIMINARY, Act.UNDO): CaseState.IN_REVIEW,
    (CaseState.PRELIMINARY, Act.SIGN): CaseState.SIGNED,
    **{
        (state, Act.SUPERSEDE): CaseState.SUPERSEDED
        for state in (
            CaseState.OPENED,
            CaseState.DRAFTED,
            CaseState.IN_REVIEW,
            CaseState.PRELIMINARY,
        )
    },
    **{
        (state, act): after
        for state in (CaseState.SIGNED, CaseState.AMENDED)
        for act, after in (
            (Act.AMEND, CaseState.AMENDED),
            (Act.ADDENDUM, CaseState.AMENDED),
            (Act.WITHDRAW, CaseState.WITHDRAWN),
        )
    },
}

_SIGNED = "the report is signed: amend it, add an addendum to it, or withdraw it"

_REMEDIES = {
    None: "open the case first",
    CaseState.OPENED: "draft the case first",
    CaseState.DRAFTED: "decide on the statements of its draft",
    CaseState.IN_REVIEW: "decide on what is open and sign",
    CaseState.PRELIMINARY: "sign it, or decide otherwise",
    CaseState.SIGNED: _SIGNED,
    CaseState.AMENDED: _SIGNED,
    CaseState.WITHDRAWN: "a withdrawn report is final; open its study again for a new case",
    CaseState.SUPERSEDED: "work on the newer case of its study; `medmm cases` lists it",
}


def advance(state: CaseState | None, act: Act) -> CaseState:
    """Find the state after an act.

    Raises: StateError if the act is not possible now.
    """
    if (state, act) not in NEXT:
        here = state.value if state else "not there"
        remedy = _REMEDIES.get(state, "look at the case's history")
        raise StateError(f"cannot {act.value} a case that is {here}", remedy=remedy)
    return NEXT[state, act]


def refuse_finished(state: CaseState, case_id: str) -> None:
    """Refuse a case on which nothing can be done any more.

    Raises: StateError if so.
    """
    if state not in {before for before, _ in NEXT}:
        raise StateError(
            f"nothing is left to do on a case that is {state.value}",
            remedy=_REMEDIES[state],
            case=case_id,
        )


def reopened(file: CaseFile) -> CaseState:
    """Find the state in which a superseded case goes on when its study is opened again.

    That is with its images and record again: it goes on where its content left it.
    """
    if file.draft is None:
        return CaseState.OPENED
    return CaseState.IN_REVIEW if file.decisions else CaseState.DRAFTED
