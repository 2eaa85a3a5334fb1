"""What is asked of a source, and the studies that it answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from medmm.domain.errors import InputError

_WILD = re.compile(r"[*?\\\x00-\x1f]")  # PS3.4 C.2.2.2.4; a backslash would begin another value
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """Which studies are asked for: each key narrows the search.

    Attributes:
        since, until: of the Study Date, both inclusive.
    """

    accession: str | None = None
    patient_id: str | None = None
    study_uid: str | None = None
    since: date | None = None
    until: date | None = None

    def checked(self) -> StudyQuery:
        """Give it back if it may be asked.

        Raises: InputError if it names no patient, accession or study, or holds a wildcard.
        """
        keys = (self.accession, self.patient_id, self.study_uid)
        if not any(keys):
            raise InputError(
                "nothing says which study is asked for",
                remedy="give --study, --accession, or --patient with --from and --to",
            )
        if any(_WILD.search(key) for key in keys if key):
            raise InputError(
                "a wildcard or a backslash in a key would find studies of others",
                remedy="give the whole number or UID",
            )
        if self.study_uid is not None and not _UID.fullmatch(self.study_uid):
            raise InputError("no Study Instance UID", remedy="digits and dots, 64 at most")
        if self.since and self.until and self.until < self.since:
            raise InputError("--to lies before --from", remedy="change them")
        return self

    def date_range(self) -> str:
        """Give the range as a Study Date key (PS3.4 C.2.2.2.5); "" if there is none."""
        if self.since is None and self.until is None:
            return ""
        first, last = (f"{one:%Y%m%d}" if one else "" for one in (self.since, self.until))
        return first if first == last else f"{first}-{last}"

    def matches(self, found: StudyMatch) -> bool:
        """Tell whether a study is one that was asked for: servers ignore keys they don't know."""
        said = (
            (self.accession, found.accession),
            (self.patient_id, found.patient_id),
            (self.study_uid, found.study_uid),
        )
        if not found.study_uid or any(asked is not None and asked != is_ for asked, is_ in said):
            return False
        if not self.date_range():
            return True
        if not re.fullmatch(r"\d{8}", found.study_date):
            return False
        first = f"{self.since:%Y%m%d}" if self.since else ""
        last = f"{self.until:%Y%m%d}" if self.until else "9"
        return first <= found.study_date <= last


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyMatch:
    """A study that a source has, as it says.

    Attributes:
        study_date: as YYYYMMDD; "" if none is stated.
        instances: how many objects it has; None if that is not said.
    """

    study_uid: str
    patient_id: str = ""
    accession: str = ""
    study_date: str = ""
    modalities: tuple[str, ...] = ()
    instances: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found.

    Attributes:
        others: how many studies came that were not asked for.
        cut: whether there are more than may be found.
    """

    matches: tuple[StudyMatch, ...]
    others: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What came of a study.

    Attributes:
        new, again: objects that went to the spool, and those that came before.
        aside: objects that were put aside: of another study, or of other content.
        left: objects of classes that are not read here.
        failed: objects that the source says it could not send.
        moved_to: the AE title that they were sent to; None if they came here.
    """

    new: int = 0
    again: int = 0
    aside: int = 0
    left: int = 0
    failed: int = 0
    moved_to: str | None = None
