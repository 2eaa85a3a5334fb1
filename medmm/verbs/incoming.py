"""What comes in: its files are found and judged once.

So request, judgement and copy are of the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from medmm import imaging, records
from medmm.domain.argument_checks import paths_of
from medmm.domain.errors import InputError
from medmm.domain.read_task import ReadTask
from medmm.domain.site_time import at_site
from medmm.domain.study import Notice, Study
from medmm.store import ADMISSION, Work
from medmm.verbs.house import House
from medmm.verbs.record_joining import Record, record_of


@dataclass(slots=True, kw_only=True)
class Incoming:
    """The files found under some paths, and the record that goes with them.

    Attributes:
        record_server: host of the server that was asked for the record; "" if none was.
    """

    paths: Sequence[Path]
    files: imaging.StudyFiles = field(default_factory=imaging.StudyFiles)
    problems: tuple[imaging.Problem, ...] = ()
    record: records.RecordFit = field(default_factory=records.RecordFit)
    record_server: str = ""

    @classmethod
    def of(cls, path: str | Path | Iterable[str | Path]) -> Incoming:
        """Hold one path or several, under which nothing was looked for yet."""
        return cls(paths=paths_of(path))

    def content(self) -> dict[str, object]:
        """Say what was found by its contents: each image once, and the record; never a path."""
        images = {digest for _, digests in self.files.contents().values() for digest in digests}
        return {"images": sorted(images), "record": self.record.sha256}


def find(
    house: House, incoming: Incoming, record: Record, study_uid: str | None = None
) -> Incoming:
    """Find what lies under the paths, or of it one study, and the record that goes with it."""
    incoming.files, incoming.problems = imaging.StudyFiles.under(incoming.paths)
    if study_uid is not None:
        incoming.files.only(study_uid)
    if record is not None:
        names = [name for path in incoming.paths for name in (path.stem, path.name)]
        uid = next(iter(incoming.files.contents()), "")  # of several studies none is admitted
        incoming.record = record_of(house, record, uid, incoming.files.identities.get(uid), names)
    return incoming


@contextmanager
def growing(house: House, incoming: Incoming, by: str) -> Iterator[Work | None]:
    """Hold the study that came in, so that what two bring at once is joined and not lost."""
    uid = next(iter(incoming.files.studies), None)
    if uid is None:
        yield None
        return
    with house.store.working(uid, ADMISSION, by, house.clock) as work:
        yield work


def intakes(
    house: House, paths: Sequence[Path], task: ReadTask | None = None
) -> Iterator[imaging.Intake]:
    """Judge what lies under the paths, each study by itself; with a task, the first's arrays."""
    secret = house.store.secret("patient")
    if task is not None:
        yield from imaging.read_arrays(paths[0], task, patient_secret=secret)
        return
    kinds = house.networks.picture_kinds
    for intake in imaging.read_studies(
        paths, patient_secret=secret, kinds=kinds, released=house.store.released()
    ):
        yield _at_site(house, intake)


def judged(house: House, incoming: Incoming) -> imaging.Intake:
    """Judge the one study that came in, with its images of earlier admissions.

    Raises: InputError if it is none or several.
    """
    found = imaging.judged(
        incoming.files,
        incoming.problems,
        patient_secret=house.store.secret("patient"),
        kinds=house.networks.picture_kinds,
        released=house.store.released(),
        kept=lambda uid: _kept(house, uid),
    )
    intakes = list(found)
    intake = _at_site(house, imaging.one_study(intakes, incoming.paths[0]))
    others = {problem.path for problem in incoming.problems if problem.other_kind}
    beside = [
        i
        for i in intakes
        if isinstance(i.outcome, InputError) and not i.files and i.path not in others
    ]
    if not beside or not isinstance(intake.outcome, Study):
        return intake
    text = f"Files beside the study can't be read and may be images of it: {len(beside)}."
    notice = Notice(code="files-beside-unreadable", text=text)
    return replace(
        intake, outcome=replace(intake.outcome, warnings=(*intake.outcome.warnings, notice))
    )


def _at_site(house: House, intake: imaging.Intake) -> imaging.Intake:
    outcome, zone = intake.outcome, house.settings.site_time_zone
    return replace(intake, outcome=at_site(outcome, zone)) if isinstance(outcome, Study) else intake


def _kept(house: House, uid: str) -> list[imaging.SourceFile]:
    return [
        imaging.SourceFile(
            path=house.store.object_place(sha256), sha256=sha256, sop_uid=sop_uid, kept=True
        )
        for sha256, sop_uid in house.store.files_of(uid).items()
    ]
