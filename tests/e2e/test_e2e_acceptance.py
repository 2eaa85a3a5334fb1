"""A model of others, measured on a site's own films, accepted by a person, and put back into shadow."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.domain.acceptance import Acceptance
from medmm.domain.codec import to_json
from medmm.domain.drift import DriftVerdict
from medmm.domain.errors import InputError, PermissionDenied, StateError
from medmm.domain.study_inspection import Duty
from medmm.doors import cli
from medmm.presentation.draft_html import draft_html
from medmm.store import failpoint
from tests.kept import kept
from tests.outside_models import declare, film_declaration, film_folder, film_onnx
from tests.quick_assistant import opened
from tests.site_studies import (
    READERS,
    assistant_of,
    bright_film,
    labelled_films,
    manifest_of,
    terminal,
)
from tests.warm_parent import WarmParent

BURDEN = 0.3  # with 30 films without any finding no lower one is borne out
WORKER = """
import sys
from pathlib import Path
from tests.site_studies import assistant_of

verb, folder = sys.argv[1], Path(sys.argv[2])
with assistant_of(folder / "data", speaks=False) as assistant:
    file = folder / "trial" / "acceptance.json"
    if verb == "shadow_model":
        assistant.accept_model("film-net", file, by="reader-1")
        assistant.shadow_model("film-net", reason="a new detector", by="reader-1", key="once")
    elif verb == "accept_model":
        assistant.accept_model("film-net", file, by="reader-1", key="once")
"""


@dataclass(frozen=True)
class Site:
    """A data folder with a model in shadow, and what was measured of it."""

    folder: Path

    @property
    def acceptance(self) -> Path:
        return self.folder / "trial" / "acceptance.json"

    def assistant(self, **how: object) -> Assistant:
        return assistant_of(self.folder / "data", **{"speaks": False, **how})

    def film(self, number: int = 900, brightness: float = 0.8) -> Path:
        return bright_film(self.folder / "films", number, brightness)


class Broken(Exception):
    """In the place of an interrupt."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose films were read in two runs, the first of which was broken off."""
    folder = tmp_path_factory.mktemp("site")
    table = labelled_films(folder)

    def stop(done: int, of: int) -> None:
        if done == 4:
            raise Broken

    with assistant_of(folder / "data", speaks=False) as assistant:
        assistant.add_model(film_folder(folder / "net"), by="admin-1")
        how = {"labels": table, "burden": BURDEN, "to": folder / "trial", "by": "reader-1"}
        with pytest.raises(Broken):
            assistant.calibrate_model("film-net", **how, progress=stop)
        before = (folder / "trial" / "readings.jsonl").read_bytes()
        assert len(before.splitlines()) == 4
        with (folder / "trial" / "readings.jsonl").open("ab") as torn:
            torn.write(b'{"key": "a death in the middle of a li')
        done: list[int] = []
        assistant.calibrate_model("film-net", **how, progress=lambda n, of: done.append(n))
        after = (folder / "trial" / "readings.jsonl").read_bytes()
        assert after.startswith(before), "what was read is not read again"
        assert len(after.splitlines()) == done[-1] == 46
    return folder


@pytest.fixture
def site(measured: Path, tmp_path: Path) -> Site:
    for name in ("data", "trial"):
        shutil.copytree(measured / name, tmp_path / name)
    shutil.copy(measured / "data.heads", tmp_path / "data.heads")
    return Site(tmp_path)


def test_what_is_measured_stands_in_file_page_and_log(site: Site) -> None:
    with site.assistant() as assistant:
        found = assistant.acceptance(site.acceptance)
        assert (found.calibrated.studies, found.measured.studies) == (36, 10)
        assert found.burden.value is not None
        assert found.calibration is not None
        assert found.calibration.alarm is not None
        assert found.calibration.alarm.burden == BURDEN
        (event,) = [
            e
            for e in kept(assistant).events("film-net")
            if e.verb == "calibrate_model" and e.outcome == "done"
        ]
        assert event.details["studies"] == "10"
        assert (event.actor, event.details["table"]) == ("reader-1", found.table_sha256)
        page = (site.folder / "trial" / "acceptance.html").read_text()
        assert "film-net" in page
        assert assistant.draft(opened(assistant, site.film())).statements == (), "still in shadow"


