"""What a model from outside is asked: the task, one picture, and the record as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Pictures(Enum):
    """Which pictures may be shown without a name, by what images state of text in them.

    That is Burned In Annotation (0028,0301) of DICOM; most images do not state it.
    """

    ALL = "all"
    NOT_STATED_WITH_TEXT = "not stated with text"
    STATED_WITHOUT_TEXT = "stated without text"

    def show(self, states_text: bool | None) -> bool:
        """Tell whether pictures may be shown whose images state this of text in their pixels.

        Args:
            states_text: None if it is not known.
        """
        if self is Pictures.ALL:
            return True
        return not states_text and (states_text is False or self is Pictures.NOT_STATED_WITH_TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as an outside model is shown it.

    Attributes:
        png: the file, 8-bit RGB.
        words: what it is of: a film, or which slices of which series, tile by tile.
        sha256s: digests of the volumes that it was made of.
    """

    png: bytes
    words: str
    sha256s: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFact:
    """A fact of the record without anything that names a person.

    Attributes:
        kind: of `FactKind`.
        words: what it is; None where its words could not be given away, and the code stands alone.
        status: of `FactStatus`: a negation is never lost.
        days_before_study: when it was so, as whole days before the image; None if unknown.
    """

    kind: str
    words: str | None
    status: str
    code: str | None = None
    system: str | None = None
    value: float | str | None = None
    unit: str | None = None
    days_before_study: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What an outside model is given of a case, and nothing else leaves the house.

    Attributes:
        task: what it is to do, in medmm's own words alone.
        picture: None where none can be shown.
        facts: the record as data, apart from the task.
    """

    task: str
    picture: Picture | None
    facts: tuple[GivenFact, ...] = ()
