"""Ways to read a case: blind first, twice, and to learn from it without its patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from medmm.domain.double_reading import FirstReads
from medmm.domain.draft import Assertion
from medmm.domain.errors import InputError
from medmm.domain.influence_of_draft import influence_of_draft
from medmm.domain.reading import Side
from medmm.domain.report import SIGNED_STATES, Add, CaseFile, CaseState, CaseSummary
from medmm.domain.roles import may
from medmm.domain.study import Study
from medmm.domain.teaching_case import TeachingCase
from medmm.presentation.first_read_words import (
    LISTED,
    agreement_rows,
    change_rows,
    double_reading_words,
    read_lines,
)
from medmm.presentation.viewer_data import viewer_study
from ui import own_words
from ui.actions import acted, show_failed, told, tried
from ui.desk import Desk
from ui.open_case import DRAFT_WANTED
from ui.presenter import inert
from ui.reading_room import case_links
from ui.viewer import show_viewer

SAID = {one.value: one for one in (Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT)}
SIDES: dict[str, Side | None] = {"none": None, **{side.value: side for side in Side}}
TEACHING_CASES = 100
OWN_TEXT = "first-read"  # the field of unfinished text


def show_blind_first(desk: Desk, file: CaseFile) -> None:
    """Ask for the reader's own impression of a case that is shown blind.

    What is typed is kept outside the session; the draft is asked for once the read is recorded.
    """
    case_id = file.case.id
    st.markdown("##### Your first read")
    st.caption("Say what you see. The draft is shown once this is recorded, and it stays as it is.")
    read = _form(case_id, file.case.study, _kept_text(desk, case_id), partial(_keep, desk, case_id))

    def record() -> None:
        desk.assistant.record_first_read(
            case_id,
            text=read.text(),
            findings=read.findings(),
            nothing_suspected=read.nothing(),
            by=desk.reader,
        )
        desk.assistant.keep_unfinished(case_id, OWN_TEXT, "", by=desk.reader)

    with st.container(horizontal=True, gap="small"):
        st.button(
            "Record and show the draft",
            key=f"record {case_id}",
            type="primary",
            on_click=acted,
            args=(record,),
        )
        st.button(
            "Show the draft without",
            key=f"skip {case_id}",
            type="tertiary",
            help="Then no first read of yours can be recorded here; the log says that you looked.",
            on_click=skip,
            args=(case_id,),
        )


def skip(case_id: str) -> None:
    """Have the case shown with its draft, without a first read."""
    st.session_state[DRAFT_WANTED] = case_id
    st.session_state.pop("opened", None)


def show_first_reads(desk: Desk, file: CaseFile) -> None:
    """Show what was read first beside draft and report, and how far two readers agree."""
    found = _first_reads(desk, file)
    show_double_reading(desk, file)
    own = found.read_by(desk.reader.id)
    for read in found.reads:
        st.markdown(f"##### {inert(read.by.name)}")
        st.caption("  \n".join(inert(line) for line in read_lines(read)))
        if file.draft is not None:
            report = file.versions[0] if file.versions else None
            rows = change_rows(influence_of_draft(read, file.draft.draft, report))
            st.table(
                [
                    {
                        "finding": inert(one.finding),
                        "first": one.first,
                        "drafted": one.drafted,
                        "signed": one.final,
                        "change": one.change,
                    }
                    for one in rows
                ]
            )
    if own is None and not found.reads:
        st.caption("You recorded no first read of this case.")
    elif own is not None and own.listed:
        st.caption(f":orange[{inert(LISTED)}]")


def show_double_reading(desk: Desk, file: CaseFile) -> None:
    """Show where a double reading stands, with the forms to order and to drop it."""
    found, case_id = _first_reads(desk, file), file.case.id
    signed_by = file.versions[0].signed_by if file.versions else None
    if words := double_reading_words(found, desk.reader, signed_by):
        st.info(inert(words))
    if rows := agreement_rows(found):
        one, other = (inert(reader.name) for reader in found.pair)
        st.table(
            [
                {
                    "finding": inert(row.finding),
                    one: row.one,
                    f"{other} ": row.other,
                    "": row.standing,
                }
                for row in rows
            ]
        )
    if file.state in SIGNED_STATES or file.state is CaseState.SUPERSEDED:
        return
    if found.ordered and may("drop_double_reading", desk.reader):
        with st.popover("Drop the second reading"):
            key = f"drop-why {case_id}"
            st.text_input("Why one reading is enough", key=key)
            st.button(
                "Drop it", key=f"drop {case_id}", on_click=_dropped, args=(desk, case_id, key)
            )
    if not found.ordered and may("order_double_reading", desk.reader):
        with st.popover("Have it read twice"):
            st.caption("Two read it independently; a third one decides and signs.")
            key, signers = f"third {case_id}", _signers(desk, found)
            st.selectbox(
                "Who decides",
                [None, *signers],
                format_func=lambda one: signers.get(one, "any attending who is none of the two"),
                key=key,
            )
            st.button(
                "Order it", key=f"order {case_id}", on_click=_ordered, args=(desk, case_id, key)
            )


def _signers(desk: Desk, found: FirstReads) -> dict[str | None, str]:
    """Name by id who may adjudicate."""
    read = {one.id for one in found.pair}
    readers = (one for one in desk.assistant.readers() if may("sign", one) and one.id not in read)
    return {one.id: one.name for one in readers}


def _dropped(desk: Desk, case_id: str, key: str) -> None:
    reason = st.session_state[key]
    acted(lambda: desk.assistant.drop_double_reading(case_id, reason=reason, by=desk.reader))
    st.session_state.pop("first_reads", None)


def _ordered(desk: Desk, case_id: str, key: str) -> None:
    third = st.session_state[key]
    acted(lambda: desk.assistant.order_double_reading(case_id, adjudicator=third, by=desk.reader))
    st.session_state.pop("first_reads", None)


def _first_reads(desk: Desk, file: CaseFile) -> FirstReads:
    """Give who read the case first; the look is logged when the case changed, not each run."""
    of = (file.case.id, desk.reader.id, file.state, len(file.decisions))
    kept = st.session_state.get("first_reads")
    if kept is None or kept[0] != of:
        kept = (of, desk.assistant.first_reads(file.case.id, by=desk.reader))
        st.session_state["first_reads"] = kept
    found: FirstReads = kept[1]
    return found


def show_teaching(desk: Desk) -> None:
    """Show cases to learn from: no patient, and the answer after the learner's own."""
    with told():
        show_failed()
        cases = _teaching_cases(desk)
        st.caption(
            "Signed cases without name, number, date or record. Nothing that you write is kept. A "
            "face can be made out in a head volume: show such cases to those alone who may see it."
        )
        if not cases:
            st.info("No case is signed yet.")
            return
        names = {one.case_id: f"Case {n}: {_what(one)}" for n, one in enumerate(cases, start=1)}
        case_id = st.selectbox(
            "Case",
            [None, *names],
            format_func=lambda one: names.get(one, "Choose a case"),
            key="teaching",
        )
        if case_id is not None:
            _show_teaching_case(desk, case_id)