def test_an_accepted_model_speaks_with_the_points_of_the_site(site: Site) -> None:
    with site.assistant() as assistant:
        (before,) = assistant.studies(site.film())
        standing = assistant.accept_model("film-net", site.acceptance, by="reader-1", note="seen")
        (after,) = assistant.studies(site.film())
        assert before.input_sha256 != after.input_sha256, "drafts are made anew"
        signed = standing.accepted
        assert signed is not None
        assert (signed.reader.id, signed.note) == ("reader-1", "seen")
        case_id = opened(assistant, site.film())
        draft = assistant.draft(case_id)
        assert "Effusion" in {one.finding for one in draft.statements}
        codes = Counter(notice.code for notice in draft.draft.warnings)
        assert codes["accepted-here"] == codes["alarm-burden"] == 1
        file = assistant.case(case_id)
        for page in (terminal(assistant, case_id), draft_html(file)):
            words = " ".join(page.split())
            assert (
                "ZZREADER One (attending) accepted the model film-net here on 2026-11-30" in words
            )
            assert "as measured on 10 studies of this site" in words
            assert "On this site's own films this was not measured" not in words
        calibration = signed.acceptance.calibration
        assert calibration is not None
        assert file.reading is not None
        effusion, row = file.reading.finding("Effusion"), calibration.of("Effusion")
        assert effusion is not None
        assert row is not None
        assert effusion.own_probability is not None
        assert effusion.threshold == row.threshold
        assert effusion.probability == row.probability(effusion.own_probability)
        (duty,) = [one.duty for one in assistant.models() if one.name == "film-net"]
        assert duty is not None
        assert (duty.duty, duty.studies, duty.by) == (Duty.ACCEPTED, 10, "ZZREADER One")
        assert assistant.verify().ok


def test_an_accepted_model_goes_back_into_shadow_with_a_reason(site: Site) -> None:
    with site.assistant() as assistant:
        with pytest.raises(StateError, match="in shadow already"):
            assistant.shadow_model("film-net", reason="why not", by="reader-1")
        assistant.accept_model("film-net", site.acceptance, by="reader-1")
        with pytest.raises(InputError, match="no reason"):
            assistant.shadow_model("film-net", reason=" ", by="reader-1")
        case_id = opened(assistant, site.film())
        assert assistant.draft(case_id).statements
        standing = assistant.shadow_model("film-net", reason="a new detector", by="admin-1")
        assert standing.accepted is None
        assert len(standing.decisions) == 2
        assert assistant.draft(case_id, again=False).statements == ()
        assistant.accept_model("film-net", site.acceptance, by="reader-1")
        assert assistant.draft(case_id, again=False).statements


def test_what_may_not_be_accepted_is_refused_by_name(site: Site) -> None:
    with site.assistant() as assistant:
        for who in ("admin-1", "resident-1"):
            with pytest.raises(PermissionDenied):
                assistant.accept_model("film-net", site.acceptance, by=who)
        altered = site.folder / "altered.json"
        said = json.loads(site.acceptance.read_text())
        said["calibration"]["alarm"]["point"] = 0.0001
        altered.write_text(json.dumps(said))
        with pytest.raises(InputError, match="the file was altered"):
            assistant.accept_model("film-net", altered, by="reader-1")
        altered.write_text("{}")
        with pytest.raises(InputError, match="stored data are not a Acceptance"):
            assistant.accept_model("film-net", altered, by="reader-1")
        film_onnx(site.folder / "other" / "net.onnx", weights=(-4.0, 4.0))
        other = declare(site.folder / "other", film_declaration(id="second-net"))
        assistant.add_model(other, by="admin-1")
        with pytest.raises(InputError, match="this is the acceptance of film-net"):
            assistant.accept_model("second-net", site.acceptance, by="reader-1")
        with pytest.raises(InputError, match="no reading model 'no-net'"):
            assistant.accept_model("no-net", site.acceptance, by="reader-1")
        assistant.accept_model("film-net", site.acceptance, by="reader-1", key="once")
        assistant.accept_model("film-net", site.acceptance, by="reader-1", key="once")
        with pytest.raises(StateError, match="in force already"):
            assistant.accept_model("film-net", site.acceptance, by="reader-1")
        assert (
            len(
                assistant.accept_model(
                    "film-net", site.acceptance, by="reader-1", key="once"
                ).decisions
            )
            == 1
        )


def test_a_new_version_of_an_accepted_model_is_in_shadow_again(site: Site) -> None:
    with site.assistant() as assistant:
        assistant.accept_model("film-net", site.acceptance, by="reader-1")
        assistant.remove_model("film-net", by="admin-1")
        film_onnx(site.folder / "new" / "net.onnx", weights=(4.5, -4.0))
        assistant.add_model(declare(site.folder / "new", film_declaration()), by="admin-1")
        case_id = opened(assistant, site.film())
        assert assistant.draft(case_id).statements == ()
        with pytest.raises(InputError, match="of another version of the model"):
            assistant.accept_model("film-net", site.acceptance, by="reader-1")
        sha256 = manifest_of(assistant)
    with site.assistant() as assistant:
        assert [one.case_id for one in kept(assistant).shadow_readings(sha256)] == [case_id]


