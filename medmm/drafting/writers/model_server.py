"""A model behind an OpenAI-compatible server: it is shown one picture and answers in JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medmm.domain.draft import Case, Generation, Proposal
from medmm.domain.errors import ConfigError, Unavailable
from medmm.domain.instruction import Instruction, Pictures
from medmm.domain.model_server import Departure, ModelServer
from medmm.domain.reading import Reading
from medmm.drafting.writers.server_connection import Connection, Head
from medmm.drafting.writers.token_log import TokenLog
from medmm.language.proposed import proposals_of

MOST_TOKENS = 1024
RECORD = "The record, as data:"
_LIST_BEGINS = re.compile(r'"sentences"\s*:\s*\[')
_STRING = re.compile(r'\s*,?\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
Leaving = Callable[[Departure], None]
Judge = Callable[[Mapping[str, Any]], None]


class Sentences(BaseModel):
    """What is asked for: the sentences, in a list."""

    model_config = ConfigDict(extra="forbid", strict=True)
    sentences: list[str] = Field(max_length=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as the protocol carries it: task, picture and data apart from each other.

    Attributes:
        png: the picture; None if there is none.
        data: JSON, apart from the task.
        schema: JSON Schema of the answer.
    """

    task: str
    png: bytes | None
    data: str
    schema: Mapping[str, Any]
    name: str
    most_tokens: int = MOST_TOKENS

    def body(self, model: str, *, stream: bool, log_probabilities: bool = False) -> bytes:
        """Write the body of the request.

        Args:
            log_probabilities: whether those of the tokens are asked for, too.
        """
        parts: list[dict[str, Any]] = []
        if self.png is not None:
            url = "data:image/png;base64," + base64.b64encode(self.png).decode()
            parts.append({"type": "image_url", "image_url": {"url": url}})
        parts.append({"type": "text", "text": self.data})
        content: dict[str, Any] = {
            "model": model,
            "messages": [
                {"role": "system", "content": self.task},
                {"role": "user", "content": parts},
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": self.name, "strict": True, "schema": dict(self.schema)},
            },
            "temperature": 0,
            "max_tokens": self.most_tokens,
            "stream": stream,
        }
        if log_probabilities:
            content["logprobs"] = True
        return json.dumps(content, ensure_ascii=True).encode()


class ServerModel:
    """Asks a model server for sentences; see `ProposingModel`.

    Whatever the server promises, the answer is held against the schema here.

    Args:
        leaving: told of every request before it leaves; it raises where none may.
        log_probabilities: whether the server is known to give those of its tokens, so that each
            sentence keeps them.
    """

    def __init__(
        self, server: ModelServer, leaving: Leaving, *, log_probabilities: bool = False
    ) -> None:
        self.server, self._leaving = server, leaving
        self._log_probabilities = log_probabilities

    @property
    def name(self) -> str:
        """Its model and host."""
        return self.server.name

    @property
    def pictures(self) -> Pictures:
        """Those that state no text in their pixels, unless the settings say more."""
        more = self.server.pictures_without_statement
        return Pictures.NOT_STATED_WITH_TEXT if more else Pictures.STATED_WITHOUT_TEXT

    def propose(self, case: Case, reading: Reading, instruction: Instruction) -> Iterator[Proposal]:
        """Yield what the server proposes, as it comes; see `ProposingModel.propose`."""
        for sentence, generation in self._sentences(instruction):
            yield from proposals_of(sentence, generation)

    def _sentences(self, instruction: Instruction) -> Iterator[tuple[str, Generation]]:
        question = question_of(instruction)
        body = question.body(
            self.server.model, stream=True, log_probabilities=self._log_probabilities
        )
        departure = Departure(
            bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            picture_sha256=hashlib.sha256(question.png).hexdigest() if question.png else None,
            facts=len(instruction.facts),
        )
        connection = Connection(self.server, lambda: self._leaving(departure))
        text, given, log = "", 0, TokenLog()

        def heard(part: Mapping[str, Any]) -> None:
            self._refuse(part)
            log.hear(part)

        for piece in contents(self.server, *connection.answer(body), heard):
            text += piece
            complete = _complete_strings(text) if '"' in piece else []
            for one in complete[given:]:
                yield one.words, log.generation(self.name, text, one.start, one.stop)
            given = max(given, len(complete))
        for words in answered(text, self.server)[given:]:
            yield words, Generation(model=self.name)

    def _refuse(self, part: Mapping[str, Any]) -> None:
        """Refuse an answer of another model, one that was cut off, and a refusal."""
        if not is_of(part.get("model"), self.server):
            raise ConfigError(
                "the model server answers in the name of another model",
                remedy="name the model under `server` as the server does",
                host=self.server.host,
            )
        if finish_of(part) == "length":
            raise ConfigError(
                f"the answer of the model server is cut off at {MOST_TOKENS} tokens",
                remedy="choose a model that answers briefly",
                host=self.server.host,
            )
        messages = [one.get("message") or one.get("delta") or {} for one in part["choices"]]
        if any(isinstance(one, dict) and one.get("refusal") for one in messages):
            raise ConfigError(
                "it refuses to answer", remedy="choose another model, or write by rules"
            )


