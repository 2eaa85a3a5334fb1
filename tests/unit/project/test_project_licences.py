"""Proof S7: nothing under GPL, LGPL or AGPL is in the core installation."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement

COPYLEFT = re.compile(r"\b(A?GPL|LGPL|GNU (?:Lesser|Affero|General))", re.IGNORECASE)
# Name -> why the word in its metadata does not make it copyleft. Empty: nothing needs an argument today.
ARGUED: dict[str, str] = {}


def core() -> set[str]:
    """Every package that `pip install medmm` brings, without extras."""
    found: set[str] = set()
    waiting = ["medmm"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # of another platform or Python
        found.add(name)
        for text in requires:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(re.sub(r"[-_.]+", "-", requirement.name).lower())
    return found - {"medmm"}


def licence(name: str) -> str:
    """What a package's metadata say of its licence."""
    metadata = distribution(name).metadata
    classifiers = [c for c in metadata.get_all("Classifier") or [] if c.startswith("License")]
    stated = metadata.get("License-Expression") or (metadata.get("License") or "").split("\n")[0]
    return " | ".join([stated, *classifiers])


def test_the_core_is_what_it_should_be() -> None:
    names = core()
    assert {
        "torch",
        "monai",
        "pydicom",
        "fhir-resources",
        "streamlit",
        "sqlalchemy",
        "certifi",
    } <= names
    assert not {"psycopg", "pylibjpeg-libjpeg", "piper-tts"} & names


def test_nothing_in_the_core_is_copyleft() -> None:
    assert {
        name: licence(name)
        for name in core()
        if COPYLEFT.search(licence(name)) and name not in ARGUED
    } == {}


@pytest.mark.parametrize(
    "text", ["GPL-3.0", "LGPL-3.0-only", "GNU Affero General Public License", "AGPLv3"]
)
def test_a_copyleft_licence_would_be_noticed(text: str) -> None:
    assert COPYLEFT.search(text.replace("AGPLv3", "AGPL v3"))
