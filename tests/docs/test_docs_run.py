"""Docs are true: generated pages are current, code blocks run, commands and links exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from medmm.config import Settings
from medmm.models.weights.catalogue import model_rows
from tests.docs.generate import PAGES, WITH_FIGURES, cli, is_argument, walk, with_figures

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted(
    [
        ROOT / "README.md",
        ROOT / "SECURITY.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "configs").rglob("*.md"),
        *(ROOT / "benchmarks").rglob("*.md"),
    ]
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)


def blocks(file: Path, kind: str) -> list[str]:
    return [
        body
        for language, body in BLOCK.findall(file.read_text(encoding="utf-8"))
        if language == kind
    ]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def console_lines(file: Path) -> list[list[str]]:
    lines = [line for block in blocks(file, "console") for line in block.splitlines()]
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ medmm")]


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_current(page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == PAGES[page](), "run `make docs`"


@pytest.mark.parametrize("page", WITH_FIGURES)
def test_figures_are_those_beside_the_weights(page: str) -> None:
    assert (ROOT / page).read_text(encoding="utf-8") == with_figures(page), "run `make docs`"


@pytest.mark.parametrize("file", [f for f in DOCS if blocks(f, "python")], ids=name)
def test_python_blocks_run_in_order(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a program of their own would; the README's are run by the installed wheel too (`tests/e2e`)."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for variable in [name for name in os.environ if name.startswith("MEDMM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("MEDMM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MEDMM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    code = compile("\n".join(blocks(file, "python")), str(file), "exec")
    exec(code, {"__name__": "__main__"})


@pytest.mark.parametrize("file", [f for f in DOCS if console_lines(f)], ids=name)
def test_commands_in_docs_exist_with_their_options(file: Path) -> None:
    for words in console_lines(file):
        assert resolves(words[1:], cli()), f"{shlex.join(words)} is no command of medmm"


def resolves(words: list[str], command: Any) -> bool:
    """Whether every command and option of a command line is known, at its place."""
    options = {
        name: p
        for p in command.params
        if not is_argument(p)
        for name in (*p.opts, *p.secondary_opts)
    }
    while words:
        word, *words = words
        if word.startswith("-"):
            option = options.get(word.split("=")[0])
            if option is None:
                return False
            if not option.is_flag and "=" not in word:
                words = words[1:]
        elif hasattr(command, "commands"):
            return word in command.commands and resolves(words, command.commands[word])
    return not hasattr(command, "commands")


@pytest.mark.parametrize(
    "wrong", ["read --no-such-option", "no-such-command", "audit", "--nobody x read"]
)
def test_an_unknown_command_or_option_would_be_noticed(wrong: str) -> None:
    assert not resolves(shlex.split(wrong), cli())


def test_every_command_and_every_setting_is_in_the_docs() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in DOCS)
    for command, _ in walk(cli(), "medmm"):
        assert command in text, f"{command} is in no page"
    for setting in Settings.model_fields:
        assert f"`{setting}`" in text, f"{setting} is in no page"


def test_every_network_of_the_catalogue_has_its_terms_and_its_card_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    terms = readme.split("**Terms of the weights.**")[1].split("\n\n")[0]
    for row in model_rows(None):
        assert f"`{row.name}`" in terms, f"the terms of {row.name} are not told"
        if row.state == "not installed":
            continue  # what does not ship has no card to link
        card = f"medmm/weights/{row.name}/card.md"
        assert f"[{row.name}]({card})" in readme, f"the card of {row.name} is not linked"
        assert "**Terms.**" in (ROOT / card).read_text(encoding="utf-8")


@pytest.mark.parametrize("file", DOCS, ids=name)
def test_links_and_pictures_are_there(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (file.parent / target).exists(), f"{name(file)} points to {target}"


@pytest.mark.parametrize("file", DOCS, ids=name)
def test_paths_named_in_docs_exist(file: Path) -> None:
    for path in re.findall(
        r"`((?:medmm|pipelines|ui|configs|benchmarks|tests|docs)/[\w./-]+)`",
        file.read_text(encoding="utf-8"),
    ):
        assert (ROOT / path).exists(), f"{name(file)} names {path}"


def test_the_projects_files_name_no_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
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
