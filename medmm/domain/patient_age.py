"""The patient's age at a study from all that state it, with their contradictions.

The cautious one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations

from medmm.domain.record import ClinicalContext, Quantity
from medmm.domain.study import Notice, StatedAge, Study

ADULT_YEARS = 18
OLDEST_YEARS = 120
# Ages from here on are often written as 089Y or 090Y to hide who it is (45 CFR 164.514(b)(2)(i)(C))
CAPPED_YEARS = 89
# Birth dates moved to the first of January, and ages at the order, differ by less
SLACK_YEARS = 1.0
AGE_BANDS = ((0, 18), (18, 40), (40, 60), (60, 75), (75, None))  # years, the upper end excluded
NOT_STATED = "not stated"  # a group of those of whom it is not known
AGE_FACT = "Patient#age"  # of a record: the age in whole years at the study
CHILD = Notice(code="child", text="The patient is under 18 years; the models were made for adults.")


def age_by_birth(birth: date | None, day: date | None, source: str) -> StatedAge | None:
    """Compute the age on a day by a birth date; None if unknown or impossible."""
    if birth is None or day is None:
        return None
    years = (day - birth).days / 365.25
    return (
        StatedAge(source=source, least_years=years, most_years=years)
        if 0 <= years <= OLDEST_YEARS
        else None
    )


def age_band(age_years: float | None) -> str:
    """Return the band of an age, in words."""
    if age_years is None:
        return NOT_STATED
    for low, high in AGE_BANDS:
        if high is None or age_years < high:
            return f"{low} years and over" if high is None else f"{low} to {high - 1} years"
    return NOT_STATED


def age_notices(ages: Sequence[StatedAge]) -> Iterator[Notice]:
    """Yield warnings of a child if any source is under 18, and of sources that contradict."""
    if under_age(ages):
        yield CHILD
    against = next(
        ((one, other) for one, other in combinations(ages, 2) if conflict(one, other)), None
    )
    if against is not None:
        said = " and ".join(f"{words(age)} by the {age.source}" for age in against)
        yield Notice(
            code="age-conflict",
            text=f"The sources of the patient's age contradict each other: {said}.",
        )


def with_record_age(study: Study, context: ClinicalContext | None) -> Study:
    """Add the record's age to those of a study's images, and what must be said of both."""
    facts = context.facts if context else ()
    years = next(
        (
            fact.value.value
            for fact in facts
            if fact.id == AGE_FACT and isinstance(fact.value, Quantity)
        ),
        None,
    )
    if years is None:
        return study
    ages = (*study.ages, StatedAge(source="record", least_years=years, most_years=years + 1))
    return replace(
        study, ages=ages, warnings=tuple(dict.fromkeys((*study.warnings, *age_notices(ages))))
    )


def under_age(ages: Sequence[StatedAge]) -> bool:
    """Tell whether any source leaves an age under 18 years."""
    return any(age.least_years < ADULT_YEARS for age in ages)


def conflict(one: StatedAge, other: StatedAge) -> bool:
    """Tell whether two ages can't be of one person, within a year."""
    return any(
        high.most_years is not None and low.least_years > high.most_years + SLACK_YEARS
        for low, high in ((one, other), (other, one))
    )


def words(age: StatedAge) -> str:
    """Write an age in words: whole years, months below two years."""
    if age.most_years is None:
        return f"{age.least_years:.0f} years or more"
    if age.least_years < 2:
        months = int(age.least_years * 12 + 1e-6)
        return f"{months} {'month' if months == 1 else 'months'}"
    return f"{int(age.least_years + 1e-6)} years"
