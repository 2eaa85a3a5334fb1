"""The sentences of a draft beside the image, and what a reader decides on each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby

import streamlit as st

from medmm.domain.draft import Assertion
from medmm.domain.reading import Side
from medmm.domain.rejection_reasons import rejection_reasons
from medmm.domain.report import Accept, Add, Decision, Edit, Impression, Reject
from medmm.presentation.sentence_rows import (
    ALSO,
    FINDINGS,
    IMPRESSION,
    SentenceRow,
    beside,
    next_open,
    sentence_rows,
)
from medmm.presentation.suspicion_words import ALSO_NOTE
from ui import own_words
from ui.actions import acted, tried
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import changed_words, edit_key, inert, sentence_label

SAID = {one.value: one for one in (Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT)}
SIDES: dict[str, Side | None] = {"none": None, **{side.value: side for side in Side}}
NO_CODE = "reason to reject …"


def rows_of(desk: Desk, case: OpenCase) -> tuple[SentenceRow, ...]:
    """List the sentences of the open case."""
    return sentence_rows(case.file, case.view, desk.assistant.settings.prevalence)


def current(rows: tuple[SentenceRow, ...]) -> SentenceRow | None:
    """Give the sentence that the reader is at: the chosen one, else the first that is open."""
    chosen = st.session_state.get("sentence") or next_open(rows, None)
    return next((row for row in rows if row.id == chosen), rows[0] if rows else None)


def choose(statement_id: str | None) -> None:
    """Go to a sentence; the viewer follows it to its image, slice and region."""
    st.session_state["sentence"] = statement_id


def show_sentences(desk: Desk, case: OpenCase, rows: tuple[SentenceRow, ...]) -> None:
    """Show the sentences by section; the one that the reader is at stands open."""
    at, digests = current(rows), dict(case.shown.statements)
    decide = partial(decided, desk, case)
    groups = {name: tuple(found) for name, found in groupby(rows, key=lambda row: row.group)}
    for name in dict.fromkeys((FINDINGS, *groups, IMPRESSION)):
        st.markdown(f"##### {name}")
        if name == ALSO:
            st.caption(inert(ALSO_NOTE))
        if name == IMPRESSION and case.view.impression is None:
            show_impression_form(decide, case)
        for row in groups.get(name, ()):
            digest = f"{case.id} {digests.get(row.id, '')[:8]}"
            here = at is not None and row.id == at.id
            show_row(decide, row, digest, case, here=here)
            if here:
                show_detail(desk, case, decide, row, digest)
        if name == FINDINGS:
            show_adding(decide, case)
    for line in case.view.unstated:
        st.markdown(inert(line))


def show_row(
    decide: Callable[[Callable[[], Decision]], None],
    row: SentenceRow,
    digest: str,
    case: OpenCase,
    *,
    here: bool,
) -> None:
    """Show one sentence in a line, with the two decisions that need no words."""
    one, asked = row.statement, not row.follows and not case.held
    with st.container(
        horizontal=True,
        vertical_alignment="center",
        gap=None,
        wrap=False,
        key=f"sentence-{row.id}",
    ):
        st.button(
            sentence_label(row),
            key=f"pick {row.id} {digest}",
            type="tertiary",
            width="stretch",
            wrap=True,
            on_click=choose,
            args=(row.id,),
        )
        if not asked:
            return
        if not row.by_hand:
            st.button(
                "Accept",
                key=f"accept {row.id} {digest}",
                type="primary" if here and one.decision is None else "secondary",
                disabled=not one.may_accept,
                help="State it" if one.why else None,
                on_click=decide,
                args=(partial(Accept, row.id),),
            )
        st.button(
            "Take away" if row.by_hand else "Dismiss" if one.why else "Reject",
            key=f"reject {row.id} {digest}",
            on_click=decide,
            args=(partial(Reject, row.id),),
        )


def show_detail(
    desk: Desk,
    case: OpenCase,
    decide: Callable[[Callable[[], Decision]], None],
    row: SentenceRow,
    digest: str,
) -> None:
    """Show what a sentence rests on, what its checks found, and the form for other words."""
    one = row.statement
    with st.container(key=f"current-{row.id}", gap="small"):
        if row.follows:
            st.caption(f"Summary of {inert(one.summarises or '')}: decided with it.")
        if one.drafted_text:
            st.markdown(changed_words(one.drafted_text, one.text))
        lines = (one.own, one.evidence_line, row.worth, one.decided)
        st.caption("  \n".join(inert(line) for line in lines if line))
        if one.why:
            st.markdown(f":orange[Not stated: {inert(one.why)}.]")
        for mark in one.marks:
            st.warning(inert(mark), icon=":material/warning:")
        for check in one.checks:
            if check.failed:
                st.error(f"{inert(check.number)}: {inert(check.reason)}")
        if row.verdicts:
            passed = f"{len(one.told_checks)} checks: {one.passed or 'none passed'}"
            st.caption(inert(passed), help="; ".join(map(inert, row.verdicts)))
        if row.follows or case.held:
            return
        show_edit(desk, case, decide, row, digest)


def show_edit(
    desk: Desk,
    case: OpenCase,
    decide: Callable[[Callable[[], Decision]], None],
    row: SentenceRow,
    digest: str,
) -> None:
    """Show the field for other words; what stands in it is kept outside the session."""
    field = edit_key(case.id, row.statement)
    kept = unfinished(desk, case).get(row.id)
    stands = row.statement.text if kept is None else kept
    st.text_area(
        "In other words",
        "" if field in st.session_state else stands,  # the session's words come before these
        key=field,
        height=72,
        label_visibility="collapsed",
        on_change=keep,
        args=(desk, case, row.id, field),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Save the edit",
            key=f"save {row.id} {digest}",
            on_click=decide,
            args=(partial(edited, row.id, field),),
        )
        if not row.by_hand and not row.statement.why:
            show_rejection(decide, row, digest)
        if kept is not None and kept != row.statement.text:
            st.caption(":orange[Unsaved words of yours: they are kept, and decide nothing yet.]")


def show_rejection(
    decide: Callable[[Callable[[], Decision]], None], row: SentenceRow, digest: str
) -> None:
    """Offer to reject for a reason of the table."""
    reasons = rejection_reasons()
    st.selectbox(
        "Reason to reject",
        [NO_CODE, *reasons],
        format_func=lambda code: reasons[code].words if code in reasons else NO_CODE,
        key=f"reason {row.id} {digest}",
        width=190,
        label_visibility="collapsed",
    )
    st.button(
        "Reject for it",
        key=f"reject-for {row.id} {digest}",
        on_click=decide,
        args=(partial(rejected, row.id, f"reason {row.id} {digest}"),),
    )


def show_impression_form(decide: Callable[[Callable[[], Decision]], None], case: OpenCase) -> None:
    """Offer to write the impression in the reader's own words."""
    if case.held:
        return
    field = f"own impression {case.id}"
    with st.popover("Write the impression", icon=":material/edit:", type="tertiary"):
        st.caption("It takes the place of the drafted one. A line is a sentence.")
        st.text_area("Impression", own_words.drafted_impression(case.view), key=field, height=160)
        st.button(
            "Save",
            key=f"save impression {case.id} {case.shown.digest[:8]}",
            on_click=decide,
            args=(partial(own_impression, field),),
        )


