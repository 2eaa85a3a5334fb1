"""The block `sources:` of the settings: where studies are fetched from, and that a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmm.config import DicomSource, DicomwebSource, FolderSource, Settings, load_settings
from medmm.domain.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_what_the_settings_say_of_sources(tmp_path: Path) -> None:
    text = """
sources:
  drop: {kind: folder, path: ~/drop}
  pacs: {kind: dicom, host: 192.0.2.20, plain: true, title: PACS, retrieve: move, move_to: MEDMM, site: North}
  web: {kind: dicomweb, url: "https://a.example/dicom-web", hosts: [a.example]}
"""
    sources = load_settings(written(tmp_path, text)).sources
    drop, pacs, web = (sources[name] for name in ("drop", "pacs", "web"))
    assert isinstance(drop, FolderSource)
    assert drop.path.is_absolute()
    assert isinstance(pacs, DicomSource)
    assert (pacs.port, pacs.calling, pacs.rule().site) == (104, "MEDMM", "North")
    assert isinstance(web, DicomwebSource)
    assert web.sign_in() is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {kind: ftp}", "sources.a"),
        ("a: {kind: folder}", "sources.a.folder.path"),
        ("a: {kind: folder, path: x, setle_seconds: 3}", "did you mean 'settle_seconds'?"),
        ("a: {kind: folder, path: x, afterwards: delete}", "sources.a.folder.afterwards"),
        ("a: {kind: dicom, host: x, plain: true, title: P, move_to: M}", "move_to go together"),
        ("a: {kind: dicom, host: x, title: P}", "needs tls"),
        ("a: {kind: dicom, host: x, title: 'A\\B'}", "no AE title"),
        ("a: {kind: dicom, host: x, title: P, tls: {key: k.pem}}", "a key its certificate"),
        (
            "a: {kind: dicomweb, url: 'https://a.example/x', hosts: [b.example]}",
            "not among `hosts`",
        ),
        ("a: {kind: dicomweb, url: 'https://a.example/x', user: u}", "go together"),
        (
            "a: {kind: dicomweb, url: 'https://a.example/x', user: u, password_file: p, token_file: t}",
            "one way to sign in",
        ),
        (
            "a: {kind: dicomweb, url: 'https://a.example/x', token: s3cret}",
            "unknown setting 'sources.a.token'",
        ),
        ("'a/../b': {kind: folder, path: x}", "sources"),
    ],
)
def test_a_wrong_source_is_named_and_no_value_shown(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(written(tmp_path, f"sources:\n  {text}\n"))
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_variable_that_is_no_json_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMM_SOURCES", "s3cret")
    with pytest.raises(ConfigError, match="sources: no JSON") as refused:
        load_settings(written(tmp_path, ""))
    assert "s3cret" not in str(refused.value)


def test_where_studies_come_from_is_no_part_of_a_draft() -> None:
    assert "sources" not in Settings().of_a_draft()


def test_every_key_of_a_source_is_in_the_docs() -> None:
    text = (ROOT / "docs/fetching.md").read_text(encoding="utf-8")
    for entry in (FolderSource, DicomSource, DicomwebSource):
        for key in entry.model_fields:
            assert f"`{key}`" in text or f"{key}:" in text, key
