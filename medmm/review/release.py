"""A person lets pass what the gate held."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from medmm.domain.errors import InputError, StateError
from medmm.domain.plain_text import refuse_no_text
from medmm.domain.report import Reader
from medmm.domain.study import NotEvaluable, Release, Study


def refuse_unseen(outcome: Study | NotEvaluable | InputError, held_sha256: str | None) -> None:
    """Refuse contents that are not those that were looked at.

    Raises: StateError if so.
    """
    found = outcome.sha256 if isinstance(outcome, NotEvaluable) else None
    if held_sha256 is not None and found != held_sha256:
        raise StateError(
            "the files are no longer what was looked at; nothing was released",
            remedy="look at them as they are now",
        )


def release(
    outcome: Study | NotEvaluable | InputError,
    file_sha256s: Iterable[str],
    reason: str,
    by: Reader,
    at: datetime,
) -> Release:
    """Make the release of a held study.

    Raises: StateError if it is not held; InputError without a reason.
    """
    if not isinstance(outcome, NotEvaluable) or not outcome.held:
        why = outcome.reason if isinstance(outcome, NotEvaluable) else "the gate lets it pass"
        raise StateError(
            f"the study is not held: {why}",
            remedy="release only what `medmm study show` calls held",
        )
    refuse_no_text(reason, "the reason")
    if not reason.strip():
        raise InputError(
            "a release needs a reason", remedy="say what you saw that lets the study pass"
        )
    return Release(
        study_uid=outcome.uid,
        file_sha256s=tuple(sorted(file_sha256s)),
        reason_code=outcome.reason_code,
        reason=reason.strip(),
        reader_id=by.id,
        at=at,
    )
