"""The decorators of verbs: permission, earlier answers and the entry of a failure, once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Concatenate, ParamSpec, TypeVar, cast

from medmm.domain.codec import from_json
from medmm.domain.report import Reader
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House

P = ParamSpec("P")
R = TypeVar("R")
By = Reader | str  # who asks: a reader, or the id of one under `readers:` of the settings
Recall = Callable[[House, object], object]  # of the JSON that was kept the result again


@dataclass(frozen=True, slots=True)
class Asked:
    """The caller of a verb: who asks, and under which idempotency key."""

    by: By | None = None
    key: str | None = None


def kept(kind: type | UnionType) -> Recall:
    """Make what recalls a result from the JSON that was kept of it."""
    # A union of nouns is decoded as one; to mypy it is not a type
    noun = cast("type[object]", kind)
    return lambda house, value: from_json(noun, value)


def verb(
    name: str, recall: Recall, *, request: Callable[..., Mapping[str, object]], reads: bool = False
) -> Callable[
    [Callable[Concatenate[House, VerbCall, P], R]], Callable[Concatenate[House, Asked, P], R]
]:
    """Make a verb of a function that commits its step with the call's entry.

    Permission comes first; then the result of the same request under the same key is given again; a
    failure leaves an entry.

    Args:
        recall: makes the result of the JSON that was kept of it.
        request: says by content, never by a path, what is asked for; takes the house and the
            arguments of the verb.
        reads: the request can be said only after reading, which is done once it is known that this
            one may.
    """

    def decorated(
        body: Callable[Concatenate[House, VerbCall, P], R],
    ) -> Callable[Concatenate[House, Asked, P], R]:
        @functools.wraps(body)
        def run(house: House, asked: Asked, *args: P.args, **kwargs: P.kwargs) -> R:
            def content() -> Mapping[str, object]:
                return request(house, *args, **kwargs)

            with house.calls.call(
                name, asked.by, asked.key, content if reads else content()
            ) as call:
                if call.recalled is not None:
                    return cast(R, recall(house, call.recalled))
                return body(house, call, *args, **kwargs)

        return run

    return decorated


def look(
    name: str, subject: Callable[..., str]
) -> Callable[
    [Callable[Concatenate[House, VerbCall, P], R]], Callable[Concatenate[House, By | None, P], R]
]:
    """Make a look of a function: it keeps its entry alone, and gives nothing out before.

    Args:
        subject: says what is looked at; takes the arguments of the look. The function may name it
            anew on its call.
    """

    def decorated(
        body: Callable[Concatenate[House, VerbCall, P], R],
    ) -> Callable[Concatenate[House, By | None, P], R]:
        @functools.wraps(body)
        def run(house: House, by: By | None, *args: P.args, **kwargs: P.kwargs) -> R:
            with house.calls.look(name, subject(*args, **kwargs), by) as call:
                return body(house, call, *args, **kwargs)

        return run

    return decorated
