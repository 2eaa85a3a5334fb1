"""Orthanc sends a study by its DICOMweb plugin, and goes on by what each instance is answered."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from medmm.config import ListenEntry, ServeEntry
from tests.api import AUDIENCE, Issuer, listening_issuer
from tests.docs.dashboard_picture import free_port, wait_for
from tests.e2e.test_e2e_serve import serving_
from tests.listener import until
from tests.quick_assistant import quick_assistant
from tests.unit.doors.test_doors_http_stow import CT, STUDY, film

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with listening_issuer() as made:
        yield made


@contextmanager
def orthanc(folder: Path, address: tuple[str, int], token: str) -> Iterator[str]:
    """A running Orthanc that knows the API as a DICOMweb server, as long as it is needed."""
    program = shutil.which("Orthanc")
    if program is None or not PLUGIN.exists():
        pytest.skip("Orthanc with its DICOMweb plugin is not installed")
    port = free_port()
    medmm = {
        "Url": f"http://{address[0]}:{address[1]}/dicom-web/",
        "HttpHeaders": {"Authorization": f"Bearer {token}"},
    }
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomServerEnabled": False,
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Servers": {"medmm": medmm}},
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("w") as log:
        server = subprocess.Popen([program, str(config)], cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/system", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_orthanc_sends_a_study_to_its_end(tmp_path: Path, issuer: Issuer) -> None:
    settings: dict[str, Any] = {
        "sign_in": issuer.sign_in(),
        "serve": ServeEntry(audience=AUDIENCE, stow="admit"),
        "listen": ListenEntry(quiet_seconds=0.3, free_bytes=0),
    }
    token = issuer.token("technologist", "orthanc")
    films = [film(tmp_path, 1), film(tmp_path, 2, SOPClassUID=CT), film(tmp_path, 3)]
    with (
        quick_assistant(tmp_path / "data", **settings) as assistant,
        serving_(assistant) as server,
        orthanc(tmp_path, server.address, token) as pacs,
    ):
        ids = [httpx.post(f"{pacs}/instances", content=one).json()["ID"] for one in films]
        sent = httpx.post(
            f"{pacs}/dicom-web/servers/medmm/stow",
            json={"Resources": ids, "Synchronous": True},
            timeout=60,
        )
        assert sent.status_code == 200, sent.text + (tmp_path / "orthanc.log").read_text()[-3000:]
        until(lambda: [one for one in server.told if one["event"] == "admitted"], 30)
        assert [one.study_uid for one in assistant.cases()] == [STUDY]
    kept = [one for one in server.told if one["event"] == "stored"]
    assert sum(one["instances"] for one in kept) == 3
    admitted = next(one for one in server.told if one["event"] == "admitted")
    assert admitted["instances"] == 2  # the CT image is put aside
