"""CPU time of one accepted statement, and of a film to its draft, beside a checkout.

`python benchmarks/decide_beside.py OTHER_CHECKOUT` prints milliseconds of CPU of both and their
ratio (1.00: as before). "decide" is a reader's click: the decision is kept, and the dashboard draws
the page anew. "verb" is the same without the page: decide, and read the case again. "film" is one
radiograph from its file to the draft that rules write, warm. Both checkouts work in this Python,
each in a process of its own, in turns, so that what the machine does beside weighs on both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from beside import ratios

TARGETS = {"decide": 1 / 4, "verb": 1 / 4, "film": 1 / 2}
WORKER = """
import logging, os, sys, tempfile, time, warnings
from importlib.resources import files
from pathlib import Path
import pydicom
from medmm import Assistant
from medmm.config import Settings
from medmm.doors.demo import CHEST, films_dir
from medmm.domain.report import Accept, Reject
warnings.simplefilter("ignore"); logging.disable(logging.ERROR)
film = films_dir() / CHEST

def another(folder, number):
    made = pydicom.dcmread(film)
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(made, name, f"{getattr(made, name)}.{number}")
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.PatientID = f"ZZ-{number}"  # without earlier studies
    made.save_as(folder / f"{number}.dcm")
    return folder / f"{number}.dcm"

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    record = folder / "record.json"
    record.write_bytes(files("medmm.doors").joinpath("demo_record.json").read_bytes())
    os.environ.update(MEDMM_DATA_DIR=str(folder / "data"), MEDMM_WRITER="rules", MEDMM_THREADS="1")
    from streamlit.testing.v1 import AppTest
    os.environ["MEDMM_READERS"] = '[{"id": "reader", "name": "Reader", "role": "attending"}]'
    settings = Settings()
    with Assistant(settings) as assistant:
        reader = settings.readers[0].reader()
        study = assistant.admit(film, record=record)
        case = assistant.open_case(study.uid).id
        statements = [s.id for s in assistant.draft(case).statements if s.summarises is None]
        page = AppTest.from_file(str(Path.cwd() / "ui" / "app.py"), default_timeout=120).run()
        page.session_state["case"] = case
        page.run()
        assert not page.exception, page.exception
        state = {"n": 0}

        def decide():
            state["n"] += 1
            kind = "accept" if state["n"] % 2 else "reject"
            page.button(key=f"{kind} {statements[0]}").click().run()

        def verb():
            state["n"] += 1
            decision = (Accept if state["n"] % 2 else Reject)(statements[1])
            assistant.decide(case, [decision], by=reader)
            assistant.case(case, by=reader)

        def prepare_film():
            state["n"] += 1
            state["film"] = another(folder, state["n"])

        def draft_film():
            new = assistant.admit(state["film"])
            assistant.draft(assistant.open_case(new.uid).id)

        works = {"decide": decide, "verb": verb, "film": draft_film}
        for line in sys.stdin:
            if line.strip() == "film":
                prepare_film()
            begin = time.process_time()
            works[line.strip()]()
            print(time.process_time() - begin, flush=True)
            assert not page.exception, page.exception
"""


def main() -> int:
    """Measure both checkouts in turns; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    found = ratios(WORKER, options.other, TARGETS, options.repeats)
    print("targets", *(f"{work} {target:.2f}" for work, target in TARGETS.items()))
    return int(any(found[work] > target for work, target in TARGETS.items()))


if __name__ == "__main__":
    sys.exit(main())
