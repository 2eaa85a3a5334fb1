"""The list `destinations:` of the settings: what each gets, and that a wrong one is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from medmm import delivery
from medmm.config import FolderEntry, MllpEntry, Settings, load_settings
from medmm.config.destinations import KINDS, Destination, Form
from medmm.domain.errors import ConfigError
from medmm.domain.study import Modality

ROOT = Path(__file__).resolve().parents[3]


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_what_the_settings_say_of_destinations(tmp_path: Path) -> None:
    text = """
destinations:
  - {name: archive, kind: folder, path: /var/lib/reports, forms: [text, sr]}
  - name: ehr
    kind: mllp
    host: 192.0.2.30
    port: 2575
    plain: true
    rejected: refuse
    modalities: [DX]
    findings: [Pneumothorax]
    critical_first: true
    hl7: {retraction: D}
"""
    archive, ehr = load_settings(written(tmp_path, text)).destinations
    assert isinstance(archive, FolderEntry)
    assert archive.path == Path("/var/lib/reports")
    assert isinstance(ehr, MllpEntry)
    assert ehr.forms == ("oru",)
    assert (ehr.modalities, ehr.findings) == ((Modality.RADIOGRAPH,), ("Pneumothorax",))
    assert ehr.hl7 is not None
    assert ehr.hl7.retraction == "D"


def test_the_settings_in_the_docs_are_settings(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "delivering.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.S | re.M)
    destinations = load_settings(written(tmp_path, block)).destinations
    assert {one.kind for one in destinations} == set(KINDS), "the page shows one of each kind"


def test_the_settings_of_receivers_in_the_docs_are_settings(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "delivering-receivers.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.S | re.M)
    text = "destinations:\n" + "".join(blocks)
    kinds = [one.kind for one in load_settings(written(tmp_path, text)).destinations]
    assert kinds == ["dicom", "stow", "fhir"]


def test_without_settings_nothing_is_sent_anywhere() -> None:
    assert Settings().destinations == ()


def test_destinations_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"name": "a", "kind": "folder", "path": "/srv", "forms": ["text"]}
    monkeypatch.setenv("MEDMM_DESTINATIONS", json.dumps([one]))
    assert [one.name for one in Settings().destinations] == ["a"]
    monkeypatch.setenv("MEDMM_DESTINATIONS", "no JSON")
    with pytest.raises(ConfigError, match="destinations: no JSON") as error:
        load_settings()
    assert error.value.where["variable"] == "MEDMM_DESTINATIONS"


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("{name: a, kind: folder, forms: [text]}", "destinations.0.folder.path", 2),
        ("{name: a, kind: carrier-pigeon, forms: [text]}", "'folder', 'mllp'", 2),
        ("{name: a, forms: [text], path: /srv}", "destinations.0: Unable", 2),
        ("{name: a b, kind: folder, path: /srv, forms: [text]}", "folder.name", 2),
        ("{name: a, kind: folder, path: /srv, forms: []}", "folder.forms", 2),
        ("{name: a, kind: folder, path: /srv, forms: [word]}", "folder.forms.0", 2),
        (
            "{name: a, kind: folder, path: /srv, forms: [text], findings: [Bliss]}",
            "no findings of the vocabulary: Bliss",
            2,
        ),
        ("{name: a, kind: folder, path: /srv, forms: [text], folder: b}", "unknown setting", 2),
        ("{name: a, kind: mllp, host: ehr.example, port: 2575}", "needs tls; or plain: true", 2),
        ("{name: a, kind: mllp, host: 127.0.0.1, port: 2575, forms: [sr]}", "mllp.forms.0", 2),
        (
            "{name: a, kind: mllp, host: e, port: 1, tls: {certificate: c.pem}}",
            "a certificate needs its key",
            2,
        ),
        (
            "{name: a, kind: mllp, host: localhost, port: 1}\n  "
            "- {name: a, kind: mllp, host: localhost, port: 2}",
            "two destinations share a name",
            1,
        ),
    ],
)
def test_a_wrong_destination_is_named_with_its_line(
    text: str, said: str, line: int, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(written(tmp_path, f"destinations:\n  - {text}\n"))
    assert said in error.value.problem
    assert f"line {line}" in error.value.where["file"]


def test_an_unknown_key_is_told_beside_those_of_its_kind(tmp_path: Path) -> None:
    text = "destinations:\n  - {name: a, kind: mllp, host: localhost, prot: 1, port: 2}\n"
    with pytest.raises(ConfigError, match="did you mean 'port'"):
        load_settings(written(tmp_path, text))


def test_the_forms_are_those_that_reports_are_published_in() -> None:
    known = (*delivery.FORMATS, *delivery.DICOM_FORMS, *delivery.HL7_FORMS)
    assert get_args(Form) == known


def test_each_kind_is_in_the_table_and_in_the_union() -> None:
    union = get_args(get_args(Destination)[0])
    assert set(union) == set(KINDS.values())
    for name, kind in KINDS.items():
        assert get_args(kind.model_fields["kind"].annotation) == (name,)
