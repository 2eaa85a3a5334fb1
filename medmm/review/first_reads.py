"""What a first read must not contradict: itself."""

from __future__ import annotations

from medmm.domain.errors import InputError
from medmm.domain.finding_said import FindingSaid, said_first, said_in_words
from medmm.domain.first_read import FirstRead


def refuse_contradicting_read(read: FirstRead) -> None:
    """Refuse a first read whose words say otherwise than what was chosen beside them.

    Raises: InputError naming the findings, if so.
    """
    words, chosen = said_in_words(read.text), said_first(read)
    parted = [name for name, said in words.items() if _parted(said, chosen[name])]
    if read.nothing_suspected:
        parted += [name for name, said in words.items() if said.claimed]
    if parted:
        raise InputError(
            "the words of a first read say otherwise than what was chosen beside them",
            remedy="change the words, or what was chosen",
            case=read.case_id,
            findings=" ".join(dict.fromkeys(parted)),
        )


def _parted(one: FindingSaid, other: FindingSaid) -> bool:
    sides = {one.side, other.side}
    return one.claimed != other.claimed or (one.claimed and len(sides) > 1 and None not in sides)
