"""How readers took drafts, and which cases rest on a version of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from medmm import review
from medmm.acceptance import intervals
from medmm.domain.codec import from_json
from medmm.domain.draft import CLAIMS, CheckedDraft, Draft, ScoreEvidence
from medmm.domain.errors import InputError, StateError, needed
from medmm.domain.first_read import FirstRead
from medmm.domain.influence_of_draft import influence_of_draft
from medmm.domain.insight import Insight, InsightFilter
from medmm.domain.reading import ModelIdentity
from medmm.domain.recall import RecalledCase, RecallList
from medmm.domain.reviewed_case import ReviewedCase
from medmm.domain.roles import require
from medmm.store.recall import DraftsOfCase
from medmm.store.reviewed_cases import SignedCase
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import look

DIGEST = re.compile(r"[0-9a-f]{8,64}")
AT_ONCE = 100  # cases whose drafts are read together

# What gives a report out, where its entry names a report
GIVEN_OUT = ("publish", "deliver")


@look("insight", lambda asked: "insight")
def insight(house: House, call: VerbCall, asked: InsightFilter) -> Insight:
    """Count how readers took drafts, of the reader's own cases; see `Assistant.insight`."""
    if asked.reader not in (None, call.actor.id):
        require("insight_of_all", call.actor)
        raise StateError(
            "these are the figures of another reader",
            remedy="ask for them by insight_of_all",
            reader=str(asked.reader),
        )
    return _counted(house, call, replace(asked, reader=call.actor.id))


@look("insight_of_all", lambda asked: "insight")
def insight_of_all(house: House, call: VerbCall, asked: InsightFilter) -> Insight:
    """Count how all readers took drafts; see `Assistant.insight_of_all`."""
    return _counted(house, call, asked)


@look("export_insight", lambda asked: "insight")
def export_insight(house: House, call: VerbCall, asked: InsightFilter) -> Insight:
    """Count likewise, to take the figures along; see `Assistant.export_insight`."""
    return _counted(house, call, asked)


def _counted(house: House, call: VerbCall, asked: InsightFilter) -> Insight:
    statistics, first_reads = review.ReadingStatistics(asked), _first_reads(house)
    for case in house.store.signed_cases():
        reviewed = case.reviewed or _worked_out(house, case)
        if review.wanted(reviewed, asked):
            statistics.add(reviewed, replaced=case.replaced)
            for read in first_reads.get(case.case_id, ()):
                _add_influence(house, statistics.influence, read, reviewed)
    found = statistics.insight(intervals, house.store.unsigned(asked.site, asked.modality))
    call.seen = {"cases": found.cases, **_asked_words(asked)}
    return found


def _first_reads(house: House) -> dict[str, list[FirstRead]]:
    """Read what readers said before a draft was shown, by case: they are few beside all cases."""
    found: dict[str, list[FirstRead]] = {}
    for read in house.store.first_reads_since():
        found.setdefault(read.case_id, []).append(read)
    return found


def _add_influence(
    house: House, tally: review.InfluenceTally, read: FirstRead, reviewed: ReviewedCase
) -> None:
    """Count how the draft of a signed case moved who had read it first, if that can be told."""
    if read.listed or read.by.id != reviewed.reader:
        tally.leave_out()
        return
    file = house.store.case_file(reviewed.case_id)
    signed = needed(next(iter(file.versions), None), "the signed report", case=read.case_id)
    tally.add(influence_of_draft(read, review.draft_of(file).draft, signed))


def _worked_out(house: House, case: SignedCase) -> ReviewedCase:
    """Tell what a reader made of a draft that an earlier release signed."""
    file = house.store.case_file(case.case_id)
    signed = needed(next(iter(file.versions), None), "the signed report", case=case.case_id)
    events, site = house.store.events(case.case_id), house.store.site_of(case.case_id)
    return review.reviewed(file, signed, events, site)


