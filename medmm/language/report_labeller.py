"""A rule labeller for words of chest film reports: 14 CheXpert names, offline, from data.

Its phrases are data.

Values are those of CheXpert (Irvin et al., AAAI 2019): 1 present, 0 said to be absent, -1
uncertain, None not mentioned. It is not CheXbert (Smit et al., EMNLP 2020), a BERT that learned
from 1,000 reports labelled by radiologists and from the CheXpert rules: this one learned from
nothing, sees one clause at a time, knows the phrases of `report_phrases.yaml` alone, and takes
heart failure as edema, granulomas as lesions and clips as devices, as the manual terms of the
Indiana reports do. Its figures are comparable with those of CheXbert in kind, not in value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from medmm.domain.errors import ConfigError

NO_FINDING, DEVICES = "No Finding", "Support Devices"
LABELS = (
    NO_FINDING, "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", DEVICES,
)  # fmt: skip
ABNORMAL = LABELS[1:]
# CheXpert's competition tasks
FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
PRESENT, ABSENT, UNCERTAIN = 1, 0, -1
Labels = dict[str, int | None]
_RANK = {None: 0, ABSENT: 1, UNCERTAIN: 2, PRESENT: 3}
_DATA = "medmm/language/data/report_phrases.yaml"


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, Field(min_length=2), AfterValidator(_compiles)]


class _Row(BaseModel):
    """Unknown keys are refused: a misspelt list must not vanish."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelPhrases(_Row):
    """How one finding is named; see the head of the YAML file."""

    mention: tuple[Pattern, ...] = Field(min_length=1)
    absent: tuple[Pattern, ...]
    uncertain: tuple[Pattern, ...]
    unless: tuple[Pattern, ...]
    why: str = Field(min_length=1)


class Cues(_Row):
    """Words around a mention that deny it or doubt it, and words that end their reach."""

    negation_before: tuple[Pattern, ...]
    negation_after: tuple[Pattern, ...]
    not_negation: tuple[Pattern, ...]
    uncertainty_before: tuple[Pattern, ...]
    uncertainty_after: tuple[Pattern, ...]
    breaks_after: tuple[Pattern, ...]
    scope_ends: tuple[Pattern, ...]


class ReportPhrases(_Row):
    """Everything the labeller goes by."""

    findings: dict[str, LabelPhrases]
    cues: Cues


def parse_report_phrases(text: str) -> ReportPhrases:
    """Parse phrases from YAML.

    Raises: ConfigError naming each wrong place.
    """
    try:
        phrases = ReportPhrases.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(
            f"the report phrases are not YAML: {error}", remedy=f"correct {_DATA}"
        ) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"wrong report phrases: {wrong}", remedy=f"correct {_DATA}") from error
    if set(phrases.findings) != set(ABNORMAL):
        odd = ", ".join(sorted(set(phrases.findings) ^ set(ABNORMAL)))
        raise ConfigError(f"findings missing or too many: {odd}", remedy=f"correct {_DATA}")
    return phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    name: str
    mention: re.Pattern[str]
    absent: re.Pattern[str] | None
    uncertain: re.Pattern[str] | None
    unless: re.Pattern[str] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labeller:
    """Compiled phrases; `label` is the verb."""

    findings: tuple[_Finding, ...]
    cues: dict[str, re.Pattern[str]]

    @classmethod
    def of(cls, phrases: ReportPhrases) -> Labeller:
        """Compile phrases."""
        rows = []
        for name in ABNORMAL:
            row = phrases.findings[name]
            mention = _any(row.mention)
            if mention is None:
                raise ConfigError(
                    "a finding without words that mention it",
                    remedy=f"correct {_DATA}",
                    finding=name,
                )
            others = {word: _any(getattr(row, word)) for word in ("absent", "uncertain", "unless")}
            rows.append(_Finding(name=name, mention=mention, **others))
        cues = {word: _any(getattr(phrases.cues, word)) for word in Cues.model_fields}
        return cls(
            findings=tuple(rows), cues={word: cue for word, cue in cues.items() if cue is not None}
        )

    def label(self, *sections: str) -> Labels:
        """Label a report, given as one text or as its sections, with the 14 values.

        The strongest word counts: present before uncertain before absent. "No Finding" is 1 if
        none of the twelve findings of the body is present or uncertain (devices do not count), 0
        if one is, None for an empty text.
        """
        values: Labels = dict.fromkeys(LABELS)
        for clause in (
            c for section in sections for s in sentences(section) for c in self._clauses(s)
        ):
            for name, value in _said(self, clause):
                if _RANK[value] > _RANK[values[name]]:
                    values[name] = value
        if any(section.strip() for section in sections):
            found = any(
                values[name] in (PRESENT, UNCERTAIN) for name in ABNORMAL if name != DEVICES
            )
            values[NO_FINDING] = ABSENT if found else PRESENT
        return values

    def _clauses(self, sentence: str) -> list[str]:
        parts = re.split(f"[;:]|{self.cues['scope_ends'].pattern}", sentence)
        return [part.strip() for part in parts if part.strip()]

    def _mentions(self, clause: str) -> Iterator[tuple[str, int]]:
        bare = self.cues["not_negation"].sub(lambda m: "_" * len(m[0]), clause)
        for finding in self.findings:
            if finding.unless is not None and finding.unless.search(clause):
                continue
            if finding.uncertain is not None and finding.uncertain.search(clause):
                yield finding.name, UNCERTAIN
                continue
            for match in finding.mention.finditer(clause):
                yield finding.name, self._value(clause, bare, match)
            if finding.absent is not None and finding.absent.search(clause):
                yield finding.name, ABSENT

    def _value(self, clause: str, bare: str, mention: re.Match[str]) -> int:
        """Decide what the words before, within and after a mention make of it.

        `bare` is the clause without sham negations.
        """
        end = mention.end()
        if self.cues["negation_before"].search(bare[:end]) or self._follows(
            "negation_after", bare[end:]
        ):
            return ABSENT
        if self.cues["uncertainty_before"].search(clause[:end]) or self._follows(
            "uncertainty_after", clause[end:]
        ):
            return UNCERTAIN
        return PRESENT

    def _follows(self, cue: str, rest: str) -> bool:
        """Tell whether a cue behind a mention speaks of it: no other verb stands between."""
        found = self.cues[cue].search(rest)
        return found is not None and self.cues["breaks_after"].search(rest[: found.start()]) is None


@lru_cache(maxsize=100_000)
def _said(labeller: Labeller, clause: str) -> tuple[tuple[str, int], ...]:
    """Return what one clause says, cached since reports repeat themselves."""
    return tuple(labeller._mentions(clause))


def _any(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{p})" for p in patterns)) if patterns else None


def sentences(text: str) -> list[str]:
    """Split a text into lower-case sentences, without removed words (`XXXX`) and list numbers.

    A decimal point ends none.
    """
    bare = re.sub(r"\bx{4,}\b", " ", text.lower())
    parts = re.split(r"[.?!]+(?=\s|$)|\n+|(?<=[a-z])\.(?=[a-z])", bare)
    tidy = (" ".join(re.sub(r"^\s*\d+\s*[.)]?\s*", "", part).split()) for part in parts)
    return [part for part in tidy if part]


@cache
def labeller() -> Labeller:
    """Return the labeller that ships."""
    text = files("medmm.language").joinpath("data/report_phrases.yaml").read_text(encoding="utf-8")
    return Labeller.of(parse_report_phrases(text))
