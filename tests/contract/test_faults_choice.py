"""Inputs of the shared faults that ask which image is read: two films or series, two acquisitions, parts, ages, views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from medmm import Assistant
from medmm.config import Settings
from medmm.domain.draft import CheckedDraft
from medmm.domain.report import Accept, CaseFile, Reader, Reject
from medmm.domain.study import Study, View
from medmm.doors import cli
from tests.factories import ATTENDING
from tests.shared_faults import generated

PLAIN = "No finding of the reading model reached its operating point."


@pytest.fixture(scope="module")
def films(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(shared_data, "film_studies", tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def series(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(shared_data, "mr_series", tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def records(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(shared_data, "records_ids", tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    readers = [{"id": ATTENDING.id, "name": ATTENDING.name, "role": ATTENDING.role}]
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), readers=readers, writer="rules")
    with Assistant(settings) as opened:
        yield opened


def drafted(
    assistant: Assistant, path: Path, record: Path | None = None
) -> tuple[Study, CheckedDraft, CaseFile]:
    study = assistant.admit(path, record=record)
    assert isinstance(study, Study), study
    case = assistant.open_case(study.uid)
    draft = assistant.draft(case.id)
    return study, draft, assistant.case(case.id)


def signed(assistant: Assistant, draft: CheckedDraft) -> dict[str, str]:
    """The signed report of a draft whose sound statements were accepted, by format."""
    by: Reader = assistant.reader_named(ATTENDING.id)
    asked = [s for s in draft.statements if s.summarises is None]
    decisions = [Reject(s.id) if draft.failed(s.id) else Accept(s.id) for s in asked]
    assistant.decide(draft.draft.case_id, decisions, by=by)
    report = assistant.sign(draft.draft.case_id, by=by)
    return {
        form: assistant.render(report.id, format=form, by=by) for form in ("text", "json", "fhir")
    }


def codes(items: Any) -> set[str]:
    return {notice.code for notice in items}


@pytest.mark.parametrize(
    ("name", "time"),
    [("later_first", "09:30"), ("earlier_first", "09:30"), ("pa_old_ap_new", "18:00")],
)
def test_the_newest_frontal_film_is_read_and_said(
    assistant: Assistant, films: Path, name: str, time: str
) -> None:
    study, draft, _ = drafted(assistant, films / name)
    film = study.frontal
    assert film is not None
    assert film.acquired is not None
    assert film.acquired.moment.strftime("%H:%M") == time
    assert film.view is View.AP
    (read,), (unread,) = draft.draft.images_read, draft.draft.images_unread
    assert read.sop_uids == film.sop_uids
    assert "newest" in read.reason
    assert unread.sop_uids != film.sop_uids
    assert "films-not-read" in codes(draft.draft.warnings)
    assert any(
        line.startswith("not read: ") and unread.sop_uids[0] in line
        for line in draft.draft.not_evaluated
    )
    assert all(s.text != PLAIN for s in draft.statements)
    forms = signed(assistant, draft)
    moment = film.acquired.moment.isoformat()
    assert f"Acquired    {moment}" in forms["text"]
    assert film.sop_uids[0] in forms["text"]
    report = json.loads(forms["json"])["report"]
    assert datetime.fromisoformat(report["study"]["acquired"]) == film.acquired.moment
    assert [image["sop_uids"] for image in report["images_read"]] == [list(film.sop_uids)]
    resources = [entry["resource"] for entry in json.loads(forms["fhir"])["entry"]]
    dated = [
        r["effectiveDateTime"]
        for r in resources
        if r["resourceType"] in ("Observation", "DiagnosticReport")
    ]
    assert {datetime.fromisoformat(one) for one in dated} == {film.acquired.moment}
    derived = [
        one for r in resources for one in r.get("derivedFrom", ()) if one.get("type") == "Media"
    ]
    assert {one["identifier"]["value"] for one in derived} == {f"urn:oid:{film.sop_uids[0]}"}


def test_medmm_read_names_what_it_did_not_read(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMM_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(cli.app, ["read", "--json", str(films / "later_first")])
    assert done.exit_code == 0, done.output
    line = json.loads(done.stdout)
    (read,), (unread,) = line["images_read"], line["images_not_read"]
    assert line["acquired"] == read["acquired"]
    assert (read["acquired"][11:16], unread["acquired"][11:16]) == ("09:30", "08:00")
    assert any(
        "Not read: AP film of 1995-09-26 08:00:00" in warning for warning in line["warnings"]
    )


@pytest.mark.parametrize("name", ["age_conflict", "age_conflict_child"])
def test_any_age_under_18_warns_and_the_conflict_is_said(
    assistant: Assistant, films: Path, name: str
) -> None:
    study = assistant.admit(films / name)
    assert isinstance(study, Study)
    assert {"child", "age-conflict"} <= codes(study.warnings)


def test_the_age_of_the_record_counts_too(assistant: Assistant, films: Path, records: Path) -> None:
    study, draft, _ = drafted(assistant, films / "age_conflict", records / "child_1990.json")
    assert {"child", "age-conflict"} <= codes(draft.draft.warnings)
    assert "record" in {age.source for age in study.ages}


@pytest.mark.parametrize("name", ["pa_says_portable_ap", "pa_code_ap"])
def test_pa_against_ap_is_unknown_with_the_caution(
    assistant: Assistant, films: Path, name: str
) -> None:
    study, draft, _ = drafted(assistant, films / name)
    assert study.volumes[0].view is View.UNKNOWN
    assert "view-conflict" in codes(study.warnings)
    ratios = [s.text for s in draft.statements if "cardiothoracic ratio" in s.text.lower()]
    assert all("not known to be PA" in text for text in ratios)


def test_the_film_and_the_head_as_they_are_stay_without_a_word(
    assistant: Assistant, films: Path, series: Path
) -> None:
    study, draft, _ = drafted(assistant, films / "plain")
    said = {
        "films-not-read",
        "film-order-unknown",
        "child",
        "age-conflict",
        "view-conflict",
        "side-conflict",
    }
    assert not said & codes(draft.draft.warnings)
    assert study.volumes[0].view is View.PA
    head, draft, _ = drafted(assistant, series / "plain")
    assert not {"not-covered", "series-not-read", "several-acquisitions"} & codes(
        draft.draft.warnings
    )
    assert len(head.volumes) == 1


@pytest.mark.parametrize(
    ("name", "day", "time"),
    [
        ("two_times", "2020-01-02", "11:30"),
        ("two_times_rev", "2020-01-02", "11:30"),
        ("two_days_offset", "2020-06-01", "10:15"),
    ],
)
def test_the_newest_series_is_read_and_the_other_never_missed_in_silence(
    assistant: Assistant, series: Path, name: str, day: str, time: str
) -> None:
    study, draft, _ = drafted(assistant, series / name)
    assert [volume.shape_zyx[0] for volume in study.volumes] == [24, 24]
    (read,), (unread,) = draft.draft.images_read, draft.draft.images_unread
    assert read.acquired is not None
    assert read.acquired.moment.strftime("%Y-%m-%d %H:%M") == f"{day} {time}"
    assert set(read.sop_uids).isdisjoint(unread.sop_uids)
    assert "series-not-read" in codes(draft.draft.warnings)
    assert any(
        unread.series_uid in line
        for line in draft.draft.not_evaluated
        if line.startswith("not read: ")
    )
    texts = [s.text for s in draft.statements]
    assert PLAIN not in texts
    if name != "two_times_rev":
        assert any("another FLAIR series of the study was not read" in text for text in texts)


@pytest.mark.parametrize(
    ("name", "why"), [("top_6", "30 mm from foot to head"), ("half_fov", "cut off")]
)
def test_a_part_of_a_head_gives_no_plain_no_finding(
    assistant: Assistant, series: Path, name: str, why: str
) -> None:
    _, draft, file = drafted(assistant, series / name)
    (notice,) = (n for n in draft.draft.warnings if n.code == "not-covered")
    assert why in notice.text
    texts = [s.text for s in draft.statements]
    assert PLAIN not in texts
    assert any("Only a part of the head is shown" in text for text in texts)
    assert all(not draft.failed(s.id) for s in draft.statements)
    assert file.reading is not None
    assert not file.reading.coverage[0].whole
