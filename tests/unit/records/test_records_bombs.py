"""Hostile records: refused at once, and never with more memory than the file deserves."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medmm.domain.errors import InputError
from medmm.records import read_record

MOST_GROWN_MB = 300
PROBE = """
import json, re, sys, time
from pathlib import Path
from medmm.records import read_record
from medmm.domain.errors import InputError
def peak_mb():  # not ru_maxrss, which a child inherits from its parent
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
read_record(b'{"resourceType": "Patient", "id": "x"}')  # the classes of R4B are built once
start_mb, begun = peak_mb(), time.perf_counter()
try:
    read_record(Path(sys.argv[1]))
    outcome = "read"
except InputError as error:
    outcome = error.problem
taken_s = time.perf_counter() - begun
print(json.dumps({"outcome": outcome, "s": round(taken_s, 3), "grown_mb": round(peak_mb() - start_mb, 1)}))
"""


def large_bundle(path: Path) -> None:
    """200 MB of a Bundle that is sound as far as it goes."""
    entry = json.dumps(
        {"resource": {"resourceType": "Observation", "id": "o", "note": [{"text": "z" * 10_000}]}}
    )
    with path.open("w", encoding="utf-8") as file:
        file.write('{"resourceType": "Bundle", "entry": [')
        for _ in range(200_000_000 // len(entry)):
            file.write(entry + ",")
        file.write(entry + "]}")


def nested(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(text * 100_000, encoding="utf-8") and None


def packed(path: Path) -> None:
    """100 MB of zeros in 100 KB."""
    path.write_bytes(gzip.compress(bytes(100_000_000)))


def crowded(path: Path) -> None:
    """60 MB of objects of two bytes."""
    path.write_bytes(b'{"resourceType": "Bundle", "entry": [' + b"{}," * 20_000_000 + b"{}]}")


BOMBS = {
    "20 million objects": (crowded, "values"),
    "200 MB bundle": (large_bundle, "bytes"),
    "100,000 lists deep": (nested("["), "nested too deeply"),
    "100,000 objects deep": (nested('{"a":'), "nested too deeply"),
    "gzip": (packed, "gzip"),
    "endless device": (lambda path: path.symlink_to("/dev/zero"), "not a file"),
}


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc"
)
@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_is_refused_within_bounded_memory(name: str, tmp_path: Path) -> None:
    make, words = BOMBS[name]
    path = tmp_path / "bomb.json"
    make(path)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found = json.loads(done.stdout)
    sys.stdout.write(f"{name}: {found['s']} s, {found['grown_mb']} MB\n")
    assert words in found["outcome"]
    assert found["grown_mb"] < MOST_GROWN_MB


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"PK\x03\x04", b"\xfd7zXZ\x00", b"BZh9"])
def test_what_is_packed_says_so(start: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_record(start + bytes(100))
    assert caught.value.remedy == "unpack it first"


def test_many_resources_of_one_id_take_time_in_proportion() -> None:
    made = [
        {
            "resource": {
                "resourceType": "Observation",
                "id": "o",
                "status": "final",
                "code": {"text": str(n)},
            }
        }
        for n in range(2000)
    ]
    document = read_record(json.dumps({"resourceType": "Bundle", "entry": made}).encode())
    assert len({fact.id for fact in document.facts}) == 2000


def test_a_chain_of_400_extensions_is_read_past() -> None:
    deep: dict[str, object] = {"url": "urn:zz"}
    for _ in range(400):
        deep = {"url": "urn:zz", "extension": [deep]}
    patient = {"resourceType": "Patient", "id": "p", "gender": "male", "extension": [deep]}
    document = read_record(json.dumps(patient).encode())
    assert document.the_patient().sex == "M"
    assert "nested too deeply to be checked" in document.left_out[0].reason
