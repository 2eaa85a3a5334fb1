"""A DICOM node of the tests that takes objects in and answers each by what it is told to."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    KeyObjectSelectionDocumentStorage,
    SegmentationStorage,
)

from tests import listener

__all__ = ["KINDS", "Node", "listener", "node"]  # which closes what pynetdicom leaves open
KINDS = (  # of the objects of a chest report, in their order
    Comprehensive3DSRStorage,
    SegmentationStorage,
    KeyObjectSelectionDocumentStorage,
    EncapsulatedPDFStorage,
)


@dataclass
class Node:
    """A node of pynetdicom that answers each object by what it is told to."""

    port: int = 0
    proposed: list[tuple[str, list[str]]] = field(default_factory=list)
    came: list[tuple[str, bytes]] = field(default_factory=list)
    running: list[Association] = field(default_factory=list)


@contextmanager
def node(
    answers: Callable[[int], int | Dataset] = lambda number: 0,
    classes: dict[str, list[str]] | None = None,
    context: ssl.SSLContext | None = None,
    **changes: Any,
) -> Iterator[Node]:
    found = Node()
    entity = AE("PACS")
    for name, value in changes.items():
        setattr(entity, name, value)
    # the default syntax comes first: a node may prefer it
    both = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]
    for name, syntaxes in (classes or dict.fromkeys(KINDS, both)).items():
        entity.add_supported_context(name, syntaxes)

    def requested(event: evt.Event) -> None:
        found.running.append(event.assoc)
        for one in event.assoc.requestor.requested_contexts:
            found.proposed.append((one.abstract_syntax, list(one.transfer_syntax)))

    def stored(event: evt.Event) -> int | Dataset:
        found.came.append((event.request.AffectedSOPInstanceUID, event.request.DataSet.getvalue()))
        return answers(len(found.came))

    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        ssl_context=context,
        evt_handlers=[(evt.EVT_ACCEPTED, requested), (evt.EVT_C_STORE, stored)],
    )
    assert server is not None
    found.port = server.server_address[1]
    try:
        yield found
    finally:
        server.shutdown()
