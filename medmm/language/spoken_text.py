"""Sentences of a draft as a voice is given them: no digit or sign that voices read unlike.

Seen of espeak-ng 1.51: "<" and ">" are silent, "1,5" is "one five", "IV" is "Roman four", LVEF and
COPD are said as words, and a dash between numbers is silent.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from medmm.language.number_words import decimal_number, each_digit, whole_number
from medmm.language.word_tables import rows_of

# fmt: off
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)
_ROMANS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
# fmt: on
_DASHES = re.compile(r"[‐‑‒–—―−]")
_NUMBER = r"\d+(?:\.\d+)?"
_ISO_DATE = re.compile(r"(?<![\w.-])(\d{4})-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?(?![\w-])")
_CLOCK = re.compile(r"(?<![\w:.])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\w:])")
_RATIO = re.compile(rf"(?<![\w.])({_NUMBER}):({_NUMBER})(?![\w.]*\d)")
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3}){2,}(?![\d,])")
_COMMA = re.compile(r"(?<![\w.,])(\d+),(\d+)(?!,?\d)")
_TEN_TO = re.compile(r"(?<![\w.])10[*^](\d+)")
_TIMES = re.compile(rf"(?<=\d)\s*[x×]\s*(?={_NUMBER})")
_RANGE = re.compile(r"(?<=\d)(\s?[A-Za-zµ°%]{1,4})?\s?-\s?(?=\d)")
_SIGN = re.compile(r"(?<![\w.)-])-\s?(?=\d)")
_ROMAN = rf"(?:{'|'.join(sorted(_ROMANS, key=len, reverse=True))})"
_ROMAN_VALUES = {numeral: number for number, numeral in enumerate(_ROMANS, 1)}
_EXPONENTS = str.maketrans("²³", "23")


def spoken_text(text: str) -> str:
    """Write a text so that an English voice says what it means.

    Numbers are in words, decimals digit by digit; what is ambiguous ("1,500", "03/04/2021") is said
    as it is written.

    Returns: letters, blanks, apostrophes within words and the stops ". , ; : ? !" alone.
    """
    text = _DASHES.sub("-", unicodedata.normalize("NFC", text).translate(_EXPONENTS))
    text = text.replace("\u03bc", "µ").replace("’", "'")
    # A text all in capitals holds words, and no abbreviation but those of the table
    shouted = not re.search(r"[a-z]", text) and len(re.findall(r"[A-Z]{2,}", text)) > 2
    for step in (
        _with_short_words,
        _with_roman_numerals,
        _with_dates,
        _with_units,
        _with_numbers,
        _with_symbols,
    ):
        text = step(text)
    text = _with_letters(text, shouted=shouted)
    text = re.sub(r"\s+([.,;:?!])", r"\1", " ".join(text.split()))
    return re.sub(r"([.,;:?!])(?:[,;:]|(?<=[.?!])\.)+", r"\1", text).strip(" ,;:")


@cache
def _table(kind: str) -> dict[str, str]:
    return {row["written"]: row["spoken"] for row in rows_of("spoken_words") if row["kind"] == kind}


@cache
def _any_of(kind: str) -> str:
    """Write a pattern of a table's entries, the longest first."""
    return "|".join(re.escape(one) for one in sorted(_table(kind), key=len, reverse=True))


def _with_short_words(text: str) -> str:
    """Say abbreviations of the table in full, and single letters for sides before anatomy."""
    text = re.sub(
        rf"(?<![\w-])(?:{_any_of('short')})(?!\w)", lambda m: _table("short")[m.group()], text
    )
    anatomy = r"(?=[ -](?:sided|pleural|lung|lower|upper|middle|bas|apic|apex|hil|hemi|cost|mid|"
    anatomy += r"effus|pneumo|perihil))"
    text = re.sub(rf"(?<![\w-])L{anatomy}", "left", text)
    return re.sub(rf"(?<![\w-])R{anatomy}", "right", text)


def _with_roman_numerals(text: str) -> str:
    """Say a Roman numeral as a number after "stage" and its like, and IV before a drug."""
    after = "|".join(re.escape(one) for one in _table("iv"))
    text = re.sub(rf"\b(?:IV|i\.v\.)(?=\s(?:{after})\b)", "intravenous", text)
    before = "|".join(re.escape(one) for one in _table("roman"))
    listed = rf"{_ROMAN}[A-Da-d]?\b(?:(?:-|/| to | or | and ){_ROMAN}[A-Da-d]?\b)*"
    pattern = re.compile(rf"\b(?i:{before})\s+(?i:class\s+|stage\s+)?({listed})")

    def numbered(match: re.Match[str]) -> str:
        head = match.group()[: match.start(1) - match.start()]
        tail = re.sub(rf"({_ROMAN})([A-Da-d]?)\b", _roman, match.group(1))
        return head + tail.replace("-", " to ").replace("/", " or ")

    return pattern.sub(numbered, text)


def _roman(match: re.Match[str]) -> str:
    number = whole_number(str(_ROMAN_VALUES[match.group(1)]))
    return f"{number} {match.group(2).upper()}".strip()


