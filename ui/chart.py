"""The patient's record and earlier studies, one key away from the image."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from medmm.domain.record import ClinicalContext, Quantity
from medmm.presentation.reading_words import Trend, trend, trend_words
from ui import presenter
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import inert

MOST_TRENDS = 12
COLOURS, SHAPES = ["#9fb4c0", "#f0a35e"], ["circle", "diamond"]


def show_record(case: OpenCase) -> None:
    """Show the facts that were known when the image was made, and the course of the numbers."""
    context = case.file.case.context
    rows = presenter.fact_rows(context)
    if context is None or not rows:
        st.caption("No record was admitted with this study.")
        return
    st.markdown("##### Record as of the image")
    courses = trends(context)
    if courses:
        named = {one.label: one for one in courses}
        label = st.selectbox(
            "Course of", list(named), key=f"trend {case.id}", format_func=presenter.one_line
        )
        show_trend(named[label])
    sought = st.text_input(
        "Find in the record",
        key=f"find {case.id}",
        placeholder="Find in the record",
        label_visibility="collapsed",
    )
    found = presenter.rows_with(rows, sought)
    if found:
        st.table([{name: inert(value) for name, value in row.items()} for row in found])
    else:
        st.caption("Nothing in the record has these words.")


def trends(context: ClinicalContext) -> tuple[Trend, ...]:
    """List the courses of numbers that have two values or more, those of most values first."""
    labels = dict.fromkeys(f.label for f in context.facts if isinstance(f.value, Quantity))
    found = (trend(context.facts, label) for label in labels)
    courses = [one for one in found if one is not None and len(one.points) > 1]
    return tuple(sorted(courses, key=lambda one: -len(one.points))[:MOST_TRENDS])


def show_trend(course: Trend) -> None:
    """Draw the course of one value, and say it in words."""
    frame = pd.DataFrame(
        {
            "when": pd.to_datetime([_iso(point.when.isoformat()) for point in course.points]),
            "value": [point.value for point in course.points],
            "outside": [point.outside for point in course.points],
        }
    )
    st.altair_chart(trend_chart(frame, course.unit), theme=None)
    st.caption(inert(trend_words(course)))


def trend_chart(frame: pd.DataFrame, unit: str) -> alt.LayerChart:
    """Draw values over time; one outside its range has another colour and another shape."""
    base = alt.Chart(frame).encode(
        x=alt.X("when:T", title=None),
        y=alt.Y("value:Q", title=unit or None, scale=alt.Scale(zero=False)),
    )
    outside = [False, True]
    dots = base.mark_point(filled=True, size=70).encode(
        color=alt.Color("outside:N", scale=alt.Scale(domain=outside, range=COLOURS), legend=None),
        shape=alt.Shape("outside:N", scale=alt.Scale(domain=outside, range=SHAPES), legend=None),
    )
    return (base.mark_line(color="#5d727d") + dots).properties(height=150)


def _iso(text: str) -> str:
    """Take the day and the time of day as they are stated, without a zone."""
    return text[:19]


def show_earlier(desk: Desk, case: OpenCase) -> None:
    """Show the earlier studies of this patient, the report of one, and offer its images."""
    priors = case.file.case.priors
    if not priors:
        st.caption("No earlier study of this patient is here.")
        return
    st.markdown(f"##### Earlier studies ({len(priors)})")
    for number, (prior, line) in enumerate(
        zip(priors, presenter.prior_lines(case.file), strict=True)
    ):
        st.markdown(inert(line))
        with st.container(horizontal=True, gap="small"):
            if prior.report_id:
                st.button(
                    "Report",
                    key=f"prior report {number} {case.id}",
                    on_click=show_of,
                    args=("prior_report", prior.report_id),
                )
            if prior.case_id:
                st.button(
                    "Images beside",
                    key=f"prior images {number} {case.id}",
                    on_click=show_of,
                    args=("beside", prior.case_id),
                )
    newest = next((prior.report_id for prior in priors if prior.report_id), None)
    if report_id := st.session_state.get("prior_report", newest):
        show_prior_report(desk, report_id)


def show_of(name: str, chosen: str) -> None:
    """Choose the earlier report, or the earlier case whose images stand beside."""
    st.session_state[name] = chosen


def show_prior_report(desk: Desk, report_id: str) -> None:
    """Show an earlier report; a look at it leaves an entry."""
    kept = st.session_state.get("prior_text")
    if kept is None or kept[0] != report_id:
        text = desk.assistant.render(report_id, format="text", by=desk.reader)
        kept = st.session_state["prior_text"] = (report_id, text)
    st.code(kept[1], language=None, wrap_lines=True)


def show_history(desk: Desk, case: OpenCase) -> None:
    """Show what happened to the case; opening it is a look that leaves an entry itself."""
    if "events" not in st.session_state:
        history = desk.assistant.history(case.id, by=desk.reader)
        st.session_state["events"] = presenter.history_rows(history)
    st.button(
        "Read again", key=f"events {case.id}", on_click=st.session_state.pop, args=("events", None)
    )
    rows: list[dict[str, str]] = st.session_state["events"]
    with st.container(key="history"):
        st.table([{name: inert(value) for name, value in row.items()} for row in rows])
