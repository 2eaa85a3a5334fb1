"""What a draft says its claims are worth, and what a study below its alarm point claims."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.calibration import below_alarm_point
from medmm.domain.draft import CLAIMS, Draft, Section
from medmm.domain.errors import InputError
from medmm.domain.promise import AlarmRule, Promise, Withheld
from medmm.domain.reading import Finding, ModelIdentity, Reading
from medmm.domain.reading_model import one_reading
from medmm.domain.second_opinion import second_opinions
from medmm.drafting import RuleWriter, with_promises
from medmm.grounding import check
from medmm.presentation.opinion_words import opinion_lines
from tests.factories import make_case, make_finding, make_reading, make_study

EFFUSION = Promise(false_claim_rate=0.1, claimed=0.4, positives=61, negatives=341, prevalence=0.15)
RULE = AlarmRule(
    any_finding=0.9, point=0.8, burden=0.15, studies=146, films="test films", model="chest-test"
)


UNPROMISED = (
    "Nothing is promised of claims of {}: how often such a claim is right was not measured, or on "
    "fewer than 30 studies that had it."
)


def drafted(reading: Reading, **prevalence: float) -> Draft:
    return with_promises(RuleWriter().write(make_case(), reading), reading, prevalence)


def said(draft: Draft, code: str) -> list[str]:
    return [notice.text for notice in draft.warnings if notice.code == code]


def suspected(name: str = "Effusion", **changes: object) -> Finding:
    return replace(make_finding(name, 0.6), region=None, **changes)  # type: ignore[arg-type]


def test_a_claim_is_worth_what_its_promise_says_at_the_prevalence_of_the_site() -> None:
    reading = make_reading(findings=(suspected(promise=EFFUSION),), alarm=RULE)
    (here,) = said(drafted(reading, Effusion=0.5), "worth-of-claims")
    assert here == (
        "By the test films, claims are right in at least: pleural effusion 80% at a prevalence of "
        "50%."
    )
    (anywhere,) = said(drafted(reading), "worth-of-claims")
    assert anywhere.endswith("pleural effusion 41% at a prevalence of 15% as on those films.")


def test_the_burden_of_alarms_is_said_and_what_carries_no_promise() -> None:
    draft = drafted(make_reading(findings=(suspected("Cardiomegaly"),), alarm=RULE))
    assert said(draft, "alarm-burden") == [
        "Of test films without any finding at most 15% carry a claim of chest-test (146 films). On "
        "this site's own films this was not measured."
    ]
    assert said(draft, "worth-of-claims") == [UNPROMISED.format("cardiomegaly")]


def test_claims_of_a_network_without_an_alarm_point_say_that_nothing_is_promised() -> None:
    draft = drafted(make_reading(findings=(suspected("Cardiomegaly"), suspected("Nodule"))))
    assert said(draft, "alarm-burden") == []
    assert said(draft, "worth-of-claims") == [UNPROMISED.format("cardiomegaly, pulmonary nodule")]


def test_a_study_below_its_alarm_point_carries_no_claim_and_no_word_that_nothing_is_there() -> None:
    findings = below_alarm_point([suspected(), make_finding("Nodule", 0.01)])
    assert [f.withheld for f in findings] == [Withheld.BELOW_ALARM_POINT, None]
    reading = make_reading(findings=findings, alarm=replace(RULE, any_finding=0.3))
    draft = drafted(reading)
    assert not any(s.assertion in CLAIMS and s.finding for s in draft.statements)
    impression = [s.text for s in draft.statements if s.section is Section.IMPRESSION]
    assert impression == [
        "No finding is claimed: the study as a whole stays below the alarm point."
    ]
    checked = check(draft, make_case(), reading)
    assert not any(checked.failed(s.id) for s in checked.statements)


def test_an_unfamiliar_image_is_left_to_a_person() -> None:
    found = (suspected(), make_finding("Nodule", 0.01))
    unfamiliar = tuple(replace(f, withheld=Withheld.UNFAMILIAR_IMAGE) for f in found)
    draft = drafted(make_reading(findings=unfamiliar, measurements=(), alarm=RULE))
    assert not any(s.finding for s in draft.statements)
    assert not any(s.section is Section.IMPRESSION for s in draft.statements)
    assert len(said(draft, "unfamiliar-image")) == 1
    assert said(draft, "alarm-burden") == []
    assert any("unlike those that the reading model learned from" in n for n in draft.not_evaluated)


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_claim_is_worth_more_the_commoner_its_finding(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 0 <= EFFUSION.right_at(low) <= EFFUSION.right_at(high) <= 1


def test_a_promise_needs_enough_studies() -> None:
    with pytest.raises(InputError, match="calibrate on at least 30"):
        replace(EFFUSION, positives=29)


def test_a_finding_that_is_withheld_is_neither_suspected_nor_ruled_out() -> None:
    for probability in (0.01, 0.6):
        one = replace(make_finding("Effusion", probability), withheld=Withheld.UNFAMILIAR_IMAGE)
        assert one.undecided
        assert not one.suspected
        assert not one.ruled_out


FIRST = ModelIdentity(name="chest-test", manifest_sha256="1" * 64)
SECOND = ModelIdentity(name="second-net", manifest_sha256="2" * 64)
OWN_RULE = replace(RULE, model="second-net", films="studies of this site", studies=60, burden=0.1)


def of_two(first: Finding, other: Finding, **changes: Any) -> Reading:
    """What two models say, joined as live readings are; the second has an alarm rule of its own."""
    one = replace(make_reading(findings=(first,), alarm=RULE), models=(FIRST,))
    later = Reading(study_uid=one.study_uid, models=(SECOND,), findings=(other,), alarm=OWN_RULE)
    return one_reading(make_study(uid=one.study_uid), (one, replace(later, **changes)))


def test_each_model_is_held_by_its_own_alarm_point_and_its_burden_is_said() -> None:
    reading = of_two(suspected(), suspected("Nodule"))
    assert [alarm.model for alarm in reading.alarms] == ["chest-test", "second-net"]
    written = RuleWriter().write(make_case(), reading)
    draft = with_promises(written, reading, {}, {"second-net"})
    assert said(draft, "alarm-burden") == [
        "Of test films without any finding at most 15% carry a claim of chest-test (146 films). On "
        "this site's own films this was not measured.",
        "Of studies of this site without any finding at most 10% carry a claim of second-net (60 "
        "films).",
    ]
    (below,) = below_alarm_point([suspected("Nodule")])
    draft = drafted(of_two(suspected(), below))
    claimed = {s.finding for s in draft.statements if s.assertion in CLAIMS and s.finding}
    assert claimed == {"Effusion"}


def test_what_a_site_did_not_measure_gives_way_and_is_never_called_absent() -> None:
    unmeasured = suspected("Nodule", withheld=Withheld.NOT_MEASURED)
    reading = of_two(unmeasured, suspected("Nodule"))
    found = reading.finding("Nodule")
    assert found is not None
    assert found.model == "second-net"
    assert [(f.model, f.withheld) for f in reading.other_findings] == [
        ("chest-test", Withheld.NOT_MEASURED)
    ]
    assert not second_opinions(reading)[0].disagree
    assert "not claimed, not measured on this site's studies" in opinion_lines(reading)[0]
    alone = make_reading(findings=(unmeasured, make_finding("Effusion", 0.1)), measurements=())
    draft = drafted(alone)
    (impression,) = [s.text for s in draft.statements if s.section is Section.IMPRESSION]
    assert impression.startswith("Of what the reading model was measured for on this site's")
    assert not any(s.finding == "Nodule" for s in draft.statements)
    assert any("not measured for it" in n and "pulmonary nodule" in n for n in draft.not_evaluated)
    checked = check(draft, make_case(), alone)
    assert not any(checked.failed(s.id) for s in checked.statements)


def test_an_image_unfamiliar_to_one_model_silences_that_one() -> None:
    strange = replace(suspected(), withheld=Withheld.UNFAMILIAR_IMAGE)
    draft = drafted(of_two(strange, suspected("Nodule")))
    (words,) = said(draft, "unfamiliar-image")
    assert "unlike those that chest-test learned from" in words
    assert "by other models" in words
    assert [words.split(" carry")[0] for words in said(draft, "alarm-burden")] == [
        "Of studies of this site without any finding at most 10%"
    ]
    assert any("the model of these findings learned from" in n for n in draft.not_evaluated)
