"""The first line of a docstring is one that can be read at a glance: at most 88 characters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LONGEST = 88
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Iterator[Path]:
    for folder in ("medmm", "pipelines", "benchmarks", "ui"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def too_long(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented):
            first = (ast.get_docstring(node) or "").split("\n")[0]
            if len(first) > LONGEST:
                yield first


def test_a_long_summary_is_found() -> None:
    assert list(too_long(f'"""{"a" * 88}."""')) == ["a" * 88 + "."]
    assert not list(too_long(f'"""{"a" * 87}."""'))


def test_every_summary_fits() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := list(too_long(path.read_text(encoding="utf-8"))))
    }
    assert not found
