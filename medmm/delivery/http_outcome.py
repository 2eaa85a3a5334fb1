"""What an HTTP status means for what was sent: arrived is told by the content alone."""

from __future__ import annotations

from medmm.connections.http import Answer
from medmm.domain.transmission import Outcome, Transmission

# At fault itself: malformed, too large, of a kind or with a request that the server does not know,
# or matching several resources. All else is of the address, of rights, or passes.
REFUSING = frozenset({400, 406, 411, 412, 413, 414, 415, 416, 417, 422, 431, 501, 505})
WORDS = {
    401: "the server does not accept who medmm says it is",
    403: "the server does not let medmm do this",
    404: "there is nothing under this address",
    405: "nothing can be stored under this address",
    410: "there is nothing under this address any more",
}


def outcome_of(answer: Answer, words: str = "") -> Transmission:
    """Judge an answer by its status alone.

    Args:
        words: of the receiver.
    """
    if 300 <= answer.status < 400:
        said = "the server sends on to another address, which is never followed"
    elif answer.status < 300:
        said = "an answer that does not say that anything was stored"
    else:
        said = WORDS.get(answer.status, "")
    return Transmission(
        outcome=Outcome.REFUSED if answer.status in REFUSING else Outcome.POSTPONED,
        code=answer.code,
        reason="; ".join(filter(None, (said, words))),
        retry_after_s=answer.retry_after_s(),
    )
