"""A PACS that is asked over DICOM associations: C-FIND, C-GET and C-MOVE, study root."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from pynetdicom.status import (
    QR_FIND_SERVICE_CLASS_STATUS,
    QR_GET_SERVICE_CLASS_STATUS,
    QR_MOVE_SERVICE_CLASS_STATUS,
    code_to_category,
)

from medmm.config import DicomSource
from medmm.domain.errors import ConfigError, MedmmError, Unavailable
from medmm.doors.dicom.arriving import (
    IMPLEMENTATION_NAME,
    IMPLEMENTATION_UID,
    ArrivingObject,
)
from medmm.doors.dicom.receiver import Tell, silence
from medmm.doors.dicom.spool import Sender, Spool
from medmm.doors.dicom.tls import CIPHERS
from medmm.doors.dicom.upper_layer import BoundedSocket
from medmm.doors.fetch.getting import GettingProvider, storage_contexts, stored
from medmm.doors.fetch.matches import Found, Retrieved, StudyMatch, StudyQuery
from medmm.doors.fetch.staging import Staging

PDU_BYTES = 131_072
MORE_ANSWERS = 1000  # that are waited for after a search was cancelled
SUCCEEDED, PENDING, WARNING = "Success", "Pending", "Warning"
MOVE_DESTINATION_UNKNOWN = 0xA801
Statuses = Mapping[int, tuple[str, str]]


class Pacs:
    """A PACS among the sources.

    Args:
        tell: told of defects alone, by a word and its details.
        association_bytes: of data sets in one association, which is then aborted.
    """

    def __init__(
        self, name: str, source: DicomSource, tell: Tell, association_bytes: int = 64 << 30
    ) -> None:
        silence(tell)
        self._most_bytes = association_bytes
        _config.LOG_RESPONSE_IDENTIFIERS = False
        self.name, self.source = name, source

    def search(self, query: StudyQuery) -> Found:
        """Ask for studies by C-FIND, and keep those alone that were asked for.

        Raises: Unavailable if the PACS can't be reached, does not answer, or fails; ConfigError if
            it rejects the association or does not offer the service.
        """
        model = StudyRootQueryRetrieveInformationModelFind
        matches: dict[str, StudyMatch] = {}
        others = seen = 0
        cut = False
        with self._associated([build_context(model)]) as link:
            self._refuse_lacking(link, model)
            for status, identifier in link.send_c_find(_keys(query), model, msg_id=1):
                if self._ended(status, QR_FIND_SERVICE_CLASS_STATUS, cut=cut):
                    break
                if identifier is None:
                    continue
                seen += 1
                found = _match(identifier)
                if cut:
                    if seen > self.source.matches + MORE_ANSWERS:
                        link.abort()
                        break
                elif not query.matches(found):
                    others += 1
                elif len(matches) == self.source.matches and found.study_uid not in matches:
                    cut = True
                    link.send_c_cancel(1, query_model=model)
                else:
                    matches[found.study_uid] = found
                if others > MORE_ANSWERS:
                    raise ConfigError(
                        f"the PACS answered {others} studies that were not asked for, and no end",
                        remedy="it ignores a key of the search: ask by another",
                        source=self.name,
                    )
        return Found(matches=tuple(matches.values()), others=others, cut=cut)

    def retrieve(
        self, match: StudyMatch, spool: Spool, wanted: Collection[str], *, incomplete: bool = False
    ) -> Retrieved:
        """Get a study, by C-GET here or by C-MOVE to a listener.

        Args:
            incomplete: keep what came also where the PACS could not send all of it.

        Raises: Unavailable if the PACS can't be reached, breaks off, fails or can't send all of
            it, or the disk is full: then nothing of it goes to the spool; ConfigError as `search`.
        """
        if self.source.move_to is not None:
            return self._moved(match, self.source.move_to)
        sender = Sender(
            id=secrets.token_hex(8),
            calling=self.source.title,
            called=self.name,
            host=self.source.host,
        )
        staging = Staging(spool, wanted, match.study_uid, sender)
        arriving: list[ArrivingObject] = []
        try:
            try:
                failed = self._get(match, staging, wanted, arriving)
            finally:
                staging.check()  # what went wrong here goes before what the PACS says of it
            if failed and not incomplete:
                raise self._not_all(failed, "--incomplete keeps what came")
            return staging.keep(failed)
        finally:
            staging.drop()
            for one in arriving:
                one.drop()

    def _get(
        self,
        match: StudyMatch,
        staging: Staging,
        wanted: Collection[str],
        arriving: list[ArrivingObject],
    ) -> int:
        """Get objects over the association that asks for them. Returns: how many failed."""
        model = StudyRootQueryRetrieveInformationModelGet

        def store(event: Event) -> Dataset:
            return stored(event, staging)

        contexts, roles = storage_contexts(wanted)
        contexts = [build_context(model), *contexts]
        with self._associated(contexts, roles, [(evt.EVT_C_STORE, store)]) as link:
            self._refuse_lacking(link, model)
            if not any(one.as_scp for one in link.accepted_contexts):
                raise ConfigError(
                    "the PACS sends nothing over the association that asks for it (C-GET)",
                    remedy="set `retrieve: move` and move_to for this source",
                    source=self.name,
                )

            def opened(arrived: ArrivingObject, association: Association) -> None:
                arriving[:] = [one for one in arriving if one.fault is None][-16:]
                arriving.append(arrived)

            room, most = staging.spool.room, self._most_bytes
            link.dimse = GettingProvider(link, room, most, lambda: False, opened)
            answers = link.send_c_get(_study(match), model, msg_id=1)
            return self._last(answers, QR_GET_SERVICE_CLASS_STATUS)

    def _moved(self, match: StudyMatch, destination: str) -> Retrieved:
        model = StudyRootQueryRetrieveInformationModelMove
        with self._associated([build_context(model)]) as link:
            self._refuse_lacking(link, model)
            answers = link.send_c_move(_study(match), destination, model, msg_id=1)
            counts: dict[str, int] = {}
            failed = self._last(answers, QR_MOVE_SERVICE_CLASS_STATUS, counts)
        if failed:
            raise self._not_all(failed, "look at the log of the PACS")
        return Retrieved(new=counts.get("Completed", 0), moved_to=destination)

    def _last(
        self,
        answers: Iterator[tuple[Dataset, Dataset | None]],
        statuses: Statuses,
        counts: dict[str, int] | None = None,
    ) -> int:
        """Read the answers to the last one. Returns: how many sub-operations failed."""
        failed = 0
        for status, _ in answers:
            if self._ended(status, statuses):
                failed = int(status.get("NumberOfFailedSuboperations") or 0)
                for word in ("Completed", "Warning"):
                    if counts is not None:
                        counts[word] = int(status.get(f"NumberOf{word}Suboperations") or 0)
        return failed

    def _ended(self, status: Dataset, statuses: Statuses, *, cut: bool = False) -> bool:
        """Tell whether an answer is the last.

        Raises: Unavailable if there is none, or it is a failure; ConfigError if the PACS does not
            know where to send to.
        """
        if "Status" not in status:
            raise Unavailable(
                f"the PACS broke off, or did not answer within {self.source.answer_s:g} s",
                remedy=f"look at its log: it may not know the AE title {self.source.calling}, or "
                "need more time (answer_s of the source)",
                source=self.name,
            )
        code = int(status.Status)
        category = code_to_category(code)
        if category == PENDING:
            return False
        if category in (SUCCEEDED, WARNING) or cut:
            return True
        words = statuses.get(code, ("", ""))[1] or category
        said = f"the PACS answers 0x{code:04X} ({words})"
        if code == MOVE_DESTINATION_UNKNOWN:
            raise ConfigError(
                said,
                remedy=f"name {self.source.move_to} with address and port of `medmm listen` there",
                source=self.name,
            )
        remedy = (
            f"look at its log; some answer so where {self.source.move_to} is unknown or does not "
            "listen"
            if self.source.move_to
            else "look at its log; some can't send compressed images so: try `retrieve: move`"
        )
        raise Unavailable(said, remedy=remedy, source=self.name)

    def _not_all(self, failed: int, remedy: str) -> Unavailable:
        return Unavailable(
            f"the PACS could not send {failed} objects of the study",
            remedy=f"fetch again, or {remedy}",
            source=self.name,
        )

    @contextmanager
    def _associated(
        self,
        contexts: list[PresentationContext],
        roles: list[SCP_SCU_RoleSelectionNegotiation] | None = None,
        handlers: list[Any] | None = None,
    ) -> Iterator[Association]:
        source = self.source
        entity = AE(source.calling)
        entity.implementation_class_uid = IMPLEMENTATION_UID
        entity.implementation_version_name = IMPLEMENTATION_NAME
        entity.connection_timeout = source.connect_s
        entity.acse_timeout = entity.network_timeout = entity.dimse_timeout = source.answer_s
        tls = None if source.tls is None else (self._tls(), source.host)

        def opened(event: Event) -> None:
            _bound(event.assoc, source.answer_s)

        link = entity.associate(
            source.host,
            source.port,
            contexts=contexts,
            ae_title=source.title,
            max_pdu=PDU_BYTES,
            ext_neg=cast("list[Any]", roles or []),
            tls_args=tls,
            evt_handlers=[(evt.EVT_CONN_OPEN, opened), *(handlers or [])],
        )
        try:
            if not link.is_established:
                if link.dul.socket is not None and link.dul.socket.socket is not None:
                    link.dul.socket.socket.close()  # the library may leave it open
                raise self._no_association(link)
            yield link
            if link.is_established:
                link.release()
        finally:
            if link.is_established:
                link.abort()

    def _no_association(self, link: Association) -> MedmmError:
        answered = link.acceptor.primitive
        if link.is_rejected and answered is not None:
            return ConfigError(
                f"the PACS rejects the association: {answered.reason_str}",
                remedy=f"have it know the AE title {self.source.calling}, and correct `title` of "
                "the source",
                source=self.name,
            )
        if link.is_aborted and answered is not None:
            return ConfigError(
                "the PACS offers none of what is asked for", remedy=_OFFER, source=self.name
            )
        return Unavailable(
            "the PACS can't be reached, or ended the association at once",
            remedy="start it, or correct host, port, titles and tls of the source; some PACS end "
            "the association of an AE title that they don't know",
            source=self.name,
        )

    def _refuse_lacking(self, link: Association, model: UID) -> None:
        if not any(one.abstract_syntax == model for one in link.accepted_contexts):
            raise ConfigError(
                f"the PACS does not offer {UID(model).name}", remedy=_OFFER, source=self.name
            )

    def _tls(self) -> ssl.SSLContext:
        """Make the TLS context: 1.2 or newer, certificate and name of the PACS checked."""
        entry = self.source.tls
        try:
            context = ssl.create_default_context(
                cafile=str(entry.ca_file) if entry and entry.ca_file else None
            )
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(CIPHERS)
            if entry and entry.certificate and entry.key:
                context.load_cert_chain(entry.certificate, entry.key, password="")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the certificates of a source can't be used: {type(error).__name__}",
                remedy="correct ca_file, certificate and key (PEM, without a password) under `tls`",
                source=self.name,
            ) from error
        return context


def _bound(link: Association, seconds: float) -> None:
    """Bound the PDUs of a connection, and how long half of one is waited for."""
    found = link.dul.socket
    if found is not None and found.socket is not None:
        found.__class__ = BoundedSocket
        found.socket.settimeout(seconds)
        found.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


_OFFER = "have this service allowed for the AE title, or take another way (`retrieve`)"


def _keys(query: StudyQuery) -> Dataset:
    """Make the identifier of a search; no name of a patient is asked for."""
    made = Dataset()
    texts = (query.patient_id, query.accession)
    if not all(text.isascii() for text in texts if text):
        made.SpecificCharacterSet = "ISO_IR 192"
    made.QueryRetrieveLevel = "STUDY"
    made.StudyInstanceUID = query.study_uid or ""
    made.PatientID = query.patient_id or ""
    made.AccessionNumber = query.accession or ""
    made.StudyDate = query.date_range()
    made.ModalitiesInStudy = ""
    made.NumberOfStudyRelatedInstances = ""
    return made


def _study(match: StudyMatch) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel = "STUDY"
    made.StudyInstanceUID = match.study_uid
    return made


def _match(found: Dataset) -> StudyMatch:
    def text(keyword: str) -> str:
        """Give a value as text: unread, since pydicom quotes values that it doubts."""
        element = found.get_item(keyword) if keyword in found else None
        value = element.value if element is not None else b""
        if not isinstance(value, bytes):
            return ""
        try:
            return value.decode("utf-8").strip(" \0")
        except UnicodeDecodeError:
            return value.decode("latin-1").strip(" \0")

    number = text("NumberOfStudyRelatedInstances")
    return StudyMatch(
        study_uid=text("StudyInstanceUID"),
        patient_id=text("PatientID"),
        accession=text("AccessionNumber"),
        study_date=text("StudyDate"),
        modalities=tuple(one for one in text("ModalitiesInStudy").split("\\") if one),
        instances=int(number) if number.isdigit() and len(number) < 10 else None,
    )