def _what(case: CaseSummary) -> str:
    return f"{case.modality} {inert(case.body_part)}"


def _teaching_cases(desk: Desk) -> tuple[CaseSummary, ...]:
    """List the newest signed cases, again only when the page is opened anew."""
    if st.session_state.get("teaching_of") != desk.reader.id:
        found = desk.assistant.cases(state=CaseState.SIGNED, limit=TEACHING_CASES, by=desk.reader)
        st.session_state["teaching_cases"], st.session_state["teaching_of"] = found, desk.reader.id
    cases: tuple[CaseSummary, ...] = st.session_state["teaching_cases"]
    return cases


def _show_teaching_case(desk: Desk, case_id: str) -> None:
    case = _teaching_case(desk, case_id)
    if case.file is None:
        st.warning(
            f"{inert(case.withheld)} It is not shown here.", icon=":material/visibility_off:"
        )
        return
    left, right = st.columns((55, 45), gap="small")
    with left:
        links = case_links(case.file, desk.reader)
        show_viewer(
            viewer_study(case.file, links).text(), key=f"teaching viewer {case_id}", height_px=560
        )
    with right:
        st.markdown(inert(_age(case)))
        read = _form(f"teaching {case_id}", case.file.case.study, "", None)
        st.button(
            "Compare",
            key=f"compare {case_id}",
            type="primary",
            on_click=_answered,
            args=(case_id, read),
        )
        if answer := st.session_state.get(f"answer {case_id}"):
            _show_answer(case, *answer)


