"""The whole way in Python on a real film: admitted, drafted, decided, signed, published, verified."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import pytest

from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import InputError, PermissionDenied, StateError
from medmm.domain.report import Accept, CaseState, Edit, Reader, Reject
from medmm.domain.study import NotEvaluable, Study
from medmm.models import Adopted, Networks
from tests.kept import kept
from tests.warm_parent import WarmParent

READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="reader"),
    ReaderEntry(id="resident-1", name="ZZREADER Two", role="resident"),
    ReaderEntry(id="auditor-1", name="ZZREADER Three", role="auditor"),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", readers=READERS, threads=1)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_bytes(files("medmm.doors").joinpath("demo_record.json").read_bytes())
    return path


def decide_all(assistant: Assistant, case_id: str, reader: Reader) -> None:
    draft = assistant.case(case_id).draft
    assert draft is not None
    decisions = [
        Edit(s.id, "The reader's own words.") if draft.failed(s.id) else Accept(s.id)
        for s in draft.statements
    ]
    assistant.decide(case_id, decisions, by=reader)


def test_a_film_and_a_record_become_a_published_report_and_a_sound_log(
    settings: Settings, record: Path, demo_films: Path, tmp_path: Path
) -> None:
    with Assistant(settings) as assistant:
        reader = assistant.reader_named("reader-1")
        study = assistant.admit(demo_films / "RG1_UNCR.dcm", record=record)
        assert isinstance(study, Study)
        assert any(warning.code == "spacing-unknown" for warning in study.warnings)
        case = assistant.open_case(study.uid)
        assert case.context is not None
        late = [o for o in case.context.left_out if "too-late" in o.source]
        assert late, "a fact after the film stays out and is said"
        draft = assistant.draft(case.id)
        assert draft.statements
        assert all(s.evidence for s in draft.statements)
        with pytest.raises(StateError):
            assistant.sign(case.id, by=reader)
        decide_all(assistant, case.id, reader)
        report = assistant.sign(case.id, by=reader)
        with pytest.raises(StateError):
            assistant.sign(case.id, by=reader)
        written = assistant.publish(report.id, to=tmp_path / "out")
        assert assistant.case(case.id).state is CaseState.SIGNED
        assert [e.verb for e in assistant.history(case.id)][:3] == ["admit", "open_case", "draft"]
        assert assistant.verify().ok
    bundle = json.loads(next(p for p in written if p.name.endswith(".fhir.json")).read_text())
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert {"Patient", "DiagnosticReport", "ImagingStudy", "Provenance"} <= kinds


@pytest.mark.parametrize(
    ("film", "part"), [("RG3_UNCR.dcm", "EXTREMITY"), ("MR2_UNCR.dcm", "SHOULDER")]
)
def test_what_medmm_does_not_read_is_refused_and_kept(
    settings: Settings, demo_films: Path, film: str, part: str
) -> None:
    with Assistant(settings) as assistant:
        refused = assistant.admit(demo_films / film)
        assert isinstance(refused, NotEvaluable)
        assert refused.reason.startswith(f"not evaluable: body part {part}")
        assert assistant.cases() == ()
        (result,) = assistant.read([demo_films / film])
        assert result.reading is None
        assert result.not_evaluable == refused


def test_another_patients_record_stops_and_nothing_is_kept(
    settings: Settings, record: Path, demo_films: Path
) -> None:
    record.write_text(record.read_text().replace("1940-03-05", "1941-03-05"))
    with Assistant(settings) as assistant:
        with pytest.raises(InputError, match="another patient: birth_date") as caught:
            assistant.admit(demo_films / "RG1_UNCR.dcm", record=record)
        assert "1941" not in str(caught.value)
        assert "CompressedSamples" not in str(caught.value)
        assert assistant.cases() == ()
        assert not (settings.data_dir / "objects").exists()
        with pytest.raises(InputError):
            assistant.open_case("1.3.6.1.4.1.5962.1.2.9.20040826185059.5457")


@pytest.mark.parametrize(
    "content", [b"", b"no dicom at all", None], ids=["empty", "text", "truncated"]
)
def test_bad_bytes_are_a_typed_error_with_an_entry(
    settings: Settings, demo_films: Path, tmp_path: Path, content: bytes | None
) -> None:
    bad = tmp_path / "film.dcm"
    bad.write_bytes(
        (demo_films / "RG1_UNCR.dcm").read_bytes()[:100_000] if content is None else content
    )
    with Assistant(settings) as assistant:
        with pytest.raises(InputError) as caught:
            assistant.admit(bad)
        assert caught.value.remedy
        (result,) = assistant.read([bad])
        assert result.problem
        assert (
            assistant.verify().size == 2
        )  # the failed admission and the read that could not be done


def test_idempotency_keys_give_the_first_result_again(settings: Settings, demo_films: Path) -> None:
    with Assistant(settings) as assistant:
        film = demo_films / "RG1_UNCR.dcm"
        first = assistant.admit(film, key="k1")
        assert assistant.admit(film, key="k1") == first
        with pytest.raises(StateError, match="idempotency"):
            assistant.admit(demo_films / "RG3_UNCR.dcm", key="k1")
        assert isinstance(first, Study)
        case = assistant.open_case(first.uid, key="k2")
        assert assistant.open_case(first.uid) == case


def test_roles_are_asked_at_every_verb(settings: Settings, demo_films: Path, record: Path) -> None:
    with Assistant(settings) as assistant:
        study = assistant.admit(demo_films / "RG1_UNCR.dcm", record=record)
        assert isinstance(study, Study)
        case = assistant.open_case(study.uid)
        draft = assistant.draft(case.id)
        resident, auditor = (
            assistant.reader_named("resident-1"),
            assistant.reader_named("auditor-1"),
        )
        first = draft.statements[0].id
        with pytest.raises(PermissionDenied):
            assistant.decide(case.id, [Reject(first)], by=auditor)
        assistant.decide(case.id, [Reject(first)], by=resident)
        with pytest.raises(PermissionDenied):
            assistant.sign(case.id, by=resident)
        with pytest.raises(PermissionDenied):
            assistant.sign(case.id, by=Reader(id="resident-1", name="", role="attending"))
        with pytest.raises(PermissionDenied):
            assistant.sign(case.id, by=Reader(id="nobody-knows", name="", role="attending"))
        denied = [e for e in kept(assistant).events() if e.outcome == "failed"]
        assert len(denied) == 4


def test_eight_threads_share_one_assistant(
    settings: Settings, demo_films: Path, record: Path
) -> None:
    own = Networks(None, threads=1, adopted=Adopted(settings.data_dir / "models"))  # each reads
    with Assistant(settings, networks=own) as assistant:
        study = assistant.admit(demo_films / "RG1_UNCR.dcm", record=record)
        assert isinstance(study, Study)
        case = assistant.open_case(study.uid)
        with ThreadPoolExecutor(8) as pool:
            drafts = list(pool.map(lambda _: assistant.draft(case.id, key="same"), range(8)))
            results = list(
                pool.map(lambda _: next(assistant.read([demo_films / "RG1_UNCR.dcm"])), range(8))
            )
        assert all(draft == drafts[0] for draft in drafts)
        assert all(result.reading == results[0].reading for result in results)
        assert assistant.verify().ok


def test_two_processes_share_one_data_folder(
    settings: Settings, demo_films: Path, warm_parent: WarmParent
) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.quick_assistant import quick_assistant\n"
        "with quick_assistant(Path(sys.argv[1])) as a:\n"
        "    for i in range(5): a.admit(sys.argv[2], key=f'k{i}')\n"
        "    assert a.verify().ok\n"
    )
    words = (settings.data_dir, demo_films / "RG1_UNCR.dcm")
    running = [warm_parent.start(code, *words) for _ in range(2)]
    for process in running:
        ended = warm_parent.ended(process)
        assert ended.code == 0, ended.said
    with Assistant(settings) as assistant:
        assert assistant.verify().ok
        assert len(kept(assistant).events("1.3.6.1.4.1.5962.1.2.9.20040826185059.5457")) == 5


def test_no_name_of_the_record_or_the_image_is_in_log_or_errors(
    settings: Settings, demo_films: Path, record: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Assistant(settings) as assistant:
        study = assistant.admit(demo_films / "RG1_UNCR.dcm", record=record)
        assert isinstance(study, Study)
        case = assistant.open_case(study.uid)
        assistant.draft(case.id)
        decide_all(assistant, case.id, assistant.reader_named("reader-1"))
        assistant.sign(case.id, by=assistant.reader_named("reader-1"))
        entries = repr(kept(assistant).events())
    for planted in ("CompressedSamples", "9RG1", "Hypertension", "ZZREADER"):
        assert planted not in entries
        assert planted not in caplog.text


def test_importing_medmm_loads_no_torch() -> None:
    code = "import sys, medmm; assert not {'torch', 'monai', 'pydicom', 'streamlit'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
