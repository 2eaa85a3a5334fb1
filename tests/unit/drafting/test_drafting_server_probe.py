"""The probe: a server that doesn't look, keep to the schema or speak for itself is refused by the name of what it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from medmm.config import ServerEntry
from medmm.domain.errors import ConfigError, Unavailable
from medmm.domain.model_server import WriterProbe
from medmm.drafting import probe
from medmm.drafting.writers import server_probe
from tests.scripted_server import MODEL, Asked, Behaviour, passes_the_probe, says, scripted

NOW = datetime(2026, 1, 2, 9, tzinfo=UTC)


def probed(behaviour: Behaviour) -> WriterProbe:
    with scripted(behaviour) as one:
        return probe(ServerEntry(**one.settings()).server(), lambda: NOW)


def mark_of(asked: Asked) -> str:
    return str(asked.schema["properties"]["mark"]["enum"][0])


def answering(colour: Callable[[Asked], str], **changes: object) -> Behaviour:
    return lambda a: a.answer(json.dumps({"colour": colour(a), "mark": mark_of(a)}), **changes)


def colours(asked: Asked) -> str:
    return "white" if asked.number == 1 else "red"


def test_a_server_that_looks_and_keeps_to_the_schema_passes() -> None:
    found = probed(says())
    assert (found.passed, found.refusals, found.model, found.at) == (True, (), MODEL, NOW)
    assert found.server.startswith("server-")
    assert found.seconds < 20


REFUSED: dict[str, tuple[Behaviour, set[str]]] = {
    "an ignored picture": (answering(lambda a: "red"), {server_probe.PICTURE_IGNORED}),
    "a misread picture": (
        answering(lambda a: "green" if a.number == 1 else "blue"),
        {server_probe.PICTURE_MISREAD},
    ),
    "prose": (lambda a: a.answer(f"It is {colours(a)}."), {server_probe.PROSE}),
    "the same prose": (
        lambda a: a.answer("I see nothing."),
        {server_probe.PROSE, server_probe.PICTURE_IGNORED},
    ),
    "an echo of another model": (
        answering(colours, model="another"),
        {server_probe.ANOTHER_MODEL},
    ),
    "an ignored schema": (
        lambda a: a.answer(json.dumps({"colour": colours(a), "mark": "m"})),
        {server_probe.FIELD_IGNORED},
    ),
    "JSON without the schema": (
        lambda a: a.answer(json.dumps({"answer": colours(a)})),
        {server_probe.FIELD_IGNORED, server_probe.PICTURE_IGNORED},
    ),
    "ignored max_tokens": (
        answering(colours, usage={"completion_tokens": 4000}),
        {server_probe.FIELD_IGNORED},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_fails_is_named(name: str) -> None:
    behaviour, codes = REFUSED[name]
    found = probed(behaviour)
    assert not found.passed
    assert {refusal.code for refusal in found.refusals} == codes
    assert all(refusal.text.endswith(".") for refusal in found.refusals)


def test_it_asks_at_once_and_in_a_stream_and_sends_no_patient() -> None:
    with scripted(says()) as one:
        probe(ServerEntry(**one.settings()).server(), lambda: NOW)
        assert [body["stream"] for body in one.requests] == [False, True, True]
        assert [body.get("logprobs") for body in one.requests] == [None, None, True]
        marks = {
            body["response_format"]["json_schema"]["schema"]["properties"]["mark"]["enum"][0]
            for body in one.requests
        }
        assert len(marks) == 1
        assert not any(
            mark in json.dumps(body["messages"]) for mark in marks for body in one.requests
        )


def third(behaviour: Behaviour) -> Behaviour:
    """Passes, and answers so when it is asked for log-probabilities."""
    return lambda a: behaviour(a) if a.body.get("logprobs") else (passes_the_probe(a), None)[1]


WITHOUT: dict[str, Behaviour] = {
    "ignored": third(answering(colours)),
    "refused": third(lambda a: a.head(400)),
    "fails": third(lambda a: a.head(500)),
    "another answer": third(lambda a: a.answer("no JSON")),
    "null": third(lambda a: a.in_tokens([b"x"], lambda said: None)),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_a_server_without_log_probabilities_passes_all_the_same(name: str) -> None:
    found = probed(WITHOUT[name])
    assert found.passed
    assert not found.log_probabilities


def test_a_server_that_gives_them_is_known_to() -> None:
    assert probed(says()).log_probabilities


def test_a_server_that_does_not_pass_is_asked_no_more() -> None:
    with scripted(answering(lambda a: "red")) as one:
        found = probe(ServerEntry(**one.settings()).server(), lambda: NOW)
        assert len(one.requests) == 2
    assert not found.log_probabilities


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (lambda a: a.stopped.wait(30), Unavailable),
        (lambda a: a.head(503), Unavailable),
        (lambda a: a.head(302, Location="/"), ConfigError),
    ],
)
def test_a_server_that_does_not_answer_is_a_typed_error(
    behaviour: Behaviour, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_probe, "WITHIN_S", 1.0)
    with pytest.raises(kind):
        probed(behaviour)


def test_the_scripted_server_judges_the_picture_itself() -> None:
    """Else acceptance would say nothing: shown the wrong disc, it answers otherwise."""
    seen: list[str] = []

    def behave(asked: Asked) -> None:
        assert passes_the_probe(asked)
        seen.append(str(asked.png))

    assert probed(behave).passed
    assert len(set(seen)) == 2  # of three questions
