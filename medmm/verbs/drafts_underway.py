"""The drafts that are being made in this process, for everybody who looks at their cases."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from typing import Any

from medmm.domain.draft import Draft
from medmm.domain.draft_progress import DraftProgress, DraftStage, unchecked
from medmm.domain.errors import MedmmError

MOST_ENDED = 256  # that are remembered, so that an open page learns how its draft ended


class DraftsUnderway:
    """How far each draft is, by its case, in memory alone; thread-safe.

    A draft that is made without being entered here is told of nowhere.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drafts: OrderedDict[str, DraftProgress] = OrderedDict()

    def enter(self, case_id: str, by: str, at: datetime) -> bool:
        """Enter a draft that is asked for, unless one of this case is being made already.

        Returns: whether it was entered.
        """
        with self._lock:
            before = self._drafts.get(case_id)
            if before is not None and before.going:
                return False
            self._drafts[case_id] = DraftProgress(
                case_id=case_id, by=by, began=at, stage=DraftStage.WAITING
            )
            self._drafts.move_to_end(case_id)
            ended = [name for name, one in self._drafts.items() if not one.going]
            for name in ended[:-MOST_ENDED]:
                del self._drafts[name]
        return True

    def progress(self, case_id: str) -> DraftProgress | None:
        """Say how far the draft of a case is, or how the last one ended; None if there is none."""
        with self._lock:
            return self._drafts.get(case_id)

    def reached(self, case_id: str, stage: DraftStage) -> None:
        """Note what is being done now."""
        self._change(case_id, stage=stage)

    def written(self, case_id: str, draft: Draft) -> None:
        """Note what is written by now."""
        self._change(case_id, sentences=unchecked(draft))

    def ended(self, case_id: str, failure: MedmmError | None) -> None:
        """Note that the draft is kept, or why there is none; its unchecked words go."""
        if failure is None:
            self._change(case_id, stage=DraftStage.DONE, sentences=())
        else:
            said = {"problem": failure.problem, "remedy": failure.remedy}
            self._change(case_id, stage=DraftStage.FAILED, sentences=(), **said)

    def _change(self, case_id: str, **changes: Any) -> None:
        with self._lock:
            before = self._drafts.get(case_id)
            if before is not None and before.going:
                self._drafts[case_id] = replace(before, **changes)
