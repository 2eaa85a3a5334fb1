"""`docs/hook-orthanc.md` is followed to the letter, with Orthanc of Debian: each file and command is the page's own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.dicom_files import film_file
from tests.hook_pages import HookPage
from tests.listener import until
from tests.orthanc import Orthanc, free_port, orthanc
from tests.warm_parent import WarmParent

pytestmark = pytest.mark.peers
STUDY = "1.2.3.1"
SR = "1.2.840.10008.5.1.4.1.1.88.34"
ONE, TWO, THREE = "1. Orthanc knows medmm", "2. medmm knows Orthanc", "3. Run"
FOUR, FIVE, SIX = "4. A study", "5. A reader signs", "6. An amendment"
FETCHED = "Fetched instead of sent"


@pytest.fixture
def page(tmp_path: Path, warm_parent: WarmParent) -> Iterator[HookPage]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    replaced = {
        "/etc/orthanc/": f"{tmp_path}/",
        "/etc/medmm/": f"{tmp_path}/",
        "/var/lib/medmm": f"{tmp_path}/data",
        "11112": str(free_port()),
        '"StableAge": 60': '"StableAge": 1',
        "quiet_seconds: 60 ": "quiet_seconds: 0.3\n  free_bytes: 0 ",
        "STUDY": STUDY,
    }
    made = HookPage("hook-orthanc.md", warm_parent, tmp_path, replaced)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def pacs(page: HookPage, tmp_path: Path) -> Iterator[Orthanc]:
    """Orthanc with the page's keys; beside them only where it listens and keeps its files."""
    page.file(ONE, "lua", tmp_path / "to-medmm.lua")
    keys = json.loads(page.file(ONE, "json", tmp_path / "keys.json").read_text())
    (tmp_path / "orthanc-password").write_text(f"{keys['RegisteredUsers']['medmm']}\n")
    with orthanc(tmp_path / "orthanc", **keys) as one:
        page.replaced |= {"8042": str(one.http_port), "4242": str(one.dicom_port)}
        yield one


def objects(pacs: Orthanc) -> dict[str, list[Dataset]]:
    """What it keeps, by modality."""
    found: dict[str, list[Dataset]] = {}
    for content in pacs.files().values():
        one = dcmread(BytesIO(content))
        found.setdefault(one.Modality, []).append(one)
    return found


def test_the_page_is_followed(page: HookPage, pacs: Orthanc, tmp_path: Path) -> None:
    film_file(tmp_path, AccessionNumber="ACC-1", StudyDate="20200304")
    settings = page.file(TWO, "yaml", tmp_path / "hospital.yaml")
    page.run(TWO, 0)
    assert "valid" in page.run(TWO, 1)

    page.run(THREE, 0)
    page.run(THREE, 1)
    until(lambda: "listening" in page.printed("listen"), 20)
    assert json.loads(page.run(THREE, 2)) == {}

    assert json.loads(page.run(FOUR, 0))["Status"] == "Success"
    until(lambda: "drafted" in page.printed("listen"), 30)
    (case,) = set(re.findall(r"case-\w+", page.run(FOUR, 1)))
    page.replaced["CASE"] = case
    assert "DRAFT, not signed" in page.run(FOUR, 2)

    assert "Signed: report-" in page.run(FIVE, 0)
    until(lambda: page.printed("deliver").count('"sent"') == 1, 30)
    assert "arrived, HTTP 200" in page.run(FIVE, 1)
    series = json.loads(page.run(FIVE, 2))
    modalities = sorted(one["00080060"]["Value"][0] for one in series)
    assert modalities == ["CR", "DOC", "KO", "SR"], "beside the image"
    (first,) = objects(pacs)["SR"]
    assert first.StudyInstanceUID == STUDY
    assert (first.VerificationFlag, first.CompletionFlag) == ("VERIFIED", "COMPLETE")

    assert "version 2" in page.run(SIX, 0)
    until(lambda: page.printed("deliver").count('"sent"') == 2, 30)
    assert "version 2" in page.run(SIX, 1)
    (second,) = [o for o in objects(pacs)["SR"] if o.SOPInstanceUID != first.SOPInstanceUID]
    named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    (uid,) = [one.ReferencedSOPInstanceUID for one in named.ReferencedSOPSequence]
    assert uid == first.SOPInstanceUID

    # What came back by the series rule: nothing but the film, once
    assert page.printed("listen").count('"admitted"') == 1
    assert "aside" not in page.printed("listen")
    assert page.stop() == {"listen": 0, "deliver": 0}

    by_association = yaml.safe_load(page.block("By C-STORE instead", "yaml"))
    settings.write_text(yaml.safe_dump(yaml.safe_load(settings.read_text()) | by_association))
    before = {one.SOPInstanceUID for one in objects(pacs)["KO"]}
    page.medmm("--by", "reader-1", "withdraw", case, "--reason", "Of another patient.")
    assert '"0000"' in page.medmm("deliver", "--once", "--json")
    (rejects,) = [one for one in objects(pacs)["KO"] if one.SOPInstanceUID not in before]
    assert rejects.ConceptNameCodeSequence[0].CodeValue == "113037", "rejected for patient safety"

    settings.write_text(settings.read_text().replace("/data\n", "/fetched\n"))
    page.run(FETCHED, 0)
    found = page.run(FOUR, 1)
    assert len(set(re.findall(r"case-\w+", found)) - {case}) == 1
    page.run(FETCHED, 1)
    assert page.run(FOUR, 1) == found, "once"
    assert page.left() == []
