"""What a reader had on the screen when acting, so that an act on anything else is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from medmm.domain.case_state import CaseState
from medmm.domain.codec import to_json
from medmm.domain.errors import StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import CaseFile

UNLIKE = "the case is not as it was shown"
MEANWHILE = "somebody else changed this case meanwhile"
LENGTH = 32  # hexadecimal digits of a digest: 128 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A case as it stood on the screen; a write that carries it is bound to it.

    Digests hold no text, so that a page can keep it, and name its widgets by `digest`.

    Attributes:
        draft: id of the draft and its version; None and 0 without one.
        report_version: of the signed report; 0 without one.
        statements: id of each statement and of the reader's own words, with a digest of its text,
            its checks and what is decided on it.
        patient: digest of the identity that stood beside the case; None if none did.
    """

    case_id: str
    state: CaseState
    draft: str | None
    draft_version: int
    report_version: int
    statements: tuple[tuple[str, str], ...]
    patient: str | None = None

    @classmethod
    def of(cls, file: CaseFile, identity: PatientIdentity | None = None) -> Shown:
        """Take down what a page shows of a case, and of whom.

        Args:
            identity: as it stands on the page; None if the page names nobody.

        Raises: StateError if the case was looked at blind: nothing to act on was shown.
        """
        if file.blind:
            raise StateError(
                "the case was looked at blind, so nothing was shown to act on",
                remedy="look at the case as it is, then act",
                case=file.case.id,
            )
        draft = file.draft.draft if file.draft else None
        return cls(
            case_id=file.case.id,
            state=file.state,
            draft=draft.id if draft else None,
            draft_version=draft.version if draft else 0,
            report_version=file.report.version if file.report else 0,
            statements=tuple(_statements(file)),
            patient=None if identity is None else _digest(to_json(identity)),
        )

    @property
    def digest(self) -> str:
        """A digest of all of it, in hex, for the keys of widgets and for links."""
        return _digest(to_json(self))

    def refuse_other(
        self, now: Shown, about: Collection[str] | None = None, problem: str = UNLIKE
    ) -> None:
        """Refuse to act on what is not as it was shown.

        Args:
            about: ids of the statements that are acted on; then decisions on others may have been
                made meanwhile. None: the act is about all of it.
            problem: what to call it if anything differs.

        Raises: StateError that says what differs, in words and by its name in `where`, if anything
            does.
        """
        found = dict(self._differences(now, about))
        if found:
            raise StateError(
                f"{problem}: {'; '.join(found.values())}; nothing was done",
                remedy="look at it as it is now, then act",
                case=now.case_id,
                differs=" ".join(found),
            )

    def _differences(self, now: Shown, about: Collection[str] | None) -> Iterator[tuple[str, str]]:
        """List what differs: its name, and words for it."""
        if self.case_id != now.case_id:
            yield "case", "another case was shown"
            return
        if self.patient is not None and self.patient != now.patient:
            yield "patient", "the patient's identity was stated otherwise"
        if about is None and self.state is not now.state:
            yield "state", f"it was {self.state.value} and is {now.state.value}"
        if (self.draft, self.draft_version) != (now.draft, now.draft_version):
            yield "draft", _moved("draft", self.draft_version, now.draft_version)
        elif changed := self._changed(now, about):
            yield "statements", f"changed elsewhere: {', '.join(changed)}"
        if self.report_version != now.report_version:
            yield "report", _moved("report", self.report_version, now.report_version)

    def _changed(self, now: Shown, about: Collection[str] | None) -> list[str]:
        ids = {name for name, _ in {*self.statements} ^ {*now.statements}}
        return sorted(ids if about is None else ids & {*about})


def _moved(what: str, before: int, after: int) -> str:
    if before == after:
        return f"it has another {what} of the same version"
    return f"{what} version {before or 'none'} was shown, it is {after or 'none'} now"


def _statements(file: CaseFile) -> Iterator[tuple[str, str]]:
    """List each statement, and what readers wrote, with a digest of all that is seen of it."""
    decided = {one.statement_id: to_json(one) for one in file.decisions}
    for statement in file.draft.draft.decidable if file.draft else ():
        failed = file.draft.failed(statement.id) if file.draft else ()
        seen = [to_json(statement), sorted(v.check for v in failed)]
        yield statement.id, _digest([*seen, decided.pop(statement.id, None)])
    for statement_id, own in decided.items():
        yield statement_id, _digest(own)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
