"""The tables of docs/ that are made from the code: `python -m tests.docs.generate` rewrites them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import typer.main

from medmm.config import ReaderEntry, Settings, configs_dir
from medmm.domain.errors import EXIT_CODES, HTTP_STATUS
from medmm.domain.roles import role_table, roles
from medmm.domain.vocabulary import finding_terms

DOCS = Path(__file__).resolve().parents[2] / "docs"
MADE = "<!-- made by `make docs` from the code; do not edit -->\n\n"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command of the tool with its full name, groups left out."""
    if isinstance(command, click.Group):
        for child in sorted(command.commands):
            yield from walk(command.commands[child], f"{name} {child}")
    else:
        yield name, command


def cli() -> click.Command:
    from medmm.doors.cli import app

    return typer.main.get_command(app)


def commands_md() -> str:
    out = [MADE, "# Commands\n\n", "Every command takes `--help`. Exit codes stand in [errors](errors.md).\n"]
    top = cli()
    out.append("\nBefore the command:\n\n" + options_table(top))
    for name, command in walk(top, "medmm"):
        about = (command.help or "").split("\f")[0].strip()
        arguments = " ".join(
            p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)
        )
        out.append(f"\n## `{name}`\n\n{about}\n\n`{' '.join([name, arguments]).strip()}`\n\n")
        out.append(options_table(command))
    return "".join(out)


def options_table(command: click.Command) -> str:
    rows = [
        [", ".join(f"`{o}`" for o in [*p.opts, *p.secondary_opts]), " ".join((p.help or "").split())]
        for p in command.params
        if isinstance(p, click.Option) and "--help" not in p.opts and not p.hidden
    ]
    return table(["option", "meaning"], rows) if rows else "No options.\n"


def configuration_md() -> str:
    comments = _comments((configs_dir() / "local.yaml").read_text(encoding="utf-8"))
    rows = []
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else f"`{field.default}`"
        kind = (
            str(field.annotation)
            .replace("typing.", "")
            .replace("pathlib._local.", "")
            .replace("pathlib.", "")
        )
        kind = kind.removeprefix("<class '").removesuffix("'>").replace("|", "or")
        rows.append([f"`{name}`", kind, default, f"`MEDMM_{name.upper()}`", comments.get(name, "")])
    readers = table(["key of a reader", "required"], [[f"`{n}`", "yes"] for n in ReaderEntry.model_fields])
    return (
        MADE
        + "# Configuration\n\nOne YAML file (`--config`, else `$MEDMM_CONFIG`, else the `local.yaml` that ships) and the "
        + "environment, which wins. An unknown key is refused with file, line and the nearest known key.\n\n"
        + table(["key", "type", "default", "variable", "meaning"], rows)
        + "\n"
        + readers
    )


def _comments(text: str) -> dict[str, str]:
    """Comment lines above each key of a YAML file."""
    comments: dict[str, str] = {}
    above: list[str] = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        key = bare.split(":")[0]
        if key in Settings.model_fields and ":" in bare:
            comments[key], above = " ".join(above), []
        elif line.startswith("# "):
            above.append(bare)
        elif not line.strip():
            above = []
    return comments


def roles_md() -> str:
    verbs = role_table()
    rows = [[f"`{verb}`", *("yes" if may[r] else "" for r in roles())] for verb, may in verbs.items()]
    return (
        MADE
        + "# Roles\n\nWho may do what. The assistant asks this table at every verb; a verb without a row fails the tests. "
        + "`service` acts where nobody is named; it prepares and never decides.\n\n"
        + table(["verb or look", *roles()], rows)
    )


def errors_md() -> str:
    rows = [
        [f"`{kind.__name__}`", str(code), str(HTTP_STATUS[kind]), (kind.__doc__ or "").split("\n")[0]]
        for kind, code in EXIT_CODES.items()
    ]
    return (
        MADE
        + "# Errors\n\nEvery error says what, where and the remedy. Exit code 0 is done (a study that is not evaluable is "
        + "done too), 2 wrong usage; of several inputs the highest counts.\n\n"
        + table(["error", "exit code", "HTTP status", "who must act"], rows)
    )


def vocabulary_md() -> str:
    rows = [
        [f"`{t.name}`", t.words, "yes" if t.sided else "", "yes" if t.critical else "",
         "; ".join(f"{c.system.split('/')[-1]} {c.code}" for c in t.codings) or "none"]
        for t in finding_terms().values()
    ]  # fmt: skip
    return (
        MADE
        + "# Finding vocabulary\n\nFrom `medmm/domain/data/findings.csv`, which names the source of every code. A code without a "
        + "source stays empty.\n\n"
        + table(["name", "words", "sided", "critical", "codes"], rows)
    )


def checks_md() -> str:
    from medmm.grounding import CHECKS

    rows = [[check.number, check.name, check.about] for check in CHECKS]
    return (
        MADE
        + "# Checks\n\nEvery statement of a draft gets a verdict of every check. A statement that failed one can't be accepted "
        + "unchanged.\n\n"
        + table(["no.", "check", "what it holds"], rows)
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_md,
    "configuration.md": configuration_md,
    "roles.md": roles_md,
    "errors.md": errors_md,
    "vocabulary.md": vocabulary_md,
    "checks.md": checks_md,
}


def main() -> None:
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
