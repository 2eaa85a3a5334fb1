"""Looks: what a path or a record was understood as, and what this installation can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import IdentityMatch
from medmm.domain.reading_model import Declaration
from medmm.domain.record import ClinicalContext
from medmm.domain.study import NotEvaluable, Notice, Study, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLook:
    """What one series was understood as, whether or not it passes; no text of the patient.

    Attributes:
        kind: modality, body part and view as understood, in words.
        encoding: transfer syntax or file format.
        polarity: how black and white are stated, and whether the values are inverted for that.
        windows: what is stated for showing; the one that is applied says so.
        objections: everything that the gate's rules have against it, first what they refuse.
        warnings: what a reader would have to know of it.
        volumes: its pictures and stacks whose pixels decode.
        problem: why pixels do not decode.
    """

    series_uid: str
    kind: str
    encoding: str
    file_count: int
    frame_count: int
    polarity: str = ""
    windows: tuple[str, ...] = ()
    objections: tuple[Notice, ...] = ()
    warnings: tuple[Notice, ...] = ()
    volumes: tuple[Volume, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one study of a path was understood as; nothing is stored.

    Exactly one of `study`, `not_evaluable` and `problem` is set. `match` compares the identities of
    image and record where both are there.
    """

    path: str
    study: Study | None = None
    not_evaluable: NotEvaluable | None = None
    problem: str | None = None
    identity: PatientIdentity | None = None
    file_count: int = 0
    series: tuple[SeriesLook, ...] = ()
    context: ClinicalContext | None = None
    match: IdentityMatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """One study found in a folder, or a file of none; nothing was decoded or kept.

    Attributes:
        uid: Study Instance UID; None if it is no study.
        name: where it lies, told from the folder: the topmost folder that holds it alone, else its
            first file.
        path: that place itself.
        files: every file of it, copies too.
        input_sha256: digest of all that a draft of it depends on; never a path.
        inputs: what that is, each by its digest: the contents of its images and of its record,
            settings with models.
        record: the record that fits it, if a folder of records was named and exactly one does.
        record_note: why none does.
        problem: why a file belongs to no study.
        left_out: whether that file is another kind of thing than an image: a text, an archive, a
            DICOMDIR.
    """

    uid: str | None
    name: str
    path: str
    files: tuple[str, ...]
    input_sha256: str
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    record: str | None = None
    record_note: str | None = None
    problem: str | None = None
    left_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntaxSupport:
    """Whether this machine decodes a transfer syntax, and what would help if not.

    Source: DICOM PS3.5 section 10.
    """

    uid: str
    name: str
    decodes: bool
    remedy: str = ""


class Duty(Enum):
    """What a reading model does here."""

    PACKAGED = "packaged"
    ACCEPTED = "accepted here"
    SHADOW = "in shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDuty:
    """What a reading model does here, since when, and on how many studies.

    Attributes:
        since: ISO 8601, UTC: when it was accepted, added, or put back into shadow; "" of a packaged
            one.
        by: the name of who accepted it or put it back; "" where nobody did.
        studies: of an accepted one those that it was measured on, of one in shadow those that it
            read.
    """

    duty: Duty
    since: str = ""
    by: str = ""
    studies: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One network of the catalogue and its state here.

    `state` is "ready", "not installed", "altered" (a digest does not hold) or "another" (sound, but
    not of this release). `added_at` (ISO 8601, UTC) is set where this installation adopted it.
    `declares` is what it reads and states; None of one that reads no study. `duty` is what a
    reading model does in drafts; None of others, and where nobody looked.
    """

    name: str
    task: str
    modality: str
    body_part: str
    findings: tuple[str, ...]
    licence: str
    research_only: bool
    manifest_sha256: str
    state: str
    remedy: str = ""
    added_at: str = ""
    declares: Declaration | None = None
    duty: ModelDuty | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What this installation can decode, run and write.

    `writer_problem` says why the language model that the settings name can't word drafts; "" where
    it can, or none is named. `film_backend` is the library that runs the networks for films, with
    its version.
    """

    syntaxes: tuple[SyntaxSupport, ...]
    models: tuple[ModelRow, ...]
    writer: str
    device: str
    torch_version: str
    film_backend: str
    writer_problem: str = ""
    database: str = ""  # which one keeps the cases, its release and its place; never a password
