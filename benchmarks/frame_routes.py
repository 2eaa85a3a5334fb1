"""Frames as a browser gets them: from one process over HTTP, first and warm.

`python benchmarks/frame_routes.py` prints milliseconds. A film of 2000 x 2500, plain and in JPEG
2000, and an MR series of 200 slices of 512 x 512 are kept, and a server process serves them on
loopback, behind the middleware of the dashboard. *First* is the first frame that the process gives
of a case that it has not opened, from the request to the last byte: the case is opened, the file
is verified, decoded and sent. *Warm* frames have been decoded (server and transport alone), and
each step goes on by one slice as a reader does; *known* is a frame that the browser has already;
*health* is the health check while frames are decoded. *CPU* is what the server process took, which
says more where other work shares the machine. A target that is missed makes the command fail.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import data_store
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import ComputedRadiographyImageStorage, JPEG2000Lossless, MRImageStorage
from slice_steps import header

from medmm import Assistant
from medmm.config import Settings
from medmm.web.browser_cookie import COOKIE
from medmm.web.frame_links import CaseLinks, LinkSigner

BROWSER = "b" * 43
PARTS = {"film": "film", "film in JPEG 2000": "coded", "slice": "head"}
ROWS, COLUMNS = 2500, 2000
TARGETS_MS = {
    "film warm p95": 20.0,
    "slice warm p95": 20.0,
    "film first": 1000.0,
    "slice first": 2500.0,
}
SERVER = """
import sys, time
import uvicorn
from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.web.browser_cookie import BrowserCookie
from medmm.web.frame_routes import RoutesFirst, frame_routes
from medmm.web.opened_cases import OpenedCases
from medmm.web.security_headers import SecurityHeaders, security_headers
from pathlib import Path
reader = ReaderEntry(id="reader-1", name="ZZREADER One", role="reader")
settings = Settings(data_dir=Path(sys.argv[1]), threads=1, writer="rules", readers=(reader,))
opened = OpenedCases(Assistant(settings), time.time)
async def nothing(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
routes = RoutesFirst(nothing, frame_routes(lambda: opened))
app = SecurityHeaders(BrowserCookie(routes), security_headers())
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


def pictures(slices: int, rows: int, columns: int) -> NDArray[np.uint16]:
    """Make pictures with structure and noise, 12 bits."""
    down, along = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    inside = np.hypot(down / 0.9, along / 0.75) < 1
    noise = np.random.default_rng(1).normal(0, 12, (rows, columns))
    waves = [np.sin(9 * down + z / 9) * np.cos(7 * along) for z in range(slices)]
    return np.stack(
        [np.clip(80 + inside * (1500 + 700 * wave) + noise, 0, 4095) for wave in waves]
    ).astype(np.uint16)


def chest() -> NDArray[np.uint16]:
    """Bring a packaged chest film to the size that is asked for: the gate looks at pixels too."""
    path = Path(data_store.__file__).parent / "data" / "RG1_UNCR.dcm"
    film = dcmread(path).pixel_array.astype(np.uint16) >> 3  # of 15 bits 12
    down, along = (np.arange(n) * m // n for n, m in zip((ROWS, COLUMNS), film.shape, strict=True))
    return film[down][:, along]


def write_studies(folder: Path, slices: int) -> None:
    """Write a chest film and a head of nobody."""
    film = header(ComputedRadiographyImageStorage, "6")
    film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", "CHEST", "PA"
    film.PatientOrientation, film.PixelSpacing = ["L", "F"], [0.15, 0.15]
    film.Rows, film.Columns = ROWS, COLUMNS
    film.PhotometricInterpretation = "MONOCHROME1"
    del film.WindowCenter, film.WindowWidth
    save(film, chest(), folder / "film" / "film.dcm")
    film.StudyInstanceUID, film.SOPInstanceUID = "1.2.3.7.1", "1.2.3.7.3"
    save(film, chest(), folder / "coded" / "film.dcm", JPEG2000Lossless)
    for z, picture in enumerate(pictures(slices, 512, 512)):
        one = header(MRImageStorage, "8")
        one.Rows = one.Columns = 512
        one.ImageOrientationPatient, one.ImagePositionPatient = (
            [1, 0, 0, 0, 1, 0],
            [-100, -120, z - 80],
        )
        one.PixelSpacing, one.SliceThickness, one.InstanceNumber = [0.45, 0.45], 1, z + 1
        save(one, picture, folder / "head" / f"{z:03d}.dcm")


def save(made: object, pixels: NDArray[np.uint16], path: Path, syntax: str | None = None) -> None:
    """Save an image, compressed if a syntax is named."""
    made.PixelData = pixels.tobytes()  # type: ignore[attr-defined]
    made["PixelData"].VR = "OW"  # type: ignore[index]
    if syntax:
        made.compress(syntax, generate_instance_uid=False)  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)  # type: ignore[attr-defined]


class Served:
    """A server process over a data folder."""

    def __init__(self, data: Path, port: int) -> None:
        self._port = port
        self._process = subprocess.Popen([sys.executable, "-c", SERVER, str(data), str(port)])
        while self._process.poll() is None:
            try:
                self.get("/health")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the server did not start")

    def get(self, path: str, **headers: str) -> tuple[int, float, dict[str, str], int]:
        """Ask once; return status, seconds, headers and bytes."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        begin = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": f"{COOKIE}={BROWSER}", **headers})
        answer = connection.getresponse()
        size = len(answer.read())
        seconds = time.perf_counter() - begin
        connection.close()
        return answer.status, seconds, dict(answer.getheaders()), size

    def cpu_ms(self) -> float:
        """Return the CPU time that the process has taken."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--port", type=int, default=18_573)
    options = parser.parse_args()
    taken: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_studies(folder, options.slices)
        paths = addresses(folder)
        for name in PARTS:
            server = Served(folder / "data", options.port)
            try:
                measure(name, paths[name], server, options, taken)
            finally:
                server.close()
    missed = False
    for name, value in taken.items():
        target = TARGETS_MS.get(name)
        missed |= target is not None and value > target
        print(f"{name}: {value:.1f} ms" + (f" (target {target:.0f})" if target else ""))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(missed)


