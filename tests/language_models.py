"""Language models for tests: they say what they are told to, sound or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from medmm.domain.draft import Assertion, Case, Generation, Opinion, Proposal
from medmm.domain.reading import Measurement
from medmm.domain.vocabulary import finding_term

NAME = "chest-report"


def make_generation(probability: float = 0.6, **changes: object) -> Generation:
    """Two tokens of probability 0.9 and 0.8."""
    fields: dict[str, object] = {
        "model": NAME,
        "tokens": ("No", " finding"),
        "log_probabilities": (-0.1054, -0.2231),
        "probability": probability,
        "threshold": 0.25,
    }
    return Generation(**{**fields, **changes})  # type: ignore[arg-type]


def sound_text(finding: str, assertion: Assertion) -> str:
    """A sentence that says of a finding what is coded, in no words of the rules."""
    words = finding_term(finding).words
    return {
        Assertion.PRESENT: f"There is {words}.",
        Assertion.POSSIBLE: f"There may be {words}.",
        Assertion.ABSENT: f"There is no {words}.",
    }[assertion]


def say(
    finding: str, assertion: Assertion, text: str | None = None, probability: float = 0.6
) -> Proposal:
    """One sentence of a language model."""
    words = sound_text(finding, assertion) if text is None else text
    return Proposal(
        finding=finding, assertion=assertion, text=words, generation=make_generation(probability)
    )


class Told:
    """Says the same of every case; or what `by_case` gives."""

    name = NAME

    def __init__(
        self,
        *written: Proposal,
        by_case: Callable[[Case], Opinion] | None = None,
        reads: frozenset[str] = frozenset(),
        blind: bool = False,
    ) -> None:
        self.opinion = Opinion(
            proposals=written, probability={w.finding: w.generation.probability for w in written}
        )
        self.by_case, self.reads, self.blind = by_case, reads, blind
        self.permitted: Mapping[str, frozenset[Assertion]] = {}
        self.measurements: tuple[Measurement, ...] = ()

    def opinions(
        self,
        cases: Sequence[Case],
        permitted: Mapping[str, frozenset[Assertion]],
        measurements: Sequence[Measurement] = (),
        *,
        said: Callable[[int, Proposal], None] | None = None,
    ) -> list[Opinion] | None:
        """What it was told, one sentence after the other to who wants to know."""
        self.permitted, self.measurements = permitted, tuple(measurements)
        for one in () if said is None or self.blind or self.by_case else self.opinion.proposals:
            said(0, one)
        return (
            None
            if self.blind
            else [self.by_case(case) if self.by_case else self.opinion for case in cases]
        )

    def facts_read(self, case: Case) -> frozenset[str]:
        """The ids given."""
        return self.reads
