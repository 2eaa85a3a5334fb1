"""One big reading to JSON and back, beside another checkout and pydantic's TypeAdapter.

All are measured in one run.

`python benchmarks/codec.py OTHER_CHECKOUT` prints CPU milliseconds (the median of 41) for a film of
18 findings with their heat-maps, two masks and a label map of some 5,000 runs. Of pydantic it
prints what it does without tags and without leaving anything out, and what building its adapters
costs each process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

WORKER = """
import json, statistics, sys, time
from dataclasses import replace
import numpy as np
from medmm.domain.codec import from_json, to_json
from medmm.domain.reading import LabelMap, Mask, Reading
from medmm.domain.report import CaseFile
from medmm.domain.vocabulary import finding_terms
from tests.factories import make_finding, make_reading, make_region
seeds = np.random.default_rng(1)
heat = tuple(tuple(int(v) for v in row) for row in seeds.integers(0, 256, (14, 14)))
names = [t.name for t in finding_terms().values() if t.modality == "DX"][:18]
findings = tuple(make_finding(n, 0.4, region=replace(make_region(), heat=heat)) for n in names)
y, x = np.mgrid[:512, :512]
lungs = sum(((y - 250) / 200) ** 2 + ((x - c) / 90) ** 2 < 1 for c in (150, 360)) > 0
spots, (y, x) = np.zeros((24, 256, 256), np.uint8), np.mgrid[:256, :256]
for plane in spots:
    for row, column in seeds.integers(40, 200, (6, 2)):
        plane[(y - row) ** 2 + (x - column) ** 2 < seeds.integers(9, 200)] = 1
spots = LabelMap.from_array("brain-lesion", "a" * 64, ("lesion",), spots)
masks = (Mask.from_array("lungs", lungs), Mask.from_array("heart", lungs))
reading = make_reading(findings=findings, masks=masks, label_maps=(spots,))
def ms(function):
    function()
    taken = []
    for _ in range(41):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return 1000 * statistics.median(taken)
data = to_json(reading)
text = json.dumps(data)
assert from_json(Reading, json.loads(text)) == reading
found = {
    "bytes": len(text),
    "to_json": ms(lambda: to_json(reading)),
    "from_json": ms(lambda: from_json(Reading, data)),
}
found["json.loads"] = ms(lambda: json.loads(text))
if sys.argv[1] == "pydantic":
    start = time.process_time()
    from pydantic import TypeAdapter
    found["import pydantic"] = 1000 * (time.process_time() - start)
    start = time.process_time()
    adapter = TypeAdapter(Reading)
    TypeAdapter(CaseFile)
    found["build adapters"] = 1000 * (time.process_time() - start)
    found["dump_python"] = ms(lambda: adapter.dump_python(reading, mode="json"))
    def untagged(value):
        if isinstance(value, dict):
            return {key: untagged(item) for key, item in value.items() if key != "type"}
        return [untagged(item) for item in value] if isinstance(value, list) else value
    plain = untagged(data)
    found["validate_python"] = ms(lambda: adapter.validate_python(plain))
print(json.dumps(found))
"""


def measured(checkout: Path, what: str) -> dict[str, float]:
    """Return what the worker of one checkout says."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, what]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, cwd=checkout
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    options = parser.parse_args()
    here = measured(Path(__file__).resolve().parents[1], "pydantic")
    there = measured(options.other.resolve(), "alone")
    for name, found in (("here", here), ("there", there)):
        shown = (f"{key} {value:.2f} ms" for key, value in found.items() if key != "bytes")
        print(f"{name:5}  {found['bytes'] / 1000:.0f} kB  " + ", ".join(shown))
    return 0 if here["from_json"] < there["from_json"] / 2 else 1


if __name__ == "__main__":
    sys.exit(main())
