"""`medmm watch`, `medmm fetch` and archives as a user's commands: processes, exit codes, and what they print."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dicom_files import film_file, mr_file
from tests.listener import events, until
from tests.pacs import pacs
from tests.warm_parent import WarmParent

MEDMM = """
import sys
from medmm.doors.cli import main
sys.argv = ["medmm", *sys.argv[1:]]
main()
"""


def config(folder: Path, **sources: Any) -> Path:
    path = folder / "settings.yaml"
    listen = {"quiet_seconds": 0.5, "free_bytes": 0}
    said = {"data_dir": str(folder / "data"), "listen": listen, "sources": sources}
    path.write_text(yaml.safe_dump(said))
    return path


def lines(said: str) -> list[tuple[str, dict[str, Any]]]:
    return [(one.pop("event"), one) for one in map(json.loads, said.splitlines())]


@pytest.fixture
def slices(tmp_path: Path) -> list[Path]:
    return [mr_file(tmp_path / "in", f"{n}.dcm", 5.0 * n, AccessionNumber="A1") for n in range(4)]


def test_a_watch_is_stopped_killed_and_started_again(
    tmp_path: Path, slices: list[Path], warm_parent: WarmParent
) -> None:
    drop = tmp_path / "drop"
    shutil.copytree(tmp_path / "in", drop / "mr")
    source = {"kind": "folder", "path": str(drop), "action": "admit"}
    settings = config(tmp_path, drop={**source, "settle_seconds": 0.3, "poll_seconds": 0.2})
    words = ("--config", settings, "watch", "--json")
    first = warm_parent.start(MEDMM, *words)
    until(lambda: list((tmp_path / "data/watched/studies").glob("*/*/*.dcm")), 30)
    os.kill(first, signal.SIGKILL)
    warm_parent.ended(first)
    second = warm_parent.start(MEDMM, *words)
    until(lambda: '"admitted"' in warm_parent.said(second), 30)
    os.kill(second, signal.SIGTERM)
    ended = warm_parent.ended(second)
    assert ended.code == 0
    told = lines(ended.said)
    assert sum(said["instances"] for said in events(told, "admitted")) == 4
    assert told[-1] == ("stopped", {"waiting": 0})
    assert len(list(drop.rglob("*.dcm"))) == 4


def test_a_fetch_lists_fetches_and_says_what_went_wrong(
    tmp_path: Path, slices: list[Path], warm_parent: WarmParent
) -> None:
    film = film_file(tmp_path, "film.dcm", PatientID="ZZ-2", StudyDate="20200304")
    with pacs(*slices, film) as toy:
        source = {"kind": "dicom", "host": "127.0.0.1", "title": "TOYPACS", "action": "admit"}
        settings = config(tmp_path, toy={**source, "port": toy.port, "answer_s": 10})
        fetch = ("--config", settings, "fetch", "toy")
        several = warm_parent.run(MEDMM, *fetch, "--patient", "ZZ-2", "--json")
        assert several.code == 3
        said = [line for line in several.said.splitlines() if line.startswith("{")]
        assert [one["modalities"] for _, one in lines("\n".join(said))] == [["MR"], ["CR"]]
        assert "none is fetched" in several.said
        got = warm_parent.run(MEDMM, *fetch, "--accession", "A1", "--json")
        assert (got.code, [event for event, _ in lines(got.said)]) == (0, ["fetched", "admitted"])
        nothing = warm_parent.run(MEDMM, *fetch, "--accession", "A2")
        assert (nothing.code, "no study matches" in nothing.said) == (3, True)
    gone = warm_parent.run(MEDMM, *fetch, "--accession", "A1")
    assert (gone.code, "can't be reached" in gone.said) == (7, True)
    unknown = warm_parent.run(MEDMM, "--config", settings, "fetch", "other", "--accession", "A1")
    assert (unknown.code, "known: toy" in unknown.said) == (3, True)


def test_an_archive_is_looked_at_by_a_command(
    tmp_path: Path, slices: list[Path], warm_parent: WarmParent
) -> None:
    archive = shutil.make_archive(str(tmp_path / "study"), "zip", tmp_path / "in")
    shown = ("--config", config(tmp_path), "study", "show")
    seen = warm_parent.run(MEDMM, *shown, archive, "--json")
    assert seen.code == 0
    assert json.loads(seen.said)["path"].endswith("study.zip")
    assert not list((tmp_path / "data/unpacked").iterdir())
    data = bytearray(Path(archive).read_bytes())
    data[data.rfind(b"PK\1\2") + 8] |= 1
    Path(archive).write_bytes(data)
    refused = warm_parent.run(MEDMM, *shown, archive)
    assert (refused.code, "encrypted" in refused.said) == (3, True)
    assert not list((tmp_path / "data/unpacked").iterdir())
