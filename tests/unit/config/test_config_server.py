"""The block `server:` of the settings: where a model server may stand, and that its key is shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmm.config import Settings, load_settings
from medmm.domain.errors import ConfigError

KEY = "sk-geheim-4711"
SERVER = "url: https://models.example/v1\n  hosts: [models.example]\n  model: m"


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def block(**changes: object) -> dict[str, object]:
    return {
        "url": "https://models.example/v1",
        "hosts": ("models.example",),
        "model": "m",
        **changes,
    }


def test_a_server_is_named_with_its_limits(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"writer: openai-compatible\nserver:\n  {SERVER}\n  budget_per_day: 7\n  timeout_s: 9\n",
    )
    server = load_settings(path).server.server()
    assert (server.host, server.model, server.api_key) == ("models.example", "m", None)
    assert (server.budget_per_day, server.total_s) == (7, 9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("writer: openai-compatible\n", "needs url, hosts and model"),
        ("writer: hugging-face\n", "needs writer_path"),
        ("server:\n  url: https://models.example/v1\n  model: m\n", "not among"),
        (
            "server:\n  url: http://models.example/v1\n  hosts: [models.example]\n",
            "this machine alone",
        ),
        ("server:\n  url: http://localhost:1/v1\n  hosts: [localhost]\n", "plain_http_on_loopback"),
        ("server:\n  budget_per_day: 0\n", "budget_per_day"),
        ("server:\n  timeout_s: 0\n", "timeout_s"),
        ("server:\n  redirects: true\n", "unknown setting 'server.redirects'"),
        (f"server:\n  {SERVER}\n  api_key: {KEY}\n", "a key stands in the settings file"),
    ],
)
def test_what_is_unsafe_or_missing_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(written(tmp_path, text))
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


def test_a_key_comes_from_the_environment_or_a_file_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, f"server:\n  {SERVER}\n  api_key_file: {tmp_path / 'key'}\n")
    with pytest.raises(ConfigError, match="key of the model server can't be read"):
        load_settings(path).server.server()
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert load_settings(path).server.server().api_key == KEY
    monkeypatch.setenv("MEDMM_SERVER__API_KEY", KEY)
    monkeypatch.setenv("MEDMM_SERVER__URL", "https://models.example/v1")
    monkeypatch.setenv("MEDMM_SERVER__HOSTS", '["models.example"]')
    monkeypatch.setenv("MEDMM_SERVER__MODEL", "m")
    made = load_settings(written(tmp_path, "writer: rules\n"))
    server = made.server.server()
    assert server.api_key == KEY
    for shown in (repr(made), made.model_dump_json(), repr(server), str(made.of_a_draft())):
        assert KEY not in shown


def test_an_outside_writer_counts_for_a_draft_only_where_it_writes() -> None:
    plain = Settings().of_a_draft()
    assert Settings(server=block(), writer_path=Path("/x")).of_a_draft() == plain
    asked = Settings(writer="openai-compatible", server=block()).of_a_draft()
    assert asked["server"] == {
        "url": "https://models.example/v1",
        "model": "m",
        "pictures_without_statement": False,
    }
    later = Settings(writer="openai-compatible", server=block(timeout_s=9, budget_per_day=1))
    assert later.of_a_draft() == asked
    assert Settings(writer="openai-compatible", server=block(model="n")).of_a_draft() != asked
