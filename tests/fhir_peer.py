"""A FHIR R4 server of the tests: transactions with conditional create and update, versions and search, kept in memory.

It does of R4's http.html what a report needs, and counts what was written, so that what a repeat leaves behind is seen.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.http_peer import Peer, Request, serving

Json = dict[str, Any]


class Several(Exception):
    """A search of a conditional request finds several resources: 412."""


@dataclass
class FhirStore:
    """Every resource as it is now, with its versions.

    Attributes:
        takes: what each Bundle is shown to before it is done.
    """

    resources: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    takes: Callable[[bytes], None] = lambda content: None

    def of(self, kind: str) -> list[Json]:
        return [versions[-1] for (k, _), versions in self.resources.items() if k == kind]

    def versions(self, kind: str) -> list[int]:
        return [len(versions) for (k, _), versions in self.resources.items() if k == kind]

    def search(self, kind: str, query: str) -> list[Json]:
        """Find by `identifier` or `patient`; other keys are ignored, as servers do."""
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        assert "identifier" in asked or "patient" in asked
        if "patient" in asked:
            of = f"Patient/{asked['patient'].removeprefix('Patient/')}"
            return [
                one for one in self.of(kind) if of in (_of(one, "subject"), _of(one, "patient"))
            ]
        system, _, value = asked["identifier"].partition("|")
        return [
            resource
            for resource in self.of(kind)
            if any(
                (one.get("system"), one.get("value")) == (system, value)
                for one in resource.get("identifier", ())
            )
        ]

    def keep(self, resource: Json) -> Json:
        """Keep a resource under the id that it has, or a new one."""
        kept = {"id": str(len(self.resources) + 1), **resource}
        self.resources.setdefault((kept["resourceType"], kept["id"]), []).append(kept)
        return kept

    def transaction(self, bundle: Json) -> Json:
        """Do all or, by an exception, nothing."""
        before = copy.deepcopy(self.resources)
        try:
            return self._done(bundle)
        except Several:
            self.resources = before
            raise

    def _done(self, bundle: Json) -> Json:
        places, statuses, written = {}, [], []
        for entry in bundle["entry"]:
            resource, request = entry["resource"], entry["request"]
            kind = resource["resourceType"]
            query = request.get("ifNoneExist") or urlsplit(request["url"]).query
            found = self.search(kind, query) if query else []
            if len(found) > 1:
                raise Several
            if found:
                place = (kind, found[0]["id"])
                statuses.append("200 OK")
            else:
                place = (kind, str(len(self.resources) + 1))
                self.resources[place] = []
                statuses.append("201 Created")
            places[entry["fullUrl"]] = f"{place[0]}/{place[1]}"
            if not found or request["method"] == "PUT":
                self.resources[place].append({"id": place[1]})
                written.append((place, resource))
        for place, resource in written:
            self.resources[place][-1] = {**_resolved(resource, places), "id": place[1]}
        answers = [{"response": {"status": status}} for status in statuses]
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}


def _of(resource: Json, name: str) -> str | None:
    return resource.get(name, {}).get("reference")


def _resolved(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(one, places) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, places) for one in value]
    return places.get(value, value) if isinstance(value, str) else value


def outcome(code: str, words: str = "", severity: str = "error") -> Json:
    issue = {"severity": severity, "code": code, "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


@contextmanager
def fhir_server(
    store: FhirStore, guard: Callable[[Request], bool] = lambda request: True
) -> Iterator[Peer]:
    """A server below `/fhir`; what `guard` has answered itself goes no further."""

    def behaviour(request: Request) -> None:
        if not guard(request):
            return
        parts = urlsplit(request.path)
        kind = parts.path.removeprefix("/fhir/")
        if request.method == "GET" and kind.isalpha() and parts.query:
            entry = [{"resource": one} for one in store.search(kind, parts.query)]
            found = {"resourceType": "Bundle", "type": "searchset", "total": len(entry)}
            request.answer(200, {**found, "entry": entry})
        elif request.method == "POST" and kind.isalpha() and parts.path != "/fhir":
            request.answer(201, store.keep(json.loads(request.body)))
        elif request.method == "POST" and parts.path == "/fhir":
            store.takes(request.body)
            try:
                request.answer(200, store.transaction(json.loads(request.body)))
            except Several:
                request.answer(412, outcome("multiple-matches"))
        else:
            request.answer(404, outcome("not-found"))

    with serving(behaviour) as peer:
        peer.url += "/fhir"
        yield peer


def r4_checker(shared_data: Path) -> Path | None:
    """The R4 checker beside the shared data, if it is there."""
    found = shared_data.parent / "tools" / "fhir_r4_check"
    return found if found.exists() else None


def r4_faults(checker: Path, file: Path) -> str:
    """What the checker says of a file; "" if it is valid R4."""
    done = subprocess.run(
        [sys.executable, str(checker), str(file)], capture_output=True, text=True, timeout=60
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
