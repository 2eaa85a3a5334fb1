"""No text gets out of its place in a page: whatever it holds, the page has the same elements and says the text as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medmm.acceptance.metrics import Interval
from medmm.domain.acceptance import (
    Acceptance,
    Attribute,
    Beside,
    Counted,
    Distribution,
    LabelsFrom,
    MeasuredFinding,
    MeasuredGroup,
    NotMeasured,
    Place,
    ReliabilityBin,
    SignedAcceptance,
)
from medmm.domain.acceptance import Figure as Share
from medmm.domain.draft import (
    AlsoSuspected,
    Assertion,
    Fate,
    Generation,
    MeasurementEvidence,
    Outcome,
    Proposal,
    SentenceRecord,
    Verdict,
)
from medmm.domain.drift import DriftReport, DriftRow, DriftVerdict
from medmm.domain.plain_text import clean
from medmm.domain.reading import Finding, Measurement, ModelIdentity
from medmm.domain.report import Add, CaseFile, CaseState, Edit, Impression, Reader, Reject
from medmm.domain.report_kind import ReportKind
from medmm.domain.study import NotEvaluable, Notice
from medmm.domain.study_inspection import Inspection, SeriesLook
from medmm.presentation.acceptance_html import acceptance_html
from medmm.presentation.blocks import Figure, Heading, Items, Paragraph, Table
from medmm.presentation.draft_html import draft_html
from medmm.presentation.drift_html import drift_html
from medmm.presentation.pages import page
from medmm.presentation.study_html import study_html
from medmm.presentation.svg_plots import Point, Series, dots, reliability, scatter
from medmm.training.loop.curves import curves
from tests.factories import (
    ATTENDING,
    make_case_file,
    make_checked_draft,
    make_context,
    make_draft,
    make_study,
    make_volume,
)
from tests.mr_cases import case_file

MOMENT = datetime(2026, 11, 30, tzinfo=UTC)
PLAIN = "qzq"  # stands for the text in the page to compare with
HOSTILE = (
    "<script>alert(1)</script>",
    "\" onload='x' '",
    "</style><img src=x onerror=y>",
    "&lt;b&gt; &amp;amp; &#x3C;",
    "]]> --> <!-- {{ 7 * 7 }} {% raw %} {#",
    "</td></tr></table>\x00\u202e",
)
# Letters of chance could name a finding, and then the page rightly says more.
SIGNS = st.text(st.characters(exclude_categories=("Cs", "L")), min_size=1, max_size=20)
texts = st.lists(st.one_of(st.sampled_from(HOSTILE), SIGNS), min_size=1, max_size=5).map("".join)
# What is looked up in the vocabulary, and what becomes no text.
KEPT = {
    (Finding, "name"),
    (Measurement, "name"),
    (MeasurementEvidence, "name"),
    (MeasuredFinding, "name"),
}
NAMES = {
    "finding",
    "unit",
    "patient_left_on",
    "label",
    "labels",
    "body_part",
    "written",
    "attributes",
    "tag",
}


class Parts(HTMLParser):
    """The elements of a page with their attributes, and the text between them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.text = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"<{tag}", *(f"@{k}={v}" for k, v in attrs if k != "src")]
        self.text = False

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"</{tag}")
        self.text = False

    def handle_data(self, data: str) -> None:
        if self.text:  # the parser gives a text in pieces
            self.found[-1] += data
        else:
            self.found.append(data)
        self.text = True

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def parts(html: str) -> list[str]:
    parser = Parts()
    parser.feed(html)
    parser.close()
    return parser.found


