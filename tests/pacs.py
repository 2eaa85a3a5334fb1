"""A PACS of the tests on loopback: it finds and sends what it was given, or misbehaves as it is told."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from tests.listener import WANTED


@dataclass
class ToyPacs:
    """What it has, how it behaves, and whom it knows."""

    objects: list[Dataset] = field(default_factory=list)
    answers: Callable[[Dataset], list[Dataset]] | None = None  # of a search, in place of its own
    during_get: Callable[[evt.Event, int], None] = lambda event, number: None
    also_sends: list[Dataset] = field(default_factory=list)
    silent_s: float = 0.0
    destinations: dict[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[Dataset] = field(default_factory=list)
    cancelled: bool = False
    port: int = 0

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        time.sleep(self.silent_s)
        self.asked.append(event.identifier)
        for found in (self.answers or self.own)(event.identifier):
            if event.is_cancelled:
                self.cancelled = True
                yield 0xFE00, None
                return
            yield 0xFF00, found

    def own(self, asked: Dataset) -> list[Dataset]:
        found = {}
        for one in self.objects:
            keys = {k: one.get(k, "") for k in ("StudyInstanceUID", "PatientID", "AccessionNumber")}
            if all(asked.get(k) in ("", None, value) for k, value in keys.items()):
                made = found.setdefault(one.StudyInstanceUID, Dataset())
                for keyword, value in keys.items():
                    setattr(made, keyword, value)
                made.StudyDate = one.get("StudyDate", one.get("AcquisitionDate", ""))
                made.ModalitiesInStudy = one.Modality
                made.NumberOfStudyRelatedInstances = (
                    made.get("NumberOfStudyRelatedInstances", 0) + 1
                )
        return list(found.values())

    def _of(self, event: evt.Event) -> list[Dataset]:
        uid = event.identifier.StudyInstanceUID
        return [one for one in self.objects if uid == one.StudyInstanceUID] + self.also_sends

    def get(self, event: evt.Event) -> Iterator[Any]:
        found = self._of(event)
        yield len(found)
        for number, one in enumerate(found):
            self.during_get(event, number)
            yield 0xFF00, one

    def move(self, event: evt.Event) -> Iterator[Any]:
        known = self.destinations.get(event.move_destination)
        if known is None:
            yield None, None
            return
        yield (*known, {"ae_title": event.move_destination})
        found = self._of(event)
        yield len(found)
        for one in found:
            yield 0xFF00, one


@contextmanager
def pacs(
    *files: Path, refuse: bool = False, tls: ssl.SSLContext | None = None, **how: Any
) -> Iterator[ToyPacs]:
    """A PACS that has these files."""
    toy = ToyPacs([dcmread(file) for file in files], **how)
    entity = AE("TOYPACS")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    if refuse:
        entity.require_calling_aet = ["NOBODY"]
    for name in (*WANTED, ComprehensiveSRStorage):
        entity.add_supported_context(name, ALL_TRANSFER_SYNTAXES, scu_role=True, scp_role=True)
        entity.add_requested_context(name)
    handlers = [
        (evt.EVT_C_FIND, toy.find),
        (evt.EVT_C_GET, toy.get),
        (evt.EVT_C_MOVE, toy.move),
    ]
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=tls
    )
    toy.port = server.server_address[1]
    try:
        yield toy
    finally:
        server.shutdown()
