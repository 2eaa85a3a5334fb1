"""Signing in with a real browser at a real provider: S9 (identity, expiry and role, each time)."""

from __future__ import annotations

import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from playwright.sync_api import TimeoutError, expect, sync_playwright

from medmm import Assistant
from medmm.domain.report import Edit
from medmm.web.browser_cookie import COOKIE
from medmm.web.frame_links import CaseLinks, LinkSigner
from tests.kept import kept
from tests.ui.axe import needs_axe, violations, violations_now
from tests.ui.provider import SECRET, Provider, provider
from tests.ui.room_browser import Server, serving

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="Debian's chromium is not installed (apt-get install chromium)"
    ),
    pytest.mark.skipif(
        find_spec("oidc_provider_mock") is None, reason="oidc-provider-mock is not installed"
    ),
    needs_axe,
]
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 90_000
WORDS = "Small effusion on the left, seen by me."
IDLE_S, TOKEN_S, MAX_AGE_MIN = 20, 60, 10


class Site:
    """A dashboard where people sign in, with one drafted case."""

    def __init__(self, server: Server, folder: Path, provider: Provider) -> None:
        self.server, self.folder, self.provider = server, folder, provider
        self.address = server.address
        with self.assistant() as assistant:
            self.case = assistant.cases()[0].case_id
            self.series = assistant.case(self.case, by="cli-1").case.study.volumes[0].sha256

    def assistant(self) -> Assistant:
        return Assistant.from_config(self.folder / "settings.yaml")

    def frame(self, tab: Any, reader: str) -> str:
        """A frame's link as this browser has it now."""
        signer = LinkSigner.of_folder(self.folder / "data", time.time)
        links = CaseLinks(signer=signer, reader=reader, case=self.case, cookie=cookie(tab))
        return links.frames(self.series).format(index=0)

    def edits(self) -> list[str]:
        with self.assistant() as assistant:
            decided = assistant.case(self.case, by="cli-1").decisions
        return [one.text for one in decided if isinstance(one, Edit)]

    def sessions(self, person: str) -> list[str]:
        """What the audit log tells of a person's sign-ins."""
        with self.assistant() as assistant:
            events = kept(assistant).events("sessions")
        return [str(e.details["event"]) for e in events if e.details["person"] == person]

    def log(self) -> str:
        return (self.folder / "ui.log").read_text()


@contextmanager
def site(folder: Path, drafted: Path, token_s: int, **sign_in: Any) -> Iterator[Site]:
    shutil.copytree(drafted, folder, dirs_exist_ok=True)
    with provider(folder, token_s=token_s) as given:
        settings = {
            "data_dir": str(folder / "data"),
            "threads": 1,
            "readers": [{"id": "cli-1", "name": "ZZCLI One", "role": "attending"}],
            "sign_in": given.settings(folder, **sign_in),
        }
        (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
        with serving(folder / "settings.yaml") as server:
            yield Site(server, folder, given)
        log = (folder / "ui.log").read_text()
        assert SECRET not in log
        assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def asked_again(tmp_path_factory: pytest.TempPathFactory, drafted_once: Path) -> Iterator[Site]:
    """Roles are asked for again every second or so."""
    folder = tmp_path_factory.mktemp("userinfo")
    with site(folder, drafted_once, 3600, roles_from="userinfo", roles_minutes=0.02) as made:
        yield made


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory, drafted_once: Path) -> Iterator[Site]:
    """Tokens and patience are short; nobody signed in at the provider long ago."""
    folder = tmp_path_factory.mktemp("short")
    with site(
        folder, drafted_once, TOKEN_S, idle_minutes=IDLE_S / 60, max_age_minutes=MAX_AGE_MIN
    ) as made:
        yield made


@pytest.fixture
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


def new_tab(browser: Any) -> Any:
    tab = browser.new_context(viewport={"width": 1366, "height": 900}).new_page()
    tab.set_default_timeout(WAIT_MS)
    return tab


def cookie(tab: Any) -> str:
    found = {str(one["name"]): str(one["value"]) for one in tab.context.cookies()}
    return found.get(COOKIE, "")