def show_adding(decide: Callable[[Callable[[], Decision]], None], case: OpenCase) -> None:
    """Show the form for a finding of the reader's own, by the vocabulary or in free text."""
    if case.held:
        return
    file = case.file
    terms = {term.name: term for term in own_words.vocabulary(file.case.study)}
    key = f"{file.case.id} {len(file.added)}"  # an empty form after each addition
    with st.popover("Add a finding", icon=":material/add:", type="tertiary"):
        name = st.selectbox(
            "Finding",
            [None, *terms],
            format_func=lambda n: terms[n].words if n else "free text, without a code",
            key=f"add finding {key}",
        )
        if name is None:
            st.text_area("What you see", key=f"add text {key}")
        else:
            one, two = st.columns(2)
            one.selectbox("It is", list(SAID), key=f"add said {key}")
            sided = terms[name].sided
            two.selectbox(
                "Patient's side",
                list(SIDES) if sided else ["none"],
                disabled=not sided,
                key=f"add side {key}",
            )
            st.text_input("Place, in words", key=f"add place {key}")
        st.button(
            "Add",
            key=f"add {case.id} {case.shown.digest[:8]}",
            type="primary",
            on_click=decide,
            args=(partial(added, name, key),),
        )


def unfinished(desk: Desk, case: OpenCase) -> dict[str, str]:
    """Give back what this reader typed in the case and did not decide, by field."""
    kept = desk.assistant.unfinished(case.id, by=desk.reader)
    return {one.field: one.text for one in kept}


