"""What several models say of one thing: side by side, with whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.reading import Finding, Measurement, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """What a later model says of what an earlier one states.

    Attributes:
        first, other: two findings of one name, or two measurements of one quantity and side.
        first_model, other_model: who says it; "" if the reading does not say.
    """

    first: Finding | Measurement
    other: Finding | Measurement
    first_model: str
    other_model: str

    @property
    def disagree(self) -> bool:
        """Whether one suspects what the other does not, or 95 % intervals do not meet.

        A model that is silent on a finding disagrees with none.
        """
        if isinstance(self.first, Finding) and isinstance(self.other, Finding):
            silent = self.first.withheld or self.other.withheld
            return silent is None and self.first.suspected is not self.other.suspected
        if isinstance(self.first, Measurement) and isinstance(self.other, Measurement):
            (low, high), (other_low, other_high) = self.first.interval, self.other.interval
            return high < other_low or other_high < low
        return True


def second_opinions(reading: Reading | None) -> tuple[SecondOpinion, ...]:
    """List what later models of a reading say of what an earlier one states, in their order."""
    if reading is None:
        return ()
    own = reading.models[0].name if reading.models else ""
    pairs: list[tuple[Finding | Measurement | None, Finding | Measurement]] = [
        (reading.finding(other.name), other) for other in reading.other_findings
    ]
    for measured in reading.other_measurements:
        same = (
            m for m in reading.measurements if (m.name, m.side) == (measured.name, measured.side)
        )
        pairs.append((next(same, None), measured))
    return tuple(
        SecondOpinion(
            first=first,
            other=other,
            first_model=first.model or own,
            other_model=other.model or "",
        )
        for first, other in pairs
        if first is not None
    )
