"""Every grey file of the DICOM corpus gives the same values to GDCM's own reader and to ours."""

from __future__ import annotations

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest

from medmm.imaging.dicom import gdcm
from tests.contract import second_reader

SHARDS = ("chest", "mr", "objects", "otherxray", "syntax", "wrong")
READABLE = ("ok", "ok_forced", "ok_or_clean_error")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_two_readers_agree_on_every_grey_file(shared_data: Path, tmp_path: Path) -> None:
    if not gdcm.installed():
        pytest.skip("the extra `codecs` is not installed")
    for shard in SHARDS:
        with tarfile.open(shared_data / "dicom" / f"{shard}.tar.xz") as archive:
            archive.extractall(tmp_path / shard, filter="data")
    with (shared_data / "dicom" / "manifest.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["expect_read"] in READABLE]
    agree, alone = 0, {"ours": set(), "gdcm": set()}
    for row in rows:
        one, other = (
            read(tmp_path / row["file"]) for read in (second_reader.ours, second_reader.gdcms)
        )
        if one is not None and other is not None:
            assert one.shape == other.shape, row["file"]
            lossy = row["TransferSyntaxUID"] in second_reader.LOSSY
            apart = np.abs(one.astype(np.int64) - other.astype(np.int64)).max()
            assert apart <= (second_reader.LOSSY_LEVELS if lossy else 0), row["file"]
            agree += 1
        elif one is not None or other is not None:
            alone["ours" if other is None else "gdcm"].add(row["file"])
    assert alone == {"ours": set(second_reader.ONLY_OURS), "gdcm": set(second_reader.ONLY_GDCM)}
    assert agree > 190
