"""The case that is open: named by the address, held by a lease, read anew when it changed.

The address keeps it over a reload. After a restart of the server, or a long time without a
connection, the page runs in a new session: everything it needs stands in the address and in the
store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from medmm.domain.errors import PermissionDenied, StateError
from medmm.domain.first_read import ReadingMode
from medmm.domain.identity import PatientIdentity
from medmm.domain.lease import Lease
from medmm.domain.report import CaseFile, CaseState, Reader
from medmm.domain.roles import may
from medmm.domain.shown import Shown
from medmm.presentation.case_view import CaseView, case_view
from ui.actions import FAILED, WAYS, WENT
from ui.desk import Desk
from ui.presenter import held_words

DRAFT_WANTED = "draft_wanted"  # the case whose reader wants the draft without a first read
CASE, STUDY = "case", "study"  # names in the address
# What a session keeps of the open case
OF_A_CASE = (
    FAILED,
    "opened",
    "opened_of",
    "identity",
    "identity_of",
    "sentence",
    "signing",
    "amending",
    "report_of",
    WAYS,
    "events",
    "viewer",
    "beside",
    "prior_report",
    "prior_text",
    "first_reads",
    "dictated",
    "unsent forgotten",
)
# After a restart of the server, or long offline, Streamlit forgets a click without a word
ANEW = "The page was opened anew: what was pressed just before counts only if it shows here."
RENEWED_AT = 0.5  # of a lease's length
FREE = (CaseState.SIGNED, CaseState.AMENDED, CaseState.WITHDRAWN)  # nothing to hold there


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase:
    """A case as the page shows it.

    Attributes:
        lease: that of this reader; None if there is none to be had or needed.
        held: why nothing can be decided here, in words: who else holds it, that the lease was
            lost, or that the case is to be read twice; "" if nothing stands against it.
        waits: whether it is held by a double reading, which others end.
    """

    file: CaseFile
    identity: PatientIdentity
    view: CaseView
    lease: Lease | None
    held: str
    waits: bool = False

    @property
    def id(self) -> str:
        """Id of the case, for the keys of widgets."""
        return self.file.case.id

    @property
    def shown(self) -> Shown:
        """What stands on the screen, for every write."""
        return Shown.of(self.file, self.identity)


def case_in_address(desk: Desk) -> str | None:
    """Read which case the address names, by its id or by the Study UID of a PACS.

    Returns: its id; None if it names none.
    """
    if case_id := st.query_params.get(CASE):
        return case_id
    if uid := st.query_params.get(STUDY):
        found = desk.assistant.worklist(search=uid, limit=1, by=desk.reader).rows
        if found:
            st.query_params.clear()
            st.query_params[CASE] = found[0].case.case_id
            return found[0].case.case_id
        st.warning("No case of this Study UID is in the worklist.")
    return None


def opened(desk: Desk, case_id: str) -> OpenCase:
    """Give the open case; a look is logged when it is read, not when the page runs again."""
    state = st.session_state
    of = (case_id, desk.reader.id)
    if state.get("opened_of", of) != of:
        leave(desk)
    state["opened_of"] = of
    if "opened" not in state:
        file = desk.assistant.case(case_id, blind=_blind(desk, case_id), by=desk.reader)
        key = file.case.study.patient_key
        if state.get("identity_of") != key:
            state["identity"] = desk.assistant.identity(key, by=desk.reader)
            state["identity_of"] = key
        identity: PatientIdentity = state["identity"]
        barred = _barred(desk, file)
        lease, held = _held(desk, file) if barred is None else (None, barred)
        state["opened"] = OpenCase(
            file=file,
            identity=identity,
            view=case_view(file),
            lease=lease,
            held=held,
            waits=barred is not None,
        )
    found: OpenCase = state["opened"]
    return found


def went() -> None:
    """Note that this session came to its case by itself, not by an earlier page."""
    st.session_state[WENT] = True


def came_anew() -> bool:
    """Tell whether the page found its case in the address: after a reload, a restart, a link."""
    return WENT not in st.session_state


def _blind(desk: Desk, case_id: str) -> bool:
    """Tell whether the reader is to see images and record alone first."""
    if st.session_state.get(DRAFT_WANTED) == case_id:
        return False
    mode = desk.assistant.reading_mode(case_id, by=desk.reader)
    return mode is ReadingMode.BLIND_FIRST


def _barred(desk: Desk, file: CaseFile) -> str | None:
    """Say that a double reading leaves the decisions to others, who may need the lease.

    Nothing is decided in a blind look anyway: it is there to make the double reading complete.
    """
    if file.blind or file.state in FREE or not may("decide", desk.reader):
        return None
    refused = desk.assistant.refused_decision(file.case.id, by=desk.reader)
    if refused is None:
        return None
    _give_back(desk)
    return held_words(refused, _names(desk))


def _names(desk: Desk) -> dict[str, str]:
    return {reader.id: reader.name for reader in desk.assistant.readers()}


def _held(desk: Desk, file: CaseFile) -> tuple[Lease | None, str]:
    """Take or keep the lease of a case that this reader may decide on."""
    if file.state in FREE or not may("claim", desk.reader):
        return None, ""
    kept: Lease | None = st.session_state.get("lease")
    sure = FAILED not in st.session_state  # an act may have failed because somebody took it
    if sure and kept is not None and kept.case_id == file.case.id and not _due(kept):
        return kept, ""
    since = kept.since if kept is not None and kept.case_id == file.case.id else None
    try:
        lease = desk.assistant.claim(file.case.id, since=since, by=desk.reader)
    except StateError as error:
        st.session_state.pop("lease", None)
        return None, held_words(error, _names(desk))
    st.session_state["lease"], st.session_state["lease_by"] = lease, desk.reader
    return lease, ""


def _due(lease: Lease) -> bool:
    length = lease.until - lease.renewed
    return datetime.now(UTC) - lease.renewed >= RENEWED_AT * length


def renew(desk: Desk) -> bool:
    """Renew the lease of the open case in time, and see whether a double reading went on.

    Returns: whether it was lost or went on, so that the page must say so.
    """
    case: OpenCase | None = st.session_state.get("opened")
    if case is not None and case.waits and _barred(desk, case.file) != case.held:
        st.session_state.pop("opened")
        return True
    lease: Lease | None = st.session_state.get("lease")
    if lease is None or not _due(lease):
        return False
    try:
        st.session_state["lease"] = desk.assistant.claim(
            lease.case_id, since=lease.since, by=desk.reader
        )
    except StateError:
        st.session_state.pop("opened", None)
        return True
    return False


def leave(desk: Desk) -> None:
    """Leave the open case: its lease is given back, and nothing of it stays in the session.

    Another may read here by now.
    """
    for name in OF_A_CASE:
        st.session_state.pop(name, None)
    _give_back(desk)


def _give_back(desk: Desk) -> None:
    """Give the lease of the open case back, by who took it."""
    lease: Lease | None = st.session_state.pop("lease", None)
    holder: Reader = st.session_state.pop("lease_by", desk.reader)
    if lease is None:
        return
    try:
        desk.assistant.unclaim(lease.case_id, since=lease.since, by=holder)
    except (StateError, PermissionDenied):
        return  # lost, or the case was signed, or the holder may not any more: it ends by itself
