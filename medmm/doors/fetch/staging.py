"""Objects of one study while they are fetched: all of them count, or none."""

from __future__ import annotations

from collections.abc import Collection

from medmm.domain.errors import Unavailable
from medmm.doors.dicom.arriving import ArrivingObject, Command, Fault
from medmm.doors.dicom.object_uids import ObjectUids, object_uids
from medmm.doors.dicom.spool import OtherContentError, Sender, Spool
from medmm.doors.fetch.matches import Retrieved

OTHER_STUDY = "it is of another study than was asked for"
OTHER_CONTENT = "another object came under its UID"
NO_UIDS = "its UIDs can't be read"


class Staging:
    """Takes the objects of one study, flushed to the disk and not yet in the spool.

    Args:
        wanted: UIDs of the SOP classes that studies are made of.
    """

    def __init__(
        self, spool: Spool, wanted: Collection[str], study_uid: str, sender: Sender
    ) -> None:
        self.spool, self.study_uid = spool, study_uid
        self._wanted, self._sender = wanted, sender
        self._whole: list[tuple[ArrivingObject, ObjectUids, Command]] = []
        self._aside = self._left = 0
        self.fault: Fault | None = None

    def take(self, arrived: ArrivingObject, command: Command) -> str:
        """Take an object that arrived; one of another study is put aside, as others are dropped.

        Returns: why it is not of the study; "" if it is. A fault of disk or size is in `fault`
            afterwards: then the study can't be fetched.
        Raises: OSError if the disk is full or can't be written.
        """
        arrived.finish()
        if arrived.fault is not None:
            self.fault = arrived.fault
            return arrived.fault.value
        uids = object_uids(arrived.head, arrived.path, arrived.size_bytes, command.syntax)
        return self.add(arrived, uids, command)

    def add(self, arrived: ArrivingObject, uids: ObjectUids | None, command: Command) -> str:
        """Take a flushed object whose UIDs are known.

        Returns: why it is not of the study; "" if it is.
        Raises: OSError if the disk is full or can't be written.
        """
        if uids is not None and uids.study == self.study_uid:
            if uids.sop_class in self._wanted:
                self._whole.append((arrived, uids, command))
                return ""
            arrived.drop()
            self.leave()
            return "it is of a class that is not read here"
        why = NO_UIDS if uids is None else OTHER_STUDY
        self.spool.put_aside(arrived, command, self._sender, why)
        self._aside += 1
        return why

    def leave(self) -> None:
        """Count an object of a class that is not read here."""
        self._left += 1

    @property
    def came(self) -> int:
        """How many objects came of the study, those that are not read here among them."""
        return len(self._whole) + self._left

    def keep(self, failed: int = 0) -> Retrieved:
        """Move what came to the spool.

        Raises: Unavailable if the disk is full or can't be written.
        """
        new = again = 0
        try:
            for arrived, uids, command in self._whole:
                try:
                    kept = self.spool.keep(arrived, uids, self._sender)
                    new, again = new + kept, again + (not kept)
                except OtherContentError:
                    self.spool.put_aside(arrived, command, self._sender, OTHER_CONTENT)
                    self._aside += 1
        except OSError as error:
            raise full_disk() from error
        self._whole.clear()
        return Retrieved(new=new, again=again, aside=self._aside, left=self._left, failed=failed)

    def drop(self) -> None:
        """Let go of what did not go to the spool."""
        for arrived, _, _ in self._whole:
            arrived.drop()
        self._whole.clear()

    def check(self) -> None:
        """Refuse to go on where an object could not be taken. Raises: Unavailable if so."""
        if self.fault is Fault.DISK:
            raise full_disk()
        if self.fault is not None:
            raise Unavailable(
                f"an object can't be taken: {self.fault.value}",
                remedy="raise `listen: object_bytes` if it is an image",
            )


def full_disk() -> Unavailable:
    """Say that there is no room for what is fetched."""
    return Unavailable(
        "the disk is full or can't be written; nothing of the study was kept",
        remedy="free some of it, then fetch again",
    )