def status(tab: Any, path: str) -> int:
    return int(tab.evaluate("async path => (await fetch(path)).status", path))


def sign_in(site: Site, tab: Any, sub: str, *, again: bool = False, button: str = "") -> None:
    """Sign in at the provider, from the page that asks for it."""
    if not again and not button:
        tab.goto(site.address)
    name = button or ("Sign in again" if again else "Sign in")
    tab.get_by_role("button", name=name).click()
    tab.wait_for_url(f"{site.provider.issuer}/**")
    tab.locator('input[name="sub"]').fill(sub)
    tab.get_by_role("button", name="Authorize").click()
    tab.wait_for_url(f"{site.address}/**")


def open_case(site: Site, tab: Any) -> None:
    """Open the case by its address, once the worklist stands there."""
    tab.get_by_role("button", name="Sign out").wait_for()
    tab.goto(f"{site.address}/read?case={site.case}")
    tab.get_by_text(" decided").first.wait_for()


def field(tab: Any) -> Any:
    """The field for other words of the current sentence."""
    return tab.get_by_label("In other words").first


def type_words(tab: Any, words: str) -> None:
    """Type, and stay in the field: nothing is sent yet."""
    field(tab).click()
    field(tab).press("Control+a")
    field(tab).press_sequentially(words, delay=2)


def save(tab: Any) -> None:
    tab.get_by_role("button", name="Save the edit").click()


def saves_unless_gone(tab: Any) -> bool:
    """Save, or find that the page went first: it asks for the role at each run of its own too."""
    try:
        tab.get_by_role("button", name="Save the edit").click(timeout=5_000)
    except TimeoutError:
        return False
    return True


def save_without_a_role(site: Site, tab: Any, sub: str, words: str) -> None:
    """Save words just after the role went: a page that goes first has not sent them, so again."""
    for _ in range(5):
        type_words(tab, words)
        site.provider.say(sub, roles=())
        time.sleep(2)
        if saves_unless_gone(tab):
            return
        site.provider.say(sub)
        sign_in(site, tab, sub, again=True)
        open_case(site, tab)
    raise AssertionError("the page goes first each time")


def saved(site: Site, words: list[str]) -> None:
    end = time.monotonic() + 60
    while site.edits() != words and time.monotonic() < end:
        time.sleep(0.5)
    assert site.edits() == words


