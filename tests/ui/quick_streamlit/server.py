"""The reading room as `medmm ui` serves it, but for its networks: those of the tests, which load no torch."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

import ui
from medmm.assistant import Assistant
from medmm.config import load_settings
from tests.dicom_files import SAYS_FRONTAL
from tests.quick_assistant import READS, GivenNetworks


def quick(path: str | Path | None = None) -> Assistant:
    """An assistant of the settings whose reading model sees the same in every film."""
    settings = load_settings(path)
    networks = GivenNetworks(settings, reader=READS, picture_kinds=SAYS_FRONTAL)
    return Assistant(settings, networks=networks)


Assistant.from_config = quick  # type: ignore[method-assign, assignment]

from ui.server import SETTINGS, middleware, secrets_of_sign_in  # noqa: E402

app = st.App(
    Path(str(ui.__file__)).with_name("app.py"),
    secrets=secrets_of_sign_in(SETTINGS),
    middleware=middleware(SETTINGS),
)
