"""All checks by number, and what they give for a draft."""

from __future__ import annotations

from dataclasses import dataclass, replace

from medmm.domain.draft import (
    Case,
    CheckedDraft,
    Draft,
    Fate,
    Section,
    SentenceRecord,
    Severity,
    Statement,
    Verdict,
)
from medmm.domain.errors import InputError
from medmm.domain.reading import Reading
from medmm.domain.report import CaseFile
from medmm.grounding import (
    body_part,
    certainty,
    claims,
    comparison,
    devices,
    english,
    evidence,
    extent,
    heart_size,
    image_references,
    impression,
    instructions,
    laterality,
    negation,
    organs,
    recomputation,
    record_conflict,
    repetition,
    reported_words,
    sections,
    stated_numbers,
    unread_words,
)
from medmm.grounding.own_words import own_words
from medmm.grounding.verdicts import Examine, ExamineInDraft, Result, not_applicable
from medmm.language.claims import claims_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedCheck:
    """One check: its number and name, what it does, and what its failure means.

    Attributes:
        examine, examine_in: looks at one statement, or at one beside the others of its draft; a
            check has one of the two.
        severity: in a drafted statement.
        of_readers: in a reader's own words; None if it does not look at them.
    """

    number: str
    name: str
    what: str
    severity: Severity
    examine: Examine | None = None
    examine_in: ExamineInDraft | None = None
    of_readers: Severity | None = Severity.WARNS

    @property
    def of_sentences(self) -> bool:
        """Whether it looks at a sentence by itself, as at one that no draft states."""
        return self.examine is not None

    def result(
        self, statement: Statement, draft: Draft | None, case: Case, reading: Reading
    ) -> Result:
        """Examine a statement, which is of `draft` where the check looks at the others too."""
        if self.examine is not None:
            return self.examine(statement, case, reading)
        if self.examine_in is not None and draft is not None:
            return self.examine_in(statement, draft, case, reading)
        return not_applicable("not of a draft")


CHECKS: tuple[NumberedCheck, ...] = (
    NumberedCheck(
        number="G1",
        name="evidence",
        what="Every piece of evidence is in the reading or the record with the same values, a "
        "region on an image of the study that was read, and the text names the coded finding and "
        "no other.",
        examine=evidence.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G2",
        name="side",
        what="The side in the words, the coded side and the side of the evidence (region, "
        "labelled voxels, measurement) agree; none is named when the image does not say "
        "where the patient's left is.",
        examine=laterality.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G3",
        name="negation",
        what="What the words affirm, hedge or deny is what is coded, and the score lies on the "
        "right side of the operating point, for a denial below the rule-out point.",
        examine=negation.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G4",
        name="comparison",
        what="No word claims a change, or that nothing changed, unless an earlier report is "
        "quoted.",
        examine=comparison.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G5",
        name="record",
        what="The statement does not contradict the record: conditions, their status, doubtful "
        "values, age and sex.",
        examine=record_conflict.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G6",
        name="measurement",
        what="Every number and date is one of the evidence, in its unit; no size without a "
        "measurement and a known pixel spacing.",
        examine=stated_numbers.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G7",
        name="size",
        what="An enlarged heart is not suspected beside a cardiothoracic ratio that lies below "
        "0.5 with its whole interval, nor denied beside one that lies above 0.5 on a PA "
        "film; a stated ratio is a plausible one (0.25 to 0.85), with an interval of at "
        "most ± 0.1, and the one that the outlines give.",
        examine=heart_size.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G8",
        name="extent",
        what="Labelled voxels are on the slices, in the half and at the centre that the evidence "
        "names, recomputed from the label map; a side needs a known orientation, and the "
        "centre lies on it.",
        examine=extent.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G9",
        name="quantity",
        what="What was measured in MR has the vocabulary's unit, known spacing where that is ml "
        "or g, and the value that the labelled voxels give, where that can be recomputed.",
        examine=recomputation.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G10",
        name="certainty",
        what="A drafted sentence claims no more certainty than the calibrated probability of its "
        "finding bears.",
        examine=certainty.examine,
        severity=Severity.BLOCKS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G11",
        name="reported words",
        what="What is reported from the record says nothing beside it: every word is one of the "
        "named facts or says what kind of fact it is, of what status and time.",
        examine=reported_words.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G12",
        name="claims",
        what="Every finding that the words name, each of several, is borne out by the reading: "
        "what is affirmed or hedged is suspected, on the side of its region, and what is denied is "
        "ruled out; what is called normal holds no suspected finding.",
        examine=claims.examine,
        severity=Severity.BLOCKS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G13",
        name="unread words",
        what="No clause affirms anything that is neither a finding of the vocabulary nor normal: "
        "no network read it.",
        examine=unread_words.examine,
        severity=Severity.BLOCKS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G14",
        name="devices",
        what="A tube, line, pacemaker, clip or another device is stated only where the reading "
        "suspects a device or the record has such a one.",
        examine=devices.examine,
        severity=Severity.BLOCKS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G15",
        name="image reference",
        what="No image, series, slice or figure is referred to but the slices of the labelled "
        "voxels that are the evidence.",
        examine=image_references.examine,
        severity=Severity.BLOCKS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G16",
        name="body part",
        what="No organ of another part of the body than the imaged one is named.",
        examine=body_part.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G17",
        name="organs",
        what="No organ is named that the patient of the recorded sex does not have, or that a "
        "recorded procedure removed.",
        examine=organs.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G18",
        name="instructions",
        what="The words instruct nobody, address neither a reader nor a system, and hold no link, "
        "markup, code or role token.",
        examine=instructions.examine,
        severity=Severity.BLOCKS,
    ),
    NumberedCheck(
        number="G19",
        name="language",
        what="The words are English, by script and by function words.",
        examine=english.examine,
        severity=Severity.BLOCKS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G20",
        name="impression",
        what="The impression claims no finding that the findings deny or do not speak of, denies "
        "none that they state, and names the same side.",
        examine_in=impression.examine,
        severity=Severity.BLOCKS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G21",
        name="repetition",
        what="Nothing is said twice in one section, and no two statements of one contradict each "
        "other.",
        examine_in=repetition.examine,
        severity=Severity.WARNS,
        of_readers=None,
    ),
    NumberedCheck(
        number="G22",
        name="sections",
        what="A draft states findings where the reading suspects or measures something, and no "
        "impression claims a finding without them.",
        examine_in=sections.examine,
        severity=Severity.WARNS,
        of_readers=None,
    ),
)


