"""A draft that is being made: how far it is, and its words before any check has seen them.

It is made in the background of the server, whoever looks. The page asks twice a second and draws
this part alone anew, so that nothing that is being typed beside it is touched.
"""

from __future__ import annotations

from functools import partial

import streamlit as st

from medmm.domain.draft_progress import DraftProgress, DraftStage
from medmm.domain.roles import may
from ui.actions import acted, forget, told
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import inert, progress_steps, unchecked_lines

EVERY_S = 0.5
SEEN = "drafted_seen"  # in the session: of which draft that ended the page has read the case anew
NOT_CHECKED = (
    "Not checked yet, and nothing to decide on: a sentence may still be another, or gone, in the "
    "draft that is kept."
)


def show_undrafted(desk: Desk, case: OpenCase) -> None:
    """Show a case without a draft: how far one is, why there is none, or the way to one."""
    progress = desk.assistant.draft_progress(case.id, by=desk.reader)
    if progress is not None and progress.going:
        show_underway(desk, case)
        return
    if progress is not None and progress.stage is DraftStage.DONE and _news(progress):
        forget()
        st.rerun()
    failed = progress is not None and progress.stage is DraftStage.FAILED
    if progress is not None and failed:
        what = f"**There is no draft:** {inert(progress.problem)}"
        st.error(f"{what}  \n**What helps:** {inert(progress.remedy)}")
    st.caption(inert(case.view.without_draft))
    if not may("draft", desk.reader):
        return
    begin = partial(desk.assistant.begin_draft, case.id, again=False, by=desk.reader)
    st.button(
        "Draft again" if failed else "Draft",
        key=f"draft {case.id} {case.shown.digest[:8]}",
        type="primary",
        on_click=acted,
        args=(begin,),
    )


@st.fragment(run_every=EVERY_S)
def show_underway(desk: Desk, case: OpenCase) -> None:
    """Show how far the draft is, until it is kept or has failed; then the page runs again."""
    with told():
        progress = desk.assistant.draft_progress(case.id, by=desk.reader)
        if progress is None or not progress.going:
            if progress is not None:
                _news(progress)
            forget()
            st.rerun()
        names = {reader.id: reader.name for reader in desk.assistant.readers()}
        with st.container(key=f"underway-{case.id}", gap="small"):
            st.markdown("  \n".join(progress_steps(progress, names)))
            if lines := unchecked_lines(progress):
                st.caption(f":orange[{NOT_CHECKED}]")
                st.markdown("\n".join(lines))


def _news(progress: DraftProgress) -> bool:
    """Tell whether this session has not heard of this end yet; from now on it has."""
    of = (progress.case_id, progress.began)
    heard = st.session_state.get(SEEN) == of
    st.session_state[SEEN] = of
    return not heard
