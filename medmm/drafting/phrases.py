"""The phrases of the rule-written draft: `phrases.yaml`, checked when it is loaded."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.reading import ImageHalf
from medmm.domain.vocabulary import finding_term


class _Row(BaseModel):
    """Unknown keys are refused: a misspelt phrase must not vanish."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _slots(*allowed: str) -> AfterValidator:
    def check(text: str) -> str:
        unknown = {name for _, name, _, _ in Formatter().parse(text) if name is not None} - set(
            allowed
        )
        if unknown:
            raise ValueError(
                f"unknown slots {sorted(unknown)}; allowed: {', '.join(allowed) or 'none'}"
            )
        return text

    return AfterValidator(check)


_Plain = Annotated[str, Field(min_length=1), _slots()]
_Words = Annotated[str, Field(min_length=1), _slots("words")]
_Why = Annotated[str, Field(min_length=1)]


class Days(_Row):
    """A number of days with its reason."""

    value: int = Field(ge=1)
    why: _Why


class Rules(_Row):
    """Numbers that decide what is said."""

    observation_days: Days
    order_days: Days


class FindingPhrases(_Row):
    """The words for one finding, suspected or not; `beside` is a sentence after it."""

    possible: Annotated[str, _slots("side")]
    absent: _Plain
    beside: Annotated[str, _slots("probability")] = ""
    source: _Why


class MeasurementPhrase(_Row):
    """The words for one measurement.

    `unless_pa` is added on films that are not known to be PA, `unless_sided` where a side was
    measured and is unknown.
    """

    text: Annotated[str, _slots("name", "value", "interval", "side")]
    unless_pa: str = ""
    unless_sided: str = ""
    why: _Why


class ExtentPhrases(_Row):
    """Where labelled voxels lie; halves are of stored columns, for unknown orientation."""

    place: Annotated[str, _slots("slices", "series")]
    half: Annotated[str, _slots("half")]
    halves: dict[ImageHalf, _Plain]
    lobe: _Plain
    why: _Why


class ImpressionPhrases(_Row):
    """What the impression says if nothing is suspected.

    That is in all, in the part that is shown, or on one image of several; or if what reached its
    operating point is not claimed.
    """

    nothing_suspected: _Plain
    nothing_measured: _Plain
    nothing_claimed: _Plain
    nothing_in_part: Annotated[str, Field(min_length=1), _slots("of")]
    nothing_on_one: Annotated[str, Field(min_length=1), _slots("what")]
    why: _Why


class ConditionPhrases(_Row):
    """Words by status: a negation must never be lost."""

    active: _Words
    inactive: _Words
    refuted: _Words
    unconfirmed: _Words


class Limits(_Row):
    """How many facts of a kind are stated at most."""

    order: int = Field(ge=1)
    condition: int = Field(ge=1)
    procedure: int = Field(ge=1)
    observation: int = Field(ge=1)


class RecordPhrases(_Row):
    """The words for facts of the record."""

    order: _Words
    order_with_reason: Annotated[str, _slots("words", "reason")]
    demographics: _Words
    condition: ConditionPhrases
    procedure: _Words
    observation: Annotated[str, _slots("words", "value")]
    doubt: Annotated[str, _slots("marks")]
    limits: Limits
    why: _Why


class Relevance(_Row):
    """Starts of words that make a fact bear on a film of one body part."""

    words: tuple[str, ...] = Field(min_length=1)
    why: _Why

    def matches(self, text: str) -> bool:
        """Tell whether a word of the text starts with one of these."""
        return bool(
            re.search(rf"\b(?:{'|'.join(map(re.escape, self.words))})", text, re.IGNORECASE)
        )


class Phrases(_Row):
    """All phrases of the rule-written draft."""

    rules: Rules
    findings: dict[str, FindingPhrases]
    measurements: dict[str, MeasurementPhrase]
    any_measurement: MeasurementPhrase
    extent: ExtentPhrases
    mr_writer: _Plain
    impression: ImpressionPhrases
    record: RecordPhrases
    relevant: dict[str, Relevance]
    never_looked_at: dict[str, tuple[str, ...]]


def parse_phrases(text: str) -> Phrases:
    """Parse phrases from YAML.

    Raises: ConfigError naming each wrong place.
    """
    try:
        phrases = Phrases.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(
            f"the phrases are not YAML: {error}", remedy="correct drafting/phrases.yaml"
        ) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(
            f"wrong phrases: {wrong}", remedy="correct drafting/phrases.yaml"
        ) from error
    for name, row in phrases.findings.items():
        if ("{side}" in row.possible) != finding_term(name).sided:
            raise ConfigError(
                "a phrase and the vocabulary disagree on whether a side is named",
                remedy="put {side} into the phrases of sided findings and no others",
                finding=name,
            )
    return phrases


@cache
def phrases() -> Phrases:
    """Read the phrases that ship."""
    return parse_phrases(
        files("medmm.drafting").joinpath("phrases.yaml").read_text(encoding="utf-8")
    )


def phrases_of(finding: str) -> FindingPhrases:
    """Return the words for one finding.

    Raises: InputError if it has none.
    """
    row = phrases().findings.get(finding)
    if row is None:
        raise InputError(
            "a finding without words", remedy="add a row to phrases.yaml", finding=finding
        )
    return row
