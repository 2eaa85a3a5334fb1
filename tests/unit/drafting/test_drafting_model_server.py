"""A model behind a server: what is sent, how answers are read, and that no server holds, floods or misleads a draft."""

from __future__ import annotations

import base64
import io
import json
import socket
import time
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from medmm.config import ServerEntry
from medmm.domain.draft import Fate
from medmm.domain.errors import ConfigError, MedmmError, Unavailable
from medmm.domain.instruction import Pictures
from medmm.domain.model_server import Departure, ModelServer, fault_of_address
from medmm.drafting import OutsideWriter, RuleWriter, ServerModel
from medmm.drafting.writers import server_connection
from medmm.drafting.writers.instructions import instruction_for
from medmm.drafting.writers.model_server import Sentences
from medmm.drafting.writers.server_connection import Connection
from tests.factories import make_case, make_reading
from tests.proposing_models import findings_of
from tests.scripted_server import (
    MODEL,
    SOUND,
    Asked,
    Behaviour,
    ScriptedServer,
    drip,
    says,
    scripted,
    sentences,
)


def server_of(scripted_one: ScriptedServer, **changes: Any) -> ModelServer:
    return replace(ServerEntry(**scripted_one.settings()).server(), **changes)


def proposed(server: ModelServer, leaving: Any = lambda departure: None) -> list[str]:
    instruction, _ = instruction_for(
        make_case(), make_reading(), pictures=Pictures.NOT_STATED_WITH_TEXT
    )
    model = ServerModel(server, leaving)
    return [p.text for p in model.propose(make_case(), make_reading(), instruction)]


# ---- what is sent ------------------------------------------------------------------------------------------


def test_one_png_a_schema_and_the_record_apart_from_the_task_are_sent() -> None:
    left: list[Departure] = []
    with scripted(says(*SOUND)) as one:
        server = server_of(one, api_key="k-4711")
        assert proposed(server, left.append) == SOUND
        (body,), (fields,) = one.requests, one.fields
    assert body["model"] == MODEL
    assert (body["temperature"], body["stream"]) == (0, True)
    assert body["response_format"]["json_schema"]["schema"] == Sentences.model_json_schema()
    system, user = body["messages"]
    assert "Heart failure" not in system["content"]
    picture, data = user["content"]
    assert set(picture["image_url"]) == {"url"}
    scheme, _, packed = picture["image_url"]["url"].partition(",")
    assert scheme == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(packed)))
    assert (image.mode, image.format) == ("RGB", "PNG")
    assert np.ptp(np.asarray(image)) > 200
    facts = json.loads(data["text"].removeprefix("The record, as data:"))
    assert {"Heart failure"} <= {fact.get("words") for fact in facts}
    assert fields["authorization"] == "Bearer k-4711"
    assert "k-4711" not in repr(server)
    (departure,) = left
    assert departure.bytes == len(json.dumps(body, ensure_ascii=True).encode())
    assert (departure.facts, len(departure.sha256)) == (len(facts), 64)


def test_nothing_leaves_that_may_not() -> None:
    def refuse(departure: Departure) -> None:
        raise Unavailable("the budget is spent", remedy="wait")

    with scripted(says(*SOUND)) as one:
        with pytest.raises(Unavailable, match="budget"):
            proposed(server_of(one, retries=3), refuse)
        assert one.requests == []


# ---- how answers are read ----------------------------------------------------------------------------------

ANSWERS: dict[str, Behaviour] = {
    "stream": lambda a: a.streamed(sentences(*SOUND)),
    "stream without DONE": lambda a: a.streamed(sentences(*SOUND), done=False),
    "one byte an event": lambda a: a.streamed(sentences(*SOUND), piece=1),
    "no stream": lambda a: a.whole(sentences(*SOUND)),
    "revision behind the name": lambda a: a.streamed(sentences(*SOUND), model=f"{MODEL}@main"),
    "usage at the end": lambda a: usage_at_the_end(a),
    "escapes": lambda a: a.streamed(
        json.dumps({"sentences": SOUND}, indent=2).replace("T", "\\u0054")
    ),
}


def usage_at_the_end(asked: Asked) -> None:
    asked.head(200, "text/event-stream; charset=utf-8")
    asked.write(b": a comment\n\n")
    asked.event(sentences(*SOUND))
    asked.event(None, finish="stop")
    asked.write(
        b'data: {"choices": [], "usage": {"completion_tokens": 9}}\r\n\r\ndata: [DONE]\r\n\r\n'
    )


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_of_every_form_are_read(answer: str) -> None:
    with scripted(ANSWERS[answer]) as one:
        assert proposed(server_of(one)) == SOUND


