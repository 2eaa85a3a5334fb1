"""What arrived and is not yet the assistant's: on disk, so that a kill loses nothing.

    received/arriving/                      objects that are being written; emptied at the start
    received/studies/KEY/ASSOCIATION/       objects of one study from one association
        from.json                           who sent them, to whom, and when
        OBJECT-DIGEST.dcm                   as they came
    received/studies/KEY/study.json         what became of the study, and which objects came
    received/aside/DAY/                     what was put aside, each with a JSON that says why

KEY and OBJECT are digests of UIDs. An object is moved to its place after it was flushed, so each
one that stands there is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from medmm.doors.dicom.arriving import ArrivingObject, Command, Room
from medmm.doors.dicom.object_uids import ObjectUids
from medmm.files import flush, write_atomically

KEY_CHARACTERS = 32  # of a SHA-256 in hex: 128 bits
FROM, STUDY = "from.json", "study.json"
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
DAY_S = 86_400.0


def key_of(uid: str) -> str:
    """Give the name that a UID goes by in the spool and in what is told of it."""
    return hashlib.sha256(uid.encode()).hexdigest()[:KEY_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One association: who sends, to which AE title, from where.

    Attributes:
        id: random; a folder goes by it.
    """

    id: str
    calling: str
    called: str
    host: str


@dataclass(slots=True, kw_only=True)
class StudyOutcome:
    """What became of a study so far, as `study.json` keeps it.

    Attributes:
        outcome: `admitted`, `refused`, `held` or `failed`; None before the first admission.
        called: the AE title that its objects were sent to last.
        case: the case that was opened.
        to_draft: whether that case still has to be drafted.
        known: the digest of each object that came, by its key.
        left: names of the files that stay in the spool after what became of the study.
        at: when, in seconds since 1970.
    """

    study: str = ""
    called: str = ""
    outcome: str | None = None
    reason: str | None = None
    case: str | None = None
    to_draft: bool = False
    known: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    at: float = 0.0


