"""CPU of writing a signed report in every form, and a segmentation of 155 slices.

Run from the repository root: `python benchmarks/report_files.py`. Prints milliseconds of CPU of the
process, warm (the median of several), beside the targets.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medmm.delivery.dicom.objects import dicom_objects
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.delivery.hl7.options import Hl7Options
from medmm.delivery.hl7.result_message import result_message
from medmm.delivery.report_files import render
from medmm.domain.reading import LabelMap, Reading
from tests.factories import make_mr_study
from tests.signed_studies import Signed, signed, source_of

ROUNDS = 7
SHAPE_ZYX = (155, 240, 240)  # as the brains of the public sets
TARGET_MS = {"chest": 500, "segmentation": 1200}


def cpu_ms(work: Callable[[], object]) -> float:
    """Median CPU of the process over several rounds, after one that warms up."""
    work()
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - began))
    return median(spent)


def brain() -> Signed:
    """Put the phantom's lesion on a grid of 155 slices, and report it."""
    one = signed("brain")
    reading = one.source.reading
    assert reading is not None
    study = make_mr_study("BRAIN")
    flair, *others = study.volumes
    uids = tuple(f"{flair.series_uid}.9.{n}" for n in range(SHAPE_ZYX[0]))
    large = replace(
        flair, shape_zyx=SHAPE_ZYX, sop_uids=uids, spacing_yx_mm=(1.0, 1.0), spacing_z_mm=1.0
    )
    z, y, x = np.ogrid[-1:1:155j, -1:1:240j, -1:1:240j]
    lesion = ((z / 0.95) ** 2 + (y / 0.3) ** 2 + (x / 0.3) ** 2 < 1).astype(np.uint8)
    (first,) = reading.label_maps
    drawn = LabelMap.from_array(first.name, flair.sha256, first.labels, lesion)
    made: Reading = replace(reading, label_maps=(drawn,))
    source: SourceStudy = source_of(
        replace(study, volumes=(large, *others)), made, one.source.options
    )
    return replace(one, source=source)


def main() -> None:
    """Print a line a form."""
    chest, head = signed("chest"), brain()
    rows = [
        (form, cpu_ms(partial(dicom_objects, chest.report, chest.versions, chest.source, [form])))
        for form in ("sr", "seg", "key-object", "pdf")
    ]
    identity = chest.source.identity
    rows.append(("fhir", cpu_ms(partial(render, chest.report, identity, "fhir"))))
    message = partial(result_message, chest.report, identity, None, chest.versions)
    rows.append(("oru + page", cpu_ms(partial(message, Hl7Options(pdf=True)))))
    whole = sum(ms for form, ms in rows if form != "seg")
    slices = cpu_ms(partial(dicom_objects, head.report, head.versions, head.source))
    for form, ms in rows:
        print(f"chest report, {form:<11} {ms:8.1f} ms CPU")
    print(
        f"chest report, SR + KO + PDF + FHIR + ORU {whole:.1f} ms CPU (target {TARGET_MS['chest']})"
    )
    print(
        f"brain report, SR + KO + PDF + SEG of {SHAPE_ZYX[0]} slices {slices:.1f} ms CPU "
        f"(target {TARGET_MS['segmentation']})"
    )


if __name__ == "__main__":
    main()
