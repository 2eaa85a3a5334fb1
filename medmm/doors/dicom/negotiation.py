"""Whom an association is accepted from, and what may be sent in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts
from pynetdicom.pdu_primitives import A_ASSOCIATE, SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import PresentationContext, build_context

from medmm.config import ListenEntry

STANDARD_ROOT = "1.2.840.10008."
VERIFICATION = UID("1.2.840.10008.1.1")
STORAGE_SERVICE = UID("1.2.840.10008.4.2")
# PS3.8 9.3.4: result (permanent), source (service user), reason
CALLER_UNKNOWN = (0x01, 0x01, 0x03)
TITLE_UNKNOWN = (0x01, 0x01, 0x07)


def rejection(
    listen: ListenEntry, calling: str, called: str, host: str
) -> tuple[int, int, int] | None:
    """Say how an association is rejected; None if it is accepted.

    Without an address in its entry a caller may come from any.
    """
    address: IPv4Address | IPv6Address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # a caller over IPv4, where both are listened to
    if not listen.any_caller and not any(
        caller.title == calling and (caller.host is None or ip_address(caller.host) == address)
        for caller in listen.callers
    ):
        return CALLER_UNKNOWN
    return None if called in listen.titles else TITLE_UNKNOWN


def offered(request: A_ASSOCIATE) -> list[PresentationContext]:
    """Give what is supported of the contexts that a caller proposes.

    These are verification and every storage class with every transfer syntax that has a name. A
    class that the standard does not know counts as storage: scanners send objects of their makers'
    own classes along with a study, and a sender that can't send one often stops at it.
    """
    syntaxes: dict[UID, list[UID]] = {}
    for context in request.presentation_context_definition_list:
        name = context.abstract_syntax
        if name is not None and (name == VERIFICATION or is_storage(name)):
            syntaxes.setdefault(name, []).extend(context.transfer_syntax)
    supported = {name: in_order(proposed) for name, proposed in syntaxes.items()}
    return [build_context(name, found) for name, found in supported.items() if found]


def as_storage(request: A_ASSOCIATE) -> dict[UID, SOPClassCommonExtendedNegotiation]:
    """Name the proposed classes that pynetdicom does not know for storage.

    Source: PS3.7 D.3.3.6, SOP Class Common Extended Negotiation, which says the same.
    """
    found = {}
    for context in request.presentation_context_definition_list:
        name = context.abstract_syntax
        if name is not None and is_storage(name) and name not in _known_to_pynetdicom():
            item = SOPClassCommonExtendedNegotiation()
            item.sop_class_uid, item.service_class_uid = name, STORAGE_SERVICE
            found[name] = item
    return found


def in_order(proposed: Iterable[UID]) -> list[UID]:
    """Keep the sender's order; explicit VR goes before implicit, which loses private VRs."""
    known = [uid for uid in dict.fromkeys(proposed) if uid in _syntaxes()]
    if ExplicitVRLittleEndian in known and known[0] == ImplicitVRLittleEndian:
        known.remove(ExplicitVRLittleEndian)
        known.insert(0, ExplicitVRLittleEndian)
    return known


def is_storage(name: str) -> bool:
    """Tell whether a SOP class is one of storage: by the standard, or of a maker's own."""
    return name in _storage_classes() or not name.startswith(STANDARD_ROOT)


@cache
def _known_to_pynetdicom() -> frozenset[str]:
    return frozenset(str(one.abstract_syntax) for one in AllStoragePresentationContexts)


@cache
def _storage_classes() -> frozenset[str]:
    """List the storage classes of the standard, retired ones too."""
    named = {
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in name and not uid.startswith("1.2.840.10008.1.")
    }
    return _known_to_pynetdicom() | named


@cache
def _syntaxes() -> frozenset[str]:
    """List the transfer syntaxes of the standard, retired ways of JPEG too, which some store."""
    jpeg = (uid for uid in UID_dictionary if uid.startswith("1.2.840.10008.1.2.4."))
    return frozenset(map(str, (*ALL_TRANSFER_SYNTAXES, *jpeg)))
