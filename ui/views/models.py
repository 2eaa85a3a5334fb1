"""The models page: what reads and words here, how it stands, and what rests on it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from medmm.domain.model_card import ModelCard
from medmm.domain.recall import RecallList
from medmm.domain.roles import may
from medmm.domain.study_inspection import ModelRow
from medmm.presentation import recall_words
from medmm.presentation.csv_text import shown_rows
from ui import models_view
from ui.actions import told
from ui.desk import Desk
from ui.models_here import models_here
from ui.presenter import inert, one_line

RECALLED = "recalled"  # of the session: for whom, what was asked for, the list


def show_models(desk: Desk) -> None:
    """Show the networks and writers of this installation."""
    st.markdown("### Models")
    with told():
        rows = models_here(desk)
        st.dataframe(
            shown_rows(models_view.model_rows(rows)), hide_index=True, width="stretch", key="models"
        )
        settings = desk.assistant.settings
        st.caption(
            inert(
                f"Drafts are worded by the writer {settings.writer}; its language model is "
                f"{settings.language_model}. What spoke in a draft stands under that draft."
            )
        )
        if not rows:
            st.info("No network is in the catalogue of this installation.")
            return
        named = {row.name: row for row in rows}
        name = st.selectbox("Model", list(named), format_func=one_line, key="model")
        show_model(desk, named[name])
        show_recall(desk, named[name])


def show_model(desk: Desk, row: ModelRow) -> None:
    """Show one network: version, terms, what it was measured to do, its card."""
    st.markdown(f"##### {inert(row.name)}")
    st.markdown(inert(f"Version {row.manifest_sha256}"))
    st.markdown(inert(f"Terms: {row.licence}"))
    if row.state != "ready":
        st.warning(inert(f"{row.state}. {row.remedy}".strip()))
        return
    card = desk.assistant.model_card(row.name, by=desk.reader)
    for line in models_view.acceptance_lines(card):
        st.markdown(inert(line))
    show_drift(desk, card)
    with st.expander("Model card"):
        if card.card is None:
            st.caption(
                "It ships no card: ask its authors what it was learned from and measured on."
            )
        else:  # another's words: no Markdown is made of them
            st.code(card.card, language=None, wrap_lines=True)


def show_drift(desk: Desk, card: ModelCard) -> None:
    """Compare later studies with those of the acceptance, when asked: it reads them all."""
    name = card.row.name
    if card.row.duty is None or not may("watch_model", desk.reader):
        return
    if card.shipped is None and not card.accepted_here:
        st.caption("Drift can be told once it was measured and accepted here.")
        return
    if st.button("Compare studies of now with its acceptance", key=f"drift {name}"):
        with told(), st.spinner("Comparing …"):
            report = desk.assistant.watch_model(name, by=desk.reader)
            told_nothing = models_view.too_few(report) == len(report.rows)
            shown = st.warning if report.drifted else st.info if told_nothing else st.success
            shown(inert(models_view.drift_summary(report)))
            st.dataframe(
                shown_rows(models_view.drift_rows(report)), hide_index=True, width="stretch"
            )


def show_recall(desk: Desk, row: ModelRow) -> None:
    """List what was drafted by a version, this one or one that is gone."""
    if not may("recall_list", desk.reader):
        return
    st.markdown("##### What rests on a version")
    with st.form(f"recall {row.name}", border=False):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        version = left.text_input(
            "Version: its digest, or the first 8 digits of it", row.manifest_sha256
        )
        if right.form_submit_button("List the cases", width="stretch"):
            with told(), st.spinner("Going through every draft …"):
                found = desk.assistant.recall_list(row.name, version.strip(), by=desk.reader)
                st.session_state[RECALLED] = ((desk.reader.id, row.name), found)
    kept = st.session_state.get(RECALLED)
    if kept is not None and kept[0] == (desk.reader.id, row.name):
        show_recalled(kept[1])


def show_recalled(found: RecallList) -> None:
    """Show a recall list, and offer it as a file: whoever may ask for it may take it along."""
    st.markdown(inert(recall_words.recall_summary(found)))
    if found.cases:
        st.dataframe(shown_rows(recall_words.recall_rows(found)), hide_index=True, width="stretch")
    st.caption(inert(recall_words.OUT_OF_SIGHT))
    st.download_button(
        "The list as CSV",
        data=partial(recall_words.recall_csv, found),
        file_name="recall.csv",
        mime="text/csv",
        key="recall csv",
        icon=":material/download:",
        on_click="ignore",
    )
