"""Writing a report to a FHIR R4 server, as one transaction.

The server is first asked whether it has this version or a later one: a transaction that was
answered by silence may have been done, its Provenance has nothing by which a second one would be
found, and an earlier version must never be written over a later one.

Source: FHIR R4 http.html (transaction, conditional create and update), OperationOutcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from medmm.connections.http import Answer, HttpConnection, NoAnswer
from medmm.connections.sign_in import Credentials, credentials
from medmm.delivery.fhir.elements import URI
from medmm.delivery.fhir.versions import version_in
from medmm.delivery.http_outcome import outcome_of
from medmm.domain.plain_text import clean
from medmm.domain.receivers import FhirReceiver
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission

FHIR_JSON = "application/fhir+json"
LONGEST_REASON = 400  # characters of the server's own words
# FHIR R4 issue-type: its families security and transient are of rights and of the moment, whatever
# the status beside them. The others are of the content.
PASSING_ISSUES = frozenset(
    {
        *("security", "login", "unknown", "expired", "forbidden"),
        *("transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"),
    }
)
ISSUES = PASSING_ISSUES | {
    *("invalid", "structure", "required", "value", "invariant", "suppressed", "processing"),
    *("not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long"),
    *("code-invalid", "extension", "too-costly", "business-rule", "conflict", "informational"),
}


@dataclass(frozen=True, slots=True)
class _Version:
    """Which version of which report a transaction writes.

    Attributes:
        identifier: of the DiagnosticReport, which no version changes.
        entries: how many resources the transaction writes.
    """

    identifier: str
    number: int
    entries: int


@dataclass(slots=True)
class FhirServer:
    """A FHIR R4 server that takes transactions."""

    receiver: FhirReceiver
    _credentials: Credentials = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._credentials = credentials(self.receiver.server)

    def send(self, objects: Sequence[OutgoingObject]) -> Transmission:
        """Write the Bundle of a report, unless the server has this version or a later one.

        Returns: arrived only if the server has the version, from now or before; what each status
            means stands in docs/delivering-receivers.md.

        Raises: ConfigError if the server's address may not be spoken to, or a file of a certificate
            or secret can't be read.
        """
        found = Transmission(outcome=Outcome.ARRIVED, code="NOTHING TO SEND")
        for one in objects:
            try:
                found = self._sent(one)
            except NoAnswer as none:
                return Transmission(outcome=Outcome.POSTPONED, code=none.code, reason=none.reason)
            if found.outcome is not Outcome.ARRIVED:
                break
        return found

    def _sent(self, one: OutgoingObject) -> Transmission:
        version = _version(one.content)
        if version is None:
            return Transmission(
                outcome=Outcome.REFUSED, code="NO TRANSACTION", reason=f"{one.name} is no report"
            )
        looked = self._look(version)
        if looked is not None:
            return looked
        fields = {"Content-Type": FHIR_JSON, "Prefer": "return=minimal"}
        return judged(self._asked("POST", "", fields, one.content), version.entries)

    def _look(self, version: _Version) -> Transmission | None:
        """Ask what the server has of the report; None if the version is still to be written."""
        query = urlencode({"identifier": f"{URI}|{version.identifier}"})
        answer = self._asked("GET", f"/DiagnosticReport?{query}", {})
        bundle = answer.json()
        if answer.status != 200 or not _is(bundle, "Bundle"):
            return _of_status(answer)
        held = [version_in(resource) for resource in _reports(bundle, version.identifier)]
        if max(held, default=0) >= version.number:
            words = "the server has this version, or a later one, from before"
            return Transmission(outcome=Outcome.ARRIVED, code="HTTP 200 FOUND", reason=words)
        return None

    def _asked(
        self, method: str, below: str, fields: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        server = self.receiver.server
        url = f"{server.url.rstrip('/')}{below}"
        for again in (False, True):
            said = {"Accept": FHIR_JSON, **fields, **self._credentials.field()}
            body = (content,) if content else ()
            answer = HttpConnection(server).ask(method, url, said, body)
            if answer.status != 401 or again or not self._credentials.renewed():
                break
        return answer


def judged(answer: Answer, entries: int) -> Transmission:
    """Judge the answer to a transaction.

    Args:
        entries: how many it must name.
    """
    bundle = answer.json()
    if answer.status != 200 or not _is(bundle, "Bundle"):
        return _of_status(answer)
    statuses = [_status_of(entry) for entry in _entries(bundle)]
    if bad := next((status for status in statuses if status // 100 != 2), None):
        # A transaction is done whole or not at all: what is there now, a person must look at.
        return Transmission(
            outcome=Outcome.REFUSED,
            code=f"{answer.code} ENTRY {bad}",
            reason="the server did a part of the transaction alone",
        )
    if len(statuses) != entries or bundle.get("type") != "transaction-response":
        return outcome_of(answer, "it does not name each resource that was written")
    return Transmission(outcome=Outcome.ARRIVED, code=answer.code)


def _of_status(answer: Answer) -> Transmission:
    """Judge an answer that is no Bundle by its status and its OperationOutcome."""
    issues = list(_issues(answer.json()))
    codes = [code for code, _ in issues]
    words = clean("; ".join(dict.fromkeys(said for _, said in issues if said)), LONGEST_REASON)
    found = outcome_of(answer, words)
    if codes and set(codes) <= PASSING_ISSUES:
        found = replace(found, outcome=Outcome.POSTPONED)
    known = next((code for code in codes if code in ISSUES), None)
    return replace(found, code=f"{found.code} {known}") if known else found


def _version(content: bytes) -> _Version | None:
    """Find the report in a transaction; None if there is none."""
    try:
        bundle = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not _is(bundle, "Bundle") or bundle.get("type") != "transaction":
        return None
    entries = list(_entries(bundle))
    for entry in entries:
        resource = entry.get("resource")
        if _is(resource, "DiagnosticReport"):
            own = [value for system, value in _identifiers(resource) if system == URI]
            return _Version(own[0], version_in(resource), len(entries)) if own else None
    return None


def _reports(bundle: Any, identifier: str) -> Iterator[Any]:
    """List the reports of an identifier: a server may ignore what it searches by."""
    for entry in _entries(bundle):
        resource = entry.get("resource")
        named = _is(resource, "DiagnosticReport")
        if named and (URI, identifier) in _identifiers(resource):
            yield resource


def _identifiers(resource: Any) -> list[tuple[Any, Any]]:
    found = resource.get("identifier")
    found = found if isinstance(found, list) else []
    return [(one.get("system"), one.get("value")) for one in found if isinstance(one, dict)]


def _entries(bundle: Any) -> Iterator[Any]:
    found = bundle.get("entry")
    yield from (one for one in (found if isinstance(found, list) else []) if isinstance(one, dict))


def _status_of(entry: Any) -> int:
    """Read the status of an entry, such as "201 Created"; 0 if there is none."""
    response = entry.get("response")
    said = response.get("status") if isinstance(response, dict) else None
    digits = said[:3] if isinstance(said, str) else ""
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _issues(outcome: Any) -> Iterator[tuple[str, str]]:
    """Read code and words of each error of an OperationOutcome."""
    if not _is(outcome, "OperationOutcome"):
        return
    found = outcome.get("issue")
    for issue in found if isinstance(found, list) else []:
        if not isinstance(issue, dict) or issue.get("severity") not in ("fatal", "error"):
            continue
        details = issue.get("details")
        text = details.get("text") if isinstance(details, dict) else None
        where = issue.get("expression")
        where = ", ".join(map(str, where)) if isinstance(where, list) else ""
        words = [one for one in (text, issue.get("diagnostics")) if isinstance(one, str)]
        yield str(issue.get("code")), f"{'; '.join(words)}{f' at {where}' if where else ''}"


def _is(resource: Any, kind: str) -> bool:
    return isinstance(resource, dict) and resource.get("resourceType") == kind
