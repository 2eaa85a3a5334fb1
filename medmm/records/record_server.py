"""A record from a FHIR R4 server: who the patient is, then what is known, by page.

What comes is put together as one document and read as a record from a file is: whose each resource
is and what it says is judged there, not here.

Source: FHIR R4 search (3.1.1), paging (3.1.1.4), RESTful API http (3.1.0: 429 and 503 with
Retry-After), CapabilityStatement.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from medmm.connections.http import Answer, HttpConnection, NoAnswer
from medmm.connections.sign_in import Credentials, credentials
from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import MatchVerdict, compare_identities
from medmm.domain.imaging_order import IdentifierSystems
from medmm.domain.record_source import READ_KINDS, RecordSource
from medmm.records import json_parser
from medmm.records.bundles import is_resource
from medmm.records.exact_json import ExactJson
from medmm.records.fhir_access import items
from medmm.records.patient import identity_of, is_animal, the_one
from medmm.records.record_folder import RecordFit

FHIR_JSON = "application/fhir+json"
MOST_PAGES = 200  # of one search
AGAIN = (429, 503)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
INCLUDED = {
    "MedicationRequest": "MedicationRequest:medication",
    "MedicationStatement": "MedicationStatement:medication",
}
Json = dict[str, Any]


class NotGiven(Exception):
    """The server gave no record; its words say why, and name nobody."""


@dataclass(slots=True)
class RecordServer:
    """Asks one server; kept, it uses a token again until it ends."""

    source: RecordSource
    systems: IdentifierSystems
    sleep: Callable[[float], None] = time.sleep
    _credentials: Credentials = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._credentials = credentials(self.source.server)

    def fit(self, identity: PatientIdentity | None) -> RecordFit:
        """Ask for the record of the patient of an image, by the patient ID.

        Returns: the record, or why there is none as a whole sentence that names nobody.
        Raises: ConfigError if the server's address may not be spoken to, or a file of a certificate
            or secret can't be read.
        """
        if identity is None or not identity.patient_id:
            return RecordFit(note="The image states no patient ID to ask the record server for.")
        try:
            content = _Inquiry(self, time.monotonic()).record(identity)
        except NotGiven as why:
            return RecordFit(note=f"{why}: the study goes on without a record.")
        except NoAnswer as none:
            return RecordFit(
                note=f"The record server did not answer ({none.code}): the study goes on without "
                "a record."
            )
        return RecordFit(content=content, sha256=hashlib.sha256(content).hexdigest())

    def ask(self, url: str) -> Answer:
        """Ask once, with a new token if that of before is refused.

        Raises: NoAnswer, and ConfigError as `fit`.
        """
        for again in (False, True):
            said = {"Accept": FHIR_JSON, **self._credentials.field()}
            answer = HttpConnection(self.source.server).ask("GET", url, said)
            if answer.status != 401 or again or not self._credentials.renewed():
                break
        return answer


@dataclass(slots=True)
class _Inquiry:
    """All questions about one patient."""

    server: RecordServer
    since: float
    size: int = 0
    _json: ExactJson = field(default_factory=ExactJson)

    @property
    def base(self) -> str:
        return self.server.source.server.url.rstrip("/") + "/"

    def record(self, identity: PatientIdentity) -> bytes:
        """Put the record together, as NDJSON: the patient, then a Bundle for each kind."""
        kinds = self._kinds()
        patient = self._patient(identity)
        lines = [self._json.write(patient)]
        for kind in READ_KINDS:
            if kinds is None or kind in kinds:
                lines += self._found(kind, str(patient["id"]))
        return b"\n".join(lines) + b"\n"

    def _kinds(self) -> frozenset[str] | None:
        """Ask what the server keeps; None if it does not say."""
        answer = self._asked(urljoin(self.base, "metadata"))
        said = self._parsed(answer)
        if answer.status != 200 or said.get("resourceType") != "CapabilityStatement":
            return None
        stated = (items(rest.get("resource") or []) for rest in items(said.get("rest") or []))
        return frozenset(str(one.get("type")) for some in stated for one in some) or None

    def _patient(self, identity: PatientIdentity) -> Json:
        """Find the one patient of this patient ID; what contradicts it is somebody else.

        Raises: NotGiven if there is none or several.
        """
        number, system = identity.patient_id or "", self.server.systems.of_patient(identity)
        if system is None and identity.issuer:
            raise NotGiven("The patient ID of the image may be another hospital's")
        token = number if system is None else f"{system}|{number}"
        until = self.since + self.server.source.wait_for_patient_s
        pause = FIRST_PAUSE_S
        while True:
            asked = self._search("Patient", {"identifier": token})
            with_it = [one for one in asked if _has(one, system, number) and not is_animal(one)]
            if with_it or time.monotonic() >= until:
                break
            self.server.sleep(min(pause, max(0.0, until - time.monotonic())))
            pause = min(2 * pause, LONGEST_PAUSE_S)
        fit = [one for one in the_one(with_it)[0] if _may_be(identity, one)]
        if not with_it:
            raise NotGiven("The record server does not know the patient ID of the image")
        if not fit:
            raise NotGiven("The record server has the patient ID of the image for another patient")
        if len(fit) > 1:
            raise NotGiven(
                f"The record server has {len(fit)} patients of the patient ID of the image"
            )
        return fit[0]

    def _search(self, kind: str, asked: Mapping[str, str]) -> list[Json]:
        """Give the resources of this kind that a search finds.

        Raises: NotGiven if the server does not answer it, or gives a part alone.
        """
        entries, why = self._all_pages(kind, asked)
        if why:
            raise NotGiven(f"The record server {why}")
        found = [entry.get("resource") for entry in entries]
        return [one for one in found if is_resource(one) and one["resourceType"] == kind]

    def _found(self, kind: str, patient: str) -> Iterator[bytes]:
        """Yield what a search finds as a Bundle, and an OperationOutcome for what it lacks."""
        asked = {"patient": patient, "_count": str(self.server.source.page_size)}
        if kind in INCLUDED:
            asked["_include"] = INCLUDED[kind]
        entries, why = self._all_pages(kind, asked)
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        yield self._json.write(bundle)
        if why:
            words = {"severity": "error", "code": "incomplete", "diagnostics": f"{kind}: {why}"}
            yield self._json.write({"resourceType": "OperationOutcome", "issue": [words]})

    def _all_pages(self, kind: str, asked: Mapping[str, str]) -> tuple[list[Json], str]:
        """Follow the pages of a search; give its entries, and what lacks in words or ""."""
        url: str | None = f"{self.base}{kind}?{urlencode(asked)}"
        entries: list[Json] = []
        seen: set[str] = set()
        total = None
        while url is not None:
            if len(seen) == MOST_PAGES or url in seen:
                return entries, "gives pages without end"
            if kind != "Patient" and time.monotonic() >= self.since + self.server.source.longest_s:
                return entries, "takes too long"
            seen.add(url)
            try:
                answer = self._asked(url)
            except NoAnswer as none:
                if not seen - {url} and kind == "Patient":
                    raise
                return entries, f"did not answer ({none.code})"
            page = self._parsed(answer)
            if answer.status != 200 or page.get("resourceType") != "Bundle":
                return entries, f"gave no answer to the search ({answer.code})"
            self.size += len(answer.content)
            if self.size > json_parser.LARGEST_BYTES // 2:
                return entries, f"has more than {json_parser.LARGEST_BYTES // 2} bytes"
            total = self._json.number(page.get("total")) or total
            entries += [_kept(entry) for entry in items(page.get("entry") or [])]
            onward = _next(page)
            if onward is not None and not _same_origin(self.base, url := urljoin(url, onward)):
                return entries, "sends on to another host for further pages"
            url = None if onward is None else url
        matches = sum(_is_match(entry) for entry in entries)
        if total is not None and total.isdigit() and len(total) < 10 and int(total) > matches:
            return entries, f"says that there are {total}, and gave {matches}"
        return entries, ""

    def _asked(self, url: str) -> Answer:
        """Ask, and again while the server is away or asks to wait, as long as a study waits.

        Raises: NoAnswer if there is none by then.
        """
        until, pause = self.since + self.server.source.wait_s, FIRST_PAUSE_S
        while True:
            wait: float | None
            try:
                answer = self.server.ask(url)
            except NoAnswer:
                wait = pause
                if time.monotonic() + wait >= until:
                    raise
            else:
                if answer.status not in AGAIN:
                    return answer
                wait = answer.retry_after_s() or pause
                if time.monotonic() + wait >= until:
                    return answer
            self.server.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _parsed(self, answer: Answer) -> Json:
        """Read an answer; {} if it is no JSON object."""
        try:
            found = self._json.parse(answer.content)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _has(patient: Json, system: str | None, number: str) -> bool:
    """Tell whether a Patient has an identifier: a server may ignore what it searches by."""
    stated = items(patient.get("identifier") or [])
    return any(
        one.get("value") == number and (system is None or one.get("system") == system)
        for one in stated
    )


def _may_be(identity: PatientIdentity, patient: Json) -> bool:
    match = compare_identities(identity, identity_of(patient))
    return match.verdict is not MatchVerdict.MISMATCH


def _kept(entry: Json) -> Json:
    """Keep of an entry what says what it is."""
    return {name: entry[name] for name in ("fullUrl", "resource", "search") if name in entry}


def _is_match(entry: Json) -> bool:
    search = entry.get("search")
    mode = search.get("mode", "match") if isinstance(search, dict) else "match"
    return mode == "match"


def _next(page: Json) -> str | None:
    links = [one for one in items(page.get("link") or []) if one.get("relation") == "next"]
    url = links[0].get("url") if links else None
    return url if isinstance(url, str) else None


def _same_origin(base: str, url: str) -> bool:
    """Tell whether a link stays at the server: its token is shown to nobody else."""
    return _origin(urlsplit(base)) == _origin(urlsplit(url))


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    try:
        port = parts.port or usual
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port