def test_a_sentence_is_given_on_before_the_answer_is_whole() -> None:
    def behave(asked: Asked) -> None:
        asked.head(200, "text/event-stream")
        asked.event('{"sentences": ["There is no evidence of pneumothorax.", "Cardi')
        asked.stopped.wait(5)

    instruction, _ = instruction_for(
        make_case(), make_reading(), pictures=Pictures.NOT_STATED_WITH_TEXT
    )
    with scripted(behave) as one:
        model = ServerModel(server_of(one), lambda departure: None)
        first = next(model.propose(make_case(), make_reading(), instruction))
        assert first.text == SOUND[0]
        one.stopped.set()


# ---- what fails ---------------------------------------------------------------------------------------------


def hangs(asked: Asked) -> None:
    asked.stopped.wait(20)


def drops(asked: Asked) -> None:
    asked.head(200, "text/event-stream", Content_Length="100000")
    asked.event('{"sentences": ["There is no evid')


def floods(asked: Asked) -> None:
    asked.head(200, "text/event-stream")
    for _ in range(100_000):
        asked.event(" token")


def endless_header(asked: Asked) -> None:
    asked.write(b"HTTP/1.1 200 OK\r\n")
    while not asked.stopped.is_set():
        asked.write(b"X")
        time.sleep(0.05)


FAILURES: dict[str, tuple[Behaviour, type[MedmmError], str]] = {
    "hangs": (hangs, Unavailable, "took longer than"),
    "drips": (lambda a: drip(a, 20), Unavailable, "took longer than"),
    "drips its header": (endless_header, Unavailable, "took longer than"),
    "drops": (drops, Unavailable, "broke off|before its end"),
    "ends early": (
        lambda a: (a.head(200, "text/event-stream"), a.event("{")),
        Unavailable,
        "before its end",
    ),  # type: ignore[dict-item]
    "floods": (floods, ConfigError, "larger than"),
    "429": (lambda a: a.head(429), Unavailable, "overloaded"),
    "500": (lambda a: a.head(500, "text/plain"), Unavailable, "failed"),
    "401": (lambda a: a.head(401), ConfigError, "key"),
    "404": (lambda a: a.head(404), ConfigError, "refuses the request"),
    "422": (lambda a: a.head(422), ConfigError, "refuses the request"),
    "HTML": (lambda a: (a.head(200, "text/html"), a.write(b"<html>"))[0], ConfigError, "no JSON"),
    "packed": (lambda a: a.head(200, Content_Encoding="gzip"), ConfigError, "no JSON"),
    "redirect": (lambda a: a.head(307, Location="http://127.0.0.2/v1"), ConfigError, "sends on"),
    "redirect within": (lambda a: a.head(302, Location="/v2"), ConfigError, "sends on"),
    "prose": (lambda a: a.answer("There is a large effusion."), ConfigError, "prose"),
    "fenced": (lambda a: a.answer("```json\n" + sentences(*SOUND) + "\n```"), ConfigError, "prose"),
    "other JSON": (lambda a: a.answer('{"findings": []}'), ConfigError, "other JSON"),
    "more fields": (
        lambda a: a.answer('{"sentences": [], "normal": true}'),
        ConfigError,
        "other JSON",
    ),
    "no text": (lambda a: a.answer('{"sentences": [1]}'), ConfigError, "other JSON"),
    "another model": (
        lambda a: a.answer(sentences(*SOUND), model="gpt-x"),
        ConfigError,
        "another model",
    ),
    "no protocol": (lambda a: (a.head(200), a.write(b"[1]"))[0], ConfigError, "protocol"),
    "an error in 200": (
        lambda a: (a.head(200), a.write(b'{"error": "x"}'))[0],
        ConfigError,
        "protocol",
    ),
    "deep JSON": (lambda a: (a.head(200), a.write(b"[" * 90_000))[0], ConfigError, "protocol"),
    "cut off": (lambda a: cut_off(a), ConfigError, "cut off"),
    "refuses": (lambda a: refused(a), ConfigError, "refuses to answer"),
}


def cut_off(asked: Asked) -> None:
    asked.head(200, "text/event-stream")
    asked.event('{"sentences": ["There', finish="length")
    asked.write(b"data: [DONE]\n\n")


def refused(asked: Asked) -> None:
    choice = {"message": {"content": None, "refusal": "I can't."}, "finish_reason": "stop"}
    asked.head(200)
    asked.write(json.dumps({"model": MODEL, "choices": [choice]}).encode())


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_server_is_a_typed_error_within_and_a_usable_draft_without(failure: str) -> None:
    behaviour, kind, said = FAILURES[failure]
    case, reading = make_case(), make_reading()
    with scripted(behaviour) as one:
        server = server_of(one, chunk_s=1.0, total_s=1.5)
        began = time.monotonic()
        with pytest.raises(kind, match=said):
            proposed(server)
        assert time.monotonic() - began < 4
        draft = OutsideWriter(ServerModel(server, lambda departure: None)).write(case, reading)
    by_rules = RuleWriter().write(case, reading)
    assert draft.statements == by_rules.statements
    (notice,) = [n for n in draft.warnings if n.code == "writer-failed"]
    assert MODEL in notice.text
    assert all(s.fate is Fate.WITHHELD for s in draft.sentences)
    assert "gpt-x" not in notice.text


