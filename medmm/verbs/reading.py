"""Reading by the models alone: nothing is kept but that it was done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medmm.domain.read_task import ReadTask
from medmm.domain.reading import ReadResult
from medmm.store import digest
from medmm.verbs.house import House
from medmm.verbs.incoming import intakes
from medmm.verbs.verb import By


def read(
    house: House, groups: Sequence[Sequence[Path]], task: ReadTask | None, by: By | None
) -> Iterator[ReadResult]:
    """Read studies one after the other, each a call with its entry; see `Assistant.read`."""
    for group in groups:
        found = intakes(house, group, task)
        while True:
            with house.calls.call("read", by) as call:
                intake = next(found, None)
                if intake is None:
                    break
                result = ReadResult.of(str(intake.path), intake.outcome, house.read)
                subject = result.study.uid if result.study else digest(str(intake.path))
                with house.store.step() as step:
                    call.done(step, None, subject, "done" if result.reading else "refused")
            yield result
