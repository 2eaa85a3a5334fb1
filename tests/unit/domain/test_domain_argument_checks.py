"""Arguments of a wrong type are a typed error before anything is done; one text is one path, never its letters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.assistant import Assistant
from medmm.domain.argument_checks import checked_arguments, paths_of
from medmm.domain.errors import InputError
from medmm.domain.read_task import ReadTask
from medmm.domain.report import Accept
from tests.dicom_files import film_file
from tests.kept import kept
from tests.quick_assistant import quick_assistant


class Odd:
    """What no argument may be."""


WRONG = (Odd(), 7, 1.5, b"bytes", {"a": 1}, [Odd()], Odd)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    with quick_assistant(tmp_path_factory.mktemp("arguments")) as opened:
        yield opened


def methods() -> list[str]:
    found = inspect.getmembers(Assistant, callable)
    return [name for name, _ in found if not name.startswith("_")]


@pytest.mark.parametrize("name", methods())
def test_every_public_method_refuses_every_wrong_type_by_a_typed_error(
    assistant: Assistant, name: str
) -> None:
    method = getattr(assistant, name)
    parameters = inspect.signature(method).parameters
    before = kept(assistant).events()
    for wrong_name in parameters:
        for wrong in WRONG:
            kinds = str(parameters[wrong_name].annotation).split(" | ")
            if (wrong == 7 and {"int", "float"} & set(kinds)) or (
                wrong == 1.5 and "float" in kinds
            ):
                continue  # a number is no wrong type here
            if wrong == b"bytes" and "bytes" in kinds:
                continue
            if wrong is Odd and kinds[0].startswith("Callable"):
                continue  # a class can be called
            given = dict.fromkeys([wrong_name], wrong)
            for other, parameter in parameters.items():
                if other not in given and parameter.default is inspect.Parameter.empty:
                    given[other] = {
                        "by": assistant.reader_named("reader-1"),
                        "decisions": [Accept("s1")],
                    }.get(other, "x")
            with pytest.raises(InputError) as caught:
                method(**given)
            assert caught.value.remedy
    assert kept(assistant).events() == before


def test_the_assistant_itself_refuses_what_are_no_settings() -> None:
    for wrong in ("settings.yaml", None, {}):
        with pytest.raises(InputError, match="Settings is expected"):
            Assistant(wrong)  # type: ignore[arg-type]


def test_one_text_is_one_path(assistant: Assistant, tmp_path: Path) -> None:
    path = film_file(tmp_path)
    for one in (path, str(path), [path], (str(path),), {path}, iter([str(path)])):
        (result,) = assistant.read(one)
        assert result.path == str(path)
    for wrong in ([], iter([7]), [None], ["a", b"b"]):
        with pytest.raises(InputError):
            list(assistant.read(wrong))  # type: ignore[arg-type]
    (result,) = assistant.read("/no such film.dcm")
    assert "no such file" in str(result.problem)


@given(st.lists(st.one_of(st.text(), st.builds(Path, st.just("a"))), min_size=1))
def test_paths_stay_whole_and_in_order(given_paths: list[Any]) -> None:
    assert paths_of(given_paths) == [Path(one) for one in given_paths]
    assert paths_of(iter(given_paths)) == paths_of(tuple(given_paths))
    for one in given_paths:
        assert paths_of(one) == [Path(one)]


@checked_arguments
def asked(
    a: int | None, b: Sequence[str] = (), *, c: ReadTask | None = None, d: Iterable[int] = ()
) -> str:
    """A function of several kinds of arguments."""
    return f"{a} {list(b)} {c} {list(d)}"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("1",), {}),
        ((1, "text"), {}),
        ((1, [1]), {}),
        ((1, {"a"}), {}),
        ((1,), {"c": "cardiac"}),
        ((1,), {"d": ["1"]}),
        ((1,), {"d": 1}),
    ],
)
def test_what_does_not_fit_its_annotation_is_refused(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="is expected"):
        asked(*args, **kwargs)


def test_what_fits_passes_and_what_is_missing_stays_pythons_own_error() -> None:
    assert asked(None, ["a"], c=ReadTask.CARDIAC, d=iter([1])) == "None ['a'] ReadTask.CARDIAC [1]"
    assert asked(1, ("a",), d={2}) == "1 ['a'] None [2]"
    with pytest.raises(TypeError):
        asked()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        asked(1, e=2)  # type: ignore[call-arg]
