"""A message of HL7 v2 that came from elsewhere, taken apart by its own separators.

Source: HL7 v2.5.1 chapter 2, sections 2.5 to 2.7, MSH; tables 0211 (character sets) and 0357
(error codes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from medmm.domain.errors import InputError

# Table 0211, and how senders write it besides; another is refused, for a word read in the wrong one
# is another word
CHARACTER_SETS = {
    "ASCII": "ascii",
    "8859/1": "iso-8859-1",
    "8859/15": "iso-8859-15",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
}
SEQUENCE_ERROR, MISSING, WRONG_TYPE, NOT_IN_TABLE = "100", "101", "102", "103"
UNSUPPORTED_TYPE, UNSUPPORTED_EVENT, DUPLICATE = "200", "201", "205"
NULL = '""'
HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
LINE_BREAKS = re.compile(r"\.(br|sp)\d*")


def fault(problem: str, code: str, at: str) -> InputError:
    """Make the error of a message at fault, with its code of table 0357 and its place."""
    remedy = "correct the message at its sender and send it again (docs/orders.md)"
    return InputError(problem, remedy=remedy, fault=code, at=at)


@dataclass(frozen=True, slots=True)
class Separators:
    """What parts a message: MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @classmethod
    def of(cls, header: str) -> Separators:
        """Read them from the beginning of a message.

        Raises: InputError if there are none, or two are one.
        """
        found = header[3:8]
        field = found[:1]
        marks = header[4:].partition(field)[0] if field else ""
        if len(marks) not in (4, 5) or len({field, *marks[:4]}) != 5 or not found.isprintable():
            raise fault("MSH-1 and MSH-2 name no five separators", WRONG_TYPE, "MSH-2")
        if any(one.isalnum() or one.isspace() for one in (field, *marks)):
            raise fault("a separator is a letter, a digit or a space", WRONG_TYPE, "MSH-2")
        return cls(field, *(marks[place] for place in range(4)))


@dataclass(frozen=True, slots=True)
class ReceivedSegment:
    """One segment, with its values as they were written."""

    name: str
    fields: tuple[str, ...]
    separators: Separators
    encoding: str

    def written(self, number: int) -> str:
        """Give a field as it stands; "" if it is absent or null."""
        value = self.fields[number] if len(self.fields) > number else ""
        return "" if value == NULL else value

    def repetitions(self, number: int) -> list[str]:
        """Give the repetitions of a field that say anything, as they stand."""
        parts = self.written(number).split(self.separators.repetition)
        return [one for one in parts if one and one != NULL]

    def value(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """Give a part of the first repetition of a field, unescaped."""
        found = self.repetitions(number)
        return self.part(found[0], component, subcomponent) if found else ""

    def part(self, written: str, component: int, subcomponent: int = 1) -> str:
        """Give a part of one repetition, unescaped and without outer spaces."""
        for separator, place in (
            (self.separators.component, component),
            (self.separators.subcomponent, subcomponent),
        ):
            parts = written.split(separator)
            written = parts[place - 1] if len(parts) >= place else ""
        return "" if written == NULL else self.unescaped(written).strip()

    def texts(self, number: int) -> list[str]:
        """Give the repetitions of a field of text, each whole and unescaped."""
        found = (self.unescaped(one).strip() for one in self.repetitions(number))
        return [one for one in found if one]

    def unescaped(self, written: str) -> str:
        """Read a value; escape sequences that nobody knows stay as they are."""
        mark = re.escape(self.separators.escape)
        return re.sub(f"{mark}([^{mark}]*){mark}", self._meant, written)

    def _meant(self, found: re.Match[str]) -> str:
        sequence, marks = found[1], self.separators
        plain = {
            "F": marks.field,
            "S": marks.component,
            "T": marks.subcomponent,
            "R": marks.repetition,
            "E": marks.escape,
            "H": "",
            "N": "",
        }
        if sequence in plain:
            return plain[sequence]
        if LINE_BREAKS.fullmatch(sequence):
            return "\n"
        if digits := HEX.fullmatch(sequence):
            try:
                return bytes.fromhex(digits[1]).decode(self.encoding)
            except UnicodeDecodeError:
                return found[0]
        return found[0]


def segments_of(content: bytes, unstated: str = "ASCII") -> tuple[ReceivedSegment, ...]:
    """Take a message apart.

    Args:
        content: without the blocks of MLLP.
        unstated: the character set (table 0211) of a message that states none.

    Raises: InputError with code and place if it is no message, states a character set that is not
        read, or is not in the one that it states.
    """
    content = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if not content.startswith(b"MSH"):
        raise fault("it doesn't begin with MSH", SEQUENCE_ERROR, "MSH")
    head = content.partition(b"\r")[0].partition(b"\n")[0].decode("latin-1")
    separators = Separators.of(head)
    encoding = _encoding(_segment(head, separators, "ascii"), unstated)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        problem = "it holds bytes that its character set (MSH-18) doesn't have"
        raise fault(problem, WRONG_TYPE, "MSH-18") from None
    lines = (line for line in re.split(r"[\r\n]+", text) if line.strip())
    return tuple(_segment(line, separators, encoding) for line in lines)


def _segment(line: str, separators: Separators, encoding: str) -> ReceivedSegment:
    fields = line.split(separators.field)
    name = fields[0].strip()
    if name == "MSH":  # whose first field is the separator itself
        fields.insert(1, separators.field)
    return ReceivedSegment(name, tuple(fields), separators, encoding)


def _encoding(header: ReceivedSegment, unstated: str) -> str:
    stated = header.repetitions(18)
    name = stated[0].strip().upper() if stated else unstated.upper()
    if len(stated) > 1 or name not in CHARACTER_SETS:
        read = ", ".join(CHARACTER_SETS)
        raise fault(
            f"its character set is not read here; these are: {read}", NOT_IN_TABLE, "MSH-18"
        )
    return CHARACTER_SETS[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an answer to a message must repeat of it; "" for what it lacks."""

    application: str = ""
    facility: str = ""
    own_application: str = ""
    own_facility: str = ""
    event: str = ""
    control_id: str = ""
    processing: str = ""
    version: str = ""


def header_of(content: bytes) -> Header:
    """Read what an answer repeats, of a message that may be at fault in all else."""
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    head = start.partition(b"\r")[0].partition(b"\n")[0].decode("ascii", "replace")
    try:
        separators = Separators.of(head) if head.startswith("MSH") else None
    except InputError:
        separators = None
    if separators is None:
        return Header()
    msh = _segment(head, separators, "ascii")
    return Header(
        application=msh.value(3),
        facility=msh.value(4),
        own_application=msh.value(5),
        own_facility=msh.value(6),
        event=msh.value(9, 2),
        control_id=msh.value(10),
        processing=msh.value(11),
        version=msh.value(12),
    )


def named(segments: tuple[ReceivedSegment, ...], name: str) -> Iterator[ReceivedSegment]:
    """Yield the segments of one name, in their order."""
    return (one for one in segments if one.name == name)
