"""Real files in many encodings, and files that are wrong on purpose: every one is decided, none by a crash."""

from __future__ import annotations

import csv
import hashlib
import tarfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.study import NotEvaluable, Study
from medmm.imaging import Intake, read_studies
from medmm.imaging.dicom.pixels import stored_values
from medmm.models import picture_kinds

FOLDERS = (
    "mr/ge_pd",
    "mr/t1w_3t",
    "wrong/bad_series",
    "wrong/dup_exact",
    "wrong/dup_sop",
    "wrong/mixed_patients",
)
# Where the gate differs from the collector's judgement, with the argument for it (docs/corpus.md prints it).
KNOWN = {
    "chest/konica_cr_pa_mono1_jpeg.dcm": (
        "hold",
        "no body part is stated, and by its pixels the film is mirrored: a person looks",
    ),
    "mr/acme_knee_moving_19f.dcm": (
        "hold",
        "no tag names the knee, and no network looks at MR: a person looks",
    ),
    "mr/philips_brain_no_meta": ("hold", "it states neither body part nor UIDs: a person looks"),
    "mr/philips_enh_fieldmap.dcm": ("accept", "a phantom that no tag names; its tags say brain"),
    "mr/philips_heart_cine_16f.dcm": (
        "hold",
        "no tag names the heart, and no network looks at MR: a person looks",
    ),
    "mr/siemens_xa10_enh_phantom.dcm": (
        "accept",
        "a phantom that no tag names; its tags say brain",
    ),
    "mr/t1w_3t": ("hold", "no body part is stated: a person looks"),
}


def rows(shared: Path) -> list[dict[str, str]]:
    with (shared / "dicom" / "manifest.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def unpacked(shared: Path, shard: str, into: Path) -> Path:
    with tarfile.open(shared / "dicom" / f"{shard}.tar.xz") as archive:
        archive.extractall(into / shard, filter="data")
    return into


@pytest.fixture(scope="module")
def chest(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(shared_data, "chest", tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def corpus(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for shard in ("chest", "mr", "objects", "otherxray", "syntax", "wrong"):
        unpacked(shared_data, shard, folder)
    return folder


def verdict(intakes: list[Intake]) -> str:
    (kind,) = {_word(intake) for intake in intakes}
    return kind


def _word(intake: Intake) -> str:
    if isinstance(intake.outcome, InputError):
        assert intake.outcome.remedy
        return "error"
    if isinstance(intake.outcome, NotEvaluable):
        return "hold" if intake.outcome.held else "refuse"
    assert isinstance(intake.outcome, Study)
    return "accept"


def decided(folder: Path, table: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    """For each file or folder of the manifest: what is expected and what came."""
    kinds = picture_kinds()
    expected: dict[str, str] = {}
    for row in table:
        unit = next((f for f in FOLDERS if row["file"].startswith(f + "/")), row["file"])
        expected[unit] = row["expect_gate"].split("_")[0]
    return {
        unit: (want, verdict(list(read_studies(folder / unit, patient_secret=b"x", kinds=kinds))))
        for unit, want in expected.items()
    }


def differing(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    agrees = {("refuse", "error"), *((word, word) for word in ("accept", "hold", "refuse"))}
    return {unit: pair[1] for unit, pair in found.items() if pair not in agrees}


def test_chest_films_are_accepted_and_read(shared_data: Path, chest: Path) -> None:
    table = [row for row in rows(shared_data) if row["file"].startswith("chest/")]
    found = decided(chest, table)
    assert len(found) == 14
    assert differing(found) == {
        unit: word for unit, (word, _) in KNOWN.items() if unit.startswith("chest/")
    }


def test_chest_films_decode_to_the_values_two_readers_agree_on(
    shared_data: Path, chest: Path
) -> None:
    table = [
        row for row in rows(shared_data) if row["file"].startswith("chest/") and row["pixel_sha256"]
    ]
    assert len(table) >= 13
    for row in table:
        values, _ = stored_values(chest / row["file"])
        digest = hashlib.sha256(np.ascontiguousarray(values[0]).tobytes()).hexdigest()
        assert digest == row["pixel_sha256"], row["file"]


@pytest.mark.slow
def test_the_whole_corpus_is_decided_as_known(shared_data: Path, corpus: Path) -> None:
    found = decided(corpus, rows(shared_data))
    assert len(found) > 200
    assert differing(found) == {unit: word for unit, (word, _) in KNOWN.items()}


@pytest.mark.slow
def test_what_must_fail_to_read_is_never_accepted(shared_data: Path, corpus: Path) -> None:
    broken = [row["file"] for row in rows(shared_data) if row["expect_read"] == "error"]
    assert len(broken) > 20
    for name in broken:
        (intake,) = read_studies(
            corpus / PurePosixPath(name), patient_secret=b"x", kinds=picture_kinds()
        )
        assert not isinstance(intake.outcome, Study), name
