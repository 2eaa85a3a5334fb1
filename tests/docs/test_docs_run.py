"""Docs are true: generated pages are current, code blocks run, commands and links exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer.main

from tests.docs.generate import PAGES, cli, walk

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted(
    [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)


def blocks(file: Path, kind: str) -> list[str]:
    return [body for language, body in BLOCK.findall(file.read_text(encoding="utf-8")) if language == kind]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def console_lines(file: Path) -> list[list[str]]:
    lines = [line for block in blocks(file, "console") for line in block.splitlines()]
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ medmm")]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("MEDMM_")}
    return variables | {"MEDMM_DATA_DIR": str(tmp_path / "data"), "MEDMM_THREADS": "1", "NO_COLOR": "1"}


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_current(page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == PAGES[page](), "run `make docs`"


@pytest.mark.parametrize("file", [f for f in DOCS if blocks(f, "python")], ids=name)
def test_python_blocks_run_in_order(file: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    code = "\n".join(blocks(file, "python"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", [f for f in DOCS if console_lines(f)], ids=name)
def test_commands_in_docs_exist_with_their_options(file: Path) -> None:
    known = dict(walk(cli(), "medmm"))
    for words in console_lines(file):
        context = click.Context(cli())
        assert resolves(words[1:], cli(), context), f"{shlex.join(words)} is no command of medmm"
    assert known


def resolves(words: list[str], command: click.Command, context: click.Context) -> bool:
    """Whether click would take these words: unknown commands and options raise UsageError."""
    words = [w for w in words if w != "--"]
    try:
        while isinstance(command, click.Group):
            parser = command.make_parser(context)
            parser.allow_interspersed_args = False
            _, words, _ = parser.parse_args(list(words))
            found = command.get_command(context, words[0]) if words else None
            if found is None:
                return False
            command, words = found, words[1:]
        command.make_parser(click.Context(command)).parse_args(list(words))
    except click.UsageError:
        return False
    return True


def test_an_unknown_option_would_be_noticed() -> None:
    context = click.Context(cli())
    assert not resolves(["read", "--no-such-option"], cli(), context)
    assert not resolves(["no-such-command"], cli(), context)


@pytest.mark.parametrize("file", DOCS, ids=name)
def test_links_and_pictures_are_there(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (file.parent / target).exists(), f"{name(file)} points to {target}"


@pytest.mark.parametrize("file", DOCS, ids=name)
def test_paths_named_in_docs_exist(file: Path) -> None:
    for path in re.findall(
        r"`((?:medmm|pipelines|ui|configs|benchmarks|tests|docs)/[\w./-]+)`", file.read_text(encoding="utf-8")
    ):
        assert (ROOT / path).exists(), f"{name(file)} names {path}"


def test_the_projects_files_name_no_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    machine = re.compile(r"(?<![\w./-])/(?:root|home|work|farm|opt)/\w")
    for file in listed.stdout.split():
        path = ROOT / file
        if (
            path.suffix in {".py", ".md", ".yaml", ".toml", ".json", ".csv", ""}
            and path.stat().st_size < 1_000_000
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not machine.search(text), f"{file} names a machine path"


def test_typer_builds_the_command_tree() -> None:
    from medmm.doors.cli import app

    assert isinstance(typer.main.get_command(app), click.Group)
