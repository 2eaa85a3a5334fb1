"""C-STORE intake: `medmm listen` beside a bare pynetdicom receiver that writes raw files.

    python benchmarks/listen.py --instances 400 --associations 4

All receive the same MR instances of 0.5 MB from the same senders (dcmtk's storescu), several
associations at a time, on the same disk, each in a process of its own. The bare one writes what
`encoded_dataset()` gives to a file of its own and answers, without flushing; medmm's flushes each
object and its folder, finds its study and its like, and keeps what a restart needs. With
`--orthanc FILE` that program receives them too, with `SyncStorageArea` and without other services.
Prints instances a second, their ratio within this run, and the growth of each process's memory
above its start.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

PIXELS = (512, 512)  # of 16 bits: 0.5 MB
NODELAY = {**os.environ, "TCP_NODELAY": "1"}  # dcmtk, and so Orthanc, reads it


def write_instances(folder: Path, senders: int, each: int) -> None:
    """Write each sender's series, one study each."""
    noise = np.random.default_rng(7).integers(0, 4096, PIXELS, dtype=np.uint16)
    for sender in range(senders):
        place = folder / str(sender)
        place.mkdir(parents=True)
        for number in range(each):
            made = Dataset()
            made.SOPClassUID, made.Modality = MRImageStorage, "MR"
            made.SOPInstanceUID = f"1.2.3.{sender}.{number + 1}"
            made.StudyInstanceUID, made.SeriesInstanceUID = f"1.2.3.{sender}", f"1.2.3.{sender}.0"
            made.PatientID, made.BodyPartExamined = "ZZ-1", "BRAIN"
            made.Rows, made.Columns = PIXELS
            made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
            made.SamplesPerPixel, made.PixelRepresentation = 1, 0
            made.PhotometricInterpretation = "MONOCHROME2"
            made.PixelData = np.roll(noise, number).tobytes()
            made["PixelData"].VR = "OW"
            made.file_meta = FileMetaDataset()
            made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            made.file_meta.MediaStorageSOPClassUID = MRImageStorage
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
    entity.add_supported_context(MRImageStorage, ALL_TRANSFER_SYNTAXES)
    handlers: list[Any] = [(evt.EVT_CONN_OPEN, opened), (evt.EVT_C_STORE, store)]
    before = peak_kib()
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    ready.send(server.server_address[1])
    stop.wait()
    server.shutdown()
    told.send(peak_kib() - before)


def listener(folder: Path, ready: Any, stop: Any, told: Any) -> None:
    """Receive with the listener's own spool and receiver; nothing is admitted meanwhile."""
    from medmm.config import ListenEntry
    from medmm.doors.dicom.receiver import Receiver
    from medmm.doors.dicom.spool import Spool

    listen = ListenEntry(port=0, any_caller=True)
    before = peak_kib()
    spool = Spool(folder, object_bytes=listen.object_bytes, free_bytes=listen.free_bytes)
    receiver = Receiver(listen, spool, {MRImageStorage}, lambda event, **said: None)
    receiver.start()
    ready.send(receiver.address[1])
    stop.wait()
    receiver.stop()
    told.send(peak_kib() - before)


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


def run(what: Callable[..., None], folder: Path, sources: list[Path]) -> tuple[float, int, int]:
    """Send everything to one receiver.

    Returns: seconds, files that arrived, and KiB that the receiver's memory grew by.
    """
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    ready_in, ready = context.Pipe(duplex=False)
    told_in, told = context.Pipe(duplex=False)
    process = context.Process(target=what, args=(folder, ready, stop, told))
    process.start()
    seconds = send(ready_in.recv(), sources)
    stop.set()
    grown = told_in.recv()
    process.join()
    return seconds, sum(1 for _ in folder.rglob("*.dcm")), grown


def run_orthanc(program: Path, folder: Path, sources: list[Path]) -> tuple[float, int]:
    """Send everything to Orthanc.

    Returns: seconds, and files that arrived.
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
            seconds = send(port, sources)
        finally:
            server.terminate()
            server.wait()
    return seconds, sum(1 for _ in (folder / "db").rglob("*-*-*"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=400)
    parser.add_argument("--associations", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: TMPDIR")
    parser.add_argument("--orthanc", type=Path, help="Orthanc's program, to be measured too")
    options = parser.parse_args()
    if shutil.which("storescu") is None:
        sys.stderr.write("storescu of dcmtk is not installed: nothing sends\n")
        return 4
    rates: dict[str, list[float]] = {"bare": [], "medmm": []}
    grown: dict[str, list[int]] = {"bare": [], "medmm": []}
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        each = options.instances // options.associations
        write_instances(folder / "in", options.associations, each)
        sources = sorted((folder / "in").iterdir())
        for repeat in range(options.repeats):
            for name, what in (("bare", bare), ("medmm", listener)):
                out = folder / f"{name}{repeat}"
                seconds, count, kib = run(what, out, sources)
                assert count == each * options.associations, (name, count)
                rates[name].append(count / seconds)
                grown[name].append(kib)
                shutil.rmtree(out)
            if options.orthanc is not None:
                out = folder / f"orthanc{repeat}"
                seconds, count = run_orthanc(options.orthanc, out, sources)
                assert count == each * options.associations, ("orthanc", count)
                rates.setdefault("orthanc", []).append(count / seconds)
                shutil.rmtree(out)
    best = {name: max(found) for name, found in rates.items()}
    print(
        json.dumps(
            {
                "instances": each * options.associations,
                "associations": options.associations,
                "per_second": {name: [round(r, 1) for r in found] for name, found in rates.items()},
                "medmm_times": {
                    name: round(best["medmm"] / rate, 2)
                    for name, rate in best.items()
                    if name != "medmm"
                },
                "grown_mib": {name: round(max(found) / 1024, 1) for name, found in grown.items()},
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
