"""Whatever a reader decides in whatever order: a signed report's impression says nothing that its findings do not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from medmm.delivery import report_bundle
from medmm.domain.draft import CheckedDraft, Section
from medmm.domain.errors import StateError
from medmm.domain.reading import Side
from medmm.domain.report import Accept, CaseState, Decision, Edit, Reject, SignedReport
from medmm.domain.vocabulary import finding_terms
from medmm.drafting import RuleWriter
from medmm.grounding import check
from medmm.language.report_parser import Polarity, findings_named
from medmm.language.sides import named_side
from medmm.review import Act, advance, decide, sign
from tests.factories import (
    ATTENDING,
    SIGNED_AT,
    make_case,
    make_case_file,
    make_finding,
    make_reading,
    make_region,
)

CASE = make_case(context=None)
CALM = make_reading(findings=(make_finding("Pneumothorax", 0.01), make_finding("Nodule", 0.02)))
SUSPECTED = make_reading(
    findings=(
        make_finding("Pneumothorax", 0.8, region=make_region(Side.BILATERAL)),
        make_finding("Effusion", 0.6, region=make_region(Side.LEFT)),
        make_finding("Nodule", 0.02),
    )
)
DRAFTS = [check(RuleWriter().write(CASE, r), CASE, r) for r in (CALM, SUSPECTED)]
NAMES = ("pneumothorax", "pleural effusion", "pulmonary nodule")
WORDS = st.builds(
    "{}{}{}.".format,
    st.sampled_from(["", "No ", "Possible ", "Possible left ", "Left ", "Possible bilateral "]),
    st.sampled_from([*NAMES, "sternal wires"]),
    st.sampled_from(["", ", possible left pneumothorax", "; no pulmonary nodule"]),
)


@st.composite
def decided(draw: st.DrawFn) -> tuple[CheckedDraft, list[list[Decision]]]:
    draft = draw(st.sampled_from(DRAFTS))
    ids = [s.id for s in draft.statements]
    one = st.one_of(
        st.builds(Accept, st.sampled_from(ids)),
        st.builds(Reject, st.sampled_from(ids)),
        st.builds(Edit, st.sampled_from(ids), WORDS),
    )
    first: list[Decision] = [Accept(i) for i in ids if not draft.failed(i)]
    return draft, [first, *draw(st.lists(st.lists(one, min_size=1, max_size=4), max_size=3))]


def named(report: SignedReport, section: Section) -> dict[str, set[tuple[Polarity, Side | None]]]:
    """Finding -> what the sentences of a section say of it."""
    said: dict[str, set[tuple[Polarity, Side | None]]] = {}
    for statement in (s for s in report.statements if s.section is section):
        for sentence in statement.text.replace(",", ";").split(";"):
            for finding, polarity in findings_named(sentence).items():
                said.setdefault(finding, set()).add((polarity, named_side(sentence)))
    return said


@settings(max_examples=150, deadline=None, derandomize=True)
@given(decided())
def test_a_signed_impression_states_only_what_the_findings_state(
    case: tuple[CheckedDraft, list[list[Decision]]],
) -> None:
    draft, rounds = case
    file = make_case_file(draft=draft)
    file = replace(file, case=CASE)
    for decisions in rounds:
        file = replace(
            file, decisions=decide(file, decisions), state=advance(file.state, Act.DECIDE)
        )
    assert file.state is CaseState.IN_REVIEW
    try:
        report = sign(file, ATTENDING, SIGNED_AT)
    except StateError as error:
        event(error.problem.partition(" of ")[0])
        return
    event("signed")
    findings = named(report, Section.FINDINGS)
    for finding, said in named(report, Section.IMPRESSION).items():
        for polarity, side in said - {claim for claim in said if claim[0] is Polarity.DENIED}:
            there = findings.get(finding, set())
            assert any(p is polarity and side in (None, s) for p, s in there), (
                finding,
                polarity,
                side,
                there,
            )
    _conclusion_and_observations_agree(report)


def _conclusion_and_observations_agree(report: SignedReport) -> None:
    resources = [e["resource"] for e in report_bundle(report, None)["entry"]]
    (conclusion,) = [
        r.get("conclusion", "") for r in resources if r["resourceType"] == "DiagnosticReport"
    ]
    words = {term.words: name for name, term in finding_terms().items()}
    observed = {
        words[r["code"]["text"]]: r["valueCodeableConcept"]["text"]
        for r in resources
        if r["resourceType"] == "Observation" and "valueCodeableConcept" in r
    }
    uncoded = {
        finding
        for s in report.statements
        if s.section is Section.FINDINGS and s.finding is None
        for finding in findings_named(s.text)
    }
    for line in conclusion.splitlines():
        for finding, polarity in findings_named(line).items():
            if (
                finding not in uncoded
            ):  # a reader's own words may go without a code, never beside another one
                expected = {Polarity.AFFIRMED: ["present"], Polarity.HEDGED: ["possible"]}
                denied = ["absent", "not suspected"]
                assert observed.get(finding, "absent") in expected.get(polarity, denied), (
                    conclusion,
                    observed,
                )
