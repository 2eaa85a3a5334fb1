"""A DICOMweb server that is asked: QIDO-RS for studies, WADO-RS for objects (PS3.18)."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from pydicom.uid import UID

from medmm.config import DicomwebSource
from medmm.domain.errors import ConfigError, Unavailable
from medmm.doors.dicom.arriving import Command
from medmm.doors.dicom.spool import Sender, Spool
from medmm.doors.fetch.matches import Found, Retrieved, StudyMatch, StudyQuery
from medmm.doors.fetch.multipart import BrokenAnswerError, Multipart, boundary_of
from medmm.doors.fetch.staging import Staging, full_disk
from medmm.doors.fetch.web_origin import WebOrigin
from medmm.doors.folder.file_objects import (
    DIRECTORY,
    NO_CLASS,
    LeftOutError,
    NoRoomError,
    arrived_file,
)

JSON = "application/dicom+json"
# Every transfer syntax, so that nothing is decompressed on the way (PS3.18 8.7.3.5.2)
OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
MOST_JSON_BYTES = 16 << 20
MOST_PAGES = 50
MOST_OBJECTS = 100_000  # of one study
MORE_ANSWERS = 1000  # that were not asked for
_UID = re.compile(r"[0-9.]{1,64}")


class DicomwebServer:
    """A DICOMweb server among the sources.

    Links in its answers are not followed: every address is made of the url of the source.
    """

    def __init__(self, name: str, source: DicomwebSource) -> None:
        self.name, self.source = name, source
        self._origin = WebOrigin(name, source)

    def search(self, query: StudyQuery) -> Found:
        """Ask for studies by QIDO-RS, page by page, and keep those alone that were asked for.

        Raises: Unavailable if the server can't be reached, does not answer, or fails; ConfigError
            if it refuses, sends elsewhere or answers something else.
        """
        matches: dict[str, StudyMatch] = {}
        seen: set[str] = set()
        others = 0
        for found in self._pages(("studies",), _keys(query)):
            study = _match(found)
            if study.study_uid in seen:
                continue
            seen.add(study.study_uid)
            if not query.matches(study):
                others += 1
                if others > MORE_ANSWERS:
                    raise ConfigError(
                        f"the server answered {others} studies that were not asked for, and no end",
                        remedy="it ignores a key of the search: ask by another",
                        source=self.name,
                    )
            elif len(matches) == self.source.matches:
                return Found(matches=tuple(matches.values()), others=others, cut=True)
            else:
                matches[study.study_uid] = study
        return Found(matches=tuple(matches.values()), others=others)

    def retrieve(
        self, match: StudyMatch, spool: Spool, wanted: Collection[str], *, incomplete: bool = False
    ) -> Retrieved:
        """Get a study by WADO-RS, series by series; each object is written as it comes.

        Args:
            incomplete: keep what came also where the server sends fewer objects than it names.

        Raises: Unavailable if the server can't be reached, breaks off, fails or does not send all
            of it, or the disk is full: then nothing of it goes to the spool; ConfigError as
            `search`; InputError if the study is not there.
        """
        host = urlsplit(self.source.url).netloc
        sender = Sender(id=secrets.token_hex(8), calling="", called=self.name, host=host)
        staging = Staging(spool, wanted, match.study_uid, sender)
        until_s = time.monotonic() + self.source.study_s
        try:
            lacking = 0
            for uid, stated in self._series(match.study_uid).items():
                before = staging.came
                self._get(match.study_uid, uid, staging, wanted, until_s)
                lacking += max(0, (stated or 0) - (staging.came - before))
            if lacking and not incomplete:
                raise self._origin.error(
                    f"the server did not send {lacking} objects of the study that it names",
                    "fetch again; --incomplete keeps what came",
                )
            return staging.keep(lacking)
        finally:
            staging.drop()

    def _series(self, study_uid: str) -> dict[str, int | None]:
        """List the series of a study, each with its number of objects if that is said."""
        series: dict[str, int | None] = {}
        path = ("studies", study_uid, "series")
        for found in self._pages(path, {}):
            uid = _text(found, "0020000E")
            if not _UID.fullmatch(uid):
                raise self._answers_else("a series without its UID")
            if _text(found, "0020000D") in ("", study_uid):  # those of another are not asked for
                series.setdefault(uid, _number(found, "00201209"))
        return series

    def _get(
        self,
        study_uid: str,
        series_uid: str,
        staging: Staging,
        wanted: Collection[str],
        until_s: float,
    ) -> None:
        path = ("studies", study_uid, "series", series_uid)
        with self._origin.answer(path, OBJECTS) as response:
            try:
                boundary = boundary_of(response.headers.get("content-type", ""))
                parts = Multipart(boundary, self._origin.parts(response, until_s))
                for number, part in enumerate(parts):
                    if number == MOST_OBJECTS:
                        raise self._origin.error(
                            f"the server sent {number} objects, and no end", "look at its log"
                        )
                    self._take(part, staging, wanted)
            except BrokenAnswerError as error:
                raise self._origin.error(
                    f"the answer of the server is broken: {error}", "fetch again"
                ) from error

    def _take(self, part: Iterator[bytes], staging: Staging, wanted: Collection[str]) -> None:
        """Take one object; one of a class that is not read here is left.

        Raises: Unavailable if it is no DICOM object, too large, or the disk is full.
        """
        try:
            arrived, uids = arrived_file(part, staging.spool.room, wanted)
        except NoRoomError as error:
            raise full_disk() from error
        except LeftOutError as error:
            if str(error) not in (NO_CLASS, DIRECTORY):
                raise self._origin.error(
                    f"an object of the server can't be taken: {error}", "look at its log"
                ) from error
            staging.leave()
            return
        try:
            syntax = arrived.command.syntax if arrived.command else UID("")
            command = Command(
                sop_class=uids.sop_class, sop_instance=uids.sop_instance, syntax=syntax
            )
            staging.add(arrived, uids, command)
        except OSError as error:
            arrived.drop()
            raise full_disk() from error

    def _pages(self, path: tuple[str, ...], keys: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Ask page by page, until one is empty or brings nothing that is new."""
        offset, before = 0, ""
        limit = str(self.source.matches + 1)
        for _ in range(MOST_PAGES):
            page = self._json(path, {**keys, "limit": limit, "offset": str(offset)})
            said = json.dumps(page)
            if not page or said == before:  # a server may not know `offset`
                return
            yield from page
            offset, before = offset + len(page), said
        raise self._origin.error(
            f"the server answered {MOST_PAGES} pages, and no end", "narrow the search"
        )

    def _json(self, path: tuple[str, ...], query: dict[str, str]) -> list[dict[str, Any]]:
        with self._origin.answer(path, JSON, query) as response:
            if response.status_code == 204:
                return []
            body = bytearray()
            until_s = time.monotonic() + self.source.answer_s * 4
            for part in self._origin.parts(response, until_s):
                body += part
                if len(body) > MOST_JSON_BYTES:
                    raise self._answers_else("an answer of more than 16 MiB")
        if not body.strip():
            return []
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise self._answers_else("something that is no JSON") from None
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._answers_else("no list of studies")
        return found

    def _answers_else(self, what: str) -> Unavailable:
        return self._origin.error(
            f"the server answers {what}", "check url of the source: DICOMweb lies there?"
        )


def _keys(query: StudyQuery) -> dict[str, str]:
    said = {
        "StudyInstanceUID": query.study_uid,
        "PatientID": query.patient_id,
        "AccessionNumber": query.accession,
        "StudyDate": query.date_range(),
    }
    return {name: value for name, value in said.items() if value}


def _match(found: dict[str, Any]) -> StudyMatch:
    return StudyMatch(
        study_uid=_text(found, "0020000D"),
        patient_id=_text(found, "00100020"),
        accession=_text(found, "00080050"),
        study_date=_text(found, "00080020"),
        modalities=tuple(str(one) for one in _values(found, "00080061")),
        instances=_number(found, "00201208"),
    )


def _values(found: dict[str, Any], tag: str) -> list[Any]:
    """Give the values of an attribute (PS3.18 F.2.2); none where it is not of that form."""
    element = found.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _text(found: dict[str, Any], tag: str) -> str:
    values = _values(found, tag)
    return values[0].strip() if values and isinstance(values[0], str) else ""


def _number(found: dict[str, Any], tag: str) -> int | None:
    values = _values(found, tag)
    text = str(values[0]) if values else ""  # some servers write numbers as text
    return int(text) if text.isdigit() and len(text) < 10 else None
