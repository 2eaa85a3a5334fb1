"""The command line with odd names, foreign folders, broken installations and planted names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
import yaml
from pydicom import dcmread
from typer.testing import CliRunner, Result

from medmm.domain.errors import MedmmError
from medmm.doors import cli, demo
from pipelines import batch

ROOT = Path(__file__).resolve().parents[2]
ODD = os.fsdecode(
    b"[red]a\xff\x1b[2J\xe2\x80\xa8.dcm"
)  # markup, no UTF-8, an escape, a line separator
PLANTED = "ZZPLANTED"


def settings(folder: Path, **more: object) -> Path:
    path = folder / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
    path.write_text(
        yaml.safe_dump({"data_dir": str(folder / "data"), "threads": 1, "readers": readers, **more})
    )
    return path


def medmm(*words: object) -> tuple[int, Result]:
    """Run in this process. Returns: the exit code as `main` would give it, and the result."""
    result = CliRunner().invoke(cli.app, [str(w) for w in words], env={"NO_COLOR": "1"})
    if isinstance(result.exception, MedmmError):
        return cli.report(result.exception), result
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result


def outside(*words: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run as a program of its own, with networks that load no torch."""
    code = (
        "from medmm import models; from tests.quick_assistant import QuickNetworks; "
        "models.Networks = QuickNetworks; from medmm.doors.cli import main; main()"
    )
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, env=variables, capture_output=True, check=False, timeout=120)


def test_an_odd_file_name_gives_one_line_of_json_and_a_row(
    tmp_path: Path, demo_films: Path
) -> None:
    config, film = settings(tmp_path), tmp_path / ODD
    shutil.copy(demo_films / "RG3_UNCR.dcm", film)
    code, result = medmm("--config", config, "read", film, "--json")
    assert code == 0
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["path"] == str(film)
    code, result = medmm("--config", config, "read", film)
    assert code == 0
    assert "[red]a" in result.stdout
    assert "\x1b" not in result.stdout
    shown = medmm("--config", config, "study", "show", film)[1].stdout
    assert "\x1b" not in shown
    assert "refused" in shown


