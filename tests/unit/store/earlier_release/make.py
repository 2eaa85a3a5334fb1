"""Make `store.tar.xz`: a data folder as the release before the digests of identities left it, with a signed case.

Run once, with the commit 37d2d81 on the path: `PYTHONPATH=CHECKOUT python make.py`. Nothing in it is of a real patient.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Accept, CaseState
from medmm.store import Calls, Store
from tests.factories import (
    ATTENDING,
    SIGNED_AT,
    make_case,
    make_checked_draft,
    make_reading,
    make_signed_report,
    make_study,
    make_volume,
)

IDENTITY = PatientIdentity(
    patient_id="ZZ-0001",
    family_name="ZZTEST",
    given_name="Alpha",
    birth_date=date(1950, 2, 28),
    sex="F",
)
DECISIONS = (Accept("s1"), Accept("s2"), Accept("s3"))
FILM = b"no real film: " + bytes(range(256))


def fill(store: Store, folder: Path) -> None:
    """Admit, open, draft, decide, sign and publish, each in the step and with the entry of the assistant of then."""
    calls = Calls(store, "medmm-service", {ATTENDING.id: ATTENDING})
    (folder / "film").write_bytes(FILM)
    case = make_case(
        study=make_study(volumes=(make_volume(sha256=store.put_object(folder / "film")),))
    )
    with calls.call("admit", None, None, {"path": "film"}) as call, store.step() as step:
        step.save_identity(case.study.patient_key, IDENTITY)
        step.save_study(case.study)
        assert case.context is not None
        step.save_context(case.study.uid, case.context)
        call.done(step, case.study, case.study.uid, images=1, facts=len(case.context.facts))
    with calls.call("open_case", None) as call, store.step() as step:
        step.open_case(case, SIGNED_AT)
        call.done(step, case, case.id, study=case.study.uid)
    with calls.call("draft", None) as call, store.step() as step:
        step.save_reading(case.id, make_reading())
        step.save_draft(case.id, make_checked_draft())
        step.set_state(case.id, CaseState.DRAFTED, expected=CaseState.OPENED)
        call.done(step, None, case.id)
    with calls.call("decide", ATTENDING) as call, store.step() as step:
        step.save_decisions(case.id, DECISIONS, expected=())
        step.set_state(case.id, CaseState.IN_REVIEW, expected=CaseState.DRAFTED)
        call.done(step, None, case.id)
    report = replace(make_signed_report(), id="report-case-1-1")
    with calls.call("sign", ATTENDING) as call, store.step() as step:
        step.set_state(case.id, CaseState.SIGNED, expected=CaseState.IN_REVIEW)
        step.save_report(report, decisions=DECISIONS)
        call.done(step, report, case.id)
    with calls.call("publish", ATTENDING) as call, store.step() as step:
        call.done(step, None, case.id, report=report.id)


def main() -> None:
    """Write the archive beside this file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with Store.open(folder / "data") as store:
            store.secret("patient")
            fill(store, folder)
        with tarfile.open(Path(__file__).with_name("store.tar.xz"), "w:xz") as archive:
            for path in sorted(folder.rglob("*")):
                name = str(path.relative_to(folder))
                if path.is_file() and name.startswith("data") and "locks" not in name:
                    info = tarfile.TarInfo(name)
                    info.size, info.mode = path.stat().st_size, 0o600
                    archive.addfile(info, io.BytesIO(path.read_bytes()))


if __name__ == "__main__":
    main()
