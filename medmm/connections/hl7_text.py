"""Text in HL7 v2 and back: separators, escapes, segments with their lengths.

Values are plain text until a segment is written, which alone escapes them: so nothing is escaped
twice, and no name or sentence can end its field.

Source: HL7 v2.5.1 chapter 2, sections 2.5 to 2.7 (message construction, escape sequences).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from medmm.domain.errors import InputError
from medmm.domain.plain_text import refuse_no_text

SEGMENT_END = "\r"
FIELD, COMPONENT, SUBCOMPONENT, REPETITION, ESCAPE = "|^&~\\"
LINE_BREAK = "\\.br\\"
ESCAPES = {
    ESCAPE: "\\E\\",
    FIELD: "\\F\\",
    COMPONENT: "\\S\\",
    SUBCOMPONENT: "\\T\\",
    REPETITION: "\\R\\",
    "\n": LINE_BREAK,
}
NULL = '""'  # as a whole value it means "delete what you have"
SEQUENCE = re.compile(r"\\([^\\]*)\\")
HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
UNESCAPES = {escape[1:-1]: character for character, escape in ESCAPES.items()} | {"H": "", "N": ""}

Component = str | tuple[str, ...]  # or its subcomponents
Value = str | tuple[Component, ...]  # or its components
Field = Value | list[Value]  # or its repetitions

# Longest value of one repetition of a field, in characters as written (chapters 2 to 4 and 7). Of a
# number with its owner (EI) it is the number's own: OBR-2 and OBR-3 have 22 for both.
LENGTHS = {
    **{("MSH", number): 227 for number in (3, 4, 5, 6)},
    ("MSH", 10): 20,
    ("PID", 3): 250,
    ("PID", 5): 250,
    ("PID", 7): 26,
    ("OBR", 4): 250,
    ("OBR", 18): 60,
    ("OBR", 32): 200,
    ("OBR", 33): 200,
    ("OBX", 3): 250,
    ("OBX", 4): 20,
    ("OBX", 6): 250,
    ("OBX", 16): 250,
}
LENGTHS_OF_NUMBERS = {(segment, number): 22 for segment in ("ORC", "OBR") for number in (2, 3)}
LONGEST_LINE = 199  # ST
LONGEST_TEXT = 65_536  # TX and FT


def escape(text: str) -> str:
    """Write text so that it can stand in any field, and be read back to the character.

    Line feeds become `\\.br\\`, other control characters the hex digits of their UTF-8 bytes.

    Raises: InputError if it holds half a character.
    """
    refuse_no_text(text, "a text of the message")
    if text == NULL:
        return _hex(NULL)
    return "".join(ESCAPES.get(one) or (_hex(one) if _control(one) else one) for one in text)


def unescape(text: str) -> str:
    """Read a value; escape sequences that nobody knows stay as they are."""
    return SEQUENCE.sub(_unescaped, text)


def _unescaped(found: re.Match[str]) -> str:
    sequence = found[1]
    if sequence in UNESCAPES:
        return UNESCAPES[sequence]
    if digits := HEX.fullmatch(sequence):
        try:
            return bytes.fromhex(digits[1]).decode("utf-8")
        except UnicodeDecodeError:
            return found[0]
    return found[0]


def _hex(text: str) -> str:
    return f"\\X{text.encode().hex().upper()}\\"


def _control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def segment(name: str, fields: Mapping[int, Field]) -> str:
    """Write a segment, without its end, from fields by number.

    Raises: InputError if a field is longer than its segment allows: nothing is cut.
    """
    if not fields:
        return name
    written = [_field(name, number, fields.get(number, "")) for number in range(1, max(fields) + 1)]
    return FIELD.join([name, *written]).rstrip(FIELD)


def _field(name: str, number: int, field: Field) -> str:
    values = field if isinstance(field, list) else [field]
    written = [_value(value) for value in values]
    for value, text in zip(values, written, strict=True):
        _refuse_too_long(name, number, value, text)
    return REPETITION.join(written)


def _refuse_too_long(name: str, number: int, value: Value, text: str) -> None:
    of_number = LENGTHS_OF_NUMBERS.get((name, number))
    counted = _component(value[0]) if of_number and isinstance(value, tuple) else text
    most = of_number or LENGTHS.get((name, number))
    if most is not None and len(counted) > most:
        raise InputError(
            f"a value of {len(counted)} characters is too long for {name}-{number} of HL7 v2.5.1, "
            f"which takes {most}",
            remedy="publish the other forms, and correct the value where it comes from",
            field=f"{name}-{number}",
        )


def _value(value: Value) -> str:
    if isinstance(value, str):
        return escape(value)
    return COMPONENT.join(_component(part) for part in value).rstrip(COMPONENT)


def _component(part: Component) -> str:
    if isinstance(part, str):
        return escape(part)
    return SUBCOMPONENT.join(escape(sub) for sub in part).rstrip(SUBCOMPONENT)


def message(segments: Sequence[str]) -> bytes:
    """Join segments to a message in UTF-8, each with its end."""
    return "".join(one + SEGMENT_END for one in segments).encode("utf-8")


def pieces(lines: Sequence[str], most: int = LONGEST_TEXT) -> Iterator[str]:
    """Join lines to texts that are, once escaped, no longer than a field may be.

    A line that alone is longer goes on in the next text.
    """
    text = ""
    for line in (part for one in lines for part in _parts(one, most)):
        joined = f"{text}\n{line}" if text else line
        if text and len(escape(joined)) > most:
            yield text
            joined = line
        text = joined
    if text:
        yield text


def _parts(line: str, most: int) -> Iterator[str]:
    while len(escape(line)) > most:
        end = most // max(len(escape(one)) for one in set(line))
        space = line.rfind(" ", 1, end)
        end = space if space > 0 else end
        yield line[:end]
        line = line[end:].lstrip(" ")
    yield line
