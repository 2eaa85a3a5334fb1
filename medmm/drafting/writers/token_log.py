"""The tokens of a server's answer with their log-probabilities, matched to its text."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medmm.domain.draft import Generation

LEAST = -1e6  # OpenAI's protocol writes -9999 for what is hardly possible


@dataclass(slots=True)
class TokenLog:
    """Hears an answer part by part; what doesn't fit the protocol or the text gives nothing.

    Servers cut characters of several bytes into tokens, so tokens and text are matched by bytes.
    """

    tokens: list[tuple[bytes, float]] = field(default_factory=list)
    sound: bool = True

    def hear(self, part: Mapping[str, Any]) -> None:
        """Note the tokens of one part of an answer (OpenAI's `logprobs.content`)."""
        for choice in part["choices"][:1]:
            said = choice.get("logprobs")
            listed = said.get("content") if isinstance(said, dict) else said
            for item in listed if isinstance(listed, list) else [] if listed is None else [None]:
                token = _token(item)
                self.sound = self.sound and token is not None
                if token is not None:
                    self.tokens.append(token)

    def generation(self, model: str, text: str, start: int, stop: int) -> Generation:
        """Say how characters `start` to `stop` of a text were written.

        Returns: their tokens, those that reach in from beside them too, each with its
            log-probability; without them if all tokens up to there are not the text, byte for byte.
        """
        until = text[:stop].encode("utf-8", "surrogatepass")
        begin = len(text[:start].encode("utf-8", "surrogatepass"))
        ends = list(itertools.accumulate(len(raw) for raw, _ in self.tokens))
        joined = b"".join(raw for raw, _ in self.tokens)
        if not self.sound or begin == len(until) or joined[: len(until)] != until:
            return Generation(model=model)
        spans = zip([0, *ends], ends, self.tokens, strict=False)
        own = [token for a, b, token in spans if a < len(until) and begin < b]
        return Generation(
            model=model,
            tokens=tuple(raw.decode("utf-8", "replace") for raw, _ in own),
            log_probabilities=tuple(p for _, p in own),
        )


def _token(item: object) -> tuple[bytes, float] | None:
    """Read the bytes of one token and its log-probability; None if it is none of the protocol."""
    if not isinstance(item, dict) or not isinstance(item.get("token"), str):
        return None
    log_probability, listed = item.get("logprob"), item.get("bytes")
    if isinstance(log_probability, bool) or not isinstance(log_probability, int | float):
        return None
    if not LEAST < log_probability <= 0:  # NaN, too
        return None
    if listed is None:
        return item["token"].encode("utf-8", "surrogatepass"), round(float(log_probability), 4)
    if not isinstance(listed, list) or not all(
        type(one) is int and 0 <= one < 256 for one in listed
    ):
        return None
    return bytes(listed), round(float(log_probability), 4)