def keep(desk: Desk, case: OpenCase, name: str, field: str) -> None:
    """Keep what stands in a field, so that a lost connection loses none of it."""
    text = st.session_state[field]
    keeping = desk.assistant.keep_unfinished
    tried(lambda: keeping(case.id, name, text, by=desk.reader, shown=case.shown))


def added(finding: str | None, key: str) -> Add:
    """Read the addition as it stands in the form now."""
    state = st.session_state
    if finding is None:
        return Add(state.get(f"add text {key}", ""))
    return Add.of(
        finding,
        side=SIDES.get(state.get(f"add side {key}", "none")),
        place=state.get(f"add place {key}", ""),
        assertion=SAID[state.get(f"add said {key}", "present")],
    )


def own_impression(field: str) -> Impression:
    """Read the impression as it stands in the form now."""
    return Impression(st.session_state[field])


def edited(statement_id: str, field: str) -> Edit:
    """Read the reader's own words, as they stand in the field now."""
    return Edit(statement_id, st.session_state[field])


def rejected(statement_id: str, field: str) -> Reject:
    """Read the reason that is chosen now."""
    code = st.session_state[field]
    return Reject(statement_id, code=None if code == NO_CODE else code)


def decided(desk: Desk, case: OpenCase, decision: Callable[[], Decision]) -> None:
    """Keep one decision on what was shown, and go on to the next open sentence."""

    def decide() -> None:
        made = decision()
        desk.assistant.decide(case.id, [made], by=desk.reader, shown=case.shown)
        following(desk, case, made)

    acted(decide)


def following(desk: Desk, case: OpenCase, made: Decision) -> None:
    """Go to the next open sentence after a decision on one; a new finding moves nothing."""
    if isinstance(made, Accept | Reject | Edit):
        rows = tuple(row for row in rows_of(desk, case) if row.id != made.statement_id)
        all_ids = [row.id for row in rows_of(desk, case)]
        at = all_ids.index(made.statement_id) if made.statement_id in all_ids else 0
        before = all_ids[at - 1] if at else None
        choose(next_open(rows, before))


def step(desk: Desk, case: OpenCase, by: int) -> None:
    """Go to the sentence before or after."""
    rows = rows_of(desk, case)
    at = current(rows)
    choose(beside(rows, at.id if at else None, by))


def accept_current(desk: Desk, case: OpenCase) -> None:
    """Accept the sentence that the reader is at."""
    at = current(rows_of(desk, case))
    if at is not None and not at.follows and not at.by_hand:
        decided(desk, case, partial(Accept, at.id))


def reject_current(desk: Desk, case: OpenCase) -> None:
    """Reject the sentence that the reader is at."""
    at = current(rows_of(desk, case))
    if at is not None and not at.follows:
        decided(desk, case, partial(Reject, at.id))


def accept_all(desk: Desk, case: OpenCase) -> None:
    """Accept every open sentence that passed its checks."""
    acted(lambda: desk.assistant.accept_passing(case.id, by=desk.reader, shown=case.shown))


def undo(desk: Desk, case: OpenCase) -> None:
    """Take back this reader's last decision, which may be newer than the bar of the page.

    Where keys are quick, the page above the bar shows it already.
    """
    newest = st.session_state.get("opened", case)
    shown = newest.shown if newest.id == case.id else case.shown
    acted(lambda: desk.assistant.undo(case.id, by=desk.reader, shown=shown))
