"""The insight page: how drafts were taken, with intervals, and what the figures can't say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import streamlit as st

from medmm.domain.insight import Group, Insight, InsightFilter
from medmm.domain.roles import may
from medmm.domain.study import Modality
from medmm.presentation import insight_words as words
from medmm.presentation.csv_text import shown_rows
from ui import insight_view
from ui.actions import told
from ui.desk import Desk
from ui.insight_charts import interval_chart
from ui.insight_view import Row
from ui.models_here import models_here
from ui.presenter import inert, one_line

FOUND = "insight"  # of the session: for whom, what was asked for, the figures
ANY = ""  # no model, reader or modality is named so


def show_insight(desk: Desk) -> None:
    """Show how readers took drafts in a period."""
    st.markdown("### How drafts were taken")
    with told():
        asked = chosen(desk)
        found = figures(desk, asked)
        readers = {one.id: one.name for one in desk.assistant.readers()}
        st.markdown(inert(f"{words.asked_words(found.asked)}: {words.population_words(found)}"))
        st.caption(inert(words.LIMITS))
        if not found.cases:
            st.info(
                "No case that was asked for is signed. Choose a longer period, or leave site, "
                "model, reader and modality open."
            )
            return
        show_headlines(found)
        show_answers(found, readers)
        left, right = st.columns(2, gap="medium")
        with left:
            show_burden(found)
        with right:
            show_times(found)
        show_gaps(found)
        show_influence(found)
        show_export(desk, asked)


def chosen(desk: Desk) -> InsightFilter:
    """Ask for period, site, model, reader and modality."""
    with st.form("insight asked", border=False):
        row = st.columns(6, vertical_alignment="bottom")
        period = row[0].selectbox("Signed", list(insight_view.PERIODS), index=1)
        site = row[1].text_input("Site", placeholder="any", help="As the settings name it.")
        models = [one.name for one in models_here(desk) if one.declares]
        model = row[2].selectbox(
            "Model", [ANY, *dict.fromkeys(models)], format_func=lambda one: one_line(one) or "any"
        )
        names = {reader.id: reader.name for reader in desk.assistant.readers()}
        of_all = may("insight_of_all", desk.reader)
        who = row[3].selectbox(
            "Reader",
            [ANY, *names] if of_all else [desk.reader.id],
            format_func=lambda one: one_line(names.get(one or ANY, one or ANY)) or "everybody",
            disabled=not of_all,
            help=None if of_all else "Your role sees your own figures.",
        )
        modality = row[4].selectbox(
            "Modality",
            [ANY, *(one.value for one in Modality)],
            format_func=lambda one: one or "any",
        )
        row[5].form_submit_button("Show", width="stretch")
    return InsightFilter(
        since=insight_view.begins(period, datetime.now(UTC)),
        site=site.strip() or None,
        model=model or None,
        reader=who or None,
        modality=modality or None,
    )


def figures(desk: Desk, asked: InsightFilter) -> Insight:
    """Count, again only after something else was asked for: each look is an audit entry."""
    kept = st.session_state.get(FOUND)
    if kept is None or kept[0] != (desk.reader.id, asked):
        with st.spinner("Counting signed cases …"):
            of_all = may("insight_of_all", desk.reader)
            count = desk.assistant.insight_of_all if of_all else desk.assistant.insight
            found = count(asked, by=desk.reader)
        kept = st.session_state[FOUND] = ((desk.reader.id, asked), found)
    counted: Insight = kept[1]
    return counted


def show_headlines(found: Insight) -> None:
    """Show the figures that are asked for first, each with its interval under it."""
    heads = words.headlines(found)
    for column, head in zip(st.columns(len(heads)), heads, strict=True):
        with column:
            st.metric(head.label, head.value, help=head.says, border=True)
            st.caption(inert(head.interval))


def show_answers(found: Insight, readers: Mapping[str, str]) -> None:
    """Show how statements were taken by one group, as a plot and as a table."""
    st.markdown("##### Accepted, by")
    group = st.selectbox(
        "Accepted, by",
        insight_view.GROUPS,
        index=1,
        format_func=lambda one: one.value,
        key="insight group",
        label_visibility="collapsed",
    )
    rows = insight_view.answer_rows(found, group, readers)
    points = insight_view.share_points(found, group, readers)
    left, right = st.columns(2, gap="medium")
    with left:
        said = "; ".join(words.answers_words(found.of(group), readers))
        show_intervals(points, "accepted as they stood, %", (0, 100), said)
        if len(rows) > len(points):
            st.caption(f"The plot shows the {len(points)} largest; the table has all.")
    with right:
        st.dataframe(shown_rows(rows), hide_index=True, width="stretch", key="insight answers")
    if group is Group.READER:
        st.caption(
            "Readers see different cases: a difference between readers is no measure of either."
        )


def show_intervals(
    points: Sequence[dict[str, Any]],
    title: str,
    domain: tuple[float, float],
    said: str,
    *,
    zero: bool = False,
) -> None:
    """Draw a plot, with the same in words for whom it is none."""
    if points:
        chart = interval_chart(points, title, domain, zero=zero)
        st.altair_chart(chart, theme=None, alt=f"{title}: {said}")
    else:
        st.caption("Too few to draw.")


def show_burden(found: Insight) -> None:
    """Show what claims cost, why statements were rejected, and what drafts missed."""
    st.markdown("##### Alarms and edits")
    for line in insight_view.alarm_lines(found):
        st.markdown(inert(line))
    reasons, added = insight_view.count_rows(found)
    one, two = st.columns(2)
    with one:
        st.caption("Why statements were rejected")
        show_counts(reasons, "Nothing was rejected.")
    with two:
        st.caption("Findings that readers added and no draft claimed")
        show_counts(added, "Readers added nothing.")


def show_counts(rows: list[Row], none: str) -> None:
    """Show a table of counts, or that there is none."""
    if rows:
        st.dataframe(shown_rows(rows), hide_index=True, width="stretch")
    else:
        st.caption(none)


def show_times(found: Insight) -> None:
    """Show how long cases took, and what the log can't tell of it."""
    st.markdown("##### Time (median)")
    for one in found.times:
        st.markdown(inert(words.time_words(one)))
    st.caption(inert(words.PAUSES))


