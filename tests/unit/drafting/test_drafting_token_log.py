"""The tokens of a server's answer: each sentence keeps its own, and what doesn't fit is kept of none."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.config import ServerEntry
from medmm.domain.draft import Generation
from medmm.domain.instruction import Pictures
from medmm.drafting import OutsideWriter, ServerModel
from medmm.drafting.writers.instructions import instruction_for
from medmm.drafting.writers.token_log import TokenLog
from tests.factories import make_case, make_reading
from tests.scripted_server import SOUND, Asked, Behaviour, in_pieces, scripted, sentences

ANSWER = sentences(*SOUND)


def written(behaviour: Behaviour, *, asked: bool = True) -> list[tuple[str, Generation]]:
    """The sentences that a server proposes, each with how it was written."""
    case, reading = make_case(), make_reading()
    instruction, _ = instruction_for(case, reading, pictures=Pictures.NOT_STATED_WITH_TEXT)
    with scripted(behaviour) as one:
        server = ServerEntry(**one.settings()).server()
        model = ServerModel(server, lambda departure: None, log_probabilities=asked)
        found = [(p.text, p.generation) for p in model.propose(case, reading, instruction)]
        assert [body.get("logprobs") for body in one.requests] == [True if asked else None]
    return found


def test_each_sentence_keeps_its_tokens() -> None:
    pieces = in_pieces(ANSWER)
    found = written(lambda a: a.in_tokens(pieces))
    assert [text for text, _ in found] == SOUND
    spans = list(itertools.pairwise([0, *itertools.accumulate(map(len, pieces))]))
    for text, generation in found:
        start = ANSWER.index(text)
        own = [n for n, (a, b) in enumerate(spans) if a < start + len(text) and start < b]
        assert generation.tokens == tuple(pieces[n].decode() for n in own)
        assert generation.log_probabilities == tuple(-(1 + n % 8) / 8 for n in own)
        assert text in "".join(generation.tokens)
        chances = [math.exp(-(1 + n % 8) / 8) for n in own]
        assert generation.mean_probability == pytest.approx(sum(chances) / len(chances))


def test_a_draft_keeps_them_in_the_record_of_each_sentence() -> None:
    with scripted(lambda a: a.in_tokens(in_pieces(ANSWER))) as one:
        server = ServerEntry(**one.settings()).server()
        model = ServerModel(server, lambda departure: None, log_probabilities=True)
        draft = OutsideWriter(model).write(make_case(), make_reading())
    assert {record.proposal.text for record in draft.sentences} == set(SOUND)
    for record in draft.sentences:
        assert 0 < (record.proposal.generation.mean_probability or 0) < 1


def test_a_server_that_is_not_known_to_give_them_is_not_asked() -> None:
    found = written(lambda a: a.in_tokens(in_pieces(ANSWER)), asked=False)
    assert [text for text, _ in found] == SOUND
    assert all(g.log_probabilities is None and g.tokens == () for _, g in found)


def item(**changes: Any) -> Callable[[Any], Any]:
    """Each token with something changed."""
    return lambda said: {"content": [{**one, **changes} for one in said["content"]]}


UNSOUND: dict[str, Callable[[Any], Any]] = {
    "null": lambda said: None,
    "a word": lambda said: "none",
    "no content": lambda said: {},
    "content of null": lambda said: {"content": None},
    "content of no list": lambda said: {"content": said["content"][0]},
    "numbers": lambda said: {"content": [one["logprob"] for one in said["content"]]},
    "older form": lambda said: {"tokens": ["a"], "token_logprobs": [-1.0]},
    "no number": item(logprob="-0.5"),
    "a truth value": item(logprob=False),
    "not a number": item(logprob=math.nan),
    "endless": item(logprob=-math.inf),
    "of many digits": item(logprob=-(10**400)),
    "above one": item(logprob=0.5),
    "no token": item(token=None),
    "no bytes": item(bytes=[300]),
    "bytes as text": item(bytes="abc"),
    "other bytes": item(bytes=[65, 66]),
    "other tokens": item(bytes=None, token="other"),
    "twice": lambda said: {"content": said["content"] * 2},
}


@pytest.mark.parametrize("fault", UNSOUND)
def test_what_does_not_fit_gives_no_log_probabilities_and_no_refusal(fault: str) -> None:
    found = written(lambda a: a.in_tokens(in_pieces(ANSWER), UNSOUND[fault]))
    assert [text for text, _ in found] == SOUND
    assert all(g.log_probabilities is None and g.tokens == () for _, g in found)


def beside(asked: Asked, before: str, behind: str) -> None:
    """An answer at once with tokens beside those of its text."""
    tokens = [before, *(one.decode() for one in in_pieces(ANSWER)), behind]
    content = [{"token": one, "logprob": -0.5} for one in tokens if one]
    choice = {"message": {"content": ANSWER}, "logprobs": {"content": content}}
    asked.whole(ANSWER, choices=[{**choice, "finish_reason": "stop"}])


def test_tokens_before_the_text_join_to_none_of_it() -> None:
    found = written(lambda a: beside(a, "<think>It is an effusion.</think>", ""))
    assert [text for text, _ in found] == SOUND
    assert all(g.log_probabilities is None for _, g in found)


def test_the_mark_of_the_end_is_of_no_sentence() -> None:
    for _, generation in written(lambda a: beside(a, "", "<|im_end|>")):
        assert generation.log_probabilities
        assert "<|im_end|>" not in generation.tokens


def test_escapes_count_as_the_tokens_wrote_them() -> None:
    answer = json.dumps({"sentences": ["Possible \u00e9panchement.", "Mass \U0001f600 seen."]})
    for text, generation in written(lambda a: a.in_tokens(in_pieces(answer))):
        assert generation.log_probabilities
        assert json.dumps(text)[1:-1] in "".join(generation.tokens)


@given(st.text(min_size=1, max_size=40), st.data())
def test_the_tokens_of_a_span_hold_it_and_no_token_more(text: str, data: st.DataObject) -> None:
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)))) | {0, len(raw)})
    log = TokenLog()
    for number, (a, b) in enumerate(itertools.pairwise(cuts)):
        one = {"token": "?", "bytes": list(raw[a:b]), "logprob": -number / 10}
        log.hear({"choices": [{"logprobs": {"content": [one]}}]})
    start = data.draw(st.integers(0, len(text) - 1))
    stop = data.draw(st.integers(start + 1, len(text)))
    told = log.generation("m", text, start, stop)
    begin, until = len(text[:start].encode()), len(text[:stop].encode())
    own = [n for n, (a, b) in enumerate(itertools.pairwise(cuts)) if a < until and begin < b]
    assert told.log_probabilities == tuple(round(-n / 10, 4) for n in own)
    if text[start:stop].isascii() and text.isascii():
        assert text[start:stop] in "".join(told.tokens)
