"""What a reader signed keeps its meaning on the way out: denial and side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from medmm.delivery import report_bundle, report_text
from medmm.delivery.text import printable
from medmm.domain.draft import Assertion, ScoreEvidence, Section
from medmm.domain.reading import Side
from medmm.domain.report import SignedReport, SignedStatement
from medmm.domain.vocabulary import finding_terms
from tests.factories import make_signed_report

SIDED = {"7771000": Side.LEFT, "24028007": Side.RIGHT, "51440002": Side.BILATERAL}
WORDS = st.text(min_size=1, max_size=60).filter(lambda t: printable(t) != "")


@st.composite
def statements(draw: st.DrawFn, number: int) -> SignedStatement:
    name = draw(st.sampled_from(sorted(finding_terms())))
    return SignedStatement(
        id=f"s{number}",
        section=draw(st.sampled_from(Section)),
        text=draw(WORDS),
        assertion=draw(st.sampled_from(Assertion)),
        finding=name,
        side=draw(st.none() | st.sampled_from(Side)),
        evidence=(ScoreEvidence(finding=name, probability=0.5, threshold=0.4, model="m"),),
        drafted_text=draw(st.none() | WORDS),
    )


@st.composite
def reports(draw: st.DrawFn) -> SignedReport:
    said = tuple(draw(statements(number)) for number in range(draw(st.integers(0, 5))))
    return make_signed_report(statements=said)


def observations(report: SignedReport) -> dict[str, dict[str, Any]]:
    """Statement text and finding words -> its Observation."""
    found = [e["resource"] for e in report_bundle(report, None)["entry"]]
    return {o["identifier"][0]["value"]: o for o in found if o["resourceType"] == "Observation"}


def verdict(observation: dict[str, Any]) -> str:
    return str(observation["valueCodeableConcept"]["text"])


@given(reports())
def test_a_denial_stays_a_denial_and_the_record_stays_out(report: SignedReport) -> None:
    seen = [
        s
        for s in report.statements
        if s.section is Section.FINDINGS and s.assertion is not Assertion.REPORTED
    ]
    made = list(observations(report).values())
    for observation, statement in zip(made, seen, strict=True):
        codes = {c["code"] for c in observation["valueCodeableConcept"].get("coding", ())}
        said = statement.assertion.value
        if statement.assertion is Assertion.ABSENT and (
            statement.drafted_text is None or "suspect" in statement.text.casefold()
        ):
            said = "not suspected"
        assert verdict(observation) == said
        assert codes == {"present": {"52101004"}, "absent": {"272519000"}}.get(said, set())
        assert observation["note"][0]["text"] == printable(statement.text)


@given(reports())
def test_a_mirrored_report_has_mirrored_sides_and_nothing_else(report: SignedReport) -> None:
    mirrored = replace(
        report,
        statements=tuple(replace(s, side=s.side and s.side.mirrored) for s in report.statements),
    )
    before, after = observations(report), observations(mirrored)
    assert before.keys() == after.keys()
    for url, observation in before.items():
        other = after[url]
        sides = [
            SIDED[o["bodySite"]["coding"][0]["code"]] if "bodySite" in o else None
            for o in (observation, other)
        ]
        assert sides[1] is (sides[0] and sides[0].mirrored)
        assert {k: v for k, v in observation.items() if k != "bodySite"} == {
            k: v for k, v in other.items() if k != "bodySite"
        }
        if sides[0] is not None:
            assert sides[0].value in observation["bodySite"]["text"]


@given(reports())
def test_the_text_holds_every_signed_word(report: SignedReport) -> None:
    words = " ".join(report_text(report, None).split())
    for statement in report.statements:
        assert "".join(printable(statement.text).split()) in words.replace(" ", "")
