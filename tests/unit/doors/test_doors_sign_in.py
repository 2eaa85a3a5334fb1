"""`medmm ui` does not start where people are to sign in and can't."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from medmm.config import Settings
from medmm.domain.errors import ConfigError
from medmm.doors.cli.programs import refuse_lacking_sign_in
from tests.unit.web.sign_in_rules import entry


def test_a_demo_and_a_whole_sign_in_start() -> None:
    refuse_lacking_sign_in(Settings())
    refuse_lacking_sign_in(Settings(sign_in=entry()))


def test_a_lacking_secret_or_package_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="client secret"):
        refuse_lacking_sign_in(Settings(sign_in=entry(client_secret=None)))

    def found(name: str, *args: Any) -> None:
        assert name == "authlib"

    monkeypatch.setattr(importlib.util, "find_spec", found)
    with pytest.raises(ConfigError, match="Authlib") as refused:
        refuse_lacking_sign_in(Settings(sign_in=entry()))
    assert "medmm[sso]" in refused.value.remedy