def _with_dates(text: str) -> str:
    """Say dates of ISO 8601 by the month's name, and times of day."""

    def date(match: re.Match[str]) -> str:
        year, month, day = match.groups()
        parts = [str(int(day)) if day else "", _MONTHS[int(month) - 1], year]
        return " ".join(filter(None, parts))

    def clock(match: re.Match[str]) -> str:
        hours, minutes, seconds = match.groups()
        said = f" {_counted(int(hours), 'hour')} {_counted(int(minutes), 'minute')}"
        return said + (f" {_counted(int(seconds), 'second')}" if seconds else "") + " "

    text = re.sub(r"(?<=\d)T(?=\d{2}:\d{2})", " ", text)
    return _RATIO.sub(r"\1 to \2", _CLOCK.sub(clock, _ISO_DATE.sub(date, text)))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _with_units(text: str) -> str:
    """Say the unit behind a number in full; a slash within it is "per"."""
    unit = rf"(?:{_any_of('unit')})"
    text = _TEN_TO.sub(lambda m: f" ten to the power of {whole_number(m.group(1))} ", text)
    text = _RANGE.sub(r"\1 to ", _SIGN.sub("minus ", _TIMES.sub(" by ", text)))
    pattern = re.compile(
        rf"(?P<number>{_NUMBER}|power of \w+(?: \w+)?)\s*-?\s*(?P<unit>{unit})"
        rf"(?P<per>(?:/{unit})*)(?![\w\[%°]|/\w)"
    )

    def said(match: re.Match[str]) -> str:
        one, many = _table("unit")[match["unit"]].split("|")
        per = [f"per {_table('unit')[u].split('|')[0]}" for u in match["per"].split("/")[1:]]
        words = one if match["number"] == "1" else many
        return " ".join([match["number"], words, *per]) + " "

    alone = re.compile(rf"(?<![\w/])({unit})((?:/{unit})+|(?<=[23]))(?![\w/])")
    text = alone.sub(_unit_alone, pattern.sub(said, text))
    return re.sub(rf"/({unit})(?=\s|$)", _per, text)


def _unit_alone(match: re.Match[str]) -> str:
    """Say a unit without a number, as it stands in the head of a table."""
    per = [f"per {_table('unit')[u].split('|')[0]}" for u in match.group(2).split("/")[1:]]
    return " ".join([_table("unit")[match.group(1)].split("|")[1], *per])


def _per(match: re.Match[str]) -> str:
    """Say a unit that stands behind a slash alone, as in "ten to the power of three /µL"."""
    return f" per {_table('unit')[match.group(1)].split('|')[0]}"


def _with_numbers(text: str) -> str:
    """Say every number in words; a decimal comma as a point, what may be either as a comma."""
    text = _THOUSANDS.sub(lambda m: m.group().replace(",", ""), text)
    text = _COMMA.sub(_comma, text)
    text = re.sub(r"(?<=\d)/(?=\d)", " slash ", text)
    text = re.sub(r"(?<=[A-Za-z])-?(?=\d)|(?<=\d)-?(?=[A-Za-z])", " ", text)
    text = re.sub(r"\d+(?:\.\d+){2,}", lambda m: m.group().replace(".", " dot "), text)
    text = re.sub(r"(?<!\d)\.(?=\d)", "0.", text)
    return re.sub(_NUMBER, lambda m: f" {decimal_number(m.group())} ", text)


def _comma(match: re.Match[str]) -> str:
    whole, after = match.groups()
    if len(after) != 3 or whole.startswith("0") or len(whole) > 3:
        return f"{whole}.{after}"
    return f"{whole_number(whole)} comma {each_digit(after)}"


def _with_symbols(text: str) -> str:
    """Say signs by their words; what has none is named, and brackets become commas."""
    text = re.sub(_any_of("symbol"), lambda m: f" {_table('symbol')[m.group()]} ", text)
    text = re.sub(r"[()\[\]{}|\"“”„«»]", " , ", text)
    text = re.sub(r"(?<=\w)[/](?=\w)|\s/\s", " slash ", text)
    text = re.sub(r"(?<![A-Za-z])'|'(?![A-Za-z])", " ", text)
    text = re.sub(r"(?<=\w)-(?=\w)", " ", re.sub(r"\s-+\s", " , ", text))
    return re.sub(r"[^A-Za-z\s.,;:?!']", _named, text)


def _named(match: re.Match[str]) -> str:
    """Say a sign or a letter of another script by its name; accents stay."""
    sign = match.group()
    name = unicodedata.name(sign, "").lower()
    if sign in "-/\\_•…`" or not name:
        return " "
    if sign.isalpha() and name.startswith("latin "):
        return sign
    if sign.isalpha():
        name = name.rpartition("letter ")[2]
    return f" {re.sub(r'[^a-z ]', ' ', name)} "


def _with_letters(text: str, *, shouted: bool) -> str:
    """Spell what is in capitals, unless it is a word."""

    def spelled(match: re.Match[str]) -> str:
        word = match.group()
        if word in _table("word"):
            return _table("word")[word]
        if not re.fullmatch(_ROMAN, word) and (shouted or len(word) > 5):
            return word.lower()
        return " ".join(word)

    return re.sub(r"\b[A-Z]{2,}\b", spelled, text)