def test_a_terminal_that_lacks_characters_gets_numbers_for_them(
    tmp_path: Path, demo_films: Path
) -> None:
    config = settings(tmp_path)
    done = outside(
        "--config", config, "draft", demo_films / "RG1_UNCR.dcm", PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 0, done.stderr
    assert b"DRAFT, not signed" in done.stdout
    assert b"\\u2713" in done.stdout


def test_no_command_shows_a_traceback_for_bad_input(tmp_path: Path, demo_films: Path) -> None:
    config, empty = settings(tmp_path), tmp_path / "empty.dcm"
    empty.touch()
    film = demo_films / "RG1_UNCR.dcm"
    for code, words in (
        (3, ("draft", empty)),
        (3, ("draft", tmp_path / "nothing")),
        (3, ("draft", film, "--record", empty)),
        (3, ("draft", film, "--record", film)),
        (3, ("publish", "../../etc")),
        (3, ("case", "show", "\x1b[31m")),
        (3, ("audit", "log", "no-case")),
        (5, ("--by", "nobody", "cases")),
        (2, ("draft",)),
        (2, ("no-such-command",)),
    ):
        found, result = medmm("--config", config, *words)
        assert found == code, (words, result.output, result.exception)
    assert medmm("--config", tmp_path / "no.yaml", "cases")[0] == 4
    done = outside("--config", tmp_path / "no.yaml", "cases")
    assert done.returncode == 4
    assert b"remedy" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("leftover", ["data/precious", "demo.yaml", "draft.html"])
def test_the_demo_leaves_a_folder_that_is_not_its_own_untouched(
    tmp_path: Path, leftover: str
) -> None:
    folder = tmp_path / "mine"
    (folder / leftover).parent.mkdir(parents=True)
    (folder / leftover).write_text("data_dir: data\n")
    code, _ = medmm("demo", "--out", folder)
    assert code == 3
    assert [p for p in folder.rglob("*") if p.is_file()] == [folder / leftover]
    assert (folder / leftover).read_text() == "data_dir: data\n"


def test_folders_that_can_t_be_used_are_told_with_a_remedy(
    tmp_path: Path, demo_films: Path
) -> None:
    config, file = settings(tmp_path), tmp_path / "file"
    file.touch()
    assert medmm("demo", "--out", file / "x")[0] == 3
    for words in (
        ["nothing", "--out", "out"],
        [tmp_path, "--out", file / "x"],
        [tmp_path, "--out", "o", "--records", "no"],
    ):
        assert batch.main([*map(str, words), "--config", str(config)]) == 3
    page = file / "draft.html"
    assert medmm("--config", config, "draft", demo_films / "RG1_UNCR.dcm", "--html", page)[0] == 3


def test_doctor_says_what_is_wrong_with_an_installation_that_does_not_open(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, result = medmm(
        "--config", settings(tmp_path, data_dir=str(file / "x")), "doctor", "--json"
    )
    checks = {check["name"]: check for check in map(json.loads, result.stdout.splitlines())}
    assert code == 4
    assert checks["installation"]["state"] == "problem"
    assert checks["installation"]["remedy"]
    assert checks["medmm"]["state"] == "ok"


def test_altered_weights_are_a_problem_for_doctor_and_stop_a_draft(
    tmp_path: Path, demo_films: Path
) -> None:
    import medmm as package

    weights = tmp_path / "weights"
    shutil.copytree(Path(package.__file__).parent / "weights", weights)
    stored = weights / "chest-anatomy" / "model.safetensors"
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    config = settings(tmp_path, weights_dir=str(weights))
    code, result = medmm("--config", config, "doctor", "--json")
    checks = {check["name"]: check for check in map(json.loads, result.stdout.splitlines())}
    assert code == 4
    assert checks["model chest-anatomy"]["state"] == "problem"
    assert medmm("--config", config, "draft", demo_films / "RG1_UNCR.dcm")[0] == 8
    code, result = medmm("--config", config, "read", demo_films / "RG1_UNCR.dcm", "--json")
    assert code == 8
    (line,) = map(json.loads, result.stdout.splitlines())
    assert not line["evaluable"]
    assert line["reason"]


def test_a_planted_name_occurs_nowhere_that_people_without_need_look(
    tmp_path: Path, demo_films: Path
) -> None:
    config, film = settings(tmp_path), tmp_path / "film.dcm"
    data = dcmread(demo_films / "RG1_UNCR.dcm")
    data.PatientName, data.PatientID = f"{PLANTED}^RG1", f"{PLANTED}-1"
    data.OtherPatientIDs, data.ReferringPhysicianName, data.AccessionNumber = (
        PLANTED,
        PLANTED,
        PLANTED,
    )
    data.InstitutionName = data.StudyDescription = data.PatientComments = PLANTED
    data.save_as(film)
    record = tmp_path / "record.json"
    text = (Path(demo.__file__).parent / "demo_record.json").read_text()
    record.write_text(text.replace("CompressedSamples", PLANTED).replace("9RG1", f"{PLANTED}-1"))
    other = tmp_path / "other.json"
    other.write_text(text.replace("CompressedSamples", PLANTED).replace("1940-03-05", "1951-01-01"))
    told, codes = [], []
    for words in (
        ("draft", film, "--record", other),  # refused: another patient
        ("draft", film, "--record", record, "--html", tmp_path / "page.html"),
        ("study", "show", film, "--record", other, "--json"),
        ("study", "show", film),
        ("read", film, "--json"),
        ("cases",),
        ("cases", "--json"),
        ("audit", "verify", "--json"),
    ):
        code, result = medmm("--config", config, *words)
        codes.append(code)
        told.append(result.stdout + result.stderr + str(result.exception or ""))
    assert codes == [3, 0, 3, *[0] * 5]  # twice another patient's record
    case = json.loads(medmm("--config", config, "cases", "--json")[1].stdout.splitlines()[0])[
        "case_id"
    ]
    told.append(medmm("--config", config, "audit", "log", case, "--json")[1].stdout)
    told.append((tmp_path / "page.html").read_text())
    heads = [p for p in tmp_path.rglob("*heads*") if p.is_file()]
    assert heads
    told += [p.read_text(errors="replace") for p in heads]
    assert not any(PLANTED in text for text in told)


def test_batch_keeps_films_of_the_same_name_apart(tmp_path: Path, demo_films: Path) -> None:
    config, lines = settings(tmp_path), tmp_path / "out" / "results.jsonl"
    for number, folder in enumerate(("monday", "tuesday"), start=1):
        (tmp_path / folder).mkdir()
        film = pydicom.dcmread(demo_films / "RG3_UNCR.dcm")
        film.StudyInstanceUID = f"1.2.3.{number}"  # under one UID they would be one study
        film.save_as(tmp_path / folder / ODD)
        arguments = [
            str(tmp_path / folder),
            "--out",
            str(tmp_path / "out"),
            "--config",
            str(config),
        ]
        assert batch.main([*arguments, "--by", "reader-1"]) == 0
        assert batch.main([*arguments, "--by", "nobody"]) == 5
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [Path(line["path"]).parent.name for line in found] == ["monday", "tuesday"]
    assert {line["name"] for line in found} == {ODD}


def test_a_folder_named_pipelines_where_the_user_stands_is_not_run(tmp_path: Path) -> None:
    config = settings(tmp_path)
    for folder in ("pipelines", "in"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise SystemExit(99)\n")
    command = [
        sys.executable,
        "-P",
        "-m",
        "medmm.doors",
        "--config",
        str(config),
        "batch",
        "in",
        "--out",
        "out",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "0 studies: 0 done" in done.stdout
