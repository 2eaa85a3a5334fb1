"""What a reader says: written down, shown, and done only once it is confirmed.

Moving to another sentence is all that is done at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from medmm.domain.report import Accept, Add, Decision, Reject
from medmm.domain.roles import may
from medmm.domain.transcript import Transcript
from medmm.language.spoken_commands import Act, Command, FreeText, Heard, NeverByVoice, heard
from medmm.presentation.sentence_rows import SentenceRow
from ui import own_words, sentences
from ui.actions import acted, tried
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import inert

DICTATED = "dictated"  # in the session; it goes with the case
FIELD = "dictation"  # under which words are kept that are not used yet
SAMPLES_HZ = 16_000
QUESTIONS = {
    Act.ACCEPT: "Accept this sentence?",
    Act.REJECT: "Reject this sentence?",
    Act.ACCEPT_ALL: "Accept every open sentence that passed its checks?",
    Act.UNDO: "Take back your last decision?",
    Act.ADD: "Add this finding as your own?",
}
HOW = (
    "What was heard is shown first, and decides nothing until you say so. If the microphone is "
    "denied, allow it for this page beside the address, or type."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictated:
    """What was heard last.

    Attributes:
        sentence: id of the sentence that the reader was at while speaking.
        note: what is to be said of it beside the words; "" if nothing is.
    """

    heard: Heard
    sentence: str | None
    note: str = ""


def show_dictation(desk: Desk, case: OpenCase, rows: tuple[SentenceRow, ...]) -> None:
    """Show the microphone and what was heard, where dictation is configured.

    Args:
        rows: the sentences as they are shown.
    """
    if not desk.assistant.settings.dictation.on or not may("transcribe", desk.reader) or case.held:
        return
    count = st.session_state.get("dictations", 0)
    with st.container(key="dictation", gap="small"):
        recorded = f"dictate {case.id} {count}"
        st.audio_input(
            "Dictate",
            sample_rate=SAMPLES_HZ,
            key=recorded,
            label_visibility="collapsed",
            on_change=taken,
            args=(desk, case, rows, recorded),
        )
        st.caption(HOW)
        if st.session_state.get(recorded) is not None:  # it could not be written down
            st.button(
                "Send again",
                key=f"again {recorded}",
                on_click=taken,
                args=(desk, case, rows, recorded),
            )
        show_heard(desk, case, rows)


def taken(desk: Desk, case: OpenCase, rows: tuple[SentenceRow, ...], recorded: str) -> None:
    """Have a recording written down, and drop it; if that fails, it stays for another try."""
    audio = st.session_state.get(recorded)
    if audio is None:
        return
    found: list[Transcript] = []
    transcribe = desk.assistant.transcribe
    tried(
        lambda: found.append(
            transcribe(case.id, audio.getvalue(), by=desk.reader, shown=case.shown)
        )
    )
    if not found:
        return
    st.session_state["dictations"] = st.session_state.get("dictations", 0) + 1
    _erase(audio)
    at = sentences.current(rows)
    keep_heard(desk, case, found[0], at.id if at else None)


def _erase(audio: UploadedFile) -> None:
    """Take a recording out of the server's memory, where Streamlit leaves it for the session."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, audio.file_id)


def keep_heard(desk: Desk, case: OpenCase, said: Transcript, sentence: str | None) -> None:
    """Tell a command from text; a move is done, text is kept, and all else is asked."""
    what = heard(said.text, own_words.vocabulary(case.file.case.study))
    note = note_on(said)
    if isinstance(what, Command) and not what.act.decides:
        sentences.step(desk, case, 1 if what.act is Act.NEXT else -1)
        note = f"Heard: {what.words}."
    if isinstance(what, FreeText) and what.text:
        kept = " ".join(filter(None, (unused(desk, case), what.text)))
        keep = desk.assistant.keep_unfinished
        tried(lambda: keep(case.id, FIELD, kept, by=desk.reader, shown=case.shown))
        st.session_state.pop(field_of(case), None)
    st.session_state[DICTATED] = Dictated(heard=what, sentence=sentence, note=note)


def note_on(said: Transcript) -> str:
    """Say what a reader should know of a transcript; "" if nothing."""
    if not said.text:
        return "No words were heard. Speak again, nearer to the microphone."
    if said.in_another_language:
        named = f" ({said.language})" if said.language else ""
        return (
            f"This seems to be in another language than English{named}. Reports are in English "
            "here, and the checks read no other; the words are kept below."
        )
    return ""


