"""A reading room for tests of its pages: readers of every role, and cases of every standing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.critical_result import Route
from medmm.domain.priority import Priority
from medmm.domain.reading import Side
from medmm.domain.report import Add, Edit
from tests.dicom_files import SAYS_FRONTAL
from tests.quick_assistant import READS, GivenNetworks
from tests.unit.assistant.test_assistant_reading_room import came

ROLES = {
    "reader-1": "attending",
    "reader-2": "attending",
    "admin-1": "administrator",
    "auditor-1": "auditor",
}
READERS = tuple(ReaderEntry(id=i, name=f"ZZ{i.upper()}", role=r) for i, r in ROLES.items())
CONTACTS = ("ward 3", "the physician on call")
SCRIPT = "ZZ<img src=x onerror=\"document.title='owned'\">"
LONG = "ZZWOLFESCHLEGELSTEINHAUSENBERGERDORFF-HOHENLOHE-LANGENBURG"
PATIENTS = (
    "ZZMÜLLER^ANNA MARIA",
    "ZZالعلوي^فاطمة",
    f"{LONG}^HUBERTUS",
    "ZZSMITH^SIGNED",
    "ZZROSSI^CARLA",
    "ZZNGUYEN^BINH",
    "ZZKOWALSKA^EWA",
)
PLAIN, RIGHT_TO_LEFT, LONG_NAME, SIGNED, UNTOLD, TOLD, LATER = range(len(PATIENTS))


@dataclass(frozen=True, slots=True)
class Room:
    """A data folder with its settings, and the ids of its cases in the order of their numbers."""

    config: Path
    cases: tuple[str, ...]

    def open(self) -> Assistant:
        return Assistant.from_config(self.config)

    def case(self, number: int) -> str:
        return self.cases[number]


# Where a table in a shadow root stands: rows that can be seen whole, and how far the page scrolls.
ROWS_SEEN = """() => {
  const find = (node) => node.querySelector('.scroller') ?? [...node.querySelectorAll('*')]
    .map((one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);
  const scroller = find(document), box = scroller.getBoundingClientRect();
  return [...scroller.querySelectorAll('tbody tr')].filter((row) => {
    const one = row.getBoundingClientRect();
    return one.top >= box.top && one.bottom <= Math.min(box.bottom, innerHeight);
  }).length;
}"""
PAGE_SCROLLS_PX = """() => {
  const main = document.querySelector('.stMain');
  return main.scrollHeight - main.clientHeight;
}"""
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def axe_violations(page: Any) -> list[str]:
    """What axe finds against WCAG 2.2 AA; the test skips where it is not installed."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"runOnly": STANDARDS}).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def filled(folder: Path) -> None:
    """Fill a folder that can be copied: seven drafted cases, an hour apart, the first the newest."""
    settings = Settings(
        data_dir=folder / "data", readers=READERS, threads=1, site="North", critical=critical()
    )
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    now = datetime.now(UTC).replace(microsecond=0)
    at = [now]
    with Assistant(settings, networks=networks, clock=lambda: at[0]) as assistant:
        made = []
        for number, name in reversed(tuple(enumerate(PATIENTS))):
            at[0] = now - timedelta(hours=number, minutes=5)
            made.append(one_case(assistant, folder / "in", number, name, at[0]))
        made.reverse()
        at[0] = now
        assistant.prioritise(made[LONG_NAME], Priority.STAT, reason="dyspnoea", by="reader-2")
        for number in (UNTOLD, TOLD):
            assistant.decide(made[number], [Add.of("Pneumothorax", side=Side.LEFT)], by="reader-2")
        assistant.communicate(
            made[TOLD], to="ward 3", how=Route.PHONE, read_back=True, by="reader-2"
        )
        sign(assistant, made[SIGNED])
    (folder / "cases.json").write_text(json.dumps(made))


def one_case(assistant: Assistant, folder: Path, number: int, name: str, at: datetime) -> str:
    tags: dict[str, Any] = {
        "PatientName": name,
        "PatientID": f"ZZ-{number}",
        "PatientBirthDate": "19600302",
        "AccessionNumber": f"ACC-{number}",
        "AcquisitionDate": f"{at:%Y%m%d}",
        "AcquisitionTime": f"{at:%H%M%S}",
    }
    case = assistant.open_case(came(assistant, folder, number, **tags).uid)
    assistant.draft(case.id)
    return case.id


def another(room: Room) -> str:
    """One more drafted case, made by another process's assistant. Returns: its id."""
    folder = room.config.parent
    settings = Settings(data_dir=folder / "data", threads=1)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    with Assistant(settings, networks=networks) as assistant:
        return one_case(assistant, folder / "in", 9, "ZZNEW^CASE", datetime.now(UTC))


def sign(assistant: Assistant, case_id: str) -> None:
    file = assistant.case(case_id, pixels=False)
    words = [Edit(one.id, "The reader's own words.") for one in file.asked]
    assistant.decide(case_id, words, by="reader-1")
    assistant.sign(case_id, by="reader-1")


def critical() -> dict[str, Any]:
    return {"contacts": list(CONTACTS), "next_after_minutes": 15}


def settled(folder: Path) -> Room:
    """Write the settings of a filled folder."""
    config = folder / "settings.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "data_dir": str(folder / "data"),
                "threads": 1,
                "site": "North",
                "critical": critical(),
                "readers": [
                    {"id": i, "name": f"ZZ{i.upper()}", "role": r} for i, r in ROLES.items()
                ],
            }
        )
    )
    return Room(config, tuple(json.loads((folder / "cases.json").read_text())))


def tables(page: AppTest) -> list[dict[str, Any]]:
    """The tables of a page, as the browser gets them."""
    found = [json.loads(one.proto.json) for one in page.get("bidi_component")]  # type: ignore[attr-defined]
    return [one for one in found if "rows" in one]


def shown(page: AppTest, table: int = 0) -> list[str]:
    """Ids of the cases in a table, in its order."""
    return [row["id"] for row in tables(page)[table]["rows"]]


def cell(page: AppTest, case_id: str, name: str, table: int = 0) -> str:
    """What a cell of a table says."""
    data = tables(page)[table]
    (row,) = (row for row in data["rows"] if row["id"] == case_id)
    place = [column["name"] for column in data["columns"]].index(name)
    return str(row["cells"][place])


def said(page: AppTest) -> str:
    """All words of the page outside tables, without Markdown's escapes."""
    kinds = (page.markdown, page.caption, page.info, page.warning, page.success, page.error)
    words = " ".join(one.value for kind in kinds for one in kind)
    return words.replace("\\", "").replace("\u2060", "")


def reads_as(page: AppTest, reader: str) -> AppTest:
    """The page with another reader before it."""
    return page.selectbox(key="reader").set_value(reader).run()
