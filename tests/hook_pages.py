"""A page of the docs that is followed to the letter: its files are written, its commands run, section by section.

Networks are those of `tests.quick_assistant`; ports, folders and waits of the page are replaced by those of the test.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.warm_parent import ROOT, WarmParent

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)
MEDMM = """
from medmm import models
from tests.quick_assistant import QuickNetworks
models.Networks = QuickNetworks
from medmm.doors.cli import main
main()
"""
TO_FILE = """
import os
os.dup2(os.open({file!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
"""


@dataclass
class HookPage:
    """A page, and what its commands run in.

    Attributes:
        replaced: words of the page, each with what stands for it here.
        running: process ids of commands that run on, by their first word.
        done: which commands were run, by section and number.
    """

    name: str
    parent: WarmParent
    folder: Path
    replaced: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    done: set[tuple[str, int]] = field(default_factory=set)

    def section(self, title: str) -> str:
        """The text below a heading, up to the next."""
        text = (ROOT / "docs" / self.name).read_text(encoding="utf-8")
        _, found, after = text.partition(f"\n## {title}\n")
        assert found, f"{self.name} has no section {title!r}"
        text = after.partition("\n## ")[0]
        for word, here in self.replaced.items():
            text = text.replace(word, here)
        return text

    def block(self, title: str, kind: str) -> str:
        """The only block of this language in a section."""
        (body,) = [
            body for language, body in BLOCK.findall(self.section(title)) if language == kind
        ]
        return body

    def file(self, title: str, kind: str, place: Path) -> Path:
        """Write the only block of this language in a section as a file."""
        place.write_text(self.block(title, kind), encoding="utf-8")
        return place

    def commands(self, title: str) -> list[tuple[str, str]]:
        """Every command of a section in turn, each with the language of its block."""
        return [
            (language, line.removeprefix("$ "))
            for language, body in BLOCK.findall(self.section(title))
            for line in body.splitlines()
            if language == "sh" or (language == "console" and line.startswith("$ "))
        ]

    def run(self, title: str, number: int, code: int = 0) -> str:
        """Run one command of a section, which ends with this code.

        Returns: what it printed; "" if it runs on ("&").
        """
        language, line = self.commands(title)[number]
        self.done.add((title, number))
        return self._console(line, code) if language == "console" else self._shell(line, code)

    def left(self) -> list[str]:
        """Commands of the page that were not run."""
        text = (ROOT / "docs" / self.name).read_text(encoding="utf-8")
        titles = re.findall(r"^## (.*)$", text, re.M)
        return [
            line
            for title in titles
            for number, (_, line) in enumerate(self.commands(title))
            if (title, number) not in self.done
        ]

    def _console(self, line: str, code: int) -> str:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value
            return ""
        background = line.endswith(" &")
        words = shlex.split(line.removesuffix(" &"), comments=True)
        assert words[0] == "medmm", line
        if background:
            self.running[words[1]] = self._start(*words[1:])
            return ""
        if ">" in words:
            *words, _, file = words
            ended = self.parent.ended(
                self._start(*words[1:], code=TO_FILE.format(file=file) + MEDMM)
            )
            assert ended.code == code, f"{line}: {ended.code}\n{ended.said}"
            return ended.said
        return self.medmm(*words[1:], code=code)

    def medmm(self, *words: str, code: int = 0) -> str:
        """Run a command of medmm as the page's are run. Returns: what it printed."""
        ended = self.parent.ended(self._start(*words))
        assert ended.code == code, f"{words}: {ended.code}\n{ended.said}"
        return ended.said

    def _start(self, *words: str, code: str = MEDMM) -> int:
        return self.parent.start(code, *words, cwd=self.folder, **self.environment)

    def _shell(self, line: str, code: int) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"{line}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def printed(self, command: str) -> str:
        """What a command that runs on has printed so far."""
        return self.parent.said(self.running[command])

    def stop(self) -> dict[str, int]:
        """End what runs on, as a system does. Returns: the exit code of each."""
        for pid in self.running.values():
            os.kill(pid, signal.SIGTERM)
        codes = {name: self.parent.ended(pid).code for name, pid in self.running.items()}
        self.running.clear()
        return codes
