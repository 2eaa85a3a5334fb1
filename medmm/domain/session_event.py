"""What becomes of a person's sign-in, as the log tells it."""

from __future__ import annotations

from enum import Enum


class SessionEvent(Enum):
    """A step in the life of a sign-in.

    Attributes:
        NOT_LET_IN: the provider knows this person, but not by an id, name or role that counts here,
            or by a sign-in there that is too old.
        REFUSED: while the session lasted, the provider took the role or the token back.
    """

    SIGNED_IN = "signed in"
    NOT_LET_IN = "not let in"
    SIGNED_OUT = "signed out"
    IDLE = "idle"
    EXPIRED = "expired"
    REFUSED = "refused"
