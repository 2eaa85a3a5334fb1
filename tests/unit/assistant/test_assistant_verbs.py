"""The door itself: every public verb has its row of roles, and stays a thin door."""

from __future__ import annotations

import ast
import inspect
from datetime import UTC, datetime
from doctest import DocTestParser
from pathlib import Path
from typing import cast

import pytest

import medmm.assistant
from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import PermissionDenied, StateError
from medmm.domain.roles import role_table
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.kept import kept
from tests.quick_assistant import READERS, READS, GivenNetworks, opened, quick_assistant, signed

# opening, closing, whom there is, and who says so; render is publish without files, drafts and to_sign look at a case, studies at a folder,
# teaching_case at a case without its patient, reading_mode at nothing; arrived and next_case at the worklist; filters and unfinished give back what save_filter and keep_unfinished keep
NOT_VERBS = {
    "from_config",
    "close",
    "reader_named",
    "readers",
    "render",
    "drafts",
    "begin_draft",
    "draft_progress",
    "to_sign",
    "studies",
    "acceptance",
    "arrived",
    "next_case",
    "filters",
    "unfinished",
    "teaching_case",
    "reading_mode",
    "refused_decision",
    "with_directory",
    "with_site",
}


def public() -> set[str]:
    return {
        name
        for name, _ in inspect.getmembers(Assistant, inspect.isfunction)
        if not name.startswith("_")
    }


def test_every_verb_has_a_row_and_every_row_a_verb() -> None:
    assert public() - NOT_VERBS == set(role_table())


def test_every_verb_is_documented_and_annotated() -> None:
    for name in public():
        method = getattr(Assistant, name)
        assert (method.__doc__ or "").strip(), name
        assert "return" in inspect.get_annotations(method), name


@pytest.mark.parametrize("name", sorted(public() | {"from_config"}))
def test_the_example_of_a_verb_calls_it_as_it_is_called(name: str) -> None:
    text = inspect.getdoc(getattr(Assistant, name)) or ""
    example = "".join(one.source for one in DocTestParser().get_examples(text))
    calls = [
        node
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("assistant", "Assistant")
    ]
    called = {cast(ast.Attribute, call.func).attr: call for call in calls}
    assert name in called
    for verb, call in called.items():
        own = () if verb == "from_config" else (None,)
        given = {one.arg: None for one in call.keywords if one.arg}
        inspect.signature(getattr(Assistant, verb)).bind(*own, *call.args, **given)


@pytest.mark.parametrize("name", sorted(public() | {"from_config"}))
def test_every_argument_of_a_verb_is_described(name: str) -> None:
    """By, key and case_id are, once, in the docstring of the class."""
    text = inspect.getdoc(getattr(Assistant, name)) or ""
    for argument in inspect.signature(getattr(Assistant, name)).parameters:
        where = inspect.getdoc(Assistant) if argument in ("by", "key", "case_id", "shown") else text
        assert argument == "self" or f"{argument}: " in (where or ""), argument


def test_each_method_is_a_docstring_and_a_call() -> None:
    (door,) = (
        node
        for node in ast.parse(inspect.getsource(medmm.assistant)).body
        if isinstance(node, ast.ClassDef)
    )
    methods = [
        node for node in door.body if isinstance(node, ast.FunctionDef) and node.name in public()
    ]
    assert len(methods) == len(public())
    for method in methods:
        *told, last = method.body
        assert len(told) <= 3, method.name
        assert isinstance(last, ast.Return | ast.Expr), method.name
        assert not any(
            isinstance(node, ast.With | ast.For | ast.If | ast.Try) for node in ast.walk(method)
        )


def test_an_assistant_takes_its_networks_and_its_clock(tmp_path: Path) -> None:
    now = datetime(2031, 2, 3, 4, 5, tzinfo=UTC)
    settings = Settings(data_dir=tmp_path / "data", readers=READERS)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    with Assistant(settings, networks=networks, clock=lambda: now) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        report = signed(assistant, case_id, assistant.reader_named("reader-1"))
        assert report.signed_at == now
        assert {event.at for event in assistant.history(case_id)} == {now}


def test_the_same_key_and_request_do_a_verb_once(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        first = assistant.draft(case_id, key="one")
        assert assistant.draft(case_id, key="one") == first
        assert [event.verb for event in assistant.history(case_id)].count("draft") == 1
        with pytest.raises(StateError, match="another request"):
            assistant.sign(case_id, by="reader-1", key="one")
        with pytest.raises(StateError, match="another request"):
            assistant.draft(case_id, again=False, key="one")


def test_whoever_may_not_is_refused_before_anything_is_read_and_it_is_in_the_log(
    tmp_path: Path,
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        readers=(ReaderEntry(id="auditor-1", name="ZZREADER Two", role="auditor"),),
    )
    with Assistant(settings, networks=GivenNetworks(settings)) as assistant:
        with pytest.raises(PermissionDenied):
            assistant.admit(tmp_path / "nothing is here", by="auditor-1")
        (event,) = kept(assistant).events()
    assert (event.verb, event.outcome, event.actor) == ("admit", "failed", "auditor-1")
