"""The sentences of a case as a reading page lists them, and what each is worth."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medmm.domain.draft import CLAIMS, Outcome, Section, Statement
from medmm.domain.report import CaseFile
from medmm.domain.study import Modality
from medmm.presentation.case_view import CaseView, StatementView
from medmm.presentation.reading_words import natural_frequency, verdict_words

FINDINGS, ALSO, ADDED, IMPRESSION, CLINICAL = (
    "Findings",
    "Also suspected, not stated",
    "Added by a reader",
    "Impression",
    "Clinical information",
)
IF_AS_COMMON = "if it is as common here as in the calibration (the settings state no prevalence)"
ORDER = (FINDINGS, ALSO, ADDED, IMPRESSION, CLINICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceRow:
    """One sentence with what stands beside it.

    Attributes:
        worth: how often such a claim is right, as people read it rightly; "" if none is promised.
        verdicts: what its checks found, in words; those that failed first.
        by_hand: whether a reader wrote it, so that it is edited or taken away and never accepted.
    """

    group: str
    statement: StatementView
    worth: str
    verdicts: tuple[str, ...]
    by_hand: bool

    @property
    def id(self) -> str:
        """Id of the statement."""
        return self.statement.id

    @property
    def follows(self) -> bool:
        """Whether it repeats another sentence, and is decided with it."""
        return self.statement.summarises is not None

    @property
    def open(self) -> bool:
        """Whether a reader has still to decide on it."""
        return self.statement.decision is None and not self.by_hand and not self.follows


def sentence_rows(
    file: CaseFile, view: CaseView, prevalence: Mapping[str, float]
) -> tuple[SentenceRow, ...]:
    """List the sentences of a case in the order in which they are read.

    What stands beside the film comes first; in the report the clinical information does.

    Args:
        prevalence: of findings where the case is read, by their names, as the settings state it; of
            others that of the calibration studies is taken, as the draft's notices say.
    """
    worth = claim_worth(file, prevalence)
    return tuple(
        SentenceRow(
            group=group,
            statement=statement,
            worth=worth.get(statement.id, ""),
            verdicts=_verdicts(file, statement.id),
            by_hand=bool(statement.own),
        )
        for group, statement in _grouped(view)
    )


def _grouped(view: CaseView) -> Iterator[tuple[str, StatementView]]:
    own = view.impression
    groups = {
        FINDINGS: view.in_section(Section.FINDINGS),
        ALSO: view.also,
        ADDED: view.added,
        IMPRESSION: view.in_section(Section.IMPRESSION) if own is None else (own,),
        CLINICAL: view.in_section(Section.CLINICAL_INFORMATION),
    }
    for group in ORDER:
        for statement in groups[group]:
            yield group, statement


def next_open(rows: tuple[SentenceRow, ...], after: str | None) -> str | None:
    """Find the next sentence that is still to be decided, after one and then from the top.

    Returns: its id; None if all that is asked for is decided.
    """
    ids = [row.id for row in rows]
    start = ids.index(after) + 1 if after in ids else 0
    turned = (*rows[start:], *rows[:start])
    asked = (row.id for row in turned if row.open and row.group != ALSO)
    return next(asked, None)


def beside(rows: tuple[SentenceRow, ...], current: str | None, step: int) -> str | None:
    """Find the sentence `step` places on, or back; the ends are joined.

    Returns: its id; None without sentences.
    """
    if not rows:
        return None
    ids = [row.id for row in rows]
    if current not in ids:
        return ids[0]
    return ids[(ids.index(current) + step) % len(ids)]


def claim_worth(file: CaseFile, prevalence: Mapping[str, float]) -> dict[str, str]:
    """Say how often such a claim is right, by the id of the statement that claims."""
    draft, reading = file.draft, file.reading
    if draft is None or reading is None:
        return {}
    found = {finding.name: finding for finding in reading.findings}
    what = "films" if file.case.study.modality is not Modality.MR else "studies"
    told: dict[str, str] = {}
    for statement in draft.draft.decidable:
        finding = found.get(statement.finding or "")
        if finding is None or finding.promise is None or not _claims(statement):
            continue
        share = prevalence.get(finding.name, finding.promise.prevalence)
        words = natural_frequency(finding.promise, share, what)
        if words and finding.name not in prevalence:
            words = f"{words}, {IF_AS_COMMON}"
        told[statement.id] = words
    return told


def _claims(statement: Statement) -> bool:
    return statement.assertion in CLAIMS and statement.section is Section.FINDINGS


def _verdicts(file: CaseFile, statement_id: str) -> tuple[str, ...]:
    verdicts = tuple(file.draft.verdicts_on(statement_id)) if file.draft else ()
    failed_first = sorted(verdicts, key=lambda one: one.outcome is not Outcome.FAILED)
    words = [verdict_words(one) for one in failed_first]
    return tuple(word for word in words if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A piece of a text beside another: `kept`, `dropped` or `new`."""

    kind: str
    text: str


def changes(drafted: str, written: str) -> tuple[Change, ...]:
    """Compare two texts word by word, so that a reader sees what an edit changed.

    The kept and the new pieces together are the written text, the kept and the dropped ones the
    drafted.
    """
    before, after = (re.findall(r"\s+|[^\s]+", text) for text in (drafted, written))
    found: list[Change] = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for operation, a0, a1, b0, b1 in matcher.get_opcodes():
        if operation == "equal":
            found.append(Change(kind="kept", text="".join(before[a0:a1])))
            continue
        if a0 < a1:
            found.append(Change(kind="dropped", text="".join(before[a0:a1])))
        if b0 < b1:
            found.append(Change(kind="new", text="".join(after[b0:b1])))
    return tuple(found)
