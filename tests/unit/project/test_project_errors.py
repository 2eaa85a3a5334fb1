"""Proof U4: each error names the thing and the remedy, at every place that raises one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.domain import errors

ROOT = Path(__file__).resolve().parents[3]
KINDS = {kind.__name__ for kind in errors.EXIT_CODES}


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every construction of one of our errors in the shipped sources, with its place."""
    for folder in ("medmm", "pipelines", "ui"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in KINDS
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


SITES = dict(raised())


def test_there_are_many_places() -> None:
    assert len(SITES) > 60


@pytest.mark.parametrize("place", SITES)
def test_a_raised_error_says_what_and_what_helps(place: str) -> None:
    call = SITES[place]
    assert len(call.args) == 1, "what went wrong, as the one positional argument"
    remedies = [k.value for k in call.keywords if k.arg == "remedy"]
    assert len(remedies) == 1, "what helps"
    for part in (call.args[0], remedies[0]):
        if isinstance(part, ast.Constant):
            assert isinstance(part.value, str)
            assert len(part.value) >= 4


def test_every_error_has_an_exit_code_and_a_status() -> None:
    assert (
        set(errors.EXIT_CODES) == set(errors.HTTP_STATUS) == set(errors.MedmmError.__subclasses__())
    )
    assert list(errors.EXIT_CODES.values()) == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("kind", errors.EXIT_CODES)
def test_the_message_holds_problem_place_and_remedy(kind: type[errors.MedmmError]) -> None:
    error = kind("it broke", remedy="mend it", file="a.dcm")
    assert str(error) == "it broke (file a.dcm); mend it"
    assert errors.exit_code(error) == errors.EXIT_CODES[kind]


def test_no_broad_handler_hides_anything() -> None:
    """`except Exception` stands nowhere; our own errors are caught at the edges alone."""
    for folder in ("medmm", "pipelines", "ui"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler):
                    names = (
                        {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)}
                        if node.type
                        else {"Exception"}
                    )
                    assert not names & {"Exception", "BaseException"}, (
                        f"{path.relative_to(ROOT)}:{node.lineno}"
                    )


def test_no_assert_guards_anything() -> None:
    """`python -O` leaves asserts out: what must hold raises one of our errors."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("medmm", "pipelines", "ui")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def test_what_is_needed_is_given_or_named() -> None:
    assert errors.needed(0, "a number") == 0
    with pytest.raises(errors.StateError, match=r"the draft is missing \(case case-1\)"):
        errors.needed(None, "the draft", case="case-1")