def show_heard(desk: Desk, case: OpenCase, rows: tuple[SentenceRow, ...]) -> None:
    """Show what was heard, and ask before anything is decided by it."""
    last: Dictated | None = st.session_state.get(DICTATED)
    if last is not None and last.note:
        st.caption(f":orange[{inert(last.note)}]")
    if last is not None and isinstance(last.heard, NeverByVoice):
        st.warning(inert(last.heard.why), icon=":material/mic_off:")
    if last is not None and isinstance(last.heard, Command) and last.heard.act.decides:
        show_question(desk, case, rows, last.heard, last.sentence)
    if text := unused(desk, case):
        show_text(desk, case, text)


def show_question(
    desk: Desk,
    case: OpenCase,
    rows: tuple[SentenceRow, ...],
    command: Command,
    sentence: str | None,
) -> None:
    """Ask whether a spoken command is to be done, naming the sentence that it was said at."""
    row = next((row for row in rows if row.id == sentence), None)
    st.markdown(f"Heard: **{inert(command.words)}**. {QUESTIONS[command.act]}")
    fault = ""
    if command.act in (Act.ACCEPT, Act.REJECT):
        fault = fault_of(command.act, row)
        if row is not None:
            st.markdown(f"> {inert(row.statement.text)}")
    elif command.act is Act.ADD:
        st.markdown(f"> {inert(addition(command).text)}")
    if fault:
        st.caption(f":orange[{inert(fault)}]")
    digest = case.shown.digest[:8]
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Do it",
            key=f"do said {case.id} {digest}",
            type="primary",
            disabled=bool(fault),
            on_click=done,
            args=(desk, case, command, sentence),
        )
        st.button("Don't", key=f"drop said {case.id} {digest}", on_click=dropped)


def fault_of(act: Act, row: SentenceRow | None) -> str:
    """Say why a sentence can't be decided on by voice; "" if it can."""
    if row is None:
        return "The sentence that you were at is not there any more."
    if row.follows:
        return "It repeats another sentence, and is decided with it."
    if act is Act.ACCEPT and (row.by_hand or not row.statement.may_accept):
        return "It can't be accepted as it is."
    return ""


def done(desk: Desk, case: OpenCase, command: Command, sentence: str | None) -> None:
    """Do what was said and confirmed."""
    dropped()
    if command.act is Act.ACCEPT_ALL:
        sentences.accept_all(desk, case)
    elif command.act is Act.UNDO:
        sentences.undo(desk, case)
    elif command.act is Act.ADD:
        sentences.decided(desk, case, partial(addition, command))
    elif sentence is not None:
        made: type[Accept] | type[Reject] = Accept if command.act is Act.ACCEPT else Reject
        sentences.decided(desk, case, partial(made, sentence))


def addition(command: Command) -> Add:
    """Make the addition that a spoken finding asks for."""
    return Add.of(command.finding or "", side=command.side, assertion=command.assertion)


def dropped() -> None:
    """Forget what was heard last."""
    st.session_state.pop(DICTATED, None)


def show_text(desk: Desk, case: OpenCase, text: str) -> None:
    """Show words that are no command, to be corrected and then used or dropped."""
    field = field_of(case)
    st.text_area(
        "Dictated, not used yet: read it before you use it",
        text,
        key=field,
        height=72,
        on_change=sentences.keep,
        args=(desk, case, FIELD, field),
    )
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Add as your own words",
            key=f"add said {case.id}",
            type="primary",
            on_click=added,
            args=(desk, case, field),
        )
        st.button("Drop it", key=f"drop text {case.id}", on_click=forgotten, args=(desk, case))


def field_of(case: OpenCase) -> str:
    """Name the field of dictated words."""
    return f"dictated {case.id}"


def unused(desk: Desk, case: OpenCase) -> str:
    """Give back words that this reader dictated in the case and has not used."""
    return sentences.unfinished(desk, case).get(FIELD, "")


def added(desk: Desk, case: OpenCase, field: str) -> None:
    """Add the words as the reader's own; they are kept until that is done."""

    def add() -> None:
        made: list[Decision] = [Add(st.session_state[field])]
        desk.assistant.decide(case.id, made, by=desk.reader, shown=case.shown)
        _clear(desk, case)

    acted(add)


def forgotten(desk: Desk, case: OpenCase) -> None:
    """Drop dictated words, because their reader says so."""
    tried(lambda: _clear(desk, case))


def _clear(desk: Desk, case: OpenCase) -> None:
    desk.assistant.keep_unfinished(case.id, FIELD, "", by=desk.reader)
    st.session_state.pop(field_of(case), None)
    dropped()
