"""Who is signed in, in which browser and until when: asked at every verb and every frame.

Streamlit reads a person's claims when a page connects, checks no expiry, and keeps its cookie for
30 days. So that cookie opens nothing here. A sign-in counts once: in the browser that came back
from the provider, by a cookie of medmm that is made at that moment. What it began ends on time,
after a while without an act, with the role, and at sign-out, in every tab and for every link.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol, TypeVar

from medmm.config import SignInEntry
from medmm.domain.errors import MedmmError, PermissionDenied, Unavailable
from medmm.domain.report import Reader
from medmm.domain.session_event import SessionEvent
from medmm.web.claims import Claims, reader_of, refuse_old

K = TypeVar("K")
V = TypeVar("V")
MOST = 4096  # browsers that are remembered
ARRIVAL_S = 120  # between the provider's answer and the page that it opens
AGAIN_S = 10  # until a provider that did not answer is asked again
IDENTITY_COOKIE = "_streamlit_user"
_TOKENS_COOKIE = "_streamlit_user_tokens"


class Ended(Enum):
    """Why nobody is signed in, in a browser."""

    NOBODY = "nobody"
    IDLE = "idle"
    EXPIRED = "expired"
    REFUSED = "refused"
    SIGNED_OUT = "signed out"


_SAID = {
    Ended.NOBODY: "nobody is signed in, in this browser",
    Ended.IDLE: "the page was locked, because nobody worked at it",
    Ended.EXPIRED: "your sign-in has expired",
    Ended.REFUSED: "the provider no longer lets you in, or took your role away",
    Ended.SIGNED_OUT: "you have signed out",
}


class RoleSource(Protocol):
    """Says again what a provider says of a person, while that person is signed in."""

    def claims(self, token: str) -> Claims:
        """Ask with the person's access token.

        Raises: PermissionDenied if the token is no longer good; Unavailable without an answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """One sign-in. Times are seconds since 1970."""

    reader: Reader
    subject: str
    ends: float
    acted: float
    asked: float
    tried: float
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """How a browser's sign-in stands.

    Attributes:
        ended: why nobody is signed in; None while somebody is.
        seconds: until it ends if nobody acts any more; 0 if it has ended.
    """

    ended: Ended | None
    seconds: float


