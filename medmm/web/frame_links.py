"""Short-lived signed addresses of pixels and reports.

A link says what it opens, for whom and until when, and is signed with a key of the installation
(HMAC, RFC 2104), so that every process over one data folder knows the links of the others. It is
bound to the cookie of one browser: copied to another one it opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from medmm.domain.errors import PermissionDenied, Unavailable
from medmm.files import made_key

STEP_S = 300
# A link lives for one to two steps, and all that are made within a step are alike: a page that
# runs again asks for the same addresses
LIFETIME_S = 2 * STEP_S
_REMEDY = "open the case again in this browser"


class LinkKind(Enum):
    """What a link opens; it is the first part of the address."""

    FRAMES = "frames"
    PICTURES = "pictures"
    OVERLAY = "overlays"
    REPORT = "reports"
    UPLOAD = "uploads"  # it takes instead of giving


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLink:
    """What a link says.

    Attributes:
        reader: id of the reader for whom it was made.
        case: "" for an upload.
        series: digest of the volume; "" for a report and an upload.
        source: of an overlay as in `Overlay`, id of a report or an upload; else "".
        blind: whether the case is looked at blind.
        browser: digest of the browser's cookie.
        expires: second since 1970 from which it opens nothing.
    """

    kind: LinkKind
    reader: str
    case: str
    series: str = ""
    source: str = ""
    blind: bool = False
    browser: str
    expires: int


def browser_digest(cookie: str) -> str:
    """Digest a browser's cookie, which itself stands in no link."""
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]


def private_key(path: Path) -> bytes:
    """Read a key of a data folder, which is made on first use, for the process's user alone.

    Raises: Unavailable if it can't be made or read.
    """
    try:
        return made_key(path)
    except OSError as error:
        raise Unavailable(
            f"the key can't be read: {type(error).__name__}",
            remedy="see that the data folder can be written",
            file=str(path),
        ) from error


class LinkSigner:
    """Signs links and reads them again."""

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        self._key, self._now = key, now

    @classmethod
    def of_folder(cls, data_dir: Path, now: Callable[[], float]) -> LinkSigner:
        """Take the key of a data folder, which is made on first use.

        Raises: Unavailable if it can't be made or read.
        """
        return cls(private_key(data_dir.expanduser() / "frame-links.key"), now)

    def expiry(self) -> int:
        """Return the second at which a link that is made now ends."""
        return (int(self._now()) // STEP_S) * STEP_S + LIFETIME_S

    def token(self, link: FrameLink) -> str:
        """Write a link as text of letters, digits, `-`, `_` and one dot."""
        said = {**asdict(link), "kind": link.kind.value}
        body = _text(json.dumps(said, separators=(",", ":"), sort_keys=True).encode())
        return f"{body}.{_text(self._mac(body))}"

    def read(self, token: str, kind: LinkKind, cookie: str) -> FrameLink:
        """Read a link that this browser uses now.

        Raises: PermissionDenied, which says why, if it opens nothing.
        """
        body, _, mac = token.partition(".")
        if not hmac.compare_digest(_text(self._mac(body)).encode(), mac.encode()):
            raise PermissionDenied("the link is none of this installation", remedy=_REMEDY)
        said = json.loads(base64.urlsafe_b64decode(body + "=="))
        link = FrameLink(**{**said, "kind": LinkKind(said["kind"])})
        if link.kind is not kind:
            raise PermissionDenied("the link opens something else", remedy=_REMEDY)
        if not cookie or not hmac.compare_digest(browser_digest(cookie), link.browser):
            raise PermissionDenied("the link was made for another browser", remedy=_REMEDY)
        if self._now() >= link.expires:
            raise PermissionDenied(
                "the link has expired",
                remedy=f"open the case again; a link holds for at most {LIFETIME_S // 60} minutes",
            )
        return link

    def _mac(self, body: str) -> bytes:
        return hmac.new(self._key, b"medmm frame link 1\n" + body.encode(), hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLinks:
    """The links of one case for one reader in one browser: `ViewerLinks` of the viewer."""

    signer: LinkSigner
    reader: str
    case: str
    cookie: str
    blind: bool = False

    def frames(self, series: str) -> str:
        """Return the address of a series' frames, with `{index}` where the slice stands."""
        return f"/frames/{self._token(LinkKind.FRAMES, series)}/{{index}}"

    def pictures(self, series: str) -> str:
        """Return the address of pictures drawn here, with `{index}`."""
        return f"/pictures/{self._token(LinkKind.PICTURES, series)}/{{index}}"

    def overlay(self, series: str, source: str) -> str:
        """Return the address of an overlay's pixels."""
        return f"/overlays/{self._token(LinkKind.OVERLAY, series, source)}"

    def report(self, report_id: str, form: str) -> str:
        """Return the address of a signed report in a format."""
        return f"/reports/{self._token(LinkKind.REPORT, '', report_id)}/{form}"

    def _token(self, kind: LinkKind, series: str, source: str = "") -> str:
        return self.signer.token(
            FrameLink(
                kind=kind,
                reader=self.reader,
                case=self.case,
                series=series,
                source=source,
                blind=self.blind,
                browser=browser_digest(self.cookie),
                expires=self.signer.expiry(),
            )
        )
