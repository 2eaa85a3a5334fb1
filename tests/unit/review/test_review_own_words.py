"""A reader adds findings and writes the impression: what is kept, what is signed, what contradicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medmm.domain.draft import AlsoSuspected, Assertion, ReaderEvidence, Section
from medmm.domain.errors import InputError, StateError
from medmm.domain.reading import Side
from medmm.domain.report import (
    Accept,
    Add,
    CaseFile,
    CaseState,
    Decision,
    Edit,
    Impression,
    Reader,
    Reject,
    SignedReport,
    SignedStatement,
)
from medmm.review import decide, sign, to_sign
from tests.factories import (
    ATTENDING,
    SIGNED_AT,
    make_case_file,
    make_checked_draft,
    make_draft,
    make_statements,
)

RESIDENT = Reader(id="reader-2", name="ZZREADER Two", role="resident")
ALL = tuple(Accept(s.id) for s in make_statements() if s.summarises is None)


def decided(*decisions: Decision, by: Reader = ATTENDING, file: CaseFile | None = None) -> CaseFile:
    file = file or make_case_file()
    return replace(file, state=CaseState.IN_REVIEW, decisions=decide(file, decisions, by))


def signed(*decisions: Decision, by: Reader = ATTENDING) -> SignedReport:
    return sign(decided(*ALL, *decisions, by=by), ATTENDING, SIGNED_AT)


def of(report: SignedReport, statement_id: str) -> SignedStatement:
    return next(s for s in report.statements if s.id == statement_id)


# ---- what can be added ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("added", "text"),
    [
        (
            Add.of("Nodule", side=Side.LEFT, place="upper zone"),
            "Left pulmonary nodule, upper zone.",
        ),
        (Add.of("Mass", place="right upper lobe."), "Lung mass, right upper lobe."),
        (
            Add.of("Effusion", side=Side.BILATERAL, assertion=Assertion.POSSIBLE),
            "Possible bilateral pleural effusion.",
        ),
        (Add.of("Edema"), "Pulmonary edema."),
        (Add.of("Pneumothorax", assertion=Assertion.ABSENT), "No pneumothorax."),
    ],
)
def test_a_finding_of_the_vocabulary_is_put_into_words(added: Add, text: str) -> None:
    assert added.text == text
    assert added.side is (Side.RIGHT if "right" in text else added.side)


@pytest.mark.parametrize(
    ("finding", "side", "place"),
    [
        ("Cardiomegaly", Side.LEFT, ""),
        ("Nodule", Side.LEFT, "right upper lobe"),
        ("Nodule", None, "no longer seen"),
        ("Nodule", None, "beside an effusion"),
        ("Nodule", None, "possibly the skin"),
        ("Scoliosis", None, ""),
    ],
)
def test_what_is_no_place_of_a_finding_is_refused(
    finding: str, side: Side | None, place: str
) -> None:
    with pytest.raises(InputError):
        Add.of(finding, side=side, place=place)


def test_words_must_be_there() -> None:
    for make in (
        lambda: Add("  "),
        lambda: Impression("\n"),
        lambda: Add("x", assertion=Assertion.REPORTED),
    ):
        with pytest.raises(InputError):
            make()


# ---- how it is kept ---------------------------------------------------------------------------------------


def test_additions_are_numbered_and_say_who_wrote_them() -> None:
    file = decided(Add("Scar."), Add.of("Nodule"), Impression("As above."), by=RESIDENT)
    assert [(d.statement_id, d.by) for d in (*file.added, file.impression) if d] == [
        ("r1", RESIDENT), ("r2", RESIDENT), ("impression", RESIDENT)
    ]  # fmt: skip
    file = decided(
        Reject("r1"), Add("Clip."), Edit("r2", "Left nodule."), Impression("Other."), file=file
    )
    assert [(a.statement_id, a.text, a.by) for a in file.added] == [
        ("r2", "Left nodule.", ATTENDING), ("r3", "Clip.", ATTENDING)
    ]  # fmt: skip
    assert file.impression == Impression("Other.", by=ATTENDING)
    file = decided(Reject("r2"), Reject("r3"), Reject("impression"), file=file)
    assert (file.added, file.impression, file.decisions) == ((), None, ())


def test_a_reworded_addition_keeps_its_code_only_where_it_says_the_same() -> None:
    file = decided(Add.of("Nodule", side=Side.LEFT, place="upper zone"))
    same = decided(Edit("r1", "Small left pulmonary nodule."), file=file).added[0]
    assert (same.finding, same.side, same.place) == ("Nodule", Side.LEFT, "")
    for text in (
        "Small right nodule.",
        "Possible left nodule.",
        "Left nodule and effusion.",
        "Left nipple.",
    ):
        assert decided(Edit("r1", text), file=file).added[0].finding is None


def test_what_is_not_there_and_needless_acceptance_are_refused() -> None:
    for wrong in (Edit("r1", "x"), Reject("impression"), Accept("u1")):
        with pytest.raises(InputError):
            decided(wrong)
    with pytest.raises(InputError, match="no acceptance"):
        decided(Accept("r1"), file=decided(Add("Scar.")))


@pytest.mark.parametrize(
    "wrong",
    [
        Add("Scar.", finding="Nodule"),
        Add("No nodule.", finding="Nodule"),
        Add("Possible nodule.", finding="Nodule"),
        Add("Nodule and effusion.", finding="Nodule"),
        Add("Left nodule.", finding="Nodule", side=Side.RIGHT),
        Add("Scar.", side=Side.LEFT),
        Add("Scoliosis.", finding="Scoliosis"),
    ],
)
def test_a_code_never_stands_beside_words_that_say_something_else(wrong: Add) -> None:
    with pytest.raises(InputError, match="the words of an added finding"):
        decided(wrong)


# ---- what is signed ---------------------------------------------------------------------------------------


def test_an_added_finding_is_signed_as_the_authors() -> None:
    report = signed(Add.of("Nodule", side=Side.LEFT, place="upper zone"), Add("Scar."), by=RESIDENT)
    nodule, scar = of(report, "r1"), of(report, "r2")
    assert (nodule.finding, nodule.side, nodule.place, nodule.assertion) == (
        "Nodule", Side.LEFT, "upper zone", Assertion.PRESENT
    )  # fmt: skip
    assert (scar.finding, scar.side, scar.drafted_text) == (None, None, None)
    assert {s.author for s in (nodule, scar)} == {RESIDENT}
    assert nodule.evidence == (ReaderEvidence(reader_id="reader-2"),)
    assert [s.section for s in report.statements].index(Section.IMPRESSION) > [
        s.id for s in report.statements
    ].index("r2")


def test_an_addition_that_is_repeated_stands_once() -> None:
    nodule = Add.of("Nodule", side=Side.LEFT)
    once = decided(nodule)
    twice = decided(nodule, Add("Old rib fracture."), by=RESIDENT, file=once)
    assert [(one.statement_id, one.by) for one in twice.added] == [
        ("r1", ATTENDING),
        ("r2", RESIDENT),
    ]
    right = decided(Add.of("Nodule", side=Side.RIGHT), file=twice)
    assert [one.statement_id for one in right.added] == ["r1", "r2", "r3"]


def test_an_own_impression_takes_the_place_of_the_drafted_one() -> None:
    report = signed(Impression("Left pleural effusion is possible.\nClinical correlation."))
    own = [s for s in report.statements if s.section is Section.IMPRESSION]
    assert [(s.id, s.text, s.author) for s in own] == [
        ("impression", "Left pleural effusion is possible.", ATTENDING),
        ("impression-2", "Clinical correlation.", ATTENDING),
    ]
    assert "s4" not in {s.id for s in report.statements}


def test_a_drafted_impression_that_is_replaced_is_not_asked_for() -> None:
    calm = replace(
        make_statements()[2], id="s9", section=Section.IMPRESSION, text="Nothing suspected."
    )
    file = make_case_file(
        draft=make_checked_draft(make_draft(statements=(make_statements()[2], calm)))
    )
    assert [s.id for s in file.asked] == ["s3", "s9"]
    file = decided(Accept("s3"), Impression("Ratio as measured."), file=file)
    assert [s.id for s in file.asked] == ["s3"]
    assert [s.text for s in to_sign(file)][-1] == "Ratio as measured."


def also() -> CaseFile:
    """The effusion is also suspected, and the draft states a ratio alone."""
    _, effusion, ratio, _ = make_statements()
    unstated = AlsoSuspected(statement=replace(effusion, id="u1"), why="not said")
    return make_case_file(
        draft=make_checked_draft(make_draft(statements=(ratio,), also_suspected=(unstated,)))
    )


def test_what_is_also_suspected_is_signed_only_where_it_was_decided() -> None:
    assert [s.id for s in to_sign(decided(Accept("s3"), file=also()))] == ["s3"]
    assert [s.id for s in to_sign(decided(Accept("s3"), Reject("u1"), file=also()))] == ["s3"]
    report = sign(decided(Accept("s3"), Accept("u1"), file=also()), ATTENDING, SIGNED_AT)
    assert [(s.id, s.section, s.summarises) for s in report.statements] == [
        ("s3", Section.FINDINGS, None),
        ("u1", Section.FINDINGS, None),
        ("u1-impression", Section.IMPRESSION, "u1"),
    ]
    assert of(report, "u1").finding == "Effusion"
    edited = sign(
        decided(Accept("s3"), Edit("u1", "Small left effusion."), file=also()), ATTENDING, SIGNED_AT
    )
    assert (of(edited, "u1").text, of(edited, "u1").drafted_text) == (
        "Small left effusion.", "Possible left pleural effusion."
    )  # fmt: skip


def test_what_is_also_suspected_and_failed_a_check_is_not_accepted_as_it_stands() -> None:
    file = also()
    assert file.draft is not None
    verdict = replace(
        file.draft.verdicts[0],
        statement_id="u1",
        outcome=type(file.draft.verdicts[0].outcome)("failed"),
    )
    file = replace(file, draft=replace(file.draft, verdicts=(*file.draft.verdicts, verdict)))
    with pytest.raises(StateError, match="can't be accepted"):
        decided(Accept("u1"), file=file)


# ---- contradictions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "own",
    [
        (Impression("Right pneumothorax."),),
        (Impression("No pleural effusion."),),
        (Impression("Normal chest."),),
        (Impression("The film is unremarkable."),),
        (Add.of("Effusion", assertion=Assertion.ABSENT),),
        (Add("No left effusion."),),
        (Add.of("Nodule"), Impression("No nodule.")),
        (Add("Scoliosis."), Impression("Normal.")),
    ],
)
def test_a_report_that_contradicts_itself_is_not_signed(own: tuple[Decision, ...]) -> None:
    with pytest.raises(StateError, match="different things"):
        signed(*own)


@pytest.mark.parametrize(
    "own",
    [
        (Add.of("Nodule"), Impression("Nodule; possible left pleural effusion.")),
        (Add.of("Pneumothorax", assertion=Assertion.ABSENT), Impression("No pneumothorax.")),
        (Add("No right effusion."),),
        (Impression("No acute abnormality of the bones."),),
        (Impression("Otherwise normal chest."),),
        (Impression("Normal heart size."),),
    ],
)
def test_a_report_that_agrees_with_itself_is_signed(own: tuple[Decision, ...]) -> None:
    assert signed(*own).statements


def test_a_calm_drafted_impression_stands_beside_no_added_finding() -> None:
    score = make_statements()[1].evidence[:1]
    calm = replace(
        make_statements()[1], id="s9", section=Section.IMPRESSION, finding=None, side=None, evidence=score,
        text="No finding of the reading model reached its operating point.", assertion=Assertion.ABSENT,
    )  # fmt: skip
    draft = make_checked_draft(make_draft(statements=(make_statements()[2], calm)))
    base = decided(Accept("s3"), Accept("s9"), file=make_case_file(draft=draft))
    assert to_sign(base)
    for own in (Add.of("Nodule"), Add("Scoliosis.")):
        with pytest.raises(StateError, match="different things"):
            to_sign(decided(own, file=base))
        assert to_sign(decided(own, Reject("s9"), file=base))
    assert to_sign(decided(Add("No scoliosis."), file=base))