def _asked_words(asked: InsightFilter) -> dict[str, str]:
    said = {
        "since": None if asked.since is None else asked.since.isoformat(),
        "until": None if asked.until is None else asked.until.isoformat(),
        "site": asked.site,
        "reader": asked.reader,
        "model": asked.model,
        "modality": asked.modality,
    }
    return {name: value for name, value in said.items() if value is not None}


@look("recall_list", lambda model, version: model)
def recall_list(house: House, call: VerbCall, model: str, version: str) -> RecallList:
    """List what rests on a version of a model; see `Assistant.recall_list`.

    Every draft of every case is gone through and held against the log.
    """
    digest = version.lower()
    if not DIGEST.fullmatch(digest):
        raise InputError(
            "a version of a model is named by the digest of its manifest",
            remedy="give at least the first 8 of its 64 hex digits; `medmm models list` shows them",
            version=version,
        )
    case_ids, found, digests = house.store.drafted_cases(), [], set()
    for first in range(0, len(case_ids), AT_ONCE):
        for drafts in house.store.drafts_of_cases(case_ids[first : first + AT_ONCE]):
            resting = dict(_resting(drafts, model, digest))
            digests |= set(resting.values())
            if resting:
                found.append(_recalled(house, drafts, model, resting))
    if len(digests) > 1:
        raise InputError(
            f"{len(digests)} versions of the model begin with these digits",
            remedy="give more of its digest",
            model=model,
            versions=" ".join(sorted(digests)),
        )
    call.seen = {"manifest": next(iter(digests), digest), "cases": len(found)}
    return RecallList(
        model=ModelIdentity(name=model, manifest_sha256=next(iter(digests), digest)),
        cases=tuple(found),
        looked_at=len(case_ids),
    )


def _resting(drafts: DraftsOfCase, model: str, digest: str) -> Iterator[tuple[int, str]]:
    """Find the versions of a draft that rest on a model: their numbers, with its whole digest."""
    for number, body in drafts.bodies.items():
        for one in body["draft"]["models"]:
            if one["name"] == model and one["manifest_sha256"].startswith(digest):
                yield number, one["manifest_sha256"]


def _recalled(
    house: House, drafts: DraftsOfCase, model: str, resting: dict[int, str]
) -> RecalledCase:
    file, last = house.store.case_file(drafts.case_id), max(resting)
    draft: CheckedDraft = from_json(CheckedDraft, drafts.bodies[last])
    made, report, sha256 = drafts.created_at[last], file.report, resting[last]
    published = [
        event.at
        for event in house.store.events(drafts.case_id)
        if event.verb in GIVEN_OUT and event.outcome == "done" and "report" in event.details
    ]
    rests = report is not None and any(one.manifest_sha256 == sha256 for one in report.models)
    return RecalledCase(
        case_id=drafts.case_id,
        study_uid=file.case.study.uid,
        patient_key=file.case.study.patient_key,
        state=file.state,
        site=house.store.site_of(drafts.case_id),
        drafts=tuple(sorted(resting)),
        newest=last == max(drafts.bodies),
        drafted_at=None if made is None else datetime.fromisoformat(made),
        findings=tuple(_claimed(draft.draft, model)),
        report_id=report.id if report else None,
        report_rests=rests,
        signed_by=report.signed_by.id if report else None,
        signed_at=report.signed_at if report else None,
        published_at=max(published, default=None),
    )


def _claimed(draft: Draft, model: str) -> Iterator[str]:
    """Name the findings that a draft claims by scores or words of a model, each once."""
    claimed = dict.fromkeys(
        one.finding
        for one in draft.decidable
        if one.finding is not None
        and one.assertion in CLAIMS
        and (
            any(isinstance(e, ScoreEvidence) and e.model == model for e in one.evidence)
            or (one.generation is not None and one.generation.model == model)
        )
    )
    yield from (name for name in claimed if name is not None)
