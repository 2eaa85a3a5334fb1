"""What the words of one sentence say: which finding, affirmed or denied, which side, which numbers.

Small written-down rules in the manner of NegEx (Chapman et al., J Biomed Inform 2001;34:301-310): a cue governs
the findings of its own clause, cues that only look like a denial are taken out first. They are meant for
sentences of a report that carry one finding; they err towards finding something, because a check that fails
is looked at by a person and a check that passes is not.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files

from medmm.domain.reading import Side
from medmm.domain.record import Fact
from medmm.domain.vocabulary import finding_terms, measurement_terms


class Polarity(Enum):
    """What a sentence says of a finding."""

    AFFIRMED = "affirmed"
    HEDGED = "hedged"
    DENIED = "denied"


def _any_of(*phrases: str) -> re.Pattern[str]:
    """A pattern for whole words; `_` in a phrase stands for white space."""
    return re.compile(r"\b(?:" + "|".join(p.replace("_", r"\s+") for p in phrases) + r")\b", re.IGNORECASE)


# Sentence ends, and the words after which a denial no longer reaches.
_CLAUSE_ENDS = re.compile(
    r"(?<!\d)\.(?!\d)|[;!?]|\.\s|\b(?:but|however|although|though|yet|except(?:\s+for)?|apart\s+from|"
    r"aside\s+from|otherwise|whereas|while|nevertheless)\b|"
    r"(?:,|\band\b|\bwith\b)\s+(?:an?\s+)?(?=(?:possib|probab|suspect|suspic|likely|there\s+(?:is|are)|small|large|"
    r"moderate|mild|severe|subtle|left|right|bilateral)\w*)",
    re.IGNORECASE,
)
# They hold a denying word and don't deny the finding: they leave it open.
_OPEN = _any_of(
    r"(?:can(?:not|['’]t|_not)|could_not|couldn['’]t|not|never)_(?:be_|been_)?(?:\w+ly_)?"
    r"(?:exclude|excluded|ruled_out|rule_out)",
    r"not_(?:certain|clear|sure)_(?:if|whether)",
    r"not_(?:possible|able)_to_(?:exclude|rule_out)",
)
# They hold a denying word and affirm the finding.
_AFFIRMING = _any_of(
    r"not_only",
    r"no_(?:doubt|question)",
    r"not_without",
    r"no_(?:increase|decrease|change|improvement|progression|interval_change|significant_change)",
    r"not_(?:increased|decreased|changed|improved)",
    r"no_longer_(?:small|mild|subtle)",
)
_DENYING_BEFORE = _any_of(
    "no",
    "not",
    "nor",
    "none",
    "nothing",
    "never",
    "without",
    "absent",
    "absence_of",
    "lack_of",
    "lacks",
    "free_of",
    "free_from",
    "clear_of",
    "negative_for",
    "neither",
    "denies",
    "denied",
    "fails?_to_show",
    "excludes",
    "rules_out",
    "ruled_out",
    "unlikely",
    r"(?:is|are|was|were|does|do|did|has|have)n[’']t",
)
_DENYING_AFTER = _any_of(
    "absent",
    r"(?:is|are|was|were|has_been|have_been)_(?:excluded|ruled_out|negative|unlikely|refuted)",
    r"not_(?:\w+ly_)?(?:seen|present|visible|visuali[sz]ed|identified|evident|detected|found|suspected|"
    r"demonstrated|apparent|noted|shown|observed)",
    r"(?:is|are)_no",
    "unlikely",
    "ruled_out",
    r"(?:is|are|was|were)n[’']t",
    "refuted",
    "none",
)
_HEDGING = _any_of(
    "possible",
    "possibly",
    "probable",
    "probably",
    "suspected",
    "suspicion",
    "suspicious",
    "suspect",
    "suspects",
    "may",
    "might",
    "could",
    "questionable",
    "question_of",
    "suggest(?:s|ing|ive|ed)?",
    "concern(?:ing)?_for",
    "likely",
    "potential",
    "potentially",
    "perhaps",
    "presumed",
    "equivocal",
    "indeterminate",
    "unconfirmed",
    "uncertain",
    "consider",
    "appears?",
)


@cache
def _phrases() -> tuple[tuple[re.Pattern[str], str | None, bool], ...]:
    """(pattern, finding or None for look-alikes, denies it by itself), the longest phrase first."""
    text = files("medmm.domain").joinpath("data/finding_words.csv").read_text(encoding="utf-8")
    found: list[tuple[str, str | None, bool]] = []
    for row in csv.DictReader(text.splitlines()):
        for column, denies in (("phrases", False), ("normal_phrases", True)):
            found += [(p, row["name"] or None, denies) for p in row[column].split("|") if p]
    found.sort(key=lambda item: (-len(item[0]), item[0]))
    return tuple((_any_of(phrase.replace(" ", "_")), name, denies) for phrase, name, denies in found)


def findings_named(text: str) -> dict[str, Polarity]:
    """The findings of the vocabulary that a sentence names, and what it says of each.

    Where it names one twice with different polarity, the affirmation counts before the hedge, the hedge
    before the denial. Longer phrases hide shorter ones inside them ("pericardial effusion" names none).
    """
    said: dict[str, Polarity] = {}
    order = (Polarity.AFFIRMED, Polarity.HEDGED, Polarity.DENIED)
    for clause in clauses(text):
        rest = clause
        spans: dict[tuple[int, int], set[tuple[str | None, bool]]] = {}
        for pattern, name, denies in _phrases():
            for match in pattern.finditer(rest):
                spans.setdefault(match.span(), set()).add((name, denies))
        for (start, stop), meanings in _outermost(spans).items():
            for name, denies in meanings:
                if name is None:
                    continue
                polarity = Polarity.DENIED if denies else _polarity_at(clause, start, stop)
                said[name] = min(polarity, said.get(name, polarity), key=order.index)
    return said


def _outermost(
    spans: dict[tuple[int, int], set[tuple[str | None, bool]]],
) -> dict[tuple[int, int], set[tuple[str | None, bool]]]:
    return {
        (a, b): meanings
        for (a, b), meanings in spans.items()
        if not any((c <= a and b <= d) and (c, d) != (a, b) for c, d in spans)
    }


def clauses(text: str) -> tuple[str, ...]:
    """The parts of a text within which a denial reaches."""
    return tuple(part for part in (p.strip() for p in _CLAUSE_ENDS.split(text)) if part)


def polarity(text: str) -> Polarity:
    """What a text says as a whole: denied only if every clause with words denies, hedged if any clause hedges."""
    said = [_polarity_at(clause, len(clause), len(clause)) for clause in clauses(text)]
    if said and all(p is Polarity.DENIED for p in said):
        return Polarity.DENIED
    return Polarity.HEDGED if Polarity.HEDGED in said else Polarity.AFFIRMED


def _polarity_at(clause: str, start: int, stop: int) -> Polarity:
    """Polarity of the words at `start:stop`; cues are blanked, not cut, so that places stay."""
    open_question = bool(_OPEN.search(clause))
    plain = _AFFIRMING.sub(_blank, _OPEN.sub(_blank, clause))
    if _DENYING_BEFORE.search(plain[:start]) or _DENYING_AFTER.search(plain[stop:]):
        return Polarity.DENIED
    if open_question or _HEDGING.search(plain):
        return Polarity.HEDGED
    return Polarity.AFFIRMED


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


# Left and right that are no sides of the patient; what could be one is not in here.
_NO_SIDE = _any_of(
    r"(?:nothing|what|little|much|none|all_that)(?:_is|_was|['’]s)?_left",
    r"left_(?:out|open|over|off|behind|alone|untreated|unchanged|undecided|in_place|unread|blank|as_is)",
    r"left_(?=(?:the_)?(?:hospital|ward|department|home)\b|against)",
    r"right_(?:away|now|after|diagnosis|decision|answer|time|patient|angles?|order|way)",
    r"all_right",
)
_ANATOMY = r"(?=[-_](?:sided|pleural|lung|lower|upper|middle|bas|apic|apex|hil|hemi|cost|mid|effus|pneumo|perihil))"
_LEFT = _any_of("left", "leftward", "LUL", "LLL", "lingula", r"(?-i:L)" + _ANATOMY.replace("_", r"\s"))
_RIGHT = _any_of("right", "rightward", "RUL", "RML", "RLL", r"(?-i:R)" + _ANATOMY.replace("_", r"\s"))
_BOTH = _any_of(
    "bilateral",
    "bilaterally",
    r"both_(?:\w+_)?(?:sides?|lungs?|bases?|hemithora(?:x|ces)|pleural_spaces?|lower_lobes?|upper_lobes?|apices)",
    "bibasilar",
    "bibasal",
    "biapical",
)


@cache
def _chambers() -> re.Pattern[str]:
    """The words of the vocabulary that hold left or right and name a chamber of the heart."""
    terms = [*(t.words for t in finding_terms().values()), *(t.words for t in measurement_terms().values())]
    found = sorted((words for words in terms if re.search(r"\b(?:left|right)\b", words)), key=len, reverse=True)
    return re.compile("|".join(re.escape(words) for words in found), re.IGNORECASE)


def named_side(text: str) -> Side | None:
    """The patient side that a text names; left and right together are bilateral.

    Chambers are none where they stand in the vocabulary's own words ("left ventricular mass").
    """
    plain = _NO_SIDE.sub(_blank, _chambers().sub(_blank, text))
    left, right = bool(_LEFT.search(plain)), bool(_RIGHT.search(plain))
    if _BOTH.search(plain) or (left and right):
        return Side.BILATERAL
    return Side.LEFT if left else Side.RIGHT if right else None


# Words that claim a change or its absence. "increased" alone may be a description; it fails, since a reader
# can't tell. Not meant: the interval of a number, New York, a previous infarction, stable patients' charts (words of the
# record).
_COMPARING = re.compile(
    r"\b(?:new(?!\s+york\b)|newly|unchanged|unaltered|changed?|changes|changing|"
    r"interval(?=\s+(?:change|increase|decrease|development|improvement|resolution|worsening|progression|"
    r"appearance|removal|placement|enlargement|growth|clearing))|(?:in|over)\s+the\s+interval|"
    r"increas(?:e|es|ed|ing)|decreas(?:e|es|ed|ing)|diminish(?:ed|ing)|reduced|enlarging|growing|grown|shrunk|"
    r"shrinking|stable|stability|improv(?:e|es|ed|ing|ement)|worse|worsen(?:s|ed|ing)?|better|"
    r"progress(?:es|ed|ing|ion|ive|ively)?|regress(?:es|ed|ing|ion)?|resolv(?:e|es|ed|ing)|"
    r"(?<!spatial )(?<!image )(?<!high )resolution|clearing|cleared|compar(?:e|es|ed|ing|ison|isons|able|ative)|"
    r"(?:previous|prior)(?!\s+(?:myocardial\s+)?infarct)|previously|earlier|formerly|again|persist(?:s|ed|ing|ent|ently|ence)?|remain(?:s|ed|ing)?|"
    r"still|redemonstrat(?:ed|ion)|recurr(?:ed|ent|ence|ing)|residual|evolving|no\s+longer|"
    r"since(?=\s+(?:then|yesterday|admission|surgery|(?:the\s+)?(?:last|\w+\s+(?:study|film|exam\w*))|\d))|as\s+before|than\s+before|"
    r"last\s+(?:study|exam|examination|film|image|radiograph|x-ray|time)|"
    r"follow(?:ing)?[-\s]up|baseline|serial|long-?\s?standing|now\s+(?:seen|shows?|visible|larger|smaller|appears?))\b",
    re.IGNORECASE,
)


def comparing_words(text: str) -> tuple[str, ...]:
    """The words of a text that compare with something earlier, each once, in lower case."""
    return tuple(dict.fromkeys(match.group().casefold() for match in _COMPARING.finditer(text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number as written, and the unit right after it ("" where none)."""

    text: str
    unit: str

    @property
    def value(self) -> float:
        """The number's value."""
        return float(self.text)

    def stands_for(self, value: float) -> bool:
        """Whether this is `value` rounded as written, and not rounded away: within 10 % or 0.005."""
        decimals = len(self.text.partition(".")[2])
        rounding = 0.5 * 10.0**-decimals * (1 + 1e-9)
        return abs(self.value - value) <= min(rounding, max(0.1 * abs(value), 0.005))