def _age(case: TeachingCase) -> str:
    if case.age_years is None:
        return "Age unknown"
    return f"{case.age_years} years" + (" or more" if case.age_years >= 90 else "")


def _teaching_case(desk: Desk, case_id: str) -> TeachingCase:
    """Give the open teaching case; the look is logged once."""
    of, kept = (case_id, desk.reader.id), st.session_state.get("teaching_case")
    if kept is None or kept[0] != of:
        kept = (of, desk.assistant.teaching_case(case_id, by=desk.reader))
        st.session_state["teaching_case"] = kept
    case: TeachingCase = kept[1]
    return case


def _answered(case_id: str, read: ReadForm) -> None:
    """Take the learner's words as they stand now, so that the answer may be shown."""

    def take() -> None:
        findings, text = read.findings(), read.text()
        if not (findings or text.strip() or read.nothing()):
            raise InputError(
                "you have not written what you see",
                remedy="choose findings, write words, or say that nothing is suspected",
            )
        st.session_state[f"answer {case_id}"] = (findings, text)

    tried(take)


def _show_answer(case: TeachingCase, findings: Sequence[Add], text: str) -> None:
    rows = change_rows(case.compared_with(findings, text))
    st.table(
        [
            {
                "finding": inert(one.finding),
                "you": one.first,
                "drafted": one.drafted,
                "signed": one.final,
            }
            for one in rows
        ]
    )


class ReadForm:
    """The form of a first read; its widgets are named by a key that holds the case."""

    def __init__(self, key: str) -> None:
        self.key = key

    def text(self) -> str:
        """Return the words as they stand now."""
        return str(st.session_state.get(f"read text {self.key}", ""))

    def nothing(self) -> bool:
        """Tell whether nothing is suspected."""
        return bool(st.session_state.get(f"read nothing {self.key}", False))

    def chosen(self) -> list[str]:
        """List the findings that are chosen now."""
        return list(st.session_state.get(f"read findings {self.key}", ()))

    def findings(self) -> tuple[Add, ...]:
        """Build the chosen findings with what is said of each, and its side.

        Raises: InputError as `Add.of`.
        """
        state = st.session_state
        return tuple(
            Add.of(
                name,
                side=SIDES[state.get(f"read side {name} {self.key}", "none")],
                assertion=SAID[state.get(f"read said {name} {self.key}", "present")],
            )
            for name in self.chosen()
        )


def _form(key: str, study: Study, text: str, keep: Callable[[str], None] | None) -> ReadForm:
    """Show the form of a first read.

    Args:
        text: what was typed before.
        keep: called with the field's name when its words changed; None keeps nothing.
    """
    terms = {term.name: term for term in own_words.vocabulary(study)}
    form, field = ReadForm(key), f"read text {key}"
    st.multiselect(
        "Findings that you see, suspect or rule out",
        list(terms),
        format_func=lambda name: terms[name].words,
        key=f"read findings {key}",
        select_all=False,  # nobody sees all of them
    )
    for name in form.chosen():
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            words = terms[name].words
            st.selectbox(f"{words} is", list(SAID), key=f"read said {name} {key}")
            if terms[name].sided:
                st.selectbox(f"Side of {words}", list(SIDES), key=f"read side {name} {key}")
    st.text_area(
        "Impression, in your words",
        text,
        key=field,
        height=110,
        on_change=keep,
        args=(field,) if keep else None,
    )
    st.checkbox("Nothing is suspected", key=f"read nothing {key}")
    return form


def _kept_text(desk: Desk, case_id: str) -> str:
    kept = desk.assistant.unfinished(case_id, by=desk.reader)
    return next((one.text for one in kept if one.field == OWN_TEXT), "")


def _keep(desk: Desk, case_id: str, field: str) -> None:
    """Keep what stands in the field, so that a lost connection loses none of it."""
    text = st.session_state[field]
    tried(lambda: desk.assistant.keep_unfinished(case_id, OWN_TEXT, text, by=desk.reader))
