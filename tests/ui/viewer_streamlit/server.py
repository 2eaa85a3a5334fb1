"""Streamlit's server with the viewer's page and the frames of a synthetic site."""

from pathlib import Path

import streamlit as st

from tests.ui.viewer_page import frame_routes
from tests.ui.viewer_sites import reading_site

SITE = reading_site()
app = st.App(Path(__file__).with_name("page.py"), routes=frame_routes(SITE))
