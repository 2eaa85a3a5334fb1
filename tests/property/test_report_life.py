"""Whatever becomes of a signed report in whatever order: its versions are a chain, and the newest alone counts."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.case_state import CaseState
from medmm.domain.errors import InputError, PermissionDenied, StateError
from medmm.domain.report import Add, Edit, Reject, SignedReport
from medmm.domain.report_kind import ReportKind
from medmm.review import NEXT, Act

EARLIER = Path(__file__).parents[1] / "unit" / "store" / "earlier_release" / "store.tar.xz"
CASE = "case-1"
READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="reader-2", name="ZZREADER Two", role="reader"),
    ReaderEntry(id="resident-1", name="ZZREADER Three", role="resident"),
)
BY = st.sampled_from(["reader-1", "reader-2", "resident-1"])
REASONS = st.sampled_from(["Seen again.", "Asked for by the ward.", " "])
CHANGES = st.lists(
    st.sampled_from(
        [
            Edit("s3", "Heart not enlarged."),
            Edit("s3", "Heart of normal size."),
            Edit("s2", "Possible right pleural effusion."),
            Edit("s2", "No pleural effusion."),
            Reject("s3"),
            Reject("r1"),
            Reject("a2"),
            Add("Old rib fracture."),
        ]
    ),
    max_size=2,
)
TEXTS = st.sampled_from(["Told to the ward.", "A left pleural effusion.", "No effusion.", " "])
STEPS = st.one_of(
    st.tuples(st.just(Act.SIGN), st.none()),
    st.tuples(st.just(Act.AMEND), st.tuples(CHANGES, st.booleans())),
    st.tuples(st.just(Act.ADDENDUM), TEXTS),
    st.tuples(st.just(Act.WITHDRAW), st.none()),
)


@pytest.fixture(scope="module")
def signed() -> Iterator[Path]:
    """A data folder with one signed case, brought to this release."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(EARLIER) as packed:
            packed.extractall(folder, filter="data")
        (data,) = [path.parent for path in Path(folder).rglob("medmm.sqlite")]
        Assistant(Settings(data_dir=data)).close()
        yield Path(folder)


def done(assistant: Assistant, act: Act, what: Any, reason: str, by: str) -> SignedReport:
    if act is Act.AMEND:
        changes, correction = what
        return assistant.amend(CASE, changes, reason=reason, correction=correction, by=by)
    if act is Act.ADDENDUM:
        return assistant.addendum(CASE, what, reason=reason, by=by)
    if act is Act.WITHDRAW:
        return assistant.withdraw(CASE, reason=reason, by=by)
    return assistant.sign(CASE, by=by)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.tuples(STEPS, REASONS, BY), min_size=1, max_size=6))
def test_versions_are_a_chain_and_the_newest_counts(
    signed: Path, steps: list[tuple[tuple[Act, Any], str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(signed, folder, dirs_exist_ok=True)
        (data,) = [path.parent for path in Path(folder).rglob("medmm.sqlite")]
        with Assistant(Settings(data_dir=data, readers=READERS)) as assistant:
            for (act, what), reason, by in steps:
                before = assistant.case(CASE, pixels=False)
                try:
                    report = done(assistant, act, what, reason, by)
                except (InputError, PermissionDenied, StateError):
                    assert assistant.case(CASE, pixels=False) == before
                    continue
                after = assistant.case(CASE, pixels=False)
                assert by != "resident-1"
                assert reason.strip()
                assert NEXT[before.state, act] is after.state
                assert after.versions == (*before.versions, report), "what was signed stays"
            file = assistant.case(CASE, pixels=False)
            chain(file.versions)
            assert (file.state is CaseState.WITHDRAWN) == file.versions[-1].withdrawn
            assert assistant.verify().ok
            published(assistant, Path(folder) / "out", file.versions)


def chain(versions: tuple[SignedReport, ...]) -> None:
    first, *later = versions
    assert (first.version, first.replaces, first.kind) == (1, None, ReportKind.ORIGINAL)
    for before, report in zip(versions, later, strict=False):
        assert (report.version, report.replaces) == (before.version + 1, before.id)
        assert report.first == first.id
        assert report.reason
        assert report.kind is not ReportKind.ORIGINAL
        assert not before.withdrawn, "withdrawn is final"
        if report.kind is ReportKind.ADDENDUM:
            assert report.statements[:-1] == before.statements
        elif not report.withdrawn:
            assert report.statements != before.statements
    assert len({report.id for report in versions}) == len(versions)


def published(assistant: Assistant, out: Path, versions: tuple[SignedReport, ...]) -> None:
    """In whatever order versions are published, the newest alone is called valid, and a withdrawn one never."""
    for report in (*versions, *reversed(versions)):
        assistant.publish(report.id, to=out)
    valid = [path for path in out.glob("*.json") if json.loads(path.read_text()).get("valid")]
    newest = versions[-1]
    assert [path.name for path in valid] == ([] if newest.withdrawn else [f"{newest.id}.json"])
    bundles = {path.read_text() for path in out.glob("*.fhir.json")}
    assert len(bundles) == 1, "all versions are one resource, as it is now"
    if newest.withdrawn:
        assert '"status": "final"' not in bundles.pop()