def test_a_good_server_words_the_draft_and_changes_no_finding() -> None:
    with scripted(says(*SOUND)) as one:
        server = server_of(one)
        draft = OutsideWriter(ServerModel(server, lambda d: None)).write(
            make_case(), make_reading()
        )
    assert draft.writer == f"{MODEL} at 127.0.0.1:{one.port}"
    assert findings_of(draft) == findings_of(RuleWriter().write(make_case(), make_reading()))
    assert SOUND[1] in [s.text for s in draft.statements]


@pytest.mark.parametrize("status", [429, 503])
def test_it_is_asked_again_with_patience(status: int) -> None:
    def behave(asked: Asked) -> None:
        if asked.number <= 2:
            asked.head(status, Retry_After="1" if asked.number == 1 else "no date")
        else:
            asked.answer(sentences(*SOUND))

    slept: list[float] = []
    left: list[int] = []
    with scripted(behave) as one:
        connection = Connection(
            server_of(one, retries=2), lambda: left.append(1), sleep=slept.append
        )
        head, parts = connection.answer(question_body())
        assert (head.status, b"DONE" in b"".join(parts)) == (200, True)
    assert slept == [1.0, 1.0]  # what was asked for, then twice the first wait
    assert len(left) == 3


def question_body() -> bytes:
    return json.dumps(
        {
            "model": MODEL,
            "stream": True,
            "messages": [],
            "response_format": {"json_schema": {"schema": {}}},
        }
    ).encode()


def test_it_waits_no_longer_than_all_may_take() -> None:
    slept: list[float] = []
    with scripted(lambda a: a.head(429, Retry_After="3600")) as one:
        connection = Connection(server_of(one, retries=5), lambda: None, sleep=slept.append)
        with pytest.raises(Unavailable, match="overloaded"):
            connection.answer(question_body())
        assert len(one.requests) == 1
    assert slept == []


def test_a_closed_port_is_unavailable_after_its_tries() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
    slept: list[float] = []
    connection = Connection(ModelServer(url=url, model="m"), lambda: None, sleep=slept.append)
    with pytest.raises(Unavailable, match="can't be reached"):
        connection.answer(b"{}")
    assert slept == [0.5, 1.0]


def test_no_error_of_the_client_is_left_unsorted() -> None:
    request = httpx.Request("POST", "http://127.0.0.1")
    for kind in all_kinds(httpx.HTTPError):
        error = (
            httpx.HTTPStatusError("x", request=request, response=httpx.Response(500))
            if kind is httpx.HTTPStatusError
            else kind("x")
        )
        assert isinstance(
            server_connection._of(error, ModelServer(url="http://h/v1", model="m")), MedmmError
        )


def all_kinds(kind: type[Any]) -> list[type[Any]]:
    return [kind, *(one for sub in kind.__subclasses__() for one in all_kinds(sub))]


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with scripted(says(*SOUND)) as one:
        assert proposed(server_of(one)) == SOUND


def test_a_name_that_leads_to_a_forbidden_address_is_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for address in (
        "169.254.169.254",
        "fe80::1",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "fd00:ec2::254",
    ):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found, **__: found)
        server = ModelServer(url="https://models.hospital.example/v1", model="m", retries=0)
        with pytest.raises(ConfigError, match="never spoken to"):
            Connection(server, lambda: None).answer(b"{}")


ADDRESSES = {
    "https://models.example/v1": None,
    "https://MODELS.example:8443/v1": None,
    "http://localhost:8000/v1": None,
    "http://[::1]:8000/v1": None,
    "http://models.example/v1": "this machine alone",
    "http://127.0.0.1.models.example/v1": "not among",
    "https://other.example/v1": "not among",
    "https://models.example@other.example/v1": "without user|not among",
    "https://a:b@models.example/v1": "without user",
    "https://models.example/v1?x=1": "without user",
    "https://169.254.169.254/v1": "link-local",
    "https://metadata.google.internal/v1": "link-local",
    "ftp://models.example/v1": "no address",
    "models.example": "no address",
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_only_named_hosts_over_tls_or_this_machine_are_spoken_to(url: str) -> None:
    hosts = ["models.example", "localhost", "::1", "169.254.169.254", "metadata.google.internal"]
    fault, said = fault_of_address(url, hosts, True), ADDRESSES[url]
    if said is None:
        assert fault is None
    else:
        assert any(word in (fault or "") for word in said.split("|"))


def test_plain_http_needs_its_own_word_and_an_unnamed_host_is_never_spoken_to() -> None:
    assert "plain_http_on_loopback" in (
        fault_of_address("http://localhost/v1", ["localhost"], False) or ""
    )
    assert "not among" in (fault_of_address("https://models.example/v1", [], True) or "")
