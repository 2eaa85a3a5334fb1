"""Insight, models and audit pages: what each role sees, what leaves an entry, what is inert."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.config import ReaderEntry
from medmm.domain.acceptance import Distribution
from medmm.domain.drift import DriftReport, DriftRow, DriftVerdict
from medmm.domain.errors import PermissionDenied
from medmm.domain.insight import ALL_SIGNED, Group
from tests.dicom_files import film_file
from tests.factories import MODEL
from tests.quick_assistant import opened, quick_assistant, signed
from ui import audit_view, insight_view, models_view
from ui.desk import Desk
from ui.insight_charts import interval_chart
from ui.views.insight import exported

APP = Path(__file__).resolve().parents[2] / "ui" / "app.py"
SCRIPT = "[x](javascript:x) <b>One</b> $x$ ::streamlit"
READERS = (
    ReaderEntry(id="reader-1", name=f"ZZREADER {SCRIPT}", role="reader"),
    ReaderEntry(id="attending-1", name="ZZREADER Two", role="attending"),
    ReaderEntry(id="auditor-1", name="ZZAUDITOR", role="auditor"),
    ReaderEntry(id="admin-1", name="ZZADMIN", role="administrator"),
    ReaderEntry(id="technologist-1", name="ZZTECHNOLOGIST", role="technologist"),
)


@pytest.fixture
def assistant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assistant]:
    """What the pages open."""
    with quick_assistant(tmp_path / "data", readers=READERS, site="=ward 3") as assistant:
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        yield assistant


@pytest.fixture
def case(assistant: Assistant, tmp_path: Path) -> str:
    """A signed case."""
    case_id = opened(assistant, film_file(tmp_path / "in", PatientName="ZZNAME^GIVEN"))
    signed(assistant, case_id, assistant.reader_named("reader-1"))
    return case_id


def insight_script() -> None:
    import streamlit as st

    from medmm import Assistant
    from ui.desk import Desk
    from ui.views.insight import show_insight

    who = st.session_state["who"]
    assistant = Assistant.from_config()
    show_insight(Desk(assistant=assistant, reader=assistant.reader_named(who)))


def models_script() -> None:
    import streamlit as st

    from medmm import Assistant
    from ui.desk import Desk
    from ui.views.models import show_models

    who = st.session_state["who"]
    assistant = Assistant.from_config()
    show_models(Desk(assistant=assistant, reader=assistant.reader_named(who)))


def audit_script() -> None:
    import streamlit as st

    from medmm import Assistant
    from ui.desk import Desk
    from ui.views.audit import show_audit

    who = st.session_state["who"]
    assistant = Assistant.from_config()
    show_audit(Desk(assistant=assistant, reader=assistant.reader_named(who)))


def shown(script: Callable[[], None], who: str) -> AppTest:
    page = AppTest.from_function(script, default_timeout=60)
    page.session_state["who"] = who
    return ran(page.run())


def ran(page: AppTest) -> AppTest:
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    found: list[Any] = [*page.markdown, *page.caption, *page.info, *page.success, *page.error]
    return " ".join(str(one.value).replace("\\", "").replace("\u2060", "") for one in found)


def entries(assistant: Assistant) -> int:
    return assistant._house.store.verify().size


def test_figures_are_shown_with_intervals_and_limits(assistant: Assistant, case: str) -> None:
    page = shown(insight_script, "admin-1")
    assert [(m.label, m.value) for m in page.metric][:2] == [
        ("Accepted", "100 %"),
        ("Edited", "0 %"),
    ]
    said = words(page)
    for one in ("1 signed case of 1 patient", "not what was true", "nothing is known", "% , of"):
        assert one.replace(" ,", ",") in said, one
    table = page.dataframe[0].value
    assert table["finding"][0] in ("no finding", "pleural effusion", "cardiomegaly")


def test_one_look_leaves_one_entry_however_often_the_page_runs(
    assistant: Assistant, case: str
) -> None:
    before = entries(assistant)
    page = shown(insight_script, "admin-1")
    ran(page.selectbox(key="insight group").set_value(Group.READER).run())
    assert entries(assistant) == before + 1
    assert f"ZZREADER {SCRIPT}" in str(page.dataframe[0].value["reader"][0])
    page = ran(page.selectbox(key="insight group").set_value(Group.SITE).run())
    assert page.dataframe[0].value["site"][0] == "'=ward 3", "the table's own toolbar makes CSV too"
    page.selectbox[0].set_value("All")
    ran(page.button[0].click().run())
    assert entries(assistant) == before + 2


def test_a_reader_sees_their_own_figures_and_takes_none_along(
    assistant: Assistant, case: str
) -> None:
    page = shown(insight_script, "reader-1")
    assert "1 signed case" in words(page)
    assert not page.get("download_button")
    assert page.get("selectbox")[2].disabled
    with pytest.raises(PermissionDenied):
        exported(desk(assistant, "reader-1"), ALL_SIGNED)
    assert page.session_state["insight"][1].asked.reader == "reader-1"


def desk(assistant: Assistant, who: str) -> Desk:
    return Desk(assistant=assistant, reader=assistant.reader_named(who))


def test_an_export_is_a_look_of_its_own(assistant: Assistant, case: str) -> None:
    page = shown(insight_script, "auditor-1")
    assert page.get("download_button")
    before = entries(assistant)
    rows = list(csv.DictReader(io.StringIO(exported(desk(assistant, "auditor-1"), ALL_SIGNED))))
    assert entries(assistant) == before + 1
    assert {row["value"] for row in rows if row["group"] == "site"} == {"'=ward 3"}


def test_nothing_signed_is_said_and_no_figure_made_up(assistant: Assistant) -> None:
    page = shown(insight_script, "admin-1")
    assert "No case that was asked for is signed" in words(page)
    assert not page.metric


def test_a_damaged_row_is_told_and_not_counted(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "medmm.sqlite")) as database:
        database.execute("UPDATE reviewed_case SET body = replace(body, 'accepted', 'rejected')")
        database.commit()
    page = shown(insight_script, "admin-1")
    assert "is not what the audit log says" in words(page)
    assert not page.metric


def test_a_period_ends_now_and_begins_at_midnight() -> None:
    at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert insight_view.begins("Last 30 days", at) == datetime(2026, 1, 31, tzinfo=UTC)
    assert insight_view.begins("All", at) is None
    west = at.astimezone(tz=None) if at.astimezone(tz=None).utcoffset() else at
    assert insight_view.begins("Last 90 days", west) == datetime(2025, 12, 2, tzinfo=UTC)


def test_a_plot_keeps_the_order_of_its_names_and_holds_its_intervals() -> None:
    points = [
        {"name": "b", "share": 50.0, "low": 20.0, "high": 80.0},
        {"name": "a", "share": 10.0, "low": 5.0, "high": 30.0},
    ]
    chart = interval_chart(points, "accepted, %", (0, 100), zero=True).to_dict()
    y = [layer["encoding"].get("y") for layer in chart["layer"]]
    assert y[1]["sort"] == ["b", "a"]
    assert chart["layer"][1]["encoding"]["x2"]["field"] == "high"
    assert chart["height"] > 2 * 26 + 40, "the axis takes its room from the height"


def test_models_say_how_they_stand_and_what_rests_on_them(assistant: Assistant, case: str) -> None:
    page = shown(models_script, "admin-1")
    table = page.dataframe[0].value
    assert "chest-findings" in set(table["name"])
    assert set(table["here"]) <= {
        "speaks as it shipped, not accepted here",
        "reads no study by itself",
    }
    page = ran(page.selectbox(key="model").set_value("chest-findings").run())
    said = words(page)
    assert "Not accepted here" in said
    assert "Before it shipped: Measured on" in said
    assert "# chest-findings" in page.code[0].value
    before = entries(assistant)
    button = next(one for one in page.button if "List the cases" in one.label)
    page = ran(button.click().run())
    assert "0 of 1 drafted cases rest on chest-findings" in words(page)
    assert entries(assistant) == before + 1
    page.text_input[0].set_value("latest")
    page = ran(next(one for one in page.button if "List the cases" in one.label).click().run())
    assert "named by the digest" in words(page)


def test_a_role_without_recall_sees_no_list(assistant: Assistant, case: str) -> None:
    page = shown(models_script, "reader-1")
    assert not [one for one in page.button if "List the cases" in one.label]


@pytest.mark.parametrize(
    ("verdict", "kind", "begins"),
    [
        (DriftVerdict.SAME, "success", "No drift seen in 1 of 1 distributions"),
        (DriftVerdict.DRIFTED, "warning", "1 of 1 distributions drifted"),
        (DriftVerdict.TOO_FEW, "info", "Too few studies to tell in 1 of 1"),
    ],
)
def test_a_drift_is_compared_when_asked(
    assistant: Assistant,
    monkeypatch: pytest.MonkeyPatch,
    verdict: DriftVerdict,
    kind: str,
    begins: str,
) -> None:
    shipped = assistant.model_card("chest-findings").shipped
    assert shipped is not None
    counts = Distribution(of="sex", labels=("F", "M"), counts=(4, 2))
    row = DriftRow(then=counts, now=counts, stability_index=0.0, p_value=1.0, verdict=verdict)
    report = DriftReport(acceptance=shipped, studies=6, rows=(row,))
    monkeypatch.setattr(Assistant, "watch_model", lambda self, name, by: report)
    page = shown(models_script, "admin-1")
    page = ran(page.selectbox(key="model").set_value("chest-findings").run())
    page = ran(page.button(key="drift chest-findings").click().run())
    said = [one.value for one in getattr(page, kind)]
    whole = f"{begins}: 6 studies beside those that it was accepted on."
    assert [one.replace("\\", "").replace("\u2060", "") for one in said] == [whole]
    assert page.dataframe[1].value["verdict"][0] == verdict.value


def test_a_model_that_can_t_be_compared_is_told(assistant: Assistant) -> None:
    page = shown(models_script, "admin-1")
    page = ran(page.selectbox(key="model").set_value("chest-findings").run())
    page = ran(page.button(key="drift chest-findings").click().run())
    assert "no reading model 'chest-findings'" in words(page)


def test_the_audit_page_tells_who_saw_and_did_what_with_a_zone(
    assistant: Assistant, case: str
) -> None:
    page = shown(audit_script, "auditor-1")
    assert "Name a case" in words(page)
    page = ran(page.text_input(key="audit search").set_value(case).run())
    people, events = (one.value for one in page.dataframe)
    reader = people[people["role"] == "reader"].iloc[0]
    assert "sign" in reader["did"]
    assert reader["first"].endswith("UTC")
    assert set(events["did"]) >= {"open_case", "draft", "decide", "sign"}
    assert all(when.endswith(" UTC") for when in events["when"])
    before = entries(assistant)
    button = next(one for one in page.button if one.label == "Prove it")
    page = ran(button.click().run())
    assert "stands in the log of" in words(page)
    assert "Public key of this installation" in words(page)
    page = ran(page.button(key="verify").click().run())
    assert "The log is sound" in words(page)
    assert entries(assistant) == before + 2


def test_an_auditor_finds_a_case_by_its_id_alone(assistant: Assistant, case: str) -> None:
    page = shown(audit_script, "auditor-1")
    page = ran(page.text_input(key="audit search").set_value("zzname").run())
    assert "by its id alone" in words(page)
    assert not page.dataframe


def test_an_attending_finds_a_case_by_words(assistant: Assistant, case: str) -> None:
    page = shown(audit_script, "attending-1")
    page = ran(page.text_input(key="audit search").set_value("zzname").run())
    assert page.selectbox(key="audit case").value == case
    assert len(page.dataframe) == 2
    before = entries(assistant)
    ran(page.run())
    assert entries(assistant) == before, "what was found is not searched for again"
    page = ran(page.text_input(key="audit search").set_value("nobody").run())
    assert "No case fits" in words(page)


def test_a_case_that_is_not_there_is_told(assistant: Assistant) -> None:
    page = shown(audit_script, "auditor-1")
    page = ran(page.text_input(key="audit search").set_value("case-none").run())
    assert "no such case" in words(page)


def test_an_altered_log_is_said_in_red(assistant: Assistant, case: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "medmm.sqlite")) as database:
        database.execute("UPDATE study SET body = replace(body, 'CHEST', 'BRAIN')")
        database.commit()
    page = shown(audit_script, "auditor-1")
    page = ran(page.button(key="verify").click().run())
    assert "was altered" in page.error[0].value
    assert not page.success


def test_times_keep_their_own_zone() -> None:
    from datetime import timezone

    at = datetime(2026, 1, 2, 9, 0, tzinfo=timezone(timedelta(hours=2)))
    assert audit_view.moment(at) == "2026-01-02 09:00:00 UTC+02:00"


def test_duties_are_said_in_words(assistant: Assistant) -> None:
    rows = {row.name: models_view.duty_words(row) for row in assistant.models()}
    assert rows["chest-findings"] == "speaks as it shipped, not accepted here"
    assert MODEL.name not in rows


@pytest.mark.parametrize(
    ("who", "pages"),
    [
        ("auditor-1", {"Insight", "Models", "Audit"}),
        ("technologist-1", {"Models"}),
    ],
)
def test_a_role_is_offered_the_pages_that_it_may_see(
    assistant: Assistant, who: str, pages: set[str]
) -> None:
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60)
    page.session_state["reader"] = who
    page = ran(page.run())
    offered = {str(link.proto.label) for link in page.get("page_link")}
    assert offered & {"Insight", "Models", "Audit"} == pages
    streamlit.cache_resource.clear()