def identity_digest(cookies: Mapping[str, str]) -> str:
    """Digest the cookies in which Streamlit keeps a person's claims; "" without any.

    A long one is split into numbered parts.
    """
    found = {
        name: value
        for name, value in cookies.items()
        if name == IDENTITY_COOKIE
        or (name.startswith(f"{IDENTITY_COOKIE}_") and not name.startswith(_TOKENS_COOKIE))
    }
    text = "\n".join(f"{name}={found[name]}" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest() if found else ""


class SignIns:
    """The sign-ins of this process by browser; thread-safe.

    They end with the process: after a restart everyone signs in again.
    """

    def __init__(
        self,
        entry: SignInEntry,
        *,
        service: str,
        now: Callable[[], float],
        source: RoleSource | None = None,
    ) -> None:
        """Take the rules.

        Args:
            service: the id under which medmm itself acts.
            source: asked for roles every `roles_minutes`; without it those of the sign-in hold.
        """
        self.entry, self._service, self._now, self._source = entry, service, now, source
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._arrivals: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._ended: OrderedDict[str, Ended] = OrderedDict()
        self._untold: deque[tuple[SessionEvent, str]] = deque(maxlen=MOST)

    def arrived(self, browser: str, identity: str) -> None:
        """Note that a browser came back from the provider with these claims.

        Args:
            browser: digest of the cookie that it is given now.
            identity: `identity_digest` of the cookies that it is given now.
        """
        with self._lock:
            _put(self._arrivals, browser, (identity, self._now() + ARRIVAL_S))

    def awaited(self, browser: str) -> bool:
        """Tell whether a browser came back from the provider and was not let in yet."""
        with self._lock:
            return browser in self._arrivals

    def admit(self, browser: str, identity: str, claims: Claims, token: str = "") -> Reader:
        """Let in who has just signed in, once.

        Args:
            identity: `identity_digest` of the cookies that the page came with.
            claims: of the ID token that these cookies hold.
            token: access token, where roles are asked for again.

        Raises: PermissionDenied if this browser did not just come back with these claims, they
            have expired or are of a sign-in that is too old, or they name no id, name or role;
            Unavailable if the provider can't be
            asked for the roles.
        """
        now = self._now()
        with self._lock:
            expected, until = self._arrivals.pop(browser, ("", 0.0))
        if not expected or now >= until or not hmac.compare_digest(expected, identity):
            raise _refused(Ended.NOBODY)
        expires, subject = claims.get("exp"), claims.get("sub")
        if not isinstance(expires, int | float) or not isinstance(subject, str) or now >= expires:
            raise _refused(Ended.EXPIRED)
        said = claims if self._source is None else self._asked(self._source, token, subject)
        try:
            refuse_old(claims, self.entry, now)
            reader = reader_of(said, self.entry, service=self._service)
        except PermissionDenied:
            with self._lock:
                self._untold.append((SessionEvent.NOT_LET_IN, subject))
            raise
        ends = now + 60 * self.entry.session_minutes
        session = _Session(
            reader=reader,
            subject=subject,
            ends=min(ends, float(expires)) if self.entry.ends_with_token else ends,
            acted=now,
            asked=now,
            tried=now,
            token=token,
        )
        with self._lock:
            _put(self._sessions, browser, session)
            self._ended.pop(browser, None)
        return reader

    def reader(self, browser: str) -> Reader:
        """Find who is signed in, with the role as the provider said it last.

        Raises: PermissionDenied if nobody is any more, with why as `session` in `where`;
            Unavailable if the provider has not answered for twice `roles_minutes`.
        """
        session = self._open(browser)
        if self._source is not None and self._due(session):
            with self._asking:
                session = self._open(browser)
                if self._due(session):
                    session = self._renewed(browser, session, self._source)
        return session.reader

    def readers(self) -> tuple[Reader, ...]:
        """List who is signed in now, each once."""
        with self._lock:
            open_now = [s.reader for s in self._sessions.values() if self._why(s) is None]
        return tuple({reader.id: reader for reader in open_now}.values())

    def acted(self, browser: str) -> None:
        """Note that a person worked in this browser; it revives no sign-in that has ended."""
        with self._lock:
            session = self._sessions.get(browser)
            if session is not None and self._why(session) is None:
                self._sessions[browser] = replace(session, acted=self._now())

    def state(self, browser: str) -> SessionState:
        """Say how a browser's sign-in stands; asking is no act."""
        with self._lock:
            session = self._sessions.get(browser)
            if session is not None and (why := self._why(session)) is not None:
                self._end(browser, why)
                session = None
            if session is None:
                return SessionState(ended=self._ended.get(browser, Ended.NOBODY), seconds=0.0)
            ends = min(session.ends, session.acted + 60 * self.entry.idle_minutes)
            return SessionState(ended=None, seconds=ends - self._now())

    def end(self, browser: str, why: Ended = Ended.SIGNED_OUT) -> None:
        """End a browser's sign-in, with all its links."""
        with self._lock:
            if browser in self._sessions:
                self._end(browser, why)

    def tell(self, note: Callable[[SessionEvent, str], None]) -> None:
        """Have the log note each end and refusal with whose it was, once; what fails waits."""
        while True:
            with self._lock:
                if not self._untold:
                    return
                event, person = self._untold.popleft()
            try:
                note(event, person)
            except MedmmError:
                with self._lock:
                    self._untold.appendleft((event, person))
                raise

    def _open(self, browser: str) -> _Session:
        state = self.state(browser)
        with self._lock:
            session = self._sessions.get(browser)
        if state.ended is not None or session is None:
            raise _refused(state.ended or Ended.SIGNED_OUT)
        return session

    def _why(self, session: _Session) -> Ended | None:
        now = self._now()
        if now >= session.ends:
            return Ended.EXPIRED
        return Ended.IDLE if now >= session.acted + 60 * self.entry.idle_minutes else None

    def _end(self, browser: str, why: Ended) -> None:
        session = self._sessions.pop(browser)
        self._untold.append((SessionEvent(why.value), session.reader.id))
        _put(self._ended, browser, why)

    def _due(self, session: _Session) -> bool:
        now, period = self._now(), 60 * self.entry.roles_minutes
        return now >= session.asked + period and now >= session.tried + min(AGAIN_S, period)

    def _renewed(self, browser: str, session: _Session, source: RoleSource) -> _Session:
        """Ask for the role again. A provider that does not answer is waited for, for a while."""
        now = self._now()
        try:
            said = self._asked(source, session.token, session.subject)
            reader = reader_of(said, self.entry, service=self._service)
            if reader.id != session.reader.id:
                raise _refused(Ended.REFUSED)
        except PermissionDenied as error:
            self.end(browser, Ended.REFUSED)
            raise _refused(Ended.REFUSED) from error
        except Unavailable:
            if now >= session.asked + 120 * self.entry.roles_minutes:
                raise
            session = replace(session, tried=now)
        else:
            session = replace(session, reader=reader, asked=now, tried=now)
        with self._lock:
            kept = self._sessions.get(browser)
            if kept is None:  # signed out meanwhile
                raise _refused(Ended.SIGNED_OUT)
            self._sessions[browser] = session = replace(session, acted=kept.acted)
        return session

    @staticmethod
    def _asked(source: RoleSource, token: str, subject: str) -> Claims:
        """Ask for what is said of a person now.

        Another person's answer is none (OpenID Connect Core 1.0, 5.3.2).
        """
        said = source.claims(token)
        if said.get("sub") != subject:
            raise _refused(Ended.REFUSED)
        return said


class SessionDirectory:
    """The directory of one session: it knows who is signed in there, while that lasts."""

    def __init__(self, sign_ins: SignIns, browser: str) -> None:
        self._sign_ins, self._browser = sign_ins, browser

    def readers(self) -> tuple[Reader, ...]:
        """List who is signed in anywhere now; it tells names of staff and nothing else."""
        return self._sign_ins.readers()

    def reader(self, reader_id: str) -> Reader:
        """Give the reader of this session.

        Raises: PermissionDenied if it is over, or another person has signed in meanwhile;
            Unavailable as `SignIns.reader`.
        """
        mine = self._sign_ins.reader(self._browser)
        if mine.id != reader_id:
            raise PermissionDenied(
                "another person is signed in, in this browser",
                remedy="sign in again",
                session="another person",
            )
        return mine


def _refused(why: Ended) -> PermissionDenied:
    return PermissionDenied(_SAID[why], remedy="sign in again", session=why.value)


def _put(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MOST:
        kept.popitem(last=False)
