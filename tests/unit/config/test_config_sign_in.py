"""The block `sign_in:` of the settings: whole or refused, and its secret is shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmm.config import Settings, load_settings, safe_address
from medmm.domain.errors import ConfigError

SECRET = "geheim-4711"
WHOLE = """sign_in:
  metadata_url: https://idp.example/.well-known/openid-configuration
  client_id: medmm
  roles: {rad-attending: attending}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_without_it_nobody_signs_in() -> None:
    assert not Settings().sign_in.configured


def test_a_whole_block_has_safe_defaults(tmp_path: Path) -> None:
    entry = load_settings(written(tmp_path, WHOLE)).sign_in
    assert entry.configured
    assert (entry.reader_id_claim, entry.prompt, entry.ends_with_token) == ("sub", "login", True)
    assert (entry.idle_minutes, entry.session_minutes) == (15, 480)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sign_in: {metadata_url: 'https://idp.example/x'}\n", "needs client_id"),
        (WHOLE.replace("  client_id: medmm\n", ""), "needs client_id"),
        (WHOLE.replace("  roles: {rad-attending: attending}\n", ""), "and roles"),
        ("sign_in: {client_id: medmm}\n", "without metadata_url"),
        (WHOLE.replace("https:", "http:"), "no https address"),
        (WHOLE.replace("idp.example", "idp.example@evil.example"), "no https address"),
        (WHOLE.replace(": attending", ": surgeon"), "no role of persons: surgeon"),
        (WHOLE.replace(": attending", ": service"), "no role of persons: service"),
        (WHOLE + "  reader_id_claim: preferred_username\n", "people can change this claim"),
        (WHOLE + "  scope: profile\n", "openid is missing"),
        (WHOLE + "  idle_minutes: 0\n", "idle_minutes"),
        (WHOLE + "  session_minutes: 1441\n", "session_minutes"),
        (WHOLE + "  prompt: none\n", "prompt"),
        (WHOLE + "  max_age_minutes: 0\n", "max_age_minutes"),
        (WHOLE + "  redirect: x\n", "unknown setting 'sign_in.redirect'"),
        (WHOLE + f"  client_secret: {SECRET}\n", "a secret stands in the settings file"),
    ],
)
def test_what_is_unsafe_or_missing_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(written(tmp_path, text))
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_the_secret_comes_from_the_environment_or_a_file_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, WHOLE)
    with pytest.raises(ConfigError, match="MEDMM_SIGN_IN__CLIENT_SECRET"):
        load_settings(path).sign_in.secret()
    path = written(tmp_path, WHOLE + f"  client_secret_file: {tmp_path / 'secret'}\n")
    with pytest.raises(ConfigError, match="can't be read"):
        load_settings(path).sign_in.secret()
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        load_settings(path).sign_in.secret()
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert load_settings(path).sign_in.secret() == SECRET
    monkeypatch.setenv("MEDMM_SIGN_IN__CLIENT_SECRET", SECRET + "-2")
    made = load_settings(path)
    assert made.sign_in.secret() == SECRET + "-2"
    for shown in (repr(made), made.model_dump_json(), str(made.of_a_draft())):
        assert SECRET not in shown


def test_who_signs_in_decides_nothing_of_a_draft(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, WHOLE)).of_a_draft() == Settings().of_a_draft()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://idp.example/realms/x", True),
        ("http://localhost:9400/x", True),
        ("http://127.0.0.1:9400/x", True),
        ("http://[::1]:9400/x", True),
        ("http://localhost.evil.example/x", False),
        ("http://idp.example/x", False),
        ("https:///x", False),
        ("https://[::1", False),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
    ],
)
def test_an_address_is_encrypted_or_of_this_machine(url: str, safe: bool) -> None:
    assert safe_address(url) is safe