def check(draft: Draft, case: Case, reading: Reading) -> CheckedDraft:
    """Give a verdict of every check on every statement.

    Raises: InputError if draft or reading belong to another case.
    """
    if draft.case_id != case.id or reading.study_uid != case.study.uid:
        raise InputError(
            "draft, case and reading do not belong together",
            remedy="check a draft with the case and reading it was written from",
            draft=draft.id,
        )
    verdicts = tuple(
        _verdict(one, statement, draft, case, reading, one.severity)
        for statement in draft.decidable
        for one in CHECKS
    )
    sentences = tuple(_judged(_parsed(record), case, reading) for record in draft.sentences)
    return CheckedDraft(draft=replace(draft, sentences=sentences), verdicts=verdicts)


def _parsed(record: SentenceRecord) -> SentenceRecord:
    """Add to a sentence what its words claim."""
    return replace(record, claims=record.claims or claims_of(record.proposal.text))


def _judged(record: SentenceRecord, case: Case, reading: Reading) -> SentenceRecord:
    """Add to a sentence that is not stated what the checks would have said of it.

    Without words or evidence they say nothing.
    """
    said = record.proposal
    if record.fate is Fate.STATED or not record.evidence or not said.text.strip():
        return record
    statement = Statement(
        id=record.id,
        section=Section.FINDINGS,
        text=said.text,
        assertion=said.assertion,
        evidence=record.evidence,
        finding=said.finding,
    )
    return replace(
        record,
        verdicts=tuple(
            _verdict(one, statement, None, case, reading, Severity.INFORMS)
            for one in CHECKS
            if one.of_sentences
        ),
    )


def recheck(file: CaseFile) -> tuple[Verdict, ...]:
    """Run the same checks on the words that readers wrote since.

    These are edits, added findings and their own impression.

    They mark what a second look is worth and bind nobody: a reader sees what no model does.
    """
    if file.draft is None:
        return ()
    reading = file.reading or Reading(study_uid=file.case.study.uid)
    own = list(own_words(file))
    return tuple(
        _verdict(one, statement, None, file.case, reading, one.of_readers)
        for statement in own
        for one in CHECKS
        if one.of_readers
    )


def _verdict(
    one: NumberedCheck,
    statement: Statement,
    draft: Draft | None,
    case: Case,
    reading: Reading,
    severity: Severity,
) -> Verdict:
    outcome, reason = one.result(statement, draft, case, reading)
    return Verdict(
        check=one.number,
        statement_id=statement.id,
        outcome=outcome,
        reason=reason,
        severity=severity,
    )