def addresses(folder: Path) -> dict[str, Callable[[int], str]]:
    """Keep the studies and make the links of both, by the number of the slice."""
    settings = Settings(data_dir=folder / "data", threads=1, writer="rules")
    found: dict[str, Callable[[int], str]] = {}
    with Assistant(settings) as assistant:
        signer = LinkSigner.of_folder(settings.data_dir, time.time)
        for name, part in PARTS.items():
            study = assistant.admit(folder / part)
            case = assistant.open_case(study.uid).id  # type: ignore[union-attr]
            links = CaseLinks(signer=signer, reader="reader-1", case=case, cookie=BROWSER)
            url = links.frames(study.volumes[0].sha256)  # type: ignore[union-attr]
            found[name] = lambda index, url=url: url.format(index=index)  # type: ignore[misc]
    return found


def measure(
    name: str,
    path: Callable[[int], str],
    server: Served,
    options: argparse.Namespace,
    taken: dict[str, float],
) -> None:
    """Measure one study against a process that has opened nothing."""
    count = options.slices if name == "slice" else 1
    before = server.cpu_ms()
    status, seconds, headers, _ = server.get(path(count // 2))
    if status != 200:
        raise SystemExit(f"{name}: {status} {json.dumps(headers)}")
    taken[f"{name} first"] = 1000 * seconds
    taken[f"{name} first, CPU"] = server.cpu_ms() - before
    places = [(count // 2 + n) % count for n in range(options.repeats)]
    steps = [server.get(path(place))[1] for place in places]
    if name == "slice":
        taken["slice step, decoded meanwhile p95"] = 1000 * statistics.quantiles(steps, n=20)[-1]
    before = server.cpu_ms()
    warm = [server.get(path(place))[1] for place in places]
    taken[f"{name} warm, CPU"] = (server.cpu_ms() - before) / len(warm)
    taken[f"{name} warm median"] = 1000 * statistics.median(warm)
    taken[f"{name} warm p95"] = 1000 * statistics.quantiles(warm, n=20)[-1]
    known = [
        server.get(path(places[0]), **{"If-None-Match": server.get(path(places[0]))[2]["etag"]})[1]
        for _ in range(20)
    ]
    taken[f"{name} known median"] = 1000 * statistics.median(known)
    if name == "slice":
        taken["health while decoding, largest"] = 1000 * health_meanwhile(path, server, count)


def health_meanwhile(path: Callable[[int], str], server: Served, count: int) -> float:
    """Ask for the health check while other frames are decoded; return the longest, in seconds."""
    threads = [
        threading.Thread(
            target=lambda n=n: [server.get(path(place)) for place in range(n, count, 8)]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    longest = 0.0
    while any(thread.is_alive() for thread in threads):
        longest = max(longest, server.get("/health")[1])
    return longest


if __name__ == "__main__":
    sys.exit(main())
