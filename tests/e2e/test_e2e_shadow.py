"""A model that was added reads in shadow: kept and in the log, and on no surface, until a person accepts it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.domain.codec import to_json
from medmm.domain.errors import ConfigError
from medmm.domain.report import Accept
from medmm.presentation.draft_html import draft_html
from medmm.store import failpoint, leases
from pipelines import batch
from tests.databases import raw
from tests.dicom_files import film_file
from tests.kept import kept
from tests.outside_models import declare, film_declaration, film_folder, film_onnx
from tests.quick_assistant import opened
from tests.site_studies import assistant_of, manifest_of, terminal
from tests.warm_parent import WarmParent


def batch_line(assistant: Assistant, film: Path, out: Path) -> dict[str, Any]:
    """What a batch says of a film, but for when it said so."""
    assert batch.run(assistant, film.parent, out, None, as_json=True) == 0
    (line,) = (out / batch.RESULTS).read_text().splitlines()
    return {key: value for key, value in json.loads(line).items() if key not in ("at", "seconds")}


def surfaces(assistant: Assistant, film: Path, case_id: str, out: Path) -> dict[str, Any]:
    """Everything that anybody sees of a study, from its reading to its published report."""
    draft = assistant.draft(case_id)
    file = assistant.case(case_id)
    (read,) = assistant.read(film)
    (found,) = [one for one in assistant.studies(film) if one.uid]
    seen = {
        "draft": to_json(draft),
        "case": to_json(file),
        "html": draft_html(file),
        "terminal": terminal(assistant, case_id),
        "read": to_json(read),
        "influence": to_json(assistant.influence(case_id)),
        "batch": batch_line(assistant, film, out.with_name(f"{out.name}-batch")),
        "input": found.input_sha256,
        "worklist": to_json(assistant.cases()),
    }
    asked = [Accept(one.id) for one in draft.statements if one.summarises is None]
    assistant.decide(case_id, asked, by="reader-1")
    report = assistant.sign(case_id, by="reader-1")
    paths = assistant.publish(report.id, to=out)
    return seen | {"signed": to_json(report), "published": [p.read_bytes() for p in paths]}


def test_with_and_without_a_model_in_shadow_all_that_is_seen_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    film = film_file(tmp_path / "in", "film")
    with assistant_of(tmp_path / "a") as assistant:
        case_id = opened(assistant, film)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.copy(tmp_path / "a.heads", tmp_path / "b.heads")
    with assistant_of(tmp_path / "b") as assistant:
        assistant.add_model(film_folder(tmp_path / "net"), by="admin-1")
        with_shadow = surfaces(assistant, film, case_id, tmp_path / "out-b")
    with assistant_of(tmp_path / "a") as assistant:
        without = surfaces(assistant, film, case_id, tmp_path / "out-a")
        assert "shadow" not in {event.verb for event in assistant.history(case_id)}
    assert with_shadow == without
    with assistant_of(tmp_path / "b") as assistant:
        (event,) = [one for one in assistant.history(case_id) if one.verb == "shadow"]
        assert (event.outcome, event.role, event.details["model"]) == (
            "done",
            "service",
            "film-net",
        )
        (kept_one,) = kept(assistant).shadow_readings(manifest_of(assistant))
        assert kept_one.reading is not None
        assert [f.name for f in kept_one.reading.findings] == ["Effusion", "Pneumothorax"]
        assert kept_one.input_figures is not None
        assert (kept_one.input_figures.view, kept_one.input_figures.sex) == ("PA", "F")
        assert assistant.verify().ok


def test_the_list_of_models_says_since_when_one_is_in_shadow_and_what_it_read(
    tmp_path: Path,
) -> None:
    with assistant_of(tmp_path / "data") as assistant:
        assistant.add_model(film_folder(tmp_path / "net"), by="admin-1")
        assistant.draft(opened(assistant, film_file(tmp_path, "film")))
    with assistant_of(tmp_path / "data") as assistant:
        (duty,) = [row.duty for row in assistant.models() if row.name == "film-net"]
        assert duty is not None
        assert (duty.duty.value, duty.studies, duty.by) == ("in shadow", 1, "")
        assert duty.since.startswith("20")


def test_a_model_that_fails_in_shadow_costs_nothing_but_its_row(tmp_path: Path) -> None:
    with assistant_of(tmp_path / "data") as assistant:
        assistant.add_model(film_folder(tmp_path / "net"), by="admin-1")
        (network,) = (tmp_path / "data" / "models" / "film-net").rglob("*.onnx")
        network.write_bytes(network.read_bytes()[:-1])
        draft = assistant.draft(opened(assistant, film_file(tmp_path, "film")))
        assert draft.statements
        sha256 = manifest_of(assistant)
    with assistant_of(tmp_path / "data") as assistant:
        (row,) = kept(assistant).shadow_readings(sha256)
        assert row.reading is None
        assert row.why is not None
        assert row.why.code == "shadow-failed"
        assert row.why.text.startswith("IntegrityError: ")


def test_a_study_that_the_model_was_not_made_for_has_its_row_and_the_reason(tmp_path: Path) -> None:
    with assistant_of(tmp_path / "data") as assistant:
        folder = film_folder(tmp_path / "net", age_years=[90, 100])
        assistant.add_model(folder, by="admin-1")
        assistant.draft(opened(assistant, film_file(tmp_path, "film")))
        sha256 = manifest_of(assistant)
    with assistant_of(tmp_path / "data") as assistant:
        (row,) = kept(assistant).shadow_readings(sha256)
        assert row.why is not None
        assert row.why.code == "outside-age"


def test_a_study_that_was_missed_is_read_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with assistant_of(tmp_path / "data") as assistant:
        assistant.add_model(film_folder(tmp_path / "net"), by="admin-1")
        assistant.draft(opened(assistant, film_file(tmp_path, "one")))
        sha256 = manifest_of(assistant)
    with assistant_of(tmp_path / "data") as assistant:
        with monkeypatch.context() as patched:  # the process ends before the thread began
            patched.setattr(assistant._house.background, "hand", lambda work: None)
            missed = opened(assistant, film_file(tmp_path, "two", StudyInstanceUID="1.2.4.2"))
            assistant.draft(missed)
        third = opened(assistant, film_file(tmp_path, "three", StudyInstanceUID="1.2.4.3"))
        assistant.draft(third)
    with assistant_of(tmp_path / "data") as assistant:
        read = [one.case_id for one in kept(assistant).shadow_readings(sha256)]
        assert len(read) == 3
        assert {missed, third} <= set(read)


def test_an_altered_row_of_a_shadow_reading_is_named(tmp_path: Path) -> None:
    with assistant_of(tmp_path / "data") as assistant:
        assistant.add_model(film_folder(tmp_path / "net"), by="admin-1")
        assistant.draft(opened(assistant, film_file(tmp_path, "film")))
    with assistant_of(tmp_path / "data") as assistant, raw(tmp_path / "data") as database:
        database.execute("UPDATE shadow_reading SET body = replace(body, 'Effusion', 'Nodule')")
        database.commit()
        (problem,) = assistant.verify().problems
        assert problem.kind == "altered"
        assert problem.place.startswith("shadow reading case-")


def test_the_order_of_the_settings_decides_who_has_the_first_say(tmp_path: Path) -> None:
    film = film_file(tmp_path, "film")
    film_onnx(tmp_path / "other" / "net.onnx", weights=(-4.0, 4.0))
    with assistant_of(tmp_path / "data") as assistant:
        assistant.add_model(film_folder(tmp_path / "net"), by="admin-1")
        other = declare(tmp_path / "other", film_declaration(id="second-net"))
        assistant.add_model(other, by="admin-1")
    with (
        assistant_of(tmp_path / "data", reading_order=("second-net", "no-net")) as assistant,
        pytest.raises(ConfigError, match="no-net"),
    ):
        assistant.admit(film)
    with assistant_of(tmp_path / "data", reading_order=("second-net", "film-net")) as assistant:
        shadow = assistant._house.on_duty().shadow
        assert [model.identities[0].name for model in shadow] == ["second-net", "film-net"]
        with pytest.raises(ValueError, match="name each once"):
            assistant_of(tmp_path / "data", reading_order=("film-net", "film-net"))


DRAFTS = """
import sys
from pathlib import Path
from tests.quick_assistant import opened
from tests.site_studies import assistant_of

