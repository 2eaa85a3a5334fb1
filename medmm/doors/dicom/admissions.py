"""Studies that are complete go to the assistant: admitted, opened as cases, and drafted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from medmm.config import TitleEntry
from medmm.domain.errors import InputError, MedmmError, StateError
from medmm.domain.study import NotEvaluable
from medmm.doors.dicom.spool import Handover, Spool, StudyOutcome

if TYPE_CHECKING:
    from medmm.assistant import Assistant

POLL_S = 0.2
SWEEP_S = 3600.0
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0  # before what failed is tried again, doubled each time
AFTER_SIGNING = "images-after-signing"
# Warnings of a study some of whose files are not the assistant's: the spool keeps them
UNREADABLE = ("files-unreadable", "files-beside-unreadable")
Tell = Callable[..., None]


class IntakeRules(Protocol):
    """When studies are complete, and what is done with them.

    `titles` has what is done by where a study came to: the AE title that was called, or the source
    that it was fetched from. A `ListenEntry` is one.
    """

    @property
    def quiet_seconds(self) -> float: ...  # noqa: D102

    @property
    def force_seconds(self) -> float: ...  # noqa: D102

    @property
    def keep_days(self) -> float: ...  # noqa: D102

    @property
    def titles(self) -> Mapping[str, TitleEntry]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRules:
    """The rules of sources: `titles` has an entry for each of their names."""

    quiet_seconds: float
    force_seconds: float
    keep_days: float
    titles: Mapping[str, TitleEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDraft:
    """A case that was opened and is to be drafted."""

    key: str
    case: str


class Admissions:
    """Hands complete studies to an assistant, one after the other.

    Admissions go before drafts, so that the worklist shows what came. Whatever can't be done now
    stays in the spool and is tried again.

    Args:
        tell: told what became of each study, by a word and its details: keys, counts and codes
            alone.
    """

    def __init__(self, assistant: Assistant, rules: IntakeRules, spool: Spool, tell: Tell) -> None:
        self._assistant, self._rules, self._spool, self._tell = assistant, rules, spool, tell
        self._drafts = deque(
            WaitingDraft(key=key, case=kept.case) for key, kept in spool.to_draft() if kept.case
        )
        self._waits: dict[str, float] = {}  # seconds by the study's key
        self._drafts_at = 0.0

    def run(self, stopping: threading.Event, each: Callable[[], None] = lambda: None) -> None:
        """Work until told to stop; what is under way is finished.

        Args:
            each: called about once in `POLL_S`.
        """
        swept = float("-inf")
        while not stopping.is_set():
            each()
            if time.monotonic() - swept > SWEEP_S:
                self._spool.sweep(self._rules.keep_days)
                swept = time.monotonic()
            if not self.step():
                stopping.wait(POLL_S)

    def step(self) -> bool:
        """Admit the study that is due, else draft the case that waits longest.

        Returns: whether there was anything to do.
        """
        handed = self._spool.due(
            self._rules.quiet_seconds,
            self._rules.force_seconds,
            lambda called: self._rule(called).instances,
        )
        if handed is not None:
            self._hand_over(handed)
        elif self._drafts and time.monotonic() >= self._drafts_at:
            self._draft(self._drafts.popleft())
        else:
            return False
        return True

    def _rule(self, called: str) -> TitleEntry:
        """Say what is done for an AE title; one that is no longer in the settings only admits."""
        return self._rules.titles.get(called, TitleEntry(action="admit"))

    def _hand_over(self, handed: Handover) -> None:
        rule, files = self._rule(handed.called), len(handed.files)
        assistant = self._assistant if rule.site is None else self._assistant.with_site(rule.site)
        told = {"study": handed.key, "instances": files, "title": handed.called}
        try:
            outcome, remove = self._admitted(assistant, handed, rule)
        except (InputError, StateError) as error:
            outcome, remove = StudyOutcome(outcome="failed", reason=error.problem), False
            told["remedy"] = error.remedy
        except MedmmError as error:
            self._later(handed, error)
            return
        self._waits.pop(handed.key, None)
        self._spool.settle(handed, outcome, remove=remove)
        details = {"reason": outcome.reason, "case": outcome.case}
        if not remove:
            details["kept_in"] = str(self._spool.studies / handed.key)
        said = {name: value for name, value in details.items() if value is not None}
        self._tell(str(outcome.outcome), **told, **said)
        if outcome.to_draft and outcome.case:
            self._drafts.append(WaitingDraft(key=handed.key, case=outcome.case))

    def _admitted(
        self, assistant: Assistant, handed: Handover, rule: TitleEntry
    ) -> tuple[StudyOutcome, bool]:
        """Admit what was handed over and open its case.

        Returns: what became of it, and whether the assistant has all of its files.
        """
        found = assistant.admit(handed.files)
        if isinstance(found, NotEvaluable):
            word = "held" if found.held else "refused"
            return StudyOutcome(outcome=word, reason=found.reason), False
        case = assistant.open_case(found.uid)
        outcome = StudyOutcome(outcome="admitted", case=case.id, to_draft=rule.action == "draft")
        codes = {notice.code for notice in found.warnings}
        if AFTER_SIGNING in codes:
            outcome.reason = next(n.text for n in found.warnings if n.code == AFTER_SIGNING)
        return outcome, not codes.intersection(UNREADABLE)

    def _later(self, handed: Handover, error: MedmmError) -> None:
        wait = min(self._waits.get(handed.key, FIRST_WAIT_S / 2) * 2, LONGEST_WAIT_S)
        self._waits[handed.key] = wait
        self._spool.give_back(handed, wait)
        self._tell(
            "waits", study=handed.key, reason=error.problem, remedy=error.remedy, again_s=wait
        )

    def _draft(self, waiting: WaitingDraft) -> None:
        told = {"study": waiting.key, "case": waiting.case}
        try:
            draft = self._assistant.draft(waiting.case, again=False)
        except (InputError, StateError) as error:  # signed or superseded meanwhile, say
            self._tell("not-drafted", **told, reason=error.problem, remedy=error.remedy)
        except MedmmError as error:
            self._drafts.append(waiting)
            self._drafts_at = time.monotonic() + FIRST_WAIT_S
            self._tell("waits", **told, reason=error.problem, remedy=error.remedy)
            return
        else:
            self._tell("drafted", **told, statements=len(draft.statements))
        self._spool.drafted(waiting.key, waiting.case)