def with_text(value: Any, text: str) -> Any:
    """The noun with the text at the end of every string in it, but for what is looked up in tables."""
    if isinstance(value, str):
        return value and value + text
    if is_dataclass(value) and not isinstance(value, type):
        said = [f.name for f in fields(value) if f.init and (type(value), f.name) not in KEPT]
        said = [name for name in said if name not in NAMES]
        return replace(value, **{name: with_text(getattr(value, name), text) for name in said})
    if isinstance(value, tuple | list):
        return type(value)(with_text(one, text) for one in value)
    if isinstance(value, dict):
        return {with_text(key, text): with_text(one, text) for key, one in value.items()}
    return value


def film_case() -> CaseFile:
    """A film with a record; of its statements one is edited, another one is also suspected, and readers added words."""
    draft = make_draft()
    effusion = draft.statements[1]
    also = AlsoSuspected(statement=replace(effusion, id="u1"), why="nobody says so")
    proposal = Proposal(
        finding="Nodule",
        assertion=Assertion.PRESENT,
        text="A nodule.",
        generation=Generation(model="writer"),
    )
    withheld = SentenceRecord(
        id="p1", proposal=proposal, evidence=(), fate=Fate.WITHHELD, reason="unread"
    )
    draft = replace(draft, also_suspected=(also,), sentences=(withheld,))
    decisions = (
        Edit("s2", "Small."),
        Reject("s3"),
        Add("Scar.", statement_id="r1", by=ATTENDING),
        Impression("As above.", by=ATTENDING),
    )
    told = Verdict(statement_id="s2", check="G2", outcome=Outcome.FAILED, reason="the side")
    checked = make_checked_draft(draft, failed=("s2", "s4"))
    file = make_case_file(CaseState.IN_REVIEW, draft=checked, decisions=decisions)
    return replace(file, rechecked=(told,))


def amended_case() -> CaseFile:
    """A case whose report was corrected."""
    file = make_case_file(CaseState.SIGNED)
    assert file.report is not None
    second = replace(
        file.report,
        id="report-2",
        version=2,
        kind=ReportKind.CORRECTION,
        replaces="report-1",
        first="report-1",
        reason="the wrong side",
    )
    return replace(file, report=second, earlier=(file.report,))


def looks() -> list[Inspection]:
    """An accepted study, and one that is held."""
    notice = Notice(code="a", text="odd")
    series = SeriesLook(
        series_uid="1",
        kind="CR",
        encoding="raw",
        file_count=1,
        frame_count=1,
        polarity="inverted",
        windows=("centre",),
        objections=(notice,),
        warnings=(notice,),
        volumes=(make_volume(),),
        problem="short",
    )
    held = NotEvaluable(uid="1", reason_code="a", reason="look", held=True, warnings=(notice,))
    mr = case_file("BRAIN").case.study
    return [
        Inspection(path="a", not_evaluable=held, series=(series,)),
        Inspection(path="b", study=make_study(warnings=(notice,)), context=make_context()),
        Inspection(path="c", study=mr, series=(replace(series, volumes=mr.volumes),)),
        Inspection(path="d", problem="no image"),
    ]


def blocks() -> list[Any]:
    """One of each block, with a plot of each kind."""
    interval = Interval(value=0.2, low=0.1, high=0.3)
    plots = (
        dots("dots", ("row",), (Series(name="colour", figures=(interval,)),)),
        scatter("scatter", "x", "y", (Point(name="point", x=0.1, y=0.2),), ((0.1, "mark"),)),
        reliability("reliability", ((0.2, interval),), "note"),
    )
    return [
        Heading(words="title", level=1),
        Paragraph(words="words"),
        Items(items=("item",)),
        Items(items=("item",), summary="more"),
        Table(head=("head",), rows=(("cell",),), first=True),
        *(Figure(plot=plot) for plot in plots),
    ]


