"""What a model that has not been accepted read of a case: kept, and shown in no draft."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medmm.domain.errors import InputError
from medmm.domain.input_figures import InputFigures
from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.study import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReading:
    """What a model in shadow read of a case, or why it read nothing; no draft rests on it.

    Attributes:
        model: the network and the digest of its manifest.
        read_at: when, in UTC.
        seconds: how long it took.
        reading: what it saw.
        why: the reason why it read nothing; exactly one of the two is set.
        input_figures: what it was given; None if its pixels could not be opened.
    """

    case_id: str
    study_uid: str
    model: ModelIdentity
    read_at: datetime
    seconds: float
    reading: Reading | None = None
    why: Notice | None = None
    input_figures: InputFigures | None = None

    def __post_init__(self) -> None:
        if (self.reading is None) == (self.why is None):
            raise InputError(
                "a shadow reading with both or neither of a reading and a reason",
                remedy="give one of them",
                case=self.case_id,
            )

    @property
    def id(self) -> str:
        """The id of its row: a case is read once by one version of a model."""
        return shadow_id(self.case_id, self.model.manifest_sha256)


def shadow_id(case_id: str, manifest_sha256: str) -> str:
    """Name the shadow reading of a case by the model of this manifest."""
    return f"{case_id} {manifest_sha256}"
