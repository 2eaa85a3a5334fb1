"""Who works on a case: a reader claims it for some time, renews it, or gives it back."""

from __future__ import annotations

from datetime import datetime, timedelta

from medmm import review
from medmm.domain.errors import InputError
from medmm.domain.lease import Lease
from medmm.domain.roles import ADMINISTRATOR
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import kept, verb

MOST_MINUTES = 24 * 60


@verb(
    "claim",
    kept(Lease),
    request=lambda house, case_id, minutes, since: {
        "case": case_id,
        "minutes": minutes,
        **({} if since is None else {"since": since.isoformat()}),
    },
)
def claim(
    house: House, call: VerbCall, case_id: str, minutes: int | None, since: datetime | None
) -> Lease:
    """Take a case to work on it, or renew the claim; see `Assistant.claim`."""
    length = house.settings.claim_minutes if minutes is None else minutes
    if not 0 < length <= MOST_MINUTES:
        raise InputError(
            f"a claim of {length} minutes",
            remedy=f"claim a case for up to {MOST_MINUTES} minutes, and renew it",
            case=case_id,
        )
    study_uid, at = house.store.study_of(case_id), house.clock()
    with house.store.step() as step:
        review.refuse_finished(step.cases_of(study_uid)[case_id], case_id)
        lease = step.claim(case_id, call.actor.id, at, at + timedelta(minutes=length), since)
        call.done(step, lease, case_id, until=lease.until.isoformat(timespec="seconds"))
    return lease


@verb(
    "unclaim",
    lambda house, value: None,
    request=lambda house, case_id, since: {
        "case": case_id,
        **({} if since is None else {"since": since.isoformat()}),
    },
)
def unclaim(house: House, call: VerbCall, case_id: str, since: datetime | None) -> None:
    """Give a case back; see `Assistant.unclaim`."""
    house.store.study_of(case_id)
    with house.store.step() as step:
        if call.actor.role != ADMINISTRATOR:
            step.refuse_others(case_id, call.actor.id, house.clock())
        if since is not None:  # a page that was left late ends no later claim
            step.refuse_lost(case_id, call.actor.id, since)
        step.unclaim(case_id)
        call.done(step, case_id, case_id)
