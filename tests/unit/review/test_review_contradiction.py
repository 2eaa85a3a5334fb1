"""Each finding is decided once, and what the impression says stands in the findings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medmm.delivery import report_bundle
from medmm.domain.draft import Assertion, ScoreEvidence, Section, Statement
from medmm.domain.errors import InputError, StateError
from medmm.domain.report import Accept, CaseFile, CaseState, Decision, Edit, Reject
from medmm.review import decide, sign
from tests.factories import (
    ATTENDING,
    SIGNED_AT,
    make_case_file,
    make_checked_draft,
    make_draft,
    make_statements,
)

S1, S2, S3, S4 = make_statements()
REST = (Accept("s1"), Accept("s3"))


def file_of(
    *decisions: Decision, statements: tuple[Statement, ...] = make_statements()
) -> CaseFile:
    draft = make_checked_draft(make_draft(statements=statements))
    return make_case_file(CaseState.IN_REVIEW, draft=draft, decisions=decisions)


def signed_texts(file: CaseFile) -> list[tuple[str, str]]:
    return [
        (s.id, s.text) for s in sign(file, ATTENDING, SIGNED_AT).statements if s.id in ("s2", "s4")
    ]


@pytest.mark.parametrize(
    ("decision", "texts"),
    [
        (Accept("s2"), [("s2", S2.text), ("s4", S4.text)]),
        (Reject("s2"), []),
        (
            Edit("s2", "Large right effusion."),
            [("s2", "Large right effusion."), ("s4", "Large right effusion.")],
        ),
    ],
    ids=["accepted", "rejected", "edited"],
)
def test_who_decides_on_a_finding_decides_on_its_summary(
    decision: Decision, texts: list[tuple[str, str]]
) -> None:
    assert signed_texts(file_of(decision, *REST)) == texts


def test_deciding_on_the_finding_again_takes_the_summary_with_it() -> None:
    file = file_of(Accept("s2"), *REST, Accept("s4"))
    assert Accept("s4") not in decide(file, [Reject("s2")])
    assert signed_texts(replace(file, decisions=decide(file, [Reject("s2")]))) == []


def test_a_decision_on_the_summary_counts_whatever_its_place_in_the_call() -> None:
    for decisions in ([Reject("s4"), Accept("s2")], [Accept("s2"), Reject("s4")]):
        merged = decide(file_of(*REST), decisions)
        assert signed_texts(file_of(*merged)) == [("s2", S2.text)], (
            "the impression may leave a finding out"
        )


OPPOSED: list[tuple[Decision, Decision]] = [
    (Reject("s2"), Accept("s4")),
    (Edit("s2", "No pleural effusion."), Accept("s4")),
    (Edit("s2", "Possible right pleural effusion."), Accept("s4")),
    (Edit("s2", "Left pleural effusion."), Accept("s4")),
    (Accept("s2"), Edit("s4", "No pleural effusion.")),
]


@pytest.mark.parametrize(("finding", "summary"), OPPOSED, ids=[f"{a} / {b}" for a, b in OPPOSED])
@pytest.mark.parametrize(
    "older", [False, True], ids=["linked", "drafted before summaries were linked"]
)
def test_a_report_that_would_contradict_itself_is_not_signed(
    finding: Decision, summary: Decision, older: bool
) -> None:
    statements = (S1, S2, S3, replace(S4, summarises=None) if older else S4)
    file = file_of(statements=statements)
    file = replace(file, decisions=decide(file, [summary, finding, *REST]))
    with pytest.raises(StateError, match="impression and findings") as caught:
        sign(file, ATTENDING, SIGNED_AT)
    assert (caught.value.where["impression"], caught.value.where["findings"]) == ("s4", "s2")


def test_a_finding_of_the_impression_alone_is_refused() -> None:
    file = file_of(
        Accept("s2"), Edit("s4", "Possible left pleural effusion, possible pneumonia."), *REST
    )
    with pytest.raises(StateError, match="pneumonia") as caught:
        sign(file, ATTENDING, SIGNED_AT)
    assert (caught.value.where["impression"], caught.value.where["findings"]) == ("s4", "s2")


AGREE: list[tuple[Decision, Decision]] = [
    (Accept("s2"), Edit("s4", "Effusion is suspected.")),
    (Accept("s2"), Edit("s4", "No pneumothorax.")),
    (Accept("s2"), Edit("s4", "Please compare with earlier films.")),
    (
        Edit("s2", "Possible left effusion; no right effusion."),
        Edit("s4", "Possible left effusion."),
    ),
    (Reject("s2"), Edit("s4", "No pleural effusion.")),
]


@pytest.mark.parametrize(("finding", "summary"), AGREE, ids=[f"{a} / {b}" for a, b in AGREE])
def test_an_impression_in_other_words_is_signed(finding: Decision, summary: Decision) -> None:
    decisions = decide(file_of(), [finding, summary, *REST])
    assert sign(file_of(*decisions), ATTENDING, SIGNED_AT)


def test_nothing_suspected_stands_beside_no_finding() -> None:
    score = ScoreEvidence(
        finding="Pneumothorax", probability=0.01, threshold=0.2, model="chest-test"
    )
    ruled_out = replace(
        S2, text="No pneumothorax suspected.", assertion=Assertion.ABSENT, evidence=(score,), finding="Pneumothorax", side=None
    )  # fmt: skip
    calm = replace(
        S4, text="No finding reached its operating point.", assertion=Assertion.ABSENT, evidence=(score,),
        finding=None, side=None, summarises=None,
    )  # fmt: skip
    statements = (ruled_out, calm)
    assert sign(file_of(Accept("s2"), Accept("s4"), statements=statements), ATTENDING, SIGNED_AT)
    with pytest.raises(StateError, match="pneumothorax") as caught:
        sign(
            file_of(Edit("s2", "Large left pneumothorax."), Accept("s4"), statements=statements),
            ATTENDING,
            SIGNED_AT,
        )
    assert (caught.value.where["impression"], caught.value.where["findings"]) == ("s4", "s2")


def test_a_conclusion_without_impression_is_of_the_image_and_not_of_the_record() -> None:
    report = sign(
        file_of(Accept("s1"), Accept("s2"), Accept("s3"), Reject("s4")), ATTENDING, SIGNED_AT
    )
    resources = [e["resource"] for e in report_bundle(report, None)["entry"]]
    (conclusion,) = [r["conclusion"] for r in resources if r["resourceType"] == "DiagnosticReport"]
    assert conclusion == f"{S2.text}\n{S3.text}"


@pytest.mark.parametrize(
    "wrong",
    [
        replace(S4, summarises="s9"),
        replace(S4, summarises="s1"),
        replace(S4, summarises="s4"),
        replace(S4, section=Section.FINDINGS),
    ],
    ids=["nothing", "the record", "itself", "outside the impression"],
)
def test_a_summary_is_one_of_the_findings(wrong: Statement) -> None:
    with pytest.raises(InputError, match="summarises"):
        make_draft(statements=(S1, S2, S3, wrong))
