"""Folders as people have them: what changed is done again, and a flat heap gives the same studies as its folders."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.errors import InputError
from medmm.domain.study import NotEvaluable, Study
from medmm.imaging import Intake, read_studies
from pipelines import batch
from tests.dicom_files import SAYS_FRONTAL
from tests.quick_assistant import quick_assistant
from tests.shared_faults import generated

FOLDERS = ("mr/ge_pd", "mr/t1w_3t", "wrong/bad_series", "wrong/dup_exact", "wrong/mixed_patients")


def run(
    data: Path, folder: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, dict[str, Any]]:
    with quick_assistant(data) as assistant:
        batch.run(assistant, folder / "studies", out, folder / "records", as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line["name"]: line for line in lines}


def test_changed_input_is_done_again(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data, out = tmp_path / "in", tmp_path / "data", tmp_path / "out"
    generated(shared_data, "batch_changed", folder)
    first = run(data, folder, out, capsys)
    assert [line["outcome"] for line in first.values()] == ["done", "done"]
    assert all(line["skipped"] for line in run(data, folder, out, capsys).values())
    generated(shared_data, "batch_changed", folder, "--change")
    second = run(data, folder, out, capsys)
    assert not any(line["skipped"] for line in second.values())
    assert second["a"]["study"] == first["a"]["study"]
    assert second["a"]["case"] != first["a"]["case"]
    assert second["b"]["study"] != first["b"]["study"]
    assert f"Changed since {first['a']['case']}: record." in second["a"]["notes"]
    with quick_assistant(data) as assistant:
        context = assistant.case(second["a"]["case"]).case.context
        assert context is not None
        assert {"Pneumonia"} == {fact.label for fact in context.facts} & {
            "Pneumonia",
            "Lung cancer",
        }
        states = {case.case_id: case.state.value for case in assistant.cases()}
    assert states[first["a"]["case"]] == "superseded"
    assert states[first["b"]["case"]] == "drafted"  # another study, which nothing has changed
    kept = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert sorted(line["name"] for line in kept) == ["a", "b"]
    assert all(line["skipped"] for line in run(data, folder, out, capsys).values())


def unpacked(archive: Path, into: Path) -> Path:
    if not archive.is_file():
        pytest.skip(f"the shared data hold no {archive.name}")
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
    return into


def heap_of(folder: Path, heap: Path) -> Path:
    """Every file of a tree in one folder, under a number that tells nothing, the last first."""
    heap.mkdir()
    for number, path in enumerate(
        sorted((p for p in folder.rglob("*") if p.is_file()), reverse=True)
    ):
        shutil.copy(path, heap / f"{number:05}")
    return heap


def outcomes(intakes: list[Intake]) -> dict[object, object]:
    """What became of each study, and of each content that belongs to none; without the names of files."""
    found: dict[object, object] = {}
    for intake in intakes:
        outcome = intake.outcome
        if isinstance(outcome, NotEvaluable):  # a reason may name files
            outcome = replace(outcome, reason=outcome.reason.split(":")[0])
        digests = tuple(sorted({file.sha256 for file in intake.files}))
        if isinstance(outcome, InputError):
            found[digests or intake.path.read_bytes()] = type(outcome)
        else:
            found[outcome.uid, digests] = outcome
    return found


def read(path: Path) -> list[Intake]:
    return list(read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL))


def test_a_flat_heap_of_the_brain_study_gives_the_same_study(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = unpacked(shared_data / "mri" / "dicom_brain_study.tar.xz", tmp_path / "brain")
    as_folders, as_heap = outcomes(read(folder)), outcomes(read(heap_of(folder, tmp_path / "heap")))
    assert as_folders == as_heap
    assert any(isinstance(outcome, Study) for outcome in as_heap.values())


@pytest.mark.parametrize(
    "shard", ["chest", "otherxray", "mr", pytest.param("objects", marks=pytest.mark.slow)]
)
def test_a_flat_heap_of_the_corpus_gives_the_same_studies(
    shared_data: Path, tmp_path: Path, shard: str
) -> None:
    folder = unpacked(shared_data / "dicom" / f"{shard}.tar.xz", tmp_path / shard)
    as_folders, as_heap = outcomes(read(folder)), outcomes(read(heap_of(folder, tmp_path / "heap")))
    assert as_folders == as_heap
    assert len(as_heap) > 3


@pytest.mark.parametrize("name", FOLDERS)
def test_a_heap_of_many_holds_what_a_folder_alone_holds(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    shard = name.split("/")[0]
    whole = unpacked(shared_data / "dicom" / f"{shard}.tar.xz", tmp_path / shard)
    folder = whole / Path(name).name
    if not folder.is_dir():
        pytest.skip(f"the shared data hold no {name}")
    alone = outcomes(read(folder))
    other = tmp_path / "others"
    for one in FOLDERS:
        if one.startswith(shard) and (whole / Path(one).name).is_dir() and one != "wrong/dup_exact":
            shutil.copytree(whole / Path(one).name, other / Path(one).name, dirs_exist_ok=True)
    shutil.copytree(folder, other / folder.name, dirs_exist_ok=True)
    for key, outcome in alone.items():
        assert outcomes(read(heap_of(other, tmp_path / "heap"))).get(key) == outcome
        shutil.rmtree(tmp_path / "heap")
