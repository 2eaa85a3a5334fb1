"""The block `listen:` of the settings: who may send, and that a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmm.config import Settings, load_settings
from medmm.domain.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_what_the_settings_say_of_listening(tmp_path: Path) -> None:
    text = """
listen:
  bind: 192.0.2.1
  titles:
    NORTH: {action: admit, site: Hospital North, instances: 2}
    MEDMM: {}
  callers: [{title: PACS, host: 192.0.2.7}, {title: "CT 1"}]
"""
    listen = load_settings(written(tmp_path, text)).listen
    assert (listen.port, listen.bind) == (11112, "192.0.2.1")
    assert listen.titles["NORTH"].site == "Hospital North"
    assert listen.titles["MEDMM"].action == "draft"
    assert [caller.host for caller in listen.callers] == ["192.0.2.7", None]


def test_without_settings_it_is_this_machine_alone_and_nobody() -> None:
    listen = Settings().listen
    assert (listen.bind, listen.port, listen.callers, listen.any_caller) == (
        "127.0.0.1",
        11112,
        (),
        False,
    )
    assert (listen.quiet_seconds, listen.force_seconds) == (60, 900)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port: 70000", "listen.port"),
        ("bind: everywhere", "listen.bind"),
        ("titles: {}", "listen.titles"),
        ("titles: {A_TITLE_OF_17_CHARS: {}}", "no AE title"),
        ("callers: [{title: 'A\\B'}]", "no AE title"),
        ("callers: [{title: PACS, host: pacs.example}]", "listen.callers"),
        ("titles: {MEDMM: {action: sign}}", "listen.titles.MEDMM.action"),
        ("force_seconds: 10", "force_seconds is less than quiet_seconds"),
        ("tls: {certificate: a.pem}", "listen.tls.key"),
        ("caller: []", "unknown setting 'listen.caller'"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(written(tmp_path, f"listen:\n  {text}\n"))
    assert said in str(refused.value)


def test_how_studies_come_in_is_no_part_of_a_draft() -> None:
    assert "listen" not in Settings().of_a_draft()
