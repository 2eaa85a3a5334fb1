"""C-STORE intake: `medmm listen` beside a bare pynetdicom receiver that writes raw files.

    python benchmarks/listen.py --instances 400 --associations 4

All receive the same MR instances of 0.5 MB, with `--mixed` every 20th a CR of 10 MB, from the same
senders (dcmtk's storescu), several associations at a time, on the same disk, each in a process of
its own. The bare one writes what `encoded_dataset()` gives to a file of its own and answers,
without flushing; medmm's flushes each object and its folder, finds its study and its like, and
keeps what a restart needs. With `--orthanc FILE` that program receives them too, with
`SyncStorageArea` and without other services.
Prints instances a second, the median of their ratios within each round, the receiver's CPU time for
each, and the growth of each process's memory above its start.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

MR, FILM = (512, 512), (2236, 2236)  # of 16 bits: 0.5 MB and 10 MB
CLASSES = (MRImageStorage, ComputedRadiographyImageStorage)
NODELAY = {**os.environ, "TCP_NODELAY": "1"}  # dcmtk, and so Orthanc, reads it


class Round(NamedTuple):
    """One receiver once: instances a second, milliseconds of CPU for each, and growth."""

    rate: float
    cpu_ms: float
    grown_mib: float


def write_instances(folder: Path, senders: int, each: int, *, mixed: bool) -> None:
    """Write each sender's series, one study each; if mixed, every 20th is a film of 10 MB."""
    random = np.random.default_rng(7)
    mr, film = (random.integers(0, 4096, shape, dtype=np.uint16) for shape in (MR, FILM))
    for sender in range(senders):
        place = folder / str(sender)
        place.mkdir(parents=True)
        for number in range(each):
            is_film = mixed and number % 20 == 10
            noise = film if is_film else mr
            made = Dataset()
            made.SOPClassUID = ComputedRadiographyImageStorage if is_film else MRImageStorage
            made.Modality = "CR" if is_film else "MR"
            made.SOPInstanceUID = f"1.2.3.{sender}.{number + 1}"
            made.StudyInstanceUID, made.SeriesInstanceUID = f"1.2.3.{sender}", f"1.2.3.{sender}.0"
            made.PatientID, made.BodyPartExamined = "ZZ-1", "CHEST" if is_film else "BRAIN"
            made.Rows, made.Columns = noise.shape
            made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
            made.SamplesPerPixel, made.PixelRepresentation = 1, 0
            made.PhotometricInterpretation = "MONOCHROME2"
            made.PixelData = np.roll(noise, number).tobytes()
            made["PixelData"].VR = "OW"
            made.file_meta = FileMetaDataset()
            made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
            made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
            made.save_as(place / f"{number}.dcm", enforce_file_format=True)


def peak_kib() -> int:
    """Read the most memory that this process has held, or holds since it was reset."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def bare(folder: Path, ready: Any, stop: Any, told: Any) -> None:
    """Receive as pynetdicom's own example does, without decoding, with TCP_NODELAY."""
    from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
    from pynetdicom.events import Event

    _config.LOG_HANDLER_LEVEL = "none"
    folder.mkdir()

    def opened(event: Event) -> None:
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def store(event: Event) -> int:
        place = folder / f"{event.request.AffectedSOPInstanceUID}.dcm"
        place.write_bytes(event.encoded_dataset())
        return 0

    entity = AE("MEDMM")
    entity.maximum_associations, entity.maximum_pdu_size = 32, 131_072
    for name in CLASSES:
        entity.add_supported_context(name, ALL_TRANSFER_SYNTAXES)
    handlers: list[Any] = [(evt.EVT_CONN_OPEN, opened), (evt.EVT_C_STORE, store)]
    before = peak_kib()
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    ready.send(server.server_address[1])
    used = time.process_time()
    stop.wait()
    used = time.process_time() - used
    server.shutdown()
    told.send((peak_kib() - before, used))


def listener(folder: Path, ready: Any, stop: Any, told: Any) -> None:
    """Receive with the listener's own spool and receiver; nothing is admitted meanwhile."""
    from medmm.config import ListenEntry
    from medmm.doors.dicom.receiver import Receiver
    from medmm.doors.dicom.spool import Spool

    listen = ListenEntry(port=0, any_caller=True)
    before = peak_kib()
    spool = Spool(folder, object_bytes=listen.object_bytes, free_bytes=listen.free_bytes)
    receiver = Receiver(listen, spool, CLASSES, lambda event, **said: None)
    receiver.start()
    ready.send(receiver.address[1])
    used = time.process_time()
    stop.wait()
    used = time.process_time() - used
    receiver.stop()
    told.send((peak_kib() - before, used))


