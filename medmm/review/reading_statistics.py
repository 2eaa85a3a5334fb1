"""How readers took drafts: signed cases, one after another, to figures with intervals.

Cases come by patient, so that patients are counted without being remembered: memory grows with the
groups, and by a few numbers a case for medians, not with what cases hold.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from medmm.domain.acceptance import Figure
from medmm.domain.insight import (
    SUBGROUPS,
    AlarmFigures,
    AnswerRow,
    Count,
    EditFigures,
    GapRow,
    Group,
    Insight,
    InsightFilter,
    TimeFigure,
)
from medmm.domain.patient_age import NOT_STATED, age_band
from medmm.domain.reading import ModelIdentity
from medmm.domain.reviewed_case import Answer, ReviewedCase, ReviewedStatement, StatementKind
from medmm.review.draft_influence import InfluenceTally
from medmm.review.intervals import Intervals

LEAST_CLAIMS, LEAST_PATIENTS = 20, 10  # of a group, before its gap is more noise than news
NO_MODEL, NO_FINDING, NOT_GIVEN = "no network", "no finding", "not given"
TO_DECISION, TO_SIGNATURE, AT_WORK = (
    "draft to first decision",
    "opening to signing",
    "opening to signing without pauses",
)


def version_words(model: ModelIdentity) -> str:
    """Name a version of a model: its name, and the beginning of its digest."""
    return f"{model.name} {model.manifest_sha256[:12]}"


def wanted(case: ReviewedCase, asked: InsightFilter) -> bool:
    """Tell whether a case is asked for."""
    return (
        (asked.since is None or case.signed_at >= asked.since)
        and (asked.until is None or case.signed_at < asked.until)
        and asked.site in (None, case.site)
        and asked.reader in (None, case.reader)
        and asked.modality in (None, case.modality)
        and (asked.model is None or any(one.name == asked.model for one in case.models))
    )


@dataclass(slots=True)
class _Answers:
    """Counts of one group, and of how many patients they are."""

    counts: list[int] = field(default_factory=lambda: [0] * len(Answer))
    patients: int = 0
    last: str = ""  # the patient who was counted last

    def add(self, answer: Answer, patient: str) -> None:
        self.counts[tuple(Answer).index(answer)] += 1
        self.patients += patient != self.last
        self.last = patient

    @property
    def of(self) -> int:
        return sum(self.counts)


class ReadingStatistics:
    """A tally of signed cases; `add` takes them ordered by patient."""

    def __init__(self, asked: InsightFilter) -> None:
        self.asked = asked
        self.influence = InfluenceTally()
        self._answers: dict[tuple[Group, str], _Answers] = {}
        self._claims: dict[tuple[Group, str], _Answers] = {}
        self._reasons: Counter[str] = Counter()
        self._added: Counter[str] = Counter()
        self._changed, self._recoded, self._recoded_patients = array("d"), 0, _Answers()
        self._times = {of: array("d") for of in (TO_DECISION, TO_SIGNATURE, AT_WORK)}
        self._cases = _Shares()
        self._with_claim, self._bare, self._replaced = _Shares(), _Shares(), _Shares()
        self._false = _Shares()
        self._claim_squares = 0

    def add(self, case: ReviewedCase, *, replaced: bool) -> None:
        """Take in a case that is asked for, after all others of earlier patient keys.

        Args:
            replaced: whether its report was amended or withdrawn since.
        """
        who, claims = case.patient_key, [s for s in case.claims if self._of_model(s)]
        self._cases.add(True, who)
        self._replaced.add(replaced, who)
        self._with_claim.add(bool(claims), who)
        self._claim_squares += len(claims) ** 2
        if not case.claims_signed:
            self._bare.add(bool(claims), who)
        self._added.update(case.added)
        self._add_times(case)
        for statement in (s for s in case.statements if self._of_model(s)):
            self._add_statement(case, statement)

    def _of_model(self, statement: ReviewedStatement) -> bool:
        name = self.asked.model
        return name is None or (statement.model is not None and statement.model.name == name)

    def _add_statement(self, case: ReviewedCase, one: ReviewedStatement) -> None:
        who = case.patient_key
        for group in _groups(case, one):
            self._answers.setdefault(group, _Answers()).add(one.answer, who)
            if one.kind is StatementKind.CLAIM:
                self._claims.setdefault(group, _Answers()).add(one.answer, who)
        if one.kind is StatementKind.CLAIM:
            self._false.add(one.false_by_reader, who)
        if one.answer is Answer.REJECTED:
            self._reasons[one.reason or NOT_GIVEN] += 1
        if one.words_changed is not None:
            self._changed.append(one.words_changed)
            self._recoded += one.recoded
            self._recoded_patients.add(one.answer, who)

    def _add_times(self, case: ReviewedCase) -> None:
        if case.drafted_at is not None and case.first_decision_at is not None:
            waited = (case.first_decision_at - case.drafted_at).total_seconds()
            self._times[TO_DECISION].append(waited)
        if case.looked_at is not None:
            took = (case.signed_at - case.looked_at).total_seconds()
            self._times[TO_SIGNATURE].append(took)
            self._times[AT_WORK].append(took - case.pauses_s)

    def insight(self, intervals: Intervals, unsigned: int) -> Insight:
        """Say the figures of all cases that were taken in.

        Args:
            unsigned: drafted cases that wait for a signature.
        """
        false, edited = self._false, len(self._changed)
        return Insight(
            asked=self.asked,
            cases=self._cases.of,
            patients=self._cases.patients,
            unsigned=unsigned,
            replaced=self._replaced.figure(intervals),
            answers=tuple(self._answer_rows(intervals)),
            edits=EditFigures(
                edits=edited,
                words_changed=intervals.median(self._changed),
                recoded=intervals.share(self._recoded, edited, self._recoded_patients.patients),
            ),
            reasons=_counts(self._reasons),
            added=_counts(self._added),
            times=tuple(
                TimeFigure(
                    of=of,
                    median_s=intervals.median(values),
                    unknown=self._cases.of - len(values),
                )
                for of, values in self._times.items()
            ),
            alarms=AlarmFigures(
                claims=false.of,
                claims_a_case=intervals.mean(self._cases.of, false.of, self._claim_squares),
                with_claim=self._with_claim.figure(intervals),
                false=false.figure(intervals),
                bare_with_claim=self._bare.figure(intervals),
            ),
            gaps=tuple(self._gap_rows(intervals)),
            influence=self.influence.figures(intervals),
        )

    def _answer_rows(self, intervals: Intervals) -> Iterator[AnswerRow]:
        for (group, value), answers in _in_order(self._answers):
            accepted, edited, rejected = (
                intervals.share(count, answers.of, answers.patients) for count in answers.counts
            )
            yield AnswerRow(
                group=group,
                value=value,
                statements=answers.of,
                patients=answers.patients,
                shares=(accepted, edited, rejected),
            )

    def _gap_rows(self, intervals: Intervals) -> Iterator[GapRow]:
        """Compare the claims of each group with all others, where the attribute has several.

        A patient of both counts for the group alone, so that no interval is too narrow.
        """
        whole = self._claims.get((Group.ALL, ""), _Answers())
        for (group, value), claims in _in_order(self._claims):
            if group not in SUBGROUPS or claims.of == whole.of:
                continue
            accepted = self._accepted(intervals, claims.counts[0], claims.of, claims.patients)
            others = self._accepted(
                intervals,
                whole.counts[0] - claims.counts[0],
                whole.of - claims.of,
                max(whole.patients - claims.patients, 1),
            )
            yield GapRow(
                group=group,
                value=value,
                claims=claims.of,
                patients=claims.patients,
                accepted=accepted,
                others=others,
                gap=intervals.difference(accepted, others),
            )

    @staticmethod
    def _accepted(intervals: Intervals, hits: int, of: int, patients: int) -> Figure:
        if of < LEAST_CLAIMS or patients < LEAST_PATIENTS:
            return Figure(value=None, of=of)
        return intervals.share(hits, of, patients)


@dataclass(slots=True)
class _Shares:
    """A share of cases or claims, and of how many patients they are."""

    hits: int = 0
    of: int = 0
    patients: int = 0
    last: str = ""

    def add(self, hit: bool, patient: str) -> None:
        self.hits += hit
        self.of += 1
        self.patients += patient != self.last
        self.last = patient

    def figure(self, intervals: Intervals) -> Figure:
        return intervals.share(self.hits, self.of, self.patients)


def _groups(case: ReviewedCase, one: ReviewedStatement) -> Iterator[tuple[Group, str]]:
    yield Group.ALL, ""
    yield Group.KIND, one.kind.value
    yield Group.FINDING, one.finding or NO_FINDING
    yield Group.MODEL, NO_MODEL if one.model is None else version_words(one.model)
    yield Group.WRITER, case.writer
    yield Group.READER, case.reader
    yield Group.SITE, case.site or NOT_STATED
    yield Group.MODALITY, case.modality
    yield Group.VIEW, case.view or NOT_STATED
    yield Group.SEX, case.sex or NOT_STATED
    yield Group.AGE, age_band(case.age_years)


def _in_order(
    groups: dict[tuple[Group, str], _Answers],
) -> list[tuple[tuple[Group, str], _Answers]]:
    """Sort groups as they are named, the largest of a kind first."""
    names = list(Group)
    return sorted(groups.items(), key=lambda g: (names.index(g[0][0]), -g[1].of, g[0][1]))


def _counts(counter: Counter[str]) -> tuple[Count, ...]:
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Count(value=value, count=count) for value, count in ordered)
