"""The FHIR server that patients' records are asked from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from medmm.config.receivers import MB, BackendServicesEntry, FhirServerEntry, Seconds
from medmm.domain.record_source import READ_SCOPE, RecordSource

Wait = Annotated[float, Field(ge=0, le=3600)]


class ReadingServicesEntry(BackendServicesEntry):
    """A client that signs in by its own key, to read."""

    scope: str = Field(default=READ_SCOPE, pattern=r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$")


class RecordServerEntry(FhirServerEntry):
    """A FHIR R4 server whose record goes with each study that is admitted without one.

    Attributes:
        smart: signs in by a key of medmm's own.
        timeout_s: for one question and all of its answer; a study waits so long for a server that
            takes its connection and says nothing.
        wait_s: how long a study waits for a server that is away or asks to wait.
        wait_for_patient_s: how long for a patient whom the server does not know yet.
        longest_s: how long for all that the server has of a patient.
        page_size: how many resources a page of an answer may hold.
        answer_bytes: how large a page may be.
    """

    kind: Literal["fhir"] = "fhir"
    smart: ReadingServicesEntry | None = None
    answer_bytes: int = Field(default=16 * MB, ge=1024, le=64 * MB)
    timeout_s: Seconds = 20
    wait_s: Wait = 20
    wait_for_patient_s: Wait = 0
    longest_s: Wait = 120
    page_size: int = Field(default=200, ge=1, le=1000)

    def source(self) -> RecordSource:
        """Make the noun of this entry."""
        return RecordSource(
            server=self._server(),
            wait_s=self.wait_s,
            wait_for_patient_s=self.wait_for_patient_s,
            longest_s=self.longest_s,
            page_size=self.page_size,
        )
