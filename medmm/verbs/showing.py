"""Acts held against what was shown: before the work, and again in the step that keeps it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from medmm.domain.report import CaseFile
from medmm.domain.shown import MEANWHILE, Shown
from medmm.store import Step
from medmm.verbs.house import House


def refuse_unlike(
    house: House, shown: Shown | None, file: CaseFile, about: Collection[str] | None = None
) -> None:
    """Refuse to begin what was asked for on another case, or on this one as it was.

    Args:
        about: ids of the statements that are acted on; None: all of the case.

    Raises: StateError as `Shown.refuse_other`.
    """
    if shown is not None:
        key = file.case.study.patient_key
        identity = None if shown.patient is None else house.store.identity(key)
        shown.refuse_other(Shown.of(file, identity), about)


def refuse_changed(step: Step, shown: Shown | None, file: CaseFile) -> None:
    """Refuse to keep what was made of a case that has changed since, in the same transaction.

    Args:
        shown: what the reader saw, which the case met when it was read.
        file: the case as it was read.

    Raises: StateError as `Shown.refuse_other`.
    """
    patient = None if shown is None else shown.patient
    now = step.case_file(file.case.id)
    identity = None if patient is None else step.identity(now.case.study.patient_key)
    read = replace(Shown.of(file), patient=patient)
    read.refuse_other(Shown.of(now, identity), problem=MEANWHILE)
