"""An assistant whose networks are the tests' own: it loads no torch, and what it reads is the same in every film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.report import Accept, Edit, Reader, SignedReport
from medmm.domain.study import Study
from tests.dicom_files import SAYS_FRONTAL
from tests.factories import make_reading

READERS = (ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),)


class Reads:
    """Sees the same in every study."""

    def read(self, study: Study) -> Any:
        return make_reading(study_uid=study.uid)


def quick_assistant(data: Path, **settings: Any) -> Assistant:
    """An assistant of a data folder of its own."""
    assistant = Assistant(Settings(data_dir=data, readers=READERS, **{"threads": 1, **settings}))
    assistant._networks._loaded |= {"reader": Reads(), "kinds": SAYS_FRONTAL, "language model": None}
    return assistant


def opened(assistant: Assistant, path: Any, **how: Any) -> str:
    """The case of what is admitted."""
    study = assistant.admit(path, **how)
    assert isinstance(study, Study), study
    return assistant.open_case(study.uid).id


def signed(assistant: Assistant, case_id: str, by: Reader) -> SignedReport:
    """The report of a case that was drafted, decided on and signed."""
    draft = assistant.draft(case_id)
    asked = [s for s in draft.statements if s.summarises is None]
    words = "The reader's own words."
    assistant.decide(case_id, [Edit(s.id, words) if draft.failed(s.id) else Accept(s.id) for s in asked], by=by)
    return assistant.sign(case_id, by=by)
