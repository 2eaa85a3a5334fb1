"""Where signed reports go: the destinations of `medmm deliver`, one class a kind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medmm.config.entries import Hl7Entry
from medmm.config.receivers import (
    ClientTlsEntry,
    DicomNodeEntry,
    FhirServerEntry,
    StowEntry,
)
from medmm.domain.model_server import is_loopback
from medmm.domain.study import Modality
from medmm.domain.vocabulary import finding_terms

# As `medmm publish --form` names them
Form = Literal["text", "json", "fhir", "sr", "seg", "key-object", "pdf", "oru"]
DicomForm = Literal["sr", "seg", "key-object", "pdf"]
DICOM_FORMS: tuple[DicomForm, ...] = get_args(DicomForm)


class DestinationEntry(BaseModel):
    """What every destination has: a name, what it gets, and of which reports.

    Attributes:
        name: by which deliveries and the log name it; one that is renamed is another one.
        modalities, findings: only reports of these; empty: of all. A report of which one version
            was addressed to a destination has all later ones addressed there.
        critical_first: whether reports of critical findings go before others.
        give_up_days: for how long a version is tried until it is given up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    forms: tuple[Form, ...] = Field(min_length=1)
    modalities: tuple[Modality, ...] = ()
    findings: tuple[str, ...] = ()
    critical_first: bool = False
    give_up_days: float = Field(default=7, gt=0, le=365)

    @field_validator("findings")
    @classmethod
    def _known_findings(cls, findings: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(findings) - set(finding_terms())):
            raise ValueError(f"no findings of the vocabulary: {', '.join(unknown)}")
        return findings

    @property
    def give_up(self) -> timedelta:
        """For how long a version is tried."""
        return timedelta(days=self.give_up_days)


class FolderEntry(DestinationEntry):
    """A folder, in which another program finds the files; it must be there already."""

    kind: Literal["folder"]
    path: Path

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()


class MllpEntry(DestinationEntry):
    """A receiver of HL7 v2 messages over MLLP.

    Attributes:
        plain: whether patients' data may go over the network without TLS.
        rejected: what AR means here: `postpone`, it can't take the message now; `refuse`, never.
        hl7: how this receiver wants its messages, in place of `hl7` of the settings.
    """

    kind: Literal["mllp"]
    forms: tuple[Literal["oru"], ...] = ("oru",)
    host: str = Field(min_length=1, max_length=253)
    port: int = Field(ge=1, le=65535)
    tls: ClientTlsEntry | None = None
    plain: bool = False
    rejected: Literal["postpone", "refuse"] = "postpone"
    connect_timeout_s: float = Field(default=10, gt=0, le=120)
    answer_timeout_s: float = Field(default=30, gt=0, le=600)
    hl7: Hl7Entry | None = None

    @model_validator(mode="after")
    def _secret_beyond_this_machine(self) -> Self:
        if self.tls is None and not self.plain and not is_loopback(self.host):
            raise ValueError("needs tls; or plain: true, where the network is trusted")
        return self


class DicomNodeDestination(DestinationEntry, DicomNodeEntry):
    """A DICOM node that objects are stored on (C-STORE)."""

    forms: tuple[DicomForm, ...] = DICOM_FORMS


class StowDestination(DestinationEntry, StowEntry):
    """A DICOMweb server that objects are stored on (STOW-RS)."""

    forms: tuple[DicomForm, ...] = DICOM_FORMS


class FhirDestination(DestinationEntry, FhirServerEntry):
    """A FHIR R4 server that reports are written to."""

    forms: tuple[Literal["fhir"], ...] = ("fhir",)


# By the name of its kind, each with one class
KINDS: dict[str, type[DestinationEntry]] = {
    "folder": FolderEntry,
    "mllp": MllpEntry,
    "dicom": DicomNodeDestination,
    "stow": StowDestination,
    "fhir": FhirDestination,
}
Destination = Annotated[
    FolderEntry | MllpEntry | DicomNodeDestination | StowDestination | FhirDestination,
    Field(discriminator="kind"),
]
