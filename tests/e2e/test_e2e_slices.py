"""Slices of a kept case: each file is verified when its slice is first opened, and a draft alone opens none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medmm import Assistant
from medmm.domain.errors import IntegrityError, StateError
from medmm.imaging.frame_cache import AHEAD_OF_READERS, CACHE
from medmm.presentation.slice_picture import slice_picture
from medmm.store import files
from tests.dicom_files import mr_file
from tests.quick_assistant import opened, quick_assistant

SLICES = 6


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    CACHE.reset()
    AHEAD_OF_READERS.reset()
    with quick_assistant(
        tmp_path / "data", frame_cache_bytes=1_000_000, writer="rules"
    ) as assistant:
        yield assistant
    AHEAD_OF_READERS.finish()


@pytest.fixture
def case_id(assistant: Assistant, tmp_path: Path) -> str:
    for n in range(SLICES):
        mr_file(tmp_path / "in", f"{n}.dcm", 5.0 * n)
    return opened(assistant, tmp_path / "in")


def test_the_bound_of_the_cache_is_a_setting(assistant: Assistant) -> None:
    assert CACHE.limit_bytes == assistant.settings.frame_cache_bytes == 1_000_000
    assert "frame_cache_bytes" not in assistant.settings.of_a_draft()


def test_a_look_reads_no_file_and_a_slice_reads_one(
    assistant: Assistant, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    original = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: read.append(path) or original(path))
    (volume,) = assistant.case(case_id).case.study.volumes
    assert read == []
    slice_picture(volume, 3)
    assert [path.name for path in read] == [volume.file_sha256s[3]]
    (again,) = assistant.case(case_id).case.study.volumes
    assert np.array_equal(again.frame(3), volume.pixels()[3])
    assert len(read) == SLICES  # each once, however often it is looked at


def test_a_file_that_was_altered_is_not_shown_and_the_others_are(
    assistant: Assistant, case_id: str
) -> None:
    (volume,) = assistant.case(case_id).case.study.volumes
    before = volume.frame(2)
    digest = volume.file_sha256s[2]
    path = assistant.settings.data_dir / "objects" / digest
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(IntegrityError, match="altered") as caught:
        volume.frame(2)
    assert caught.value.where["sha256"] == digest
    assert before.shape == volume.frame(3).shape
    with pytest.raises(IntegrityError, match="altered"):
        volume.signal()


def test_who_wants_the_draft_alone_gets_no_pixels(assistant: Assistant, case_id: str) -> None:
    file = assistant.case(case_id, pixels=False)
    (volume,) = file.case.study.volumes
    assert file == assistant.case(case_id)
    for opens in (lambda: volume.frame(0), volume.pixels, volume.signal):
        with pytest.raises(StateError, match="not attached"):
            opens()