def signed_acceptance() -> SignedAcceptance:
    """One with something in each of its parts."""
    share, named = Share(value=0.5, low=0.4, high=0.6, of=20), Attribute.SCANNER
    finding = MeasuredFinding(
        name="Effusion",
        positives=10,
        negatives=10,
        auroc=share,
        sensitivity=share,
        specificity=share,
        right=share,
        ece=share,
        brier=share,
        brier_of_prevalence=share,
        reliability=(ReliabilityBin(mean_probability=0.5, share=share),),
        roc=((0.0, 0.0), (1.0, 1.0)),
    )
    groups = tuple(
        MeasuredGroup(
            attribute=named, value=value, studies=10, patients=10, burden=share,
            labelled_claimed=share, findings=(finding,),
        )
        for value in ("one", "other")
    )  # fmt: skip
    acceptance = Acceptance(
        model=ModelIdentity(name="model", manifest_sha256="digest"),
        place=Place.SITE,
        films="films",
        labels_from=LabelsFrom.TABLE,
        table_sha256="table",
        films_sha256=("film",),
        calibrated=Counted(studies=20, patients=20),
        measured=Counted(studies=20, patients=20),
        unread=(("why", 1),),
        split="split",
        chosen_burden=0.15,
        auroc=share,
        burden=share,
        labelled_claimed=share,
        findings=(finding,),
        groups=groups,
        beside=(Beside(against="other", finding=None, auroc=share, difference=share),),
        distributions=(
            Distribution(of="age", unit="a", edges=(1.0, 2.0), counts=(1, 2, 3)),
            Distribution(of="scanner", unit="", labels=("a", "b"), counts=(1, 2)),
        ),
        not_measured=(NotMeasured(of="thing", why="why"),),
        measured_at=MOMENT,
        version="0",
    )
    reader = Reader(id="r1", name="name", role="role")
    return SignedAcceptance(acceptance=acceptance, reader=reader, at=MOMENT, note="note")


def drift_report() -> DriftReport:
    """One of a number and of names."""
    acceptance = signed_acceptance().acceptance
    rows = tuple(
        DriftRow(
            then=one, now=one, stability_index=0.2, p_value=0.001, verdict=DriftVerdict.DRIFTED
        )
        for one in acceptance.distributions
    )
    return DriftReport(acceptance=acceptance, studies=6, rows=rows)


def run_log(text: str) -> list[dict[str, Any]]:
    """One epoch of a run."""
    return [{"kind": "epoch", "step": 1, "loss": 1.0, "validation": {f"score{text}": 0.5}}]


PAGES: dict[str, tuple[Callable[[str], str], int]] = {
    "film": (lambda text: draft_html(with_text(film_case(), text)), 50),
    "signed": (lambda text: draft_html(with_text(make_case_file(CaseState.SIGNED), text)), 40),
    "amended": (lambda text: draft_html(with_text(amended_case(), text)), 40),
    "volume": (lambda text: draft_html(with_text(case_file("HEART"), text)), 100),
    "looks": (lambda text: study_html(with_text(looks(), text)), 30),
    "blocks": (lambda text: page("blocks.html", title=text, blocks=with_text(blocks(), text)), 45),
    "acceptance": (lambda text: acceptance_html(with_text(signed_acceptance(), text)), 18),
    "drift": (lambda text: drift_html(with_text(drift_report(), text)), 5),
    "curves": (lambda text: curves(f"run{text}", run_log(text), f"state{text}"), 5),
}


@cache
def harmless(name: str) -> list[str]:
    """The parts of a page with a text that holds nothing but letters."""
    made, least = PAGES[name]
    plain = parts(made(PLAIN))
    assert sum(PLAIN in part for part in plain) >= least, "the page says less than it is given"
    return plain


@pytest.mark.parametrize("name", PAGES)
@given(text=texts)
@example(text="".join(HOSTILE))
@settings(max_examples=10)
def test_a_text_stays_a_text(name: str, text: str) -> None:
    if name == "amended":  # a reason and a name are one line of printable text in the banner
        text = clean(text)[:40].strip() or "&"
    made, _ = PAGES[name]
    assert parts(made(text)) == [part.replace(PLAIN, text) for part in harmless(name)]