@dataclass(slots=True, kw_only=True)
class OpenStudy:
    """A study of which objects arrived that were not handed over.

    Attributes:
        first_s, last_s: when the first and the last of them arrived, in seconds since 1970.
        fresh: how many they are.
        stated: how many instances an object says that the study has.
        moving: keys of objects that are being moved to their places now.
    """

    kept: StudyOutcome
    first_s: float
    last_s: float
    fresh: int = 0
    stated: int | None = None
    moving: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The objects of one study that go to the assistant now."""

    key: str
    study: str
    called: str
    files: tuple[Path, ...]


class OtherContentError(Exception):
    """Another object came before under the same SOP Instance UID."""


class Spool:
    """The spool of one listener; safe from several threads.

    Args:
        folder: made if it is missing, readable by this user alone.
        clock: gives seconds since 1970.

    Raises: OSError if the folder can't be made or read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        object_bytes: int,
        free_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder, self._clock = folder, clock
        self.studies, self.aside = folder / "studies", folder / "aside"
        self.room = Room(
            folder=folder / "arriving", object_bytes=object_bytes, free_bytes=free_bytes
        )
        if self.room.folder.exists():
            shutil.rmtree(self.room.folder)  # half objects of a process that was killed
        for one in (self.room.folder, self.studies, self.aside):
            one.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        self._changed = threading.Condition()
        self._open: dict[str, OpenStudy] = {}
        for place in self.studies.iterdir():
            self._reopen(place)

    def _reopen(self, place: Path) -> None:
        """Find what a process before this one left in a study's folder."""
        kept = _read_outcome(place)
        files = [file for file in place.glob("*/*.dcm") if file.name not in set(kept.left)]
        if not files:
            return
        senders = sorted(place.glob(f"*/{FROM}"), key=lambda path: path.stat().st_mtime)
        for path in senders:
            said = json.loads(path.read_text(encoding="ascii"))
            kept.study, kept.called = said["study"], said["called"]
        times = [file.stat().st_mtime for file in files]
        kept.known |= dict(_named(file) for file in files)
        self._open[place.name] = OpenStudy(
            kept=kept, first_s=min(times), last_s=max(times), fresh=len(files)
        )

    def keep(self, arrived: ArrivingObject, uids: ObjectUids, sender: Sender) -> bool:
        """Move a flushed object to its study.

        Returns: false if it came before, byte for byte; then it is dropped.
        Raises: OtherContentError if another object came under its UID; OSError if it can't be
            moved.
        """
        key, name = key_of(uids.study), key_of(uids.sop_instance)
        digest = arrived.sha256[:KEY_CHARACTERS]
        with self._changed:
            study = self._opened(key, uids.study)
            self._changed.wait_for(lambda: name not in study.moving)
            if (before := study.kept.known.get(name)) is not None:
                if before != digest:
                    raise OtherContentError(name)
                arrived.drop()
                return False
            study.moving.add(name)
        moved = False
        try:
            place = self._place(key, uids.study, sender)
            arrived.move(place / f"{name}-{digest}.dcm")
            flush(place)
            moved = True
        finally:
            with self._changed:
                study.moving.discard(name)
                if moved:
                    self._count(study, name, digest, sender)
                    study.stated = uids.instances_in_study or study.stated
                self._changed.notify_all()
        return True

    def _count(self, study: OpenStudy, name: str, digest: str, sender: Sender) -> None:
        study.kept.known[name], study.kept.called = digest, sender.called
        study.last_s = self._clock()
        study.first_s = study.first_s if study.fresh else study.last_s
        study.fresh += 1

    def _opened(self, key: str, uid: str) -> OpenStudy:
        if key not in self._open:
            now, kept = self._clock(), _read_outcome(self.studies / key)
            kept.study = uid
            self._open[key] = OpenStudy(kept=kept, first_s=now, last_s=now)
        return self._open[key]

    def _place(self, key: str, uid: str, sender: Sender) -> Path:
        """Make the folder of one study and association, with what says who sent it."""
        place = self.studies / key / sender.id
        if not (place / FROM).exists():
            place.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
            said = {"study": uid, **asdict(sender), "at": _utc(self._clock())}
            _write_json(place / FROM, said)
            flush(place.parent)
            flush(self.studies)
        return place

    def put_aside(
        self, arrived: ArrivingObject, command: Command, sender: Sender, why: str
    ) -> None:
        """Keep a flushed object that no study gets, and say why.

        Raises: OSError if it can't be moved.
        """
        day = self.aside / _utc(self._clock())[:10]
        day.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        place = day / f"{arrived.path.stem}.dcm"
        said = {
            "why": why,
            **asdict(sender),
            "at": _utc(self._clock()),
            "sop_class": command.sop_class,
            "sop_instance": command.sop_instance,
            "transfer_syntax": str(command.syntax),
        }
        _write_json(place.with_suffix(".json"), said)
        arrived.move(place)
        flush(day)

    def due(
        self, quiet_s: float, force_s: float, instances: Callable[[str], int | None]
    ) -> Handover | None:
        """Find the study that has waited longest of those that are complete.

        Args:
            instances: at how many a study sent to an AE title is complete, if that is set.
        """
        now = self._clock()
        with self._changed:
            found = [
                (study.first_s, key)
                for key, study in self._open.items()
                if study.fresh and _complete(study, now, quiet_s, force_s, instances)
            ]
            if not found:
                return None
            key = min(found)[1]
            study = self._open[key]
            study.fresh = 0
            return Handover(
                key=key,
                study=study.kept.study,
                called=study.kept.called,
                files=tuple(sorted((self.studies / key).glob("*/*.dcm"))),
            )

    def give_back(self, handed: Handover, again_s: float) -> None:
        """Take back what could not be handed over now; it is due again in so many seconds."""
        with self._changed:
            study = self._opened(handed.key, handed.study)
            study.fresh += len(handed.files)
            study.first_s = study.last_s = self._clock() + again_s

    def settle(self, handed: Handover, outcome: StudyOutcome, *, remove: bool) -> None:
        """Keep what became of a study, then remove its files, which the assistant has now.

        Raises: OSError if the outcome can't be written; then its files stay.
        """
        place = self.studies / handed.key
        with self._changed:
            study = self._opened(handed.key, handed.study)
            outcome.study, outcome.called = study.kept.study, study.kept.called
            outcome.known, outcome.at = study.kept.known, self._clock()
            outcome.left = [] if remove else [file.name for file in handed.files]
            study.kept = outcome
            _write_json(place / STUDY, asdict(outcome))
            for file in handed.files if remove else ():
                with suppress(OSError):  # what stays is admitted once more, to no effect
                    file.unlink()
            if study.moving:
                return  # an object is on its way into one of the folders
            for folder in {file.parent for file in handed.files if remove}:
                _remove_if_done(folder)
            if not study.fresh:
                del self._open[handed.key]

    def drafted(self, key: str, case: str) -> None:
        """Keep that a case was drafted, or can't be; a later case of its study still waits."""
        with self._changed:
            stored = _read_outcome(self.studies / key)
            if stored.case != case:
                return
            stored.to_draft = False
            _write_json(self.studies / key / STUDY, asdict(stored))

    def to_draft(self) -> Iterator[tuple[str, StudyOutcome]]:
        """List the studies whose cases were opened and not drafted before the process ended."""
        for place in sorted(self.studies.iterdir()):
            kept = _read_outcome(place)
            if kept.to_draft and kept.case:
                yield place.name, kept

    def waiting(self) -> int:
        """Count the studies of which objects wait for their admission."""
        with self._changed:
            return sum(1 for study in self._open.values() if study.fresh)

    def sweep(self, keep_days: float) -> None:
        """Remove what was put aside or refused longer ago than that; what is held or failed stays.

        After that nothing is known of which objects of an admitted study came: the assistant
        finds those that come again.
        """
        oldest = self._clock() - keep_days * DAY_S
        for day in self.aside.iterdir():
            if day.stat().st_mtime < oldest:
                shutil.rmtree(day)
        for place in self.studies.iterdir():
            with self._changed:
                kept = _read_outcome(place)
                done = kept.outcome in ("admitted", "refused") and kept.at < oldest
                if done and place.name not in self._open and not kept.to_draft:
                    shutil.rmtree(place)


def _complete(
    study: OpenStudy,
    now: float,
    quiet_s: float,
    force_s: float,
    instances: Callable[[str], int | None],
) -> bool:
    """Tell whether a study is complete: by quiet time, force time, or a stated number."""
    most = instances(study.kept.called) or study.stated
    if most is not None and len(study.kept.known) >= most and now >= study.last_s:
        return True
    return now - study.last_s >= quiet_s or now - study.first_s >= force_s


def _named(file: Path) -> tuple[str, str]:
    """Read an object's key and digest from the name of its file."""
    name, _, digest = file.stem.partition("-")
    return name, digest


def _read_outcome(place: Path) -> StudyOutcome:
    try:
        return StudyOutcome(**json.loads((place / STUDY).read_text(encoding="ascii")))
    except FileNotFoundError:
        return StudyOutcome()


def _write_json(path: Path, content: dict[str, object]) -> None:
    write_atomically(path, json.dumps(content).encode("ascii"), PRIVATE_FILE)


def _remove_if_done(folder: Path) -> None:
    """Remove the folder of an association of which no object is left."""
    with suppress(OSError):
        if not any(folder.glob("*.dcm")):
            (folder / FROM).unlink(missing_ok=True)
            os.rmdir(folder)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
