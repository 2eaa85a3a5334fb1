"""Drafts that are made step by step, each when a test lets it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medmm import Assistant
from medmm.config import Settings
from medmm.domain.draft import Assertion, Proposal
from medmm.domain.errors import MedmmError
from medmm.domain.reading import Reading
from medmm.domain.study import Study
from tests.dicom_files import SAYS_FRONTAL
from tests.factories import make_reading, make_reading_of
from tests.language_models import Told, say
from tests.quick_assistant import READS, GivenNetworks

WAIT_S = 20.0


@dataclass
class Gate:
    """Lets one thing after the other through, each when it is told to."""

    passes: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def open(self, times: int = 1) -> None:
        for _ in range(times):
            self.passes.release()

    def passed(self) -> None:
        assert self.passes.acquire(timeout=WAIT_S)


@dataclass
class Slow:
    """Reads when it is let, and fails where it is told to."""

    gate: Gate
    failure: MedmmError | ValueError | None = None

    def read(self, study: Study) -> Reading:
        self.gate.passed()
        if self.failure is not None:
            raise self.failure
        return make_reading_of(study)


class OneByOne(Told):
    """Says each sentence when it is let."""

    def __init__(self, gate: Gate, *written: Proposal) -> None:
        super().__init__(*written)
        self.gate = gate

    def opinions(self, *asked: Any, said: Any = None, **how: Any) -> Any:
        def heard(place: int, proposal: Proposal) -> None:
            if said is not None:
                said(place, proposal)
            self.gate.passed()

        return super().opinions(*asked, said=heard, **how)


def worded_by(gate: Gate, data: Path, **settings: Any) -> Assistant:
    """An assistant whose language model says of each finding what the reading bears out."""
    made = Settings(data_dir=data, threads=1, **settings)
    findings = [
        (f.name, f.suspected) for f in make_reading().findings if f.suspected or f.ruled_out
    ]
    said = [say(name, Assertion.POSSIBLE if yes else Assertion.ABSENT) for name, yes in findings]
    given = {"picture_kinds": SAYS_FRONTAL, "language_model": OneByOne(gate, *said)}
    return Assistant(made, networks=GivenNetworks(made, reader=READS, **given))