_DATE = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b")
_LEVEL = re.compile(r"\b95\s?%(?=\s*(?:confidence\s+)?interval)", re.IGNORECASE)
_DIGITS = r"(?<![\w.])(?<![A-Za-z]-)[-+−]?(?P<number>\d+(?:\.\d+)?)(?![\d.]*\d)"
_UNIT = r"%|[A-Za-zµμ\[{°][\w/%.\[\]{}*^µμ°]*"


def dates_named(text: str) -> tuple[str, ...]:
    """Dates written as YYYY-MM or YYYY-MM-DD."""
    return tuple(_DATE.findall(text))


def numbers_named(text: str, units: Iterable[str] = ()) -> tuple[Number, ...]:
    """The numbers of a text with the word that follows each; dates and "95 % interval" are none.

    `units` are units to know as they are written, for those that start with a digit ("10*3/uL").
    """
    known = "|".join(re.escape(unit) for unit in sorted(filter(None, units), key=len, reverse=True))
    unit = f"(?:{known})(?!\\w)|{_UNIT}" if known else _UNIT
    pattern = re.compile(rf"{_DIGITS}(?:\s?(?P<unit>{unit})|(?!\w))")
    found = []
    for match in pattern.finditer(_LEVEL.sub(_blank, _DATE.sub(_blank, text))):
        sign = "-" if match.group().startswith(("-", "−")) else ""
        found.append(Number(text=sign + match["number"], unit=(match["unit"] or "").rstrip(".,;:")))
    return tuple(found)


WORDS_LIMIT = 160


def clean(words: str, limit: int = WORDS_LIMIT) -> str:
    """One line of printable text of at most `limit` characters; quotes become single, so that it can be quoted."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in words).replace('"', "'")
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def fact_words(fact: Fact) -> tuple[str, ...]:
    """The record's own words in a fact, cleaned: its label, its marks, its value where that is text."""
    words = [fact.label, *fact.marks]
    if isinstance(fact.value, str):
        words.append(fact.value)
    return tuple(clean(w) for w in words if w.strip())


def without_words_of(text: str, facts: Iterable[Fact]) -> str:
    """The text with verbatim words of these facts blanked: what is left is the writer's own."""
    words = sorted({w for fact in facts for w in fact_words(fact)}, key=len, reverse=True)
    for word in words:
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", _blank, text, flags=re.IGNORECASE)
    return text
