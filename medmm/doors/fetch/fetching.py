"""Fetching from a source: search, retrieve, admit, draft."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from medmm.config import DicomSource, DicomwebSource
from medmm.domain.errors import InputError, MedmmError, Unavailable
from medmm.doors.dicom.admissions import Admissions, SourceRules
from medmm.doors.dicom.listening import opened_spool
from medmm.doors.dicom.receiver import Tell
from medmm.doors.dicom.spool import Spool, key_of
from medmm.doors.fetch.dicomweb import DicomwebServer
from medmm.doors.fetch.matches import Found, Retrieved, StudyMatch, StudyQuery
from medmm.doors.fetch.pacs import Pacs

if TYPE_CHECKING:
    from medmm.assistant import Assistant

SPOOL = "fetched"  # of data_dir


class Searched(Protocol):
    """A source that can be asked."""

    def search(self, query: StudyQuery) -> Found: ...  # noqa: D102

    def retrieve(  # noqa: D102
        self, match: StudyMatch, spool: Spool, wanted: Collection[str], *, incomplete: bool = False
    ) -> Retrieved: ...


def source_named(assistant: Assistant, name: str, tell: Tell) -> Searched:
    """Find a source that can be asked.

    Raises: InputError if there is none of that name, or it is a folder.
    """
    sources = assistant.settings.sources
    source = sources.get(name)
    if isinstance(source, DicomSource):
        return Pacs(name, source, tell, assistant.settings.listen.association_bytes)
    if isinstance(source, DicomwebSource):
        return DicomwebServer(name, source)
    asked = [n for n, one in sources.items() if isinstance(one, DicomSource | DicomwebSource)]
    raise InputError(
        f"no PACS or DICOMweb server is named {name!r} under `sources`",
        remedy=f"known: {', '.join(sorted(asked)) or 'none'}; see docs/fetching.md",
    )


def search(source: Searched, query: StudyQuery, tell: Tell) -> Found:
    """Ask a source for studies.

    Raises: InputError if the query may not be asked; as the source does.
    """
    found = source.search(query.checked())
    if found.others:
        tell("others", studies=found.others, why="they were not asked for, and are left")
    return found


def chosen(found: Found, *, every: bool) -> tuple[StudyMatch, ...]:
    """Give the studies that are fetched.

    Raises: InputError if there is none, or more than one and not every one is wanted, or more than
        may be found.
    """
    if not found.matches:
        raise InputError("no study matches", remedy="check the numbers and dates, and the source")
    if found.cut:
        raise InputError(
            f"more than {len(found.matches)} studies match, and none is fetched",
            remedy="narrow the search, or raise `matches` of the source",
        )
    if len(found.matches) > 1 and not every:
        raise InputError(
            f"{len(found.matches)} studies match, and none is fetched",
            remedy="name one with --study, or fetch all of them with --all",
        )
    return found.matches


def fetch(
    assistant: Assistant,
    name: str,
    source: Searched,
    matches: tuple[StudyMatch, ...],
    tell: Tell,
    *,
    incomplete: bool = False,
) -> list[MedmmError | None]:
    """Retrieve studies one after the other, and admit and draft each.

    A study that fails does not keep the others from being fetched.

    Returns: of each study what went wrong; None where nothing did. What was refused, or is held for
        a person, went well.
    Raises: Unavailable if studies came that can't be admitted now; ConfigError if the spool can't
        be used.
    """
    settings = assistant.settings
    failed: list[MedmmError] = []

    def heard(event: str, **said: object) -> None:
        tell(event, **said)
        if event in ("failed", "not-drafted"):
            failed.append(InputError(str(said["reason"]), remedy=str(said["remedy"])))

    outcomes: list[MedmmError | None] = []
    with opened_spool(assistant, SPOOL, "fetch") as spool:
        rules = SourceRules(
            quiet_seconds=0,
            force_seconds=0,
            keep_days=settings.listen.keep_days,
            titles={n: one.rule() for n, one in settings.sources.items()},
        )
        admissions = Admissions(assistant, rules, spool, heard)
        spool.sweep(settings.listen.keep_days)
        for match in matches:
            failed.clear()
            try:
                _fetch_one(assistant, name, source, match, spool, tell, incomplete=incomplete)
            except MedmmError as error:
                failed.append(error)
                key = key_of(match.study_uid)
                tell("not-fetched", study=key, reason=error.problem, remedy=error.remedy)
            while admissions.step():
                pass
            outcomes.append(failed[0] if failed else None)
        if waiting := spool.waiting():
            raise Unavailable(
                f"{waiting} studies came and can't be admitted now",
                remedy="they are kept: the next `medmm fetch` admits them",
                source=name,
            )
    return outcomes


def _fetch_one(
    assistant: Assistant,
    name: str,
    source: Searched,
    match: StudyMatch,
    spool: Spool,
    tell: Tell,
    *,
    incomplete: bool,
) -> None:
    got = source.retrieve(match, spool, assistant.sop_classes, incomplete=incomplete)
    if not (got.new or got.again or got.aside or got.left):
        raise Unavailable(
            "the source found the study and sent nothing of it",
            remedy="look at its log; the study may be on another archive",
            source=name,
        )
    counts = {word: value for word, value in asdict(got).items() if value}
    tell("fetched", study=key_of(match.study_uid), source=name, **counts)
