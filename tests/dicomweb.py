"""A DICOMweb server of the tests on loopback: QIDO-RS and WADO-RS of given files, or what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydicom import dcmread

BOUNDARY = "b0"
Answer = Callable[["Handler"], bool]


@dataclass
class ToyServer:
    """What it has, what it was asked, and what it does in place of answering."""

    files: list[Path] = field(default_factory=list)
    misbehave: Answer = lambda handler: False
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def studies(self, query: dict[str, str], level: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for file in self.files:
            one = dcmread(file, stop_before_pixels=True)
            keys = {
                k: str(one.get(k, "")) for k in ("StudyInstanceUID", "PatientID", "AccessionNumber")
            }
            if any(query.get(k, value) != value for k, value in keys.items()):
                continue
            uid = one.StudyInstanceUID if level == "study" else one.SeriesInstanceUID
            made = found.setdefault(uid, {})
            made["0020000D"] = {"vr": "UI", "Value": [one.StudyInstanceUID]}
            made["00100020"] = {"vr": "LO", "Value": [keys["PatientID"]]}
            made["00080050"] = {"vr": "SH", "Value": [keys["AccessionNumber"]]}
            made["00081190"] = {"vr": "UR", "Value": ["http://198.51.100.1/elsewhere"]}
            number = "00201208" if level == "study" else "00201209"
            count = made.get(number, {"Value": [0]})["Value"][0] + 1
            made[number] = {"vr": "IS", "Value": [count]}
            if level == "series":
                made["0020000E"] = {"vr": "UI", "Value": [uid]}
        return list(found.values())


class Handler(BaseHTTPRequestHandler):
    toy: ToyServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        self.toy.asked.append((parts.path, query, dict(self.headers)))
        if self.toy.misbehave(self):
            return
        names = parts.path.strip("/").split("/")[1:]
        if len(names) == 4:
            wanted = [f for f in self.toy.files if dcmread(f).SeriesInstanceUID == names[3]]
            self.objects([file.read_bytes() for file in wanted])
        elif names[-1] == "series":
            self.page(self.toy.studies({"StudyInstanceUID": names[1]}, "series"), query)
        else:
            self.page(self.toy.studies(query, "study"), query)

    def page(self, found: list[dict[str, Any]], query: dict[str, str]) -> None:
        first = int(query.get("offset", 0))
        self.json(found[first : first + int(query.get("limit", 1000))])

    def json(self, found: Any) -> None:
        self.body(200, "application/dicom+json", json.dumps(found).encode())

    def body(self, status: int, kind: str, data: bytes, **fields: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def objects(self, contents: list[bytes], end: bool = True) -> None:
        data = b""
        for content in contents:
            data += (
                f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content
            )
        data += f"\r\n--{BOUNDARY}--\r\n".encode() if end else b""
        kind = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
        self.body(200, kind, data[2:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def dicomweb(*files: Path, **how: Any) -> Iterator[ToyServer]:
    """A server that has these files."""
    toy = ToyServer(list(files), **how)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (Handler,), {"toy": toy}))
    toy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield toy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