def stands_or_saved(site: Site, tab: Any, words: str) -> None:
    """Find the words in their field, or saved: a page that had the new role already saves them."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if field(tab).input_value() == words or words in site.edits():
            return
        time.sleep(0.5)
    raise AssertionError("the words are neither in their field nor saved")


def patient_shown(tab: Any) -> bool:
    body = tab.inner_text("body")
    return " decided" in body or "Worklist" in body


def let_go(tab: Any) -> None:
    """Wait until the page has let go of the patient: what was drawn before goes last."""
    end = time.monotonic() + 30
    while patient_shown(tab) and time.monotonic() < end:
        tab.wait_for_timeout(200)
    assert not patient_shown(tab)


def test_a_person_signs_in_with_the_role_of_the_claims_and_signs_out_for_good(
    asked_again: Site, browser: Any
) -> None:
    site = asked_again
    site.provider.say("att-1", "ZZATTENDING <b>One</b>")
    tab = new_tab(browser)
    tab.goto(site.address)
    tab.get_by_role("button", name="Sign in").wait_for()
    before = cookie(tab)
    assert not patient_shown(tab)
    assert violations(tab) == [], "the page that asks to sign in"
    sign_in(site, tab, "att-1")
    tab.get_by_text("ZZATTENDING <b>One</b> · attending").wait_for()
    assert cookie(tab) not in ("", before), "a cookie known before is worth nothing (fixation)"
    open_case(site, tab)
    frame = site.frame(tab, "att-1")
    assert status(tab, frame) == 200
    with site.assistant() as assistant:
        last = [e for e in assistant.history(site.case) if e.verb == "case"][-1]
    assert (last.actor, last.role) == ("att-1", "attending")

    ours = cookie(tab)
    stranger = new_tab(browser)  # all cookies but ours, as from a copied profile of 30 days
    stranger.context.add_cookies([c for c in tab.context.cookies() if c["name"] != COOKIE])
    stranger.goto(site.address)
    stranger.get_by_role("button", name="Sign in").wait_for()
    assert not patient_shown(stranger)
    assert status(stranger, frame) == 403

    other = tab.context.new_page()  # another tab of this browser is signed in, too
    other.set_default_timeout(WAIT_MS)
    other.goto(site.address)
    open_case(site, other)
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url(f"{site.provider.issuer}/oauth2/end_session**")
    assert cookie(tab) not in ("", ours)
    tab.get_by_role("button").first.click()
    tab.wait_for_url(f"{site.address}/**")
    tab.get_by_role("button", name="Sign in").wait_for()
    assert "did not sign you in" not in tab.inner_text("body")
    assert status(tab, frame) == 403
    assert site.sessions("att-1") == ["signed in", "signed out"]
    tab.context.add_cookies(
        [{"name": COOKIE, "value": ours, "url": site.address, "httpOnly": True}]
    )
    assert status(tab, frame) == 403, "the old cookie opens nothing, either"
    other.locator("#medmm-cover").or_(other.get_by_role("button", name="Sign in")).first.wait_for()
    other.get_by_role("button", name="Sign in").wait_for()
    let_go(other)


def test_a_person_without_a_role_is_told_what_to_ask_for(asked_again: Site, browser: Any) -> None:
    asked_again.provider.say("nurse-1", roles=("nurse",))
    tab = new_tab(browser)
    sign_in(asked_again, tab, "nurse-1")
    tab.get_by_text("your account has no role in medmm").wait_for()
    assert "rad-attending, rad-resident" in tab.inner_text("body")
    assert violations(tab) == []
    assert asked_again.sessions("nurse-1") == ["not let in"]
    assert not patient_shown(tab)


def test_a_person_whom_the_provider_refuses_is_told(asked_again: Site, browser: Any) -> None:
    tab = new_tab(browser)
    tab.goto(asked_again.address)
    tab.get_by_role("button", name="Sign in").click()
    tab.get_by_role("button", name="Deny").click()
    tab.get_by_text("The provider did not sign you in").wait_for()
    assert violations(tab) == []


def test_a_link_to_a_case_leads_there_after_signing_in(asked_again: Site, browser: Any) -> None:
    """The provider sends everybody to the first page."""
    asked_again.provider.say("att-5")
    tab = new_tab(browser)
    tab.goto(f"{asked_again.address}/read?case={asked_again.case}")
    sign_in(asked_again, tab, "att-5", button="Sign in")
    tab.wait_for_url(f"{asked_again.address}/read?case={asked_again.case}")
    field(tab).wait_for()
    tab.get_by_role("button", name="Sign out").click()  # which gives the case back
    tab.wait_for_url(f"{asked_again.provider.issuer}/**")


def test_words_that_were_not_sent_when_the_server_died_wait_in_the_tab_for_their_reader(
    asked_again: Site, browser: Any
) -> None:
    site = asked_again
    site.provider.say("att-4")
    tab = new_tab(browser)
    sign_in(site, tab, "att-4")
    open_case(site, tab)
    words = "Never sent, and the server died."
    type_words(tab, words)
    before = site.edits()
    site.server.kill()
    site.server.start()
    tab.get_by_role("button", name="Sign in").wait_for()
    let_go(tab)
    assert words not in tab.content()
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(f"{site.provider.issuer}/**")
    tab.locator('input[name="sub"]').fill("att-4")
    tab.get_by_role("button", name="Authorize").click()
    tab.wait_for_url(f"{site.address}/read?case={site.case}")  # the page leads back by itself
    put_back = tab.get_by_role("button", name="Put them back")
    put_back.wait_for()
    expect(tab.locator("body")).to_contain_text(words, use_inner_text=True)
    expect(field(tab)).not_to_have_value(words)
    put_back.click()
    expect(field(tab)).to_have_value(words)
    assert site.edits() == before, "they decide nothing"
    tab.reload()
    expect(field(tab)).to_have_value(words)
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url(f"{site.provider.issuer}/oauth2/end_session**")


def test_a_role_taken_away_in_mid_page_refuses_the_verb_and_keeps_the_words(
    asked_again: Site, browser: Any
) -> None:
    site = asked_again
    site.provider.say("att-2")
    tab = new_tab(browser)
    sign_in(site, tab, "att-2")
    open_case(site, tab)
    before = site.edits()
    save_without_a_role(site, tab, "att-2", WORDS)
    tab.get_by_text("took your role away").first.wait_for()
    let_go(tab)
    assert site.edits() == before
    sign_in(site, tab, "att-2", again=True)
    tab.get_by_text("your account has no role in medmm").wait_for()

    site.provider.say("att-3")  # somebody else in the same browser gets nothing of it
    tab.goto(site.address)
    sign_in(site, tab, "att-3")
    open_case(site, tab)
    tab.get_by_text("att-2").first.wait_for()  # whose claim lasts
    assert WORDS not in tab.content()
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url(f"{site.provider.issuer}/oauth2/end_session**")

    site.provider.say("att-2", roles=("rad-resident",))
    sign_in(site, tab, "att-2")
    tab.get_by_text("· resident").wait_for()
    expect(field(tab)).to_have_value(WORDS)
    save(tab)
    saved(site, [*before, WORDS])
    site.provider.say("att-2")  # another role: the page goes on with it, and with the words
    type_words(tab, "As an attending.")
    time.sleep(2)
    save(tab)
    tab.get_by_text("· attending").wait_for()
    stands_or_saved(site, tab, "As an attending.")
    site.provider.revoke("att-2")
    time.sleep(2)
    tab.get_by_role("button", name="History").click()
    tab.get_by_text("no longer lets you in").first.wait_for()


def test_nobody_at_the_page_locks_it_and_the_words_that_were_typed_come_back(
    short: Site, browser: Any
) -> None:
    """The field was never left: covering the page sends what stands in it."""
    short.provider.say("att-1")
    tab = new_tab(browser)
    sign_in(short, tab, "att-1")
    open_case(short, tab)
    frame = short.frame(tab, "att-1")
    type_words(tab, WORDS)
    tab.locator("#medmm-cover").wait_for(timeout=2000 * IDLE_S)
    assert tab.evaluate("document.querySelector('#root').inert") or not patient_shown(tab)
    assert violations_now(tab) == [], "the cover, or what it gives way to"
    tab.get_by_role("button", name="Sign in again").wait_for()
    body = tab.inner_text("body")
    assert "locked, because nobody worked at it" in body
    assert "kept for you alone" in body
    let_go(tab)
    assert violations(tab) == [], "locked"
    assert status(tab, frame) == 403
    sign_in(short, tab, "att-1", again=True)
    expect(field(tab)).to_have_value(WORDS)
    assert short.edits() == []


def test_a_sign_in_at_the_provider_that_is_too_old_is_asked_about_and_refused(
    short: Site, browser: Any
) -> None:
    short.provider.say("att-7", signed_in_s_ago=60 * MAX_AGE_MIN + 120)
    tab = new_tab(browser)
    tab.goto(short.address)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(f"{short.provider.issuer}/**")
    asked_for = dict(part.split("=", 1) for part in urlsplit(tab.url).query.split("&"))
    assert asked_for["max_age"] == str(60 * MAX_AGE_MIN)
    tab.locator('input[name="sub"]').fill("att-7")
    tab.get_by_role("button", name="Authorize").click()
    tab.get_by_text("you signed in at the provider too long ago").wait_for()
    assert not patient_shown(tab)
    assert violations(tab) == []
    assert short.sessions("att-7") == ["not let in"]
    short.provider.say("att-7")
    sign_in(short, tab, "att-7", button="Sign in")
    tab.get_by_text("· attending").wait_for()


def test_a_token_that_expires_in_mid_edit_keeps_the_words(short: Site, browser: Any) -> None:
    """Somebody works at the page all the time: that ends no later than the token."""
    short.provider.say("att-1")
    tab = new_tab(browser)
    sign_in(short, tab, "att-1")
    end = time.monotonic() + 2 * TOKEN_S
    open_case(short, tab)
    frame = short.frame(tab, "att-1")
    type_words(tab, "Expired " + WORDS)
    while tab.locator("#medmm-cover").count() == 0 and time.monotonic() < end:
        tab.mouse.move(300 + time.monotonic() % 50, 300)
        tab.wait_for_timeout(200)
        if tab.get_by_role("button", name="Sign in again").count():
            break
    tab.get_by_text("your sign-in has expired", exact=False).first.wait_for()
    tab.get_by_role("button", name="Sign in again").wait_for()
    let_go(tab)
    assert violations(tab) == [], "expired"
    assert status(tab, frame) == 403
    sign_in(short, tab, "att-1", again=True)
    expect(field(tab)).to_have_value("Expired " + WORDS)
    save(tab)
    saved(short, ["Expired " + WORDS])
    assert short.sessions("att-1")[-3:] == ["signed in", "expired", "signed in"]


def test_a_sign_in_counts_in_the_server_that_saw_it(
    asked_again: Site, short: Site, browser: Any
) -> None:
    """Cookies know no ports: two servers under one name take a browser from each other."""
    for one in (asked_again, short):
        one.provider.say("att-8")
    tab = new_tab(browser)
    sign_in(asked_again, tab, "att-8")
    tab.get_by_text("· attending").wait_for()
    other = tab.context.new_page()
    other.set_default_timeout(WAIT_MS)
    other.goto(short.address)
    other.get_by_role("button", name="Sign in").wait_for()
    assert not patient_shown(other), "the other server let nobody in"
    sign_in(short, other, "att-8", button="Sign in")
    other.get_by_text("· attending").wait_for()
    tab.reload()
    tab.get_by_role("button", name="Sign in").wait_for()
    assert not patient_shown(tab)


def asked(site: Site, path: str, **headers: str) -> Any:
    connection = HTTPConnection("127.0.0.1", urlsplit(site.address).port, timeout=60)
    connection.request("GET", path, headers={"Host": urlsplit(site.address).netloc, **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize(
    "path",
    [
        "/oauth2callback?code=x&state=y",
        "/oauth2callback?error=x&error_description=y&state=z",
        "/oauth2callback?code=x&state=y&next=https://evil.example/&redirect_uri=https://evil.example/",
        "/auth/login?provider=oidc",
        "/auth/login?provider=x&next=https://evil.example",
        "/auth/logout?post_logout_redirect_uri=https://evil.example/",
        "//evil.example/%2e%2e/",
        "/%5Cevil.example/",
        "//evil.example",
    ],
)
def test_nothing_leads_to_another_site_or_in_without_a_state_of_ours(
    asked_again: Site, path: str
) -> None:
    """A callback that this browser did not begin (login CSRF) sets no claims."""
    answer = asked(asked_again, path)
    place = answer.headers.get("location", "/")
    assert urlsplit(place).netloc in ("", urlsplit(asked_again.address).netloc), place
    assert not place.startswith(("//", "/\\"))
    assert not re.search('_streamlit_user=[^;"]', str(answer.headers))


def test_the_request_carries_state_nonce_and_a_wish_to_ask_for_the_person(
    asked_again: Site, browser: Any
) -> None:
    tab = new_tab(browser)
    tab.goto(asked_again.address)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(f"{asked_again.provider.issuer}/**")
    asked_for = dict(part.split("=", 1) for part in urlsplit(tab.url).query.split("&"))
    assert {"state", "nonce"} <= set(asked_for)
    assert (asked_for["prompt"], asked_for["scope"]) == ("login", "openid+profile")
    assert asked_for["redirect_uri"].endswith("%2Foauth2callback")


def test_the_key_of_the_cookies_is_private(asked_again: Site) -> None:
    key = asked_again.folder / "data" / "sign-in.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_bytes().hex() not in asked_again.log()
