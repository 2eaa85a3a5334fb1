"""A page of Streamlit with the viewer, and what it answered."""

import streamlit as st

from tests.ui.viewer_streamlit.server import SITE
from ui.viewer import show_viewer

st.session_state.setdefault("runs", 0)
st.session_state["runs"] += 1
st.button("Another run")
shown = "s1" if st.checkbox("Sentence") else None
if not st.checkbox("Away"):
    events = show_viewer(SITE.study(shown_statement=shown), key="viewer case-1", height_px=420)
    if events.region:
        st.session_state["region"] = events.region
    st.text(f"runs {st.session_state['runs']}")
    st.text(f"region {' '.join(st.session_state.get('region', ()))}")
    st.text(f"slice {events.place.slice if events.place else None}")
