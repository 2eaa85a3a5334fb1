"""What the words of one sentence say: which finding, affirmed, left open or denied.

Small written-down rules in the manner of NegEx (Chapman et al., J Biomed Inform 2001;34:301-310): a
cue governs the findings of its own clause, cues that only look like a denial are taken out first.
They are meant for sentences of a report that carry one finding; they err towards finding something,
because a check that fails is looked at by a person and a check that passes is not.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from enum import Enum
from functools import cache, lru_cache
from importlib.resources import files
from operator import itemgetter

from medmm.language.patterns import any_of, blank

LAST = 1024  # sentences whose findings are kept


class Polarity(Enum):
    """What a sentence says of a finding."""

    AFFIRMED = "affirmed"
    HEDGED = "hedged"
    DENIED = "denied"


_STRONGEST_FIRST = (Polarity.AFFIRMED, Polarity.HEDGED, Polarity.DENIED)

_STOPS = r"(?<!\d)\.(?!\d)|[!?]|\.\s"
# The words after which a denial no longer reaches.
_TURNS = (
    r";|\b(?:but|however|although|though|yet|except(?:\s+for)?|"
    r"apart\s+from|aside\s+from|otherwise|whereas|while|nevertheless)\b|"
    r"(?P<joined>(?:,|\band\b|\bwith\b)\s+(?:an?\s+)?(?=(?:possib|probab|suspect|suspic|likely|"
    r"there\s+(?:is|are)|no\b|without\b|small|large|moderate|mild|severe|subtle|left|right|bilateral)\w*))"
)
_CLAUSE_ENDS = re.compile(f"{_STOPS}|{_TURNS}", re.IGNORECASE)
_TURNS_ALONE = re.compile(_TURNS, re.IGNORECASE)
# The rest of "no consolidation, large effusion, or pneumothorax", which the denial still governs.
_LISTED = re.compile(
    r"(?!there\b)[^.;!?]*?,\s+(?:or|nor)\b|(?:suspicious|large)\b[^.;!?]*?\b(?:or|nor)\b",
    re.IGNORECASE,
)
# They hold a denying word and don't deny the finding: they leave it open.
_OPEN = any_of(
    r"(?:can(?:not|['’]t|_not)|could_not|couldn['’]t|not|never)_(?:be_|been_)?(?:\w+ly_)?"
    r"(?:exclude|excluded|ruled_out|rule_out)",
    r"not_(?:certain|clear|sure)_(?:if|whether)",
    r"not_(?:possible|able)_to_(?:exclude|rule_out)",
)
# They hold a denying word and affirm the finding.
_AFFIRMING = any_of(
    r"not_only",
    r"no_(?:doubt|question)",
    r"not_without",
    r"no_(?:increase|decrease|change|improvement|progression|interval_change|significant_change)",
    r"not_(?:increased|decreased|changed|improved)",
    r"no_longer_(?:small|mild|subtle)",
)
_DENYING_BEFORE = any_of(
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
    r"negative_(?:for|with_(?:respect|regard)_to|as_to)",
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
_DENYING_AFTER = any_of(
    "absent",
    r"(?:is|are|was|were|has_been|have_been)_(?:excluded|ruled_out|negative|unlikely|refuted)",
    r"not_(?:\w+ly_)?(?:seen|present|visible|visuali[sz]ed|identified|evident|detected|found|"
    r"suspected|demonstrated|apparent|noted|shown|observed|appreciated|recogni[sz]ed|confirmed|"
    r"documented|discernible|established)",
    r"not_(?:appear|seem)(?:_to_be)?",
    r"(?:can|could|may|might)_be_(?:excluded|ruled_out)",
    r"(?:is|are)_no",
    "unlikely",
    "ruled_out",
    r"(?:is|are|was|were)n[’']t",
    "refuted",
    "none",
)
_HEDGING = any_of(
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
    "borderline",
    r"(?:upper|top)_(?:limits?_)?(?:of_)?normal",
    "versus",
    "vs",
    "question",
    r"or_(?:an?_)?(?:infiltrat\w*|atelectasis|pneumonia|scar\w*|consolidation|effusion|infection|"
    r"edema|aspiration)",
)


@cache
def _phrases() -> tuple[tuple[str, re.Pattern[str], str | None, bool], ...]:
    """Compile each phrase with its finding and whether it denies by itself, longest first.

    Before it stands a word that it can't do without. The finding is None for look-alikes.
    """
    text = files("medmm.language").joinpath("data/finding_words.csv").read_text(encoding="utf-8")
    found: list[tuple[str, str | None, bool]] = []
    for row in csv.DictReader(text.splitlines()):
        for column, denies in (("phrases", False), ("normal_phrases", True)):
            found += [(p, row["name"] or None, denies) for p in row[column].split("|") if p]
    found.sort(key=lambda item: (-len(item[0]), item[0]))
    return tuple(
        (_needed(phrase), any_of(phrase.replace(" ", "_")), name, denies)
        for phrase, name, denies in found
    )


def _needed(phrase: str) -> str:
    """Return the longest word of a phrase, in lower case; "" if each may be missing."""
    certain, before = phrase, ""
    while certain != before:
        certain, before = re.sub(r"\([^()]*\)(?:\?|\{[\d,]+\})?", " ", certain), certain
    words = re.findall(r"[a-z]+(?![a-z?*])", certain.casefold())
    return max(words, key=len, default="")


def findings_named(text: str) -> dict[str, Polarity]:
    """Return the findings of the vocabulary that a sentence names, and what it says.

    Where it names one twice with different polarity, the affirmation counts before the hedge, the
    hedge before the denial. Longer phrases hide shorter ones inside them ("pericardial effusion"
    names none).
    """
    return dict(_findings_named(text))


@lru_cache(maxsize=LAST)  # the sentence of a draft is asked for by many checks
def _findings_named(text: str) -> Mapping[str, Polarity]:
    said: dict[str, Polarity] = {}
    for clause in clauses(text):
        for name, polarity in findings_of_clause(clause).items():
            said[name] = min(polarity, said.get(name, polarity), key=_STRONGEST_FIRST.index)
    return said


def findings_of_clause(clause: str) -> dict[str, Polarity]:
    """Return the findings that one clause names, without splitting it."""
    said: dict[str, Polarity] = {}
    spans: dict[tuple[int, int], set[tuple[str | None, bool]]] = {}
    lower = clause.casefold()
    for needed, pattern, name, denies in _phrases():
        for match in pattern.finditer(clause) if needed in lower else ():
            spans.setdefault(match.span(), set()).add((name, denies))
    for (start, stop), meanings in sorted(_outermost(spans).items(), key=itemgetter(0)):
        for name, denies in meanings:
            if name is None:
                continue
            polarity = Polarity.DENIED if denies else _polarity_at(clause, start, stop)
            said[name] = min(polarity, said.get(name, polarity), key=_STRONGEST_FIRST.index)
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
    """Split a text into the parts within which a denial reaches."""
    return _split(text, _CLAUSE_ENDS)


def clauses_of_sentence(sentence: str) -> tuple[str, ...]:
    """Split one sentence as `clauses` does; the full stop of an abbreviation ends nothing."""
    return _split(sentence.rstrip(" .!?"), _TURNS_ALONE)


def _split(text: str, ends: re.Pattern[str]) -> tuple[str, ...]:
    parts, start = [], 0
    for match in ends.finditer(text):
        before = text[start : match.start()]
        if match["joined"] and _DENYING_BEFORE.search(before) and _LISTED.match(text, match.end()):
            continue
        parts.append(before)
        start = match.end()
    parts.append(text[start:])
    return tuple(part for part in (p.strip() for p in parts) if part)


def polarity(text: str) -> Polarity:
    """Return what a text says as a whole.

    It is denied only if every clause with words denies, hedged if any clause hedges.
    """
    said = [_polarity_at(clause, len(clause), len(clause)) for clause in clauses(text)]
    if said and all(p is Polarity.DENIED for p in said):
        return Polarity.DENIED
    return Polarity.HEDGED if Polarity.HEDGED in said else Polarity.AFFIRMED


def _polarity_at(clause: str, start: int, stop: int) -> Polarity:
    """Return the polarity of the words at `start:stop`; cues are blanked, so places stay."""
    open_question = bool(_OPEN.search(clause))
    plain = _AFFIRMING.sub(blank, _OPEN.sub(blank, clause))
    if _DENYING_BEFORE.search(plain[:start]) or _DENYING_AFTER.search(plain[stop:]):
        return Polarity.DENIED
    if open_question or _HEDGING.search(plain):
        return Polarity.HEDGED
    return Polarity.AFFIRMED
