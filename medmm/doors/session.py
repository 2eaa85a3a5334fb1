"""What every command shares: the options before it, the assistant, output and errors.

Errors are reported in one place.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medmm.domain.errors import InputError, MedmmError, exit_code, needed

if TYPE_CHECKING:
    from rich.progress import Progress

    from medmm.assistant import Assistant
    from medmm.config import Settings
    from medmm.domain.report import Reader

WAITING = "models in shadow are still reading; Ctrl-C leaves that for later\n"
WIDTH = 80  # if the output is not a terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The options that stand before a command."""

    config: Path | None
    by: str | None

    def settings(self) -> Settings:
        """Load the settings in force."""
        from medmm.config import load_settings

        return load_settings(self.config)

    @contextmanager
    def assistant(self) -> Iterator[Assistant]:
        """Open an assistant."""
        from medmm.assistant import Assistant

        with first_opening() as progress:
            assistant = Assistant(self.settings(), progress=progress)
        with assistant:
            yield assistant
            if assistant.reading_in_shadow and sys.stderr.isatty():
                sys.stderr.write(WAITING)

    def reader(self, assistant: Assistant) -> Reader | None:
        """Find who acts: the reader of `--by`, or None for the service."""
        return assistant.reader_named(self.by) if self.by else None

    def person(self, assistant: Assistant, command: str) -> Reader:
        """Find the person who acts, for what only a person may do.

        Raises: InputError if `--by` names nobody.
        """
        reader = self.reader(assistant)
        if reader is None:
            raise InputError(
                "nobody is named as reader",
                remedy=f"medmm --by READER {command} …; see `readers:` in the config",
            )
        return reader


def session(context: typer.Context) -> Session:
    """Find the session of a command's context."""
    # The app's callback makes it
    return needed(context.find_object(Session), "the session of a command")


def out() -> Console:
    """Open the console for people; 80 columns if it is not a terminal.

    It takes no markup: names may hold brackets.
    """
    width = None if sys.stdout.isatty() else WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def progress_bar() -> Progress:
    """Show progress on stderr, nothing if that is not a terminal; stdout stays clean."""
    from rich.progress import Progress

    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    return Progress(console=console, redirect_stdout=False, redirect_stderr=False)


@contextmanager
def first_opening() -> Iterator[Callable[[int, int], None]]:
    """Show progress if the cases of an earlier release are gone through, else nothing."""
    bar = progress_bar()

    def show(done: int, of: int) -> None:
        if not bar.task_ids:
            shown.enter_context(bar)
            bar.add_task("cases of an earlier release", total=of)
        bar.update(bar.task_ids[0], completed=done)

    with ExitStack() as shown:
        yield show


def write_json(value: Any) -> None:
    """Write one JSON line to stdout, in ASCII.

    No name of a file or word of a record can break or split it.
    """
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def plain(words: str) -> str:
    """Show control characters of the words as U+FFFD.

    What comes from outside must not steer a terminal.
    """
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in words)


def new_table(*headers: str) -> Table:
    """Make a table without lines that folds long words; without headers it has two columns.

    Then it has no head either.
    """
    table = Table(box=None, show_header=bool(headers))
    for header in headers or ("", ""):
        table.add_column(header, overflow="fold")
    return table


def add_row(table: Table, *cells: str) -> None:
    """Add a row of plain words."""
    table.add_row(*(Text(plain(cell)) for cell in cells))


def report(error: MedmmError) -> int:
    """Say what went wrong and what helps, on stderr.

    Returns: the exit code.
    """
    place = "".join(f"\n  {name}: {value}" for name, value in error.where.items())
    sys.stderr.write(
        plain(f"{type(error).__name__}: {error.problem}{place}\n  remedy: {error.remedy}\n")
    )
    return exit_code(error)