def test_a_draft_rests_on_the_model_that_the_settings_name_first(site: Site) -> None:
    film = site.film(brightness=0.3)
    with site.assistant(speaks=True) as assistant:
        assistant.accept_model("film-net", site.acceptance, by="reader-1")
        case_id = opened(assistant, film)
        assistant.draft(case_id)
        first = assistant.case(case_id).reading
        assert first is not None
        assert {f.model for f in first.other_findings} == {"film-net"}
        assert [alarm.model for alarm in first.alarms] == ["film-net"]
    with site.assistant(speaks=True, reading_order=("film-net",)) as assistant:
        assistant.draft(case_id, again=False)
        second = assistant.case(case_id).reading
        assert second is not None
        effusion = second.finding("Effusion")
        assert effusion is not None
        assert second.model_of(effusion) == "film-net"
        with pytest.raises(StateError, match="reading_order names this model"):
            assistant.remove_model("film-net", by="admin-1")


def test_what_is_read_later_stands_beside_what_was_measured_on_the_models_own_scale(
    site: Site,
) -> None:
    with site.assistant() as assistant:
        with pytest.raises(StateError, match="never accepted"):
            assistant.watch_model("film-net")
        assistant.accept_model("film-net", site.acceptance, by="reader-1")
        for number in (901, 902):
            assistant.draft(opened(assistant, site.film(number)))
        report = assistant.watch_model("film-net")
        assert report.studies == 2
        (scores,) = [row for row in report.rows if row.then.finding == "Effusion"]
        assert scores.verdict is DriftVerdict.TOO_FEW
        assert scores.now.studies == 2
        assert scores.now.counts[-1] == 2, "brighter than every film of the acceptance"


def tool(config: Path, *words: object, by: str = "reader-1", answer: str | None = None) -> Result:
    arguments = ["--config", str(config), "--by", by, *map(str, words)]
    given = {"NO_COLOR": "1", "COLUMNS": "200"}
    return CliRunner().invoke(cli.app, arguments, env=given, input=answer)


@pytest.fixture
def config(site: Site) -> Path:
    path = site.folder / "settings.yaml"
    data = site.folder / "data"
    settings = {
        "data_dir": str(data),
        "weights_dir": str(data / "none"),
        "threads": 1,
        "device": "cpu",
        "readers": [one.model_dump() for one in READERS],
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def test_the_command_line_shows_the_figures_and_asks(site: Site, config: Path) -> None:
    words = ("models", "accept", "film-net", "--acceptance", site.acceptance)
    done = tool(config, *words, answer="n\n")
    assert done.exit_code == 1
    assert "ZZREADER One (attending): let film-net speak in drafts" in done.stdout
    assert "Effusion: AUROC" in done.stdout
    assert "film-net: in shadow since" in " ".join(tool(config, "models", "list").stdout.split())
    done = tool(config, *words, answer="y\n")
    assert done.exit_code == 0, done.output
    assert "film-net speaks in drafts from now on, accepted by ZZREADER One." in done.stdout
    listed = " ".join(tool(config, "models", "list").stdout.split())
    assert "film-net: accepted here on 10 studies by ZZREADER One" in listed
    watched = tool(config, "models", "watch", "film-net", "--html", site.folder / "drift.html")
    assert watched.exit_code == 0, watched.output
    assert "too few to tell" in watched.stdout
    assert "film-net" in (site.folder / "drift.html").read_text()
    done = tool(config, "models", "shadow", "film-net", "--reason", "a new detector", "--json")
    assert json.loads(done.stdout)["decisions"][1]["reason"] == "a new detector"
    refused = tool(config, "models", "calibrate", "film-net", "--to", site.folder / "new")
    assert isinstance(refused.exception, InputError)
    occupied = tool(
        config, "models", "calibrate", "film-net", "--from-reports", "--to", site.folder
    )
    assert isinstance(occupied.exception, InputError)


@pytest.mark.parametrize("point", failpoint.POINTS)
@pytest.mark.parametrize("verb", ["accept_model", "shadow_model"])
def test_a_death_leaves_the_decision_whole_or_unmade(
    verb: str, point: str, site: Site, warm_parent: WarmParent
) -> None:
    died = warm_parent.run(WORKER, verb, site.folder, **{failpoint.VARIABLE: f"{verb}:{point}"})
    assert died.code == failpoint.EXIT_CODE, died.said
    with site.assistant() as assistant:
        assert assistant.verify().ok
        decided = kept(assistant).standings()
        made = len(next(iter(decided.values())).decisions) if decided else 0
        before = 1 if verb == "shadow_model" else 0
        assert made == before + (point != "before commit")
        if verb == "accept_model":
            standing = assistant.accept_model(
                "film-net", site.acceptance, by="reader-1", key="once"
            )
        else:
            standing = assistant.shadow_model(
                "film-net", reason="a new detector", by="reader-1", key="once"
            )
        assert len(standing.decisions) == before + 1
        assert assistant.verify().ok


def test_an_acceptance_goes_to_json_and_back(site: Site) -> None:
    with site.assistant() as assistant:
        found = assistant.acceptance(site.acceptance)
    assert isinstance(found, Acceptance)
    assert json.loads(site.acceptance.read_text()) == json.loads(json.dumps(to_json(found)))