def question_of(instruction: Instruction) -> Question:
    """Put an instruction into the protocol's words."""
    facts = [{k: v for k, v in asdict(one).items() if v is not None} for one in instruction.facts]
    return Question(
        task=instruction.task,
        png=instruction.picture.png if instruction.picture else None,
        data=f"{RECORD} {json.dumps(facts, ensure_ascii=False)}",
        schema=Sentences.model_json_schema(),
        name="sentences",
    )


def answered(text: str, server: ModelServer) -> list[str]:
    """Read the sentences of a whole answer.

    Raises: ConfigError if it is not what the schema says.
    """
    try:
        return Sentences.model_validate_json(text).sentences
    except ValidationError as error:
        kind = "prose" if error.errors()[0]["type"] == "json_invalid" else "other JSON"
        raise ConfigError(
            f"the model server answers with {kind} where the schema of the answer was sent",
            remedy="choose a server that keeps to response_format (medmm models probe)",
            host=server.host,
        ) from None  # its text quotes the answer


def contents(
    server: ModelServer, head: Head, parts: Iterator[bytes], judge: Judge
) -> Iterator[str]:
    """Yield the text of an answer: of a stream as it comes, else at once.

    Args:
        judge: told of each part of the answer; it raises where no more is wanted.

    Raises: ConfigError if it is not of the protocol; Unavailable if it ends before its end.
    """
    if head.kind == "application/json":
        yield _content(_json(b"".join(parts), server), "message", server, judge)
        return
    ended = False
    for event in _events(parts):
        if event == "[DONE]":
            ended = True
            break
        chunk = _json(event.encode(), server)
        yield _content(chunk, "delta", server, judge)
        ended = ended or finish_of(chunk) is not None
    if not ended:
        raise Unavailable(
            "the model server ended its answer before its end",
            remedy="look at its log",
            host=server.host,
        )


def is_of(model: object, server: ModelServer) -> bool:
    """Tell whether an answer names the model that was asked, or none; revisions may follow."""
    return model is None or model in (server.model, f"{server.model}@main")


def finish_of(part: Mapping[str, Any]) -> object:
    """Return why an answer ended; None while it goes on."""
    choices = part.get("choices") or [{}]
    return choices[0].get("finish_reason")


def _events(parts: Iterator[bytes]) -> Iterator[str]:
    """Yield the data of server-sent events (WHATWG HTML, 9.2.6), one line each here."""
    held = b""
    for part in parts:
        *lines, held = (held + part).replace(b"\r\n", b"\n").split(b"\n")
        yield from filter(None, map(_data, lines))
    if (last := _data(held)) is not None:
        yield last


def _data(line: bytes) -> str | None:
    if not line.startswith(b"data:"):
        return None
    return line.removeprefix(b"data:").strip().decode("utf-8", errors="replace") or None


def _json(text: bytes, server: ModelServer) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    choices = found.get("choices") if isinstance(found, dict) else None
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise _other_protocol(server)
    return dict(found)


def _content(part: Mapping[str, Any], place: str, server: ModelServer, judge: Judge) -> str:
    judge(part)
    if not part["choices"]:  # usage alone
        return ""
    message = part["choices"][0].get(place)
    content = message.get("content") if isinstance(message, dict) else message
    if not isinstance(content, str | None):
        raise _other_protocol(server)
    return content or ""


def _other_protocol(server: ModelServer) -> ConfigError:
    return ConfigError(
        "the model server answers otherwise than OpenAI's protocol says",
        remedy="check its address and its version",
        host=server.host,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """A string of the list: its words, and where it stands in the text, without its quotes."""

    words: str
    start: int
    stop: int


def _complete_strings(text: str) -> list[_Said]:
    """Read the strings of the list that have come whole."""
    found: list[_Said] = []
    begins = _LIST_BEGINS.search(text)
    place = begins.end() if begins else len(text)
    while (match := _STRING.match(text, place)) is not None:
        try:
            words = json.loads(match[1])
        except ValueError:  # the whole answer is judged at its end
            break
        found.append(_Said(words, match.start(1) + 1, match.end(1) - 1))
        place = match.end()
    return found
