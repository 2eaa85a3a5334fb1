"""The reading room: who reads, and the pages."""

from __future__ import annotations

from functools import partial

import streamlit as st

from medmm.domain.roles import may
from ui import open_case
from ui.actions import forget, told
from ui.desk import Desk
from ui.left_page import go_back
from ui.open_case import CASE
from ui.reading_room import open_assistant
from ui.sign_in import signed_in
from ui.style import STYLE
from ui.views.audit import show_audit
from ui.views.critical import show_critical
from ui.views.insight import show_insight
from ui.views.models import show_models
from ui.views.modes import show_teaching
from ui.views.reading import show_reading
from ui.views.worklist import show_worklist


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="medmm", page_icon="🩻", layout="wide")
    st.html(STYLE)
    with told():
        assistant = open_assistant()
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="bar"):
            st.markdown("**medmm**", width="content")
            links = st.container(horizontal=True, gap=None)
            who = st.container(horizontal=True, vertical_alignment="center", gap="small")
        reader = signed_in(assistant, who)
        if reader is None:
            return
        desk = Desk(assistant=assistant, reader=reader)
        pages = pages_of(desk)
        page = st.navigation(pages, position="hidden")
        go_back(pages)
        with links:
            for one in pages:
                st.page_link(one, width="content")
        if st.session_state.get("page") != page.url_path:  # what is come to is read anew
            forget()
            st.session_state["page"] = page.url_path
        page.run()


def pages_of(desk: Desk) -> list[st.Page]:
    """List the pages of the reader's role; those of cases get the way to a case and back."""

    def go(case_id: str | None) -> None:
        if case_id is None:
            st.switch_page(worklist)
        open_case.went()
        st.switch_page(reading, query_params={CASE: case_id})

    worklist = st.Page(
        partial(show_worklist, desk, go), title="Worklist", url_path="worklist", default=True
    )
    reading = st.Page(partial(show_reading, desk, go), title="Reading", url_path="read")
    critical = st.Page(
        partial(show_critical, desk, go), title="Critical results", url_path="critical"
    )
    others = (
        (("case",), "Teaching", show_teaching),
        (("insight", "insight_of_all"), "Insight", show_insight),
        (("models",), "Models", show_models),
        (("history",), "Audit", show_audit),
    )
    return [
        worklist,
        reading,
        critical,
        *(
            st.Page(partial(show, desk), title=title, url_path=title.lower())
            for verbs, title, show in others
            if any(may(verb, desk.reader) for verb in verbs)
        ),
    ]


main()