def show_gaps(found: Insight) -> None:
    """Show how claims of groups were taken beside all others."""
    st.markdown("##### Claims accepted: groups beside all others")
    if not found.gaps:
        st.caption("All claims are of one group, so there is nothing to compare.")
        return
    said = tuple(map(words.gap_words, found.gaps))
    left, right = st.columns(2, gap="medium")
    with left:
        points = insight_view.gap_points(found)
        title = "accepted beside all others, percentage points"
        show_intervals(points, title, (-100, 100), "; ".join(said), zero=True)
    with right:
        st.markdown("  \n".join(inert(line) for line in said))
    st.caption(inert(f"{words.FEW} {words.CHANCE}"))


def show_influence(found: Insight) -> None:
    """Show whether readers followed the draft against their own first read."""
    st.markdown("##### Did drafts lead readers?")
    for line in words.influence_words(found.influence):
        st.markdown(inert(line))


def show_export(desk: Desk, asked: InsightFilter) -> None:
    """Offer the figures as a file, to roles that may; the verb checks and logs it."""
    if may("export_insight", desk.reader):
        st.download_button(
            "All figures as CSV",
            data=partial(exported, desk, asked),
            file_name="insight.csv",
            mime="text/csv",
            key="insight csv",
            icon=":material/download:",
            on_click="ignore",
        )


def exported(desk: Desk, asked: InsightFilter) -> str:
    """Count once more, as an export."""
    return words.insight_csv(desk.assistant.export_insight(asked, by=desk.reader))