def send(port: int, sources: list[Path]) -> float:
    """Send each folder by a sender of its own, all at once.

    Returns: seconds from the first sender's start to the last one's end.
    """
    command = ["storescu", "-aec", "MEDMM", "-R", "--max-send-pdu", "131072", "+sd"]
    start = time.perf_counter()
    senders = [
        subprocess.Popen([*command, "127.0.0.1", str(port), str(source)], env=NODELAY)
        for source in sources
    ]
    for sender in senders:
        sender.wait()
    return time.perf_counter() - start


def run(
    what: Callable[..., None], folder: Path, sources: list[Path]
) -> tuple[float, int, float, int]:
    """Send everything to one receiver.

    Returns: seconds, files that arrived, and the receiver's CPU seconds and growth in KiB.
    """
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    ready_in, ready = context.Pipe(duplex=False)
    told_in, told = context.Pipe(duplex=False)
    process = context.Process(target=what, args=(folder, ready, stop, told))
    process.start()
    seconds = send(ready_in.recv(), sources)
    stop.set()
    grown, used = told_in.recv()
    process.join()
    return seconds, sum(1 for _ in folder.rglob("*.dcm")), used, grown


def cpu_seconds(process: int) -> float:
    """Read what a running process used of the CPU."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_orthanc(program: Path, folder: Path, sources: list[Path]) -> tuple[float, int, float]:
    """Send everything to Orthanc.

    Returns: seconds, files that arrived, and Orthanc's CPU seconds.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": "MEDMM",
        "DicomAlwaysAllowStore": True,
        "SyncStorageArea": True,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="ascii")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [str(program), str(folder / "orthanc.json")], stdout=log, stderr=log, env=NODELAY
        )
        try:
            while subprocess.run(
                ["echoscu", "-aec", "MEDMM", "127.0.0.1", str(port)],
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode:
                time.sleep(0.2)
            used = cpu_seconds(server.pid)
            seconds = send(port, sources)
            used = cpu_seconds(server.pid) - used
        finally:
            server.terminate()
            server.wait()
    return seconds, sum(1 for _ in (folder / "db").rglob("*-*-*")), used


def measured(options: argparse.Namespace, folder: Path) -> dict[str, list[Round]]:
    """Send the same to each receiver, in turns that begin with another one each."""
    each = options.instances // options.associations
    write_instances(folder / "in", options.associations, each, mixed=options.mixed)
    sources = sorted((folder / "in").iterdir())
    receivers: dict[str, Callable[[Path], tuple[float, int, float, int]]] = {
        "bare": lambda out: run(bare, out, sources),
        "medmm": lambda out: run(listener, out, sources),
    }
    if options.orthanc is not None:
        receivers["orthanc"] = lambda out: (*run_orthanc(options.orthanc, out, sources), 0)
    names, found = list(receivers), {name: list[Round]() for name in receivers}
    for repeat in range(options.repeats):
        first = repeat % len(names)
        for name in names[first:] + names[:first]:
            out = folder / f"{name}{repeat}"
            seconds, count, used, kib = receivers[name](out)
            assert count == each * options.associations, (name, count)
            found[name].append(Round(count / seconds, 1000 * used / count, kib / 1024))
            shutil.rmtree(out)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=400)
    parser.add_argument("--associations", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--mixed", action="store_true", help="every 20th is a CR of 10 MB")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: TMPDIR")
    parser.add_argument("--orthanc", type=Path, help="Orthanc's program, to be measured too")
    options = parser.parse_args()
    if shutil.which("storescu") is None:
        sys.stderr.write("storescu of dcmtk is not installed: nothing sends\n")
        return 4
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        found = measured(options, Path(place))
    others = [name for name in found if name != "medmm"]
    pairs = {name: zip(found["medmm"], found[name], strict=True) for name in others}
    print(
        json.dumps(
            {
                "instances": options.instances,
                "mixed": options.mixed,
                "associations": options.associations,
                "load": [round(one, 1) for one in os.getloadavg()],
                "per_second": {n: [round(r.rate, 1) for r in rows] for n, rows in found.items()},
                "medmm_times": {
                    name: round(statistics.median(own.rate / other.rate for own, other in rows), 2)
                    for name, rows in pairs.items()
                },
                "cpu_ms": {
                    n: round(statistics.median(r.cpu_ms for r in rows), 2)
                    for n, rows in found.items()
                },
                "grown_mib": {
                    n: round(max(r.grown_mib for r in rows), 1)
                    for n, rows in found.items()
                    if n != "orthanc"
                },
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
