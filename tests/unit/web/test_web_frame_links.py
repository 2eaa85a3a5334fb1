"""A link opens what it was made for, where it was made for, and not for long."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import PermissionDenied, Unavailable
from medmm.web.frame_links import (
    LIFETIME_S,
    STEP_S,
    FrameLink,
    LinkKind,
    LinkSigner,
    browser_digest,
)
from tests.unit.web.conftest import BROWSER, OTHER_BROWSER, Clock

TEXT = st.text(max_size=12)


def link(**changes: object) -> FrameLink:
    made = FrameLink(
        kind=LinkKind.FRAMES,
        reader="reader-1",
        case="case-a",
        series="a" * 64,
        browser=browser_digest(BROWSER),
        expires=1_800_000_600,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def signer(clock: Clock | None = None, key: bytes = b"k" * 32) -> LinkSigner:
    return LinkSigner(key, clock or Clock())


@given(st.sampled_from(LinkKind), TEXT, TEXT, TEXT, TEXT, st.booleans())
def test_what_a_link_says_comes_back(
    kind: LinkKind, reader: str, case: str, series: str, source: str, blind: bool
) -> None:
    made = link(kind=kind, reader=reader, case=case, series=series, source=source, blind=blind)
    token = signer().token(made)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token), (
        "it stands in an address as it is"
    )
    assert signer().read(token, kind, BROWSER) == made


@given(st.integers(0), st.sampled_from("Aa0_-.é"))
def test_a_link_with_any_character_changed_opens_nothing(place: int, letter: str) -> None:
    token = signer().token(link())
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed == token:
        return
    with pytest.raises(PermissionDenied):
        signer().read(changed, LinkKind.FRAMES, BROWSER)


@pytest.mark.parametrize(
    ("kind", "cookie", "key", "words"),
    [
        (LinkKind.PICTURES, BROWSER, b"k" * 32, "something else"),
        (LinkKind.FRAMES, OTHER_BROWSER, b"k" * 32, "another browser"),
        (LinkKind.FRAMES, "", b"k" * 32, "another browser"),
        (LinkKind.FRAMES, BROWSER, b"x" * 32, "none of this installation"),
    ],
)
def test_a_link_says_why_it_opens_nothing(
    kind: LinkKind, cookie: str, key: bytes, words: str
) -> None:
    with pytest.raises(PermissionDenied, match=words):
        signer(key=key).read(signer().token(link()), kind, cookie)


def test_a_link_made_without_a_cookie_opens_nothing() -> None:
    token = signer().token(link(browser=browser_digest("")))
    with pytest.raises(PermissionDenied):
        signer().read(token, LinkKind.FRAMES, "")


@given(st.floats(0, 4 * STEP_S), st.floats(0, 4 * LIFETIME_S))
def test_a_link_holds_for_five_to_ten_minutes(start: float, later: float) -> None:
    clock = Clock(1_800_000_000.0 + start)
    made = signer(clock)
    token = made.token(link(expires=made.expiry()))
    clock.now += later
    if later < STEP_S:
        made.read(token, LinkKind.FRAMES, BROWSER)
    elif later > LIFETIME_S:
        with pytest.raises(PermissionDenied, match="expired"):
            made.read(token, LinkKind.FRAMES, BROWSER)


def test_two_processes_over_one_folder_share_their_links(tmp_path: Path) -> None:
    one, other = (LinkSigner.of_folder(tmp_path / "data", Clock()) for _ in range(2))
    assert other.read(one.token(link()), LinkKind.FRAMES, BROWSER) == link()
    key = tmp_path / "data" / "frame-links.key"
    assert key.stat().st_mode & 0o077 == 0
    key.unlink()
    with pytest.raises(PermissionDenied):
        LinkSigner.of_folder(tmp_path / "data", Clock()).read(
            one.token(link()), LinkKind.FRAMES, BROWSER
        )


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in its place")
    with pytest.raises(Unavailable, match="the key can't be read"):
        LinkSigner.of_folder(tmp_path / "data", Clock())
