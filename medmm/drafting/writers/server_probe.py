"""Whether a model server does what it is relied on for: it looks and keeps to a schema."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

from medmm.domain.clock import Clock
from medmm.domain.errors import ConfigError, Unavailable
from medmm.domain.model_server import ModelServer, WriterProbe
from medmm.domain.plain_text import clean
from medmm.domain.study import Notice
from medmm.drafting.writers.model_server import Question, contents, is_of
from medmm.drafting.writers.server_connection import Connection
from medmm.drafting.writers.token_log import TokenLog

WITHIN_S = 18.0
SIDE_PX = 224
MOST_TOKENS = 64
# Far apart for the eye, for a camera, and for a model that was shown X-rays alone.
PICTURES = {"white": (255, 255, 255), "red": (200, 0, 0)}
COLOURS = ("white", "black", "red", "green", "blue", "yellow")
TASK = (
    "You are shown one picture: a disc of one colour on a black ground. Name the colour of the "
    "disc. Answer in JSON as the schema says."
)
PROSE = "prose-instead-of-json"
FIELD_IGNORED = "field-ignored"
PICTURE_IGNORED = "picture-ignored"
PICTURE_MISREAD = "picture-misread"
ANOTHER_MODEL = "another-model"


@dataclass(slots=True)
class _Answer:
    """What a server answered: its text, the models that it named, and how many tokens it took."""

    text: str = ""
    models: list[object] = field(default_factory=list)
    tokens: int = 0
    log: TokenLog = field(default_factory=TokenLog)

    def hear(self, part: Mapping[str, Any]) -> None:
        self.log.hear(part)
        self.models.append(part.get("model"))
        usage = part.get("usage")
        counted = usage.get("completion_tokens") if isinstance(usage, dict) else None
        self.tokens = max(self.tokens, counted if isinstance(counted, int) else 0)

    def json(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def probe(server: ModelServer, clock: Clock) -> WriterProbe:
    """Show a server two pictures with a tiny schema, and judge its answers, within 18 s.

    One value of the schema is a word that the question doesn't hold: only a server that keeps to
    the schema can answer with it. One that passes is asked once more, for the log-probabilities of
    its tokens, which it may lack. No data of a patient are sent.

    Raises: Unavailable, ConfigError as `Connection.answer` and `contents` do.
    """
    began = time.monotonic()
    mark = f"m{secrets.token_hex(4)}"
    answers = [
        _asked(server, colour, mark, began, stream=number > 0)
        for number, colour in enumerate(PICTURES)
    ]
    refusals = tuple(_refusals(server, answers, mark))
    return WriterProbe(
        server=server.key,
        host=server.host,
        model=server.model,
        at=clock(),
        seconds=round(time.monotonic() - began, 1),
        refusals=refusals,
        log_probabilities=not refusals and _gives_log_probabilities(server, mark, began),
    )


def _gives_log_probabilities(server: ModelServer, mark: str, began: float) -> bool:
    """Tell whether a server gives tokens that join to its answer, with log-probabilities.

    One that refuses the question or fails at it gives none: drafts do without.
    """
    try:
        answer = _asked(server, "red", mark, began, stream=True, log_probabilities=True)
    except (ConfigError, Unavailable):
        return False
    told = answer.log.generation(server.name, answer.text, 0, len(answer.text))
    return told.log_probabilities is not None


def _asked(
    server: ModelServer,
    colour: str,
    mark: str,
    began: float,
    *,
    stream: bool,
    log_probabilities: bool = False,
) -> _Answer:
    schema = {
        "type": "object",
        "properties": {
            "colour": {"type": "string", "enum": list(COLOURS)},
            "mark": {"type": "string", "enum": [mark]},
        },
        "required": ["colour", "mark"],
        "additionalProperties": False,
    }
    question = Question(
        task=TASK,
        png=_disc(PICTURES[colour]),
        data="Which colour?",
        schema=schema,
        name="disc",
        most_tokens=MOST_TOKENS,
    )
    left = max(WITHIN_S - (time.monotonic() - began), 0.1)
    hurried = replace(server, total_s=min(server.total_s, left), retries=0)
    connection = Connection(hurried, lambda: None)
    answer = _Answer()
    body = question.body(server.model, stream=stream, log_probabilities=log_probabilities)
    answer.text = "".join(contents(server, *connection.answer(body), answer.hear))
    return answer


def _refusals(server: ModelServer, answers: list[_Answer], mark: str) -> Iterator[Notice]:
    others = [name for one in answers for name in one.models if not is_of(name, server)]
    if others:
        name = clean(str(others[0]), 80)
        yield _refusal(ANOTHER_MODEL, f"It answers in the name of another model, {name!r}.")
    found = [one.json() for one in answers]
    if None in found:
        yield _refusal(PROSE, "It answers in prose where a schema of JSON was sent.")
    elif any(one is None or one.get("mark") != mark for one in found):
        yield _refusal(FIELD_IGNORED, "It takes `response_format` and doesn't keep to it.")
    if any(one.tokens > MOST_TOKENS for one in answers):
        yield _refusal(FIELD_IGNORED, "It takes `max_tokens` and doesn't keep to it.")
    pairs = zip(found, answers, strict=True)
    colours = [one.get("colour") if one else answer.text.strip() for one, answer in pairs]
    if len(set(map(str, colours))) == 1:
        yield _refusal(PICTURE_IGNORED, "It answers alike whatever picture it is shown.")
    elif None not in found and colours != list(PICTURES):
        yield _refusal(PICTURE_MISREAD, "It doesn't tell a white disc from a red one.")


def _refusal(code: str, text: str) -> Notice:
    return Notice(code=code, text=text)


def _disc(colour: tuple[int, int, int]) -> bytes:
    image = Image.new("RGB", (SIDE_PX, SIDE_PX))
    edge = SIDE_PX // 6
    ImageDraw.Draw(image).ellipse((edge, edge, SIDE_PX - edge, SIDE_PX - edge), fill=colour)
    target = BytesIO()
    image.save(target, format="PNG")
    return target.getvalue()
