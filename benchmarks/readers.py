"""Many readers at once over one data folder: nothing is lost, signed twice, or fails.

`python benchmarks/readers.py` keeps 200 drafted films and starts the dashboard on loopback. For
five minutes (`--seconds`) 18 scripted readers work beside it, as its pages do: each opens the
worklist and the next case, claims it, takes its film by the dashboard's frame routes, decides
sentence by sentence on what was shown, changes its mind now and then, confirms and signs. Their
pauses are such that the cases last. Two browsers of one reader decide on one more case all the
time. *Decision* is the time of a decision and of the look at the case after it, as a page needs it;
*on the page* the time from the click to the page that shows it. At the end every decision that was
answered must stand in the store, every case be signed at most once, and no request have failed; a
p95 of the scripted decisions above 250 ms is said as missed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

from medmm import Assistant
from medmm.domain.errors import MedmmError, StateError
from medmm.domain.report import SIGNED_STATES, Accept, CaseFile, Decision, Reject
from medmm.domain.shown import Shown
from medmm.presentation.case_table import worklist_table
from medmm.presentation.case_view import case_view
from medmm.presentation.sentence_rows import SentenceRow, sentence_rows
from medmm.web.browser_cookie import COOKIE
from medmm.web.frame_links import CaseLinks, LinkSigner
from tests.dicom_files import film_file, picture
from tests.quick_assistant import opened, quick_assistant
from tests.ui.room_browser import Server
from tests.ui.viewer_page import FLAGS

TARGET_MS = 250.0
ACTS_A_CASE = 6.5  # four decisions, now and then one more, a look and a signature
AT_THE_BROWSER = "reader-00"
SIZE = {"width": 1366, "height": 768}
T = TypeVar("T")


@dataclass(slots=True)
class Record:
    """What happened, of all threads."""

    times_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answered: dict[tuple[str, str], Decision | None] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    on_the_page: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def timed(self, name: str, act: Callable[[], T]) -> T:
        """Do something and keep how long it took."""
        start = time.perf_counter()
        given = act()
        with self.lock:
            self.times_ms[name].append((time.perf_counter() - start) * 1000)
        return given

    def decided(self, case_id: str, statement_id: str, decision: Decision | None) -> None:
        """Note a decision that was answered, or that one was taken back."""
        with self.lock:
            self.answered[case_id, statement_id] = decision

    def failed(self, what: str) -> None:
        """Note what should not have happened."""
        with self.lock:
            self.errors.append(what)


def furnished(folder: Path, cases: int, readers: int) -> tuple[Path, list[str]]:
    """Keep films of as many patients, drafted. Returns: the settings, and the cases."""
    settings = folder / "settings.yaml"
    people = [
        {"id": f"reader-{n:02}", "name": f"ZZREADER {n:02}", "role": "attending"}
        for n in range(readers + 1)
    ]
    data = {"data_dir": str(folder / "data"), "threads": 1, "writer": "rules", "readers": people}
    settings.write_text(yaml.safe_dump(data))
    made = []
    with quick_assistant(folder / "data") as assistant:
        for n in range(cases):
            uid = f"1.2.826.0.1.3680043.8.498.79.{n}"
            path = film_file(
                folder / "in",
                f"{n}.dcm",
                np.maximum(picture(), np.uint16(n)),
                PatientID=f"ZZ-{n}",
                PatientName=f"ZZFILM{n}^NOBODY",
                StudyInstanceUID=uid,
                SeriesInstanceUID=f"{uid}.1",
                SOPInstanceUID=f"{uid}.1.1",
            )
            case_id = opened(assistant, path)
            assistant.draft(case_id)
            made.append(case_id)
    return settings, made


class ScriptedReader:
    """A reader without a browser: what a page asks of assistant, presenter and frame routes."""

    def __init__(
        self, assistant: Assistant, reader_id: str, address: str, record: Record, pause_s: float
    ) -> None:
        self._assistant, self._record, self._pause_s = assistant, record, pause_s
        self._reader = assistant.reader_named(reader_id)
        self._chance = random.Random(reader_id)
        self._cookie = reader_id.ljust(43, "x")
        self._signer = LinkSigner.of_folder(assistant.settings.data_dir, time.time)
        self._host = urlsplit(address)

    def work(self, until: float) -> None:
        """Read case after case until the time is over."""
        try:
            while time.monotonic() < until:
                self._next(until)
        except MedmmError as error:
            self._record.failed(f"{self._reader.id}: {error}")
        except OSError as error:  # a frame that did not come
            self._record.failed(f"{self._reader.id}: {error!r}")

    def _next(self, until: float) -> None:
        page = self._record.timed("worklist", lambda: self._assistant.worklist(by=self._reader))
        worklist_table(page, datetime.now(UTC), {self._reader.id: self._reader.name})
        found = self._assistant.next_case(by=self._reader)
        if found is None:
            self._think()
            return
        try:
            self._record.timed(
                "claim", lambda: self._assistant.claim(found.case_id, by=self._reader)
            )
        except StateError:  # another was quicker
            return
        self._read(found.case_id, until)

    def _read(self, case_id: str, until: float) -> None:
        file, rows = self._record.timed("open", lambda: self._look(case_id))
        self._frame(file)
        while (at := next((row for row in rows if row.open), None)) is not None:
            if time.monotonic() >= until:
                self._assistant.unclaim(case_id, by=self._reader)
                return
            self._think()
            file, rows = self._decide(file, at)
            if self._chance.random() < 1 / 8:
                file, rows = self._undo(file, at)
        self._think()
        self._record.timed("sign", lambda: self._sign(file))

    def _look(self, case_id: str) -> tuple[CaseFile, tuple[SentenceRow, ...]]:
        file = self._assistant.case(case_id, by=self._reader)
        return file, sentence_rows(file, case_view(file), self._assistant.settings.prevalence)

    def _shown(self, file: CaseFile) -> Shown:
        key = file.case.study.patient_key
        return Shown.of(file, self._assistant.identity(key, by=self._reader))

    def _decide(self, file: CaseFile, at: SentenceRow) -> tuple[CaseFile, tuple[SentenceRow, ...]]:
        case_id, shown = file.case.id, self._shown(file)
        accepts = at.statement.may_accept and (
            self._chance.random() < 0.8 or not any(isinstance(d, Accept) for d in file.decisions)
        )
        decision = Accept(at.id) if accepts else Reject(at.id)

        def decided() -> tuple[CaseFile, tuple[SentenceRow, ...]]:
            self._assistant.decide(case_id, [decision], by=self._reader, shown=shown)
            return self._look(case_id)

        given = self._record.timed("decision", decided)
        self._record.decided(case_id, at.id, decision)
        return given

    def _undo(self, file: CaseFile, at: SentenceRow) -> tuple[CaseFile, tuple[SentenceRow, ...]]:
        self._assistant.undo(file.case.id, by=self._reader, shown=self._shown(file))
        self._record.decided(file.case.id, at.id, None)
        return self._look(file.case.id)

    def _sign(self, file: CaseFile) -> None:
        case_id, shown = file.case.id, self._shown(file)
        confirmation = self._assistant.confirm(case_id, by=self._reader, shown=shown)
        self._assistant.sign(case_id, by=self._reader, shown=shown, confirmation=confirmation)
        with self._record.lock:
            self._record.signed.append(case_id)

    def _frame(self, file: CaseFile) -> None:
        links = CaseLinks(
            signer=self._signer, reader=self._reader.id, case=file.case.id, cookie=self._cookie
        )
        path = links.frames(file.case.study.volumes[0].sha256).format(index=0)
        status = self._record.timed("frame", lambda: self._got(path))
        if status != 200:
            self._record.failed(f"{self._reader.id}: a frame gave {status}")

    def _got(self, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self._host.port, timeout=60)
        try:
            cookie = f"{COOKIE}={self._cookie}"
            connection.request("GET", path, headers={"Host": self._host.netloc, "Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def _think(self) -> None:
        time.sleep(self._pause_s * (0.5 + self._chance.random()))


class BrowserReader:
    """A browser with a case open in which another one decides too."""

    def __init__(self, browser: Browser, address: str, case_id: str, record: Record) -> None:
        self._record = record
        self._page: Page = browser.new_context(viewport=SIZE).new_page()  # type: ignore[arg-type]
        self._page.on("pageerror", lambda error: record.failed(f"in a browser: {error}"))
        self._page.goto(f"{address}/read?case={case_id}")
        self._page.locator(".st-key-panel").wait_for(timeout=120_000)
        self._settled()
        self._number = 0

    def act(self) -> None:
        """Accept or reject the next sentence, and wait until the page shows what came of it."""
        act = ("accept", "reject")[self._number % 2]
        statement = f"s{1 + self._number // 2 % 4}"
        self._number += 1
        button = self._page.locator(f'[class*="st-key-{act}-{statement}-"] button').first
        if not button.is_enabled():  # it failed a check
            return
        before = self._key(act, statement)
        start = time.perf_counter()
        button.click()
        self._page.evaluate(
            """async ([css, before]) => {
              const end = performance.now() + 60000;
              const shows = () => document.querySelector(css)?.className;
              const refused = () => document.body.innerText.includes("changed elsewhere");
              while ((shows() === before || !shows()) && !refused()) {
                if (performance.now() > end) throw new Error("nothing came of a click");
                await new Promise((resolve) => setTimeout(resolve, 10));
              }
            }""",
            [f'[class*="st-key-{act}-{statement}-"]', before],
        )
        self._record.times_ms["on the page"].append((time.perf_counter() - start) * 1000)
        self._settled()
        if not self._page.get_by_text("changed elsewhere").count():
            self._record.on_the_page += 1

    def _key(self, act: str, statement: str) -> str:
        """Read the key of a button, which says what was shown."""
        found = self._page.locator(f'[class*="st-key-{act}-{statement}-"]').first
        return str(found.evaluate("one => one.className"))

    def _settled(self) -> None:
        self._page.wait_for_timeout(300)
        self._page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(
            timeout=120_000
        )


def lost(assistant: Assistant, cases: list[str], record: Record) -> list[str]:
    """List what was answered and is not in the store, and cases signed twice."""
    found = []
    for case_id in cases:
        file = assistant.case(case_id, pixels=False)
        stored = {one.statement_id: type(one) for one in file.decisions}
        mine = {s: d for (case, s), d in record.answered.items() if case == case_id}
        for statement_id, decision in mine.items():
            if stored.get(statement_id) is not (None if decision is None else type(decision)):
                found.append(f"{case_id}: {statement_id} is not {decision}")
        if (file.state in SIGNED_STATES) != (case_id in record.signed):
            found.append(f"{case_id} is {file.state.value}")
        if len(file.versions) != record.signed.count(case_id):
            found.append(f"{case_id} has {len(file.versions)} versions")
    return found


def at_the_browsers(assistant: Assistant, case_id: str) -> int:
    """Count the decisions of the browsers that the log holds."""
    events = assistant.history(case_id, by=AT_THE_BROWSER)
    return sum(e.verb == "decide" and e.outcome == "done" for e in events)


def measured(
    settings: Path, cases: list[str], *, readers: int, browsers: int, seconds: float, address: str
) -> Record:
    """Let them all work for a while.

    Returns: what happened; what was lost is among its errors.
    """
    record, shared = Record(), cases[0]
    pause_s = readers * seconds / (max(len(cases) - 1, 1) * ACTS_A_CASE)
    with ExitStack() as stack:
        assistant = stack.enter_context(Assistant.from_config(settings))
        assistant.claim(shared, minutes=60, by=AT_THE_BROWSER)
        pages = stack.enter_context(opened_browsers(browsers, address, shared, record))
        until = time.monotonic() + seconds
        scripted = [
            ScriptedReader(assistant, f"reader-{n + 1:02}", address, record, pause_s)
            for n in range(readers)
        ]
        threads = [threading.Thread(target=one.work, args=(until,)) for one in scripted]
        for thread in threads:
            thread.start()
        while time.monotonic() < until:
            for page in pages:
                page.act()
            if not pages:
                time.sleep(0.2)
        for thread in threads:
            thread.join()
        record.errors += lost(assistant, cases[1:], record)
        if pages and at_the_browsers(assistant, shared) < record.on_the_page:
            record.failed(f"{shared}: a page showed a decision that the log does not hold")
    return record


@contextmanager
def opened_browsers(
    count: int, address: str, case_id: str, record: Record
) -> Iterator[list[BrowserReader]]:
    """Browsers with the case open, as long as they are needed."""
    if not count:
        yield []
        return
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield [BrowserReader(browser, address, case_id, record) for _ in range(count)]
        browser.close()


def p95(times: list[float]) -> float:
    """Take the value that 95 of 100 do not pass."""
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def main() -> int:
    """Print how long readers wait, and what went wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=300.0)
    options.add_argument("--cases", type=int, default=200)
    options.add_argument("--readers", type=int, default=18)
    options.add_argument("--browsers", type=int, default=2)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        settings, cases = furnished(Path(name), asked.cases + 1, asked.readers)
        server = Server(settings)
        try:
            record = measured(
                settings,
                cases,
                readers=asked.readers,
                browsers=asked.browsers,
                seconds=asked.seconds,
                address=server.address,
            )
        finally:
            server.kill()
        if "Traceback" in server.log.read_text(encoding="utf-8"):
            record.failed("the server's log has a traceback")
    for act, times in record.times_ms.items():
        print(
            f"{act}: {len(times)}, median {statistics.median(times):.0f} ms, p95 {p95(times):.0f}"
        )
    print(f"signed {len(record.signed)} of {asked.cases} cases")
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{len(record.errors)} errors", *record.errors[:20], sep="\n")
    if (slow := p95(record.times_ms["decision"])) > TARGET_MS:
        print(f"missed: decision p95 {slow:.0f} ms of {TARGET_MS:.0f}")
    return 1 if record.errors or slow > TARGET_MS else 0


if __name__ == "__main__":
    sys.exit(main())
