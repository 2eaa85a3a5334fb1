"""What becomes of the cases of a study when it is opened again.

It may come with the same images and record, or with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medmm.domain.draft import Case
from medmm.domain.errors import StateError
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseFile, CaseState
from medmm.domain.study import Notice, Study
from medmm.review.lifecycle import Act, advance, reopened

SIGNED = (CaseState.SIGNED, CaseState.AMENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """The effect of opening a study on its cases.

    Attributes:
        same: the case of the same images and record, which goes on; None: a new one is made.
        moves: by case id the state that it had and the one it gets.
        notices: what a reader of the case must know of those before it.
    """

    same: CaseFile | None
    moves: tuple[tuple[str, CaseState, CaseState], ...]
    notices: tuple[Notice, ...]


def succession(
    study: Study, context: ClinicalContext | None, cases: Sequence[CaseFile]
) -> Succession:
    """Find the case that goes on and those it supersedes: one study has one open case.

    A signed case stays as it is. Of the same images with another record it lets no other case open;
    images that came after it was signed are a case of their own. A case whose report was
    withdrawn stays too, and lets others open.

    Raises: StateError if a report of the same images with another record is signed.
    """
    withdrawn = [file for file in cases if file.state is CaseState.WITHDRAWN]
    cases = [file for file in cases if file.state is not CaseState.WITHDRAWN]
    same = next(
        (file for file in cases if _content(file.case) == _content_of(study, context)), None
    )
    moves: list[tuple[str, CaseState, CaseState]] = []
    notices = [_withdrawn(file) for file in withdrawn]
    for file in cases:
        if file is same:
            if file.state is CaseState.SUPERSEDED:
                moves.append((file.case.id, file.state, reopened(file)))
        elif file.state in SIGNED and file.case.study.image_sha256s != study.image_sha256s:
            continue
        else:
            if file.state is not CaseState.SUPERSEDED:
                moves.append((file.case.id, file.state, advance(file.state, Act.SUPERSEDE)))
            if file.decisions:
                notices.append(_left_behind(file, study))
    return Succession(same=same, moves=tuple(moves), notices=tuple(notices))


def lacking(study: Study, cases: Sequence[CaseFile]) -> tuple[Notice, ...]:
    """Say what a reader must know if a report was signed before all its study's images came."""
    notices = []
    for file in cases:
        count = len(set(study.image_sha256s) - set(file.case.study.image_sha256s))
        if file.state in SIGNED and count:
            text = (
                f"The signed report of {file.case.id} stays as it is: {_images(count)} of the "
                "study came after it was signed and need a new case, which opening the study "
                "makes."
            )
            notices.append(Notice(code="images-after-signing", text=text))
    return tuple(notices)


def refuse_outgrown(file: CaseFile, study: Study) -> None:
    """Refuse a study that is no longer made of the images that the case was drafted from.

    Raises: StateError if so.
    """
    if file.case.study.image_sha256s != study.image_sha256s:
        raise StateError(
            "other images of the study came after this case was opened",
            remedy="open the study again (`medmm draft` or open_case), which gives a case of all "
            "its images",
            case=file.case.id,
        )


def _content(case: Case) -> tuple[tuple[str, ...], str | None]:
    return _content_of(case.study, case.context)


def _content_of(
    study: Study, context: ClinicalContext | None
) -> tuple[tuple[str, ...], str | None]:
    record = context.sha256 + context.order_sha256 if context else None
    return study.image_sha256s, record


def _left_behind(file: CaseFile, study: Study) -> Notice:
    """Say that decisions are kept with their own draft and not carried over.

    They are of the sentences of that draft.
    """
    what = "images" if file.case.study.image_sha256s != study.image_sha256s else "record"
    count = len(file.decisions)
    text = (
        f"{count} {'decision' if count == 1 else 'decisions'} made on {file.case.id} "
        f"{'stands' if count == 1 else 'stand'} there and {'is' if count == 1 else 'are'} not "
        f"carried over: the study was opened again with other {what}."
    )
    return Notice(code="decisions-superseded", text=text.replace("other record", "another record"))


def _withdrawn(file: CaseFile) -> Notice:
    text = (
        f"The signed report of {file.case.id} on this study was withdrawn, entered in error: "
        f"nothing of it is valid. `medmm audit log {file.case.id}` says who withdrew it."
    )
    return Notice(code="report-withdrawn", text=text)


def _images(count: int) -> str:
    return "1 image file" if count == 1 else f"{count} image files"
