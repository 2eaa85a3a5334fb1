"""Peers of the tests on loopback: Orthanc with its DICOMweb plugin, and dcmtk's storescp."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc; `user` with its password, where it asks for one."""

    dicom_port: int
    http_port: int
    user: tuple[str, str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb(self) -> str:
        return f"{self.url}/dicom-web"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=self.user, trust_env=False)

    def files(self) -> dict[str, bytes]:
        """Every object that it keeps, by SOP Instance UID."""
        with self.client() as client:
            kept = {}
            for one in client.get("/instances").json():
                uid = client.get(f"/instances/{one}").json()["MainDicomTags"]["SOPInstanceUID"]
                kept[uid] = client.get(f"/instances/{one}/file").content
            return kept

    def clear(self) -> None:
        with self.client() as client:
            for one in client.get("/studies").json():
                client.delete(f"/studies/{one}")


@contextmanager
def orthanc(folder: Path, **settings: Any) -> Iterator[Orthanc]:
    """Orthanc in a folder of its own; the test skips where it is not installed."""
    program = shutil.which("Orthanc")
    if program is None or not PLUGIN.exists():
        pytest.skip("Orthanc with its DICOMweb plugin is not installed")
    users = list(settings.get("RegisteredUsers", {}).items())
    one = Orthanc(free_port(), free_port(), users[0] if users else None)
    folder.mkdir(parents=True, exist_ok=True)
    said = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": one.http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": one.dicom_port,
        "DicomAet": "ORTHANC",
        "DicomAlwaysAllowStore": True,
        "StorageCompression": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **settings,
    }
    (folder / "orthanc.json").write_text(json.dumps(said), encoding="ascii")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [program, str(folder / "orthanc.json")],
            stdout=log,
            stderr=log,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        try:
            wait_for_port(one.http_port, server)
            wait_for_port(one.dicom_port, server)
            yield one
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[int]:
    """dcmtk's storescp writing into a folder; the test skips where it is not installed.

    Yields: its port.
    """
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("dcmtk is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server = subprocess.Popen(
        [program, "-aet", "PACS", "-od", str(folder), *options, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def wait_for_port(port: int, server: subprocess.Popen[bytes], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, f"ended with {server.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("it does not listen")
