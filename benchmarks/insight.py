"""What figures and a recall list of 10,000 signed cases take.

`python benchmarks/insight.py` fills a data folder with signed cases, whose readings and drafts are
as long as those of a real film, and prints the CPU seconds and the peak of Python's memory of
`insight`, of `insight` where every case must be worked out anew (as of an earlier release, measured
with a tenth), and of `recall_list`; and what a signature takes longer for the row that it keeps.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from medmm import review
from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.audit_event import AuditEvent
from medmm.domain.insight import ALL_SIGNED
from medmm.domain.report import Accept, CaseState
from medmm.store import Store
from medmm.verbs.insight import _worked_out
from tests.factories import (
    MODEL,
    SIGNED_AT,
    make_case,
    make_case_file,
    make_checked_draft,
    make_draft,
    make_reading,
    make_signed_report,
    make_study,
)

STEP = 250
LONG = ("a limit that is said in a sentence of its own",) * 1_200  # 61 kB, as of a real draft
DECIDED = tuple(Accept(one) for one in ("s1", "s2", "s3"))
ADMIN = ReaderEntry(id="admin-1", name="ZZADMIN", role="administrator")


def fill(store: Store, cases: int) -> None:
    """Keep signed cases, each with its study, draft, report and row."""
    for first in range(0, cases, STEP):
        with store.step() as step:
            for n in range(first, min(first + STEP, cases)):
                _add(step, f"case-{n:05}", n)


def _entry(verb: str, subject: str, minute: int) -> AuditEvent:
    at = SIGNED_AT + timedelta(minutes=minute)
    return AuditEvent(
        at=at, verb=verb, outcome="done", actor="reader-1", role="reader", subject=subject
    )


def _add(step, name: str, n: int) -> None:  # type: ignore[no-untyped-def]
    study = make_study(uid=f"1.2.{n}", patient_key=f"pk-{n % 7919:032}")
    case = make_case(id=name, study=study, context=None)
    step.save_study(study)
    step.record(_entry("admit", study.uid, 0))
    draft = make_checked_draft(make_draft(id=f"draft-{n}", case_id=name, not_evaluated=LONG))
    report = make_signed_report(id=f"report-{n}", case_id=name, patient_key=study.patient_key)
    step.open_case(case, SIGNED_AT)
    step.save_reading(name, make_reading(study_uid=study.uid))
    step.save_draft(name, draft, SIGNED_AT)
    step.set_state(name, CaseState.DRAFTED, expected=CaseState.OPENED)
    step.record(_entry("draft", name, 1))
    step.save_decisions(name, DECIDED, expected=())
    step.set_state(name, CaseState.SIGNED, expected=CaseState.DRAFTED)
    step.save_report(report, decisions=DECIDED)
    file = make_case_file(CaseState.SIGNED, draft=draft, decisions=DECIDED)
    file = replace(file, case=case, report=report)
    step.save_reviewed(review.reviewed(file, report, (), None))
    step.record(_entry("sign", name, 5))


def measured(what: Callable[[], object]) -> tuple[float, float]:
    """Return CPU seconds, and the peak of Python's memory in MB in a run of its own."""
    start = time.process_time()
    what()
    seconds = time.process_time() - start
    tracemalloc.start()
    try:
        what()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    cases = parser.parse_args().cases
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "data", readers=(ADMIN,))
        with Store.open(settings.data_dir, heads_path=settings.heads_path) as store:
            fill(store, cases)
        with Assistant(settings) as assistant:
            house = assistant._house

            def anew() -> None:
                for number, case in enumerate(house.store.signed_cases()):
                    if number < cases // 10:
                        _worked_out(house, case)

            for name, what in (
                (
                    f"insight, {cases} cases",
                    lambda: assistant.insight_of_all(ALL_SIGNED, by="admin-1"),
                ),
                (f"{cases // 10} cases without a row", anew),
                (
                    f"recall list, {cases} cases",
                    lambda: assistant.recall_list(MODEL.name, "0" * 64, by="admin-1"),
                ),
            ):
                seconds, peak = measured(what)
                print(f"{name:32} {seconds:7.2f} s of a processor, peak {peak:6.1f} MB")


if __name__ == "__main__":
    main()
