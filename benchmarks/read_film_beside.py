"""CPU time of reading and drafting one radiograph beside another checkout of medmm.

Both take turns in one run.

`python benchmarks/read_film_beside.py OTHER_CHECKOUT` prints milliseconds of CPU of both and their
ratio (1.00: as before). Both work in this Python, each in a process of its own, in turns, so that
what the machine does beside weighs on both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from beside import ratios

WORKER = """
import sys, tempfile, time
from importlib.resources import files
from pathlib import Path
from medmm import Assistant
from medmm.config import Settings
from medmm.doors.demo import CHEST, films_dir
film = films_dir() / CHEST
with tempfile.TemporaryDirectory() as folder:
    record = Path(folder) / "record.json"
    record.write_bytes(files("medmm.doors").joinpath("demo_record.json").read_bytes())
    settings = Settings(data_dir=Path(folder) / "data", threads=1, writer="language-model")
    with Assistant(settings) as assistant:
        study = assistant.admit(film, record=record)
        case = assistant.open_case(study.uid).id
        works = {
            "read": lambda: list(assistant.read([film])),
            "draft": lambda: assistant.draft(case),
        }
        for line in sys.stdin:
            begin = time.process_time()
            works[line.strip()]()
            print(time.process_time() - begin, flush=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    ratios(WORKER, options.other, ("read", "draft"), options.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