with assistant_of(Path(sys.argv[1])) as assistant:
    assistant.draft(opened(assistant, sys.argv[2]), key="once")
"""


@pytest.mark.parametrize("point", failpoint.POINTS)
def test_a_death_in_shadow_leaves_the_draft_and_the_row_whole_or_missed(
    point: str, tmp_path: Path, warm_parent: WarmParent, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, film = tmp_path / "data", film_file(tmp_path, "film")
    with assistant_of(data) as assistant:
        assistant.add_model(film_folder(tmp_path / "net"), by="admin-1")
        sha256 = manifest_of(assistant)
    died = warm_parent.run(DRAFTS, data, film, **{failpoint.VARIABLE: f"shadow:{point}"})
    assert died.code == failpoint.EXIT_CODE, died.said
    monkeypatch.setattr(leases, "WORK_S", 0.5)  # what the dead process held counts no longer
    with assistant_of(data) as assistant:
        assert assistant.verify().ok
        (case,) = assistant.cases()
        assert assistant.case(case.case_id).draft is not None
        assert len(kept(assistant).shadow_readings(sha256)) == (point != "before commit")
        assistant.draft(case.case_id)
    with assistant_of(data) as assistant:
        assert len(kept(assistant).shadow_readings(sha256)) == 1
        assert assistant.verify().ok
