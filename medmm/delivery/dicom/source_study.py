"""What the DICOM objects of a report are made from, as the verb resolves it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from pydicom.dataset import Dataset

from medmm.delivery.dicom.uids import uid_of
from medmm.domain.errors import StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.record import Coding
from medmm.domain.report import SignedReport
from medmm.domain.study import Study, Volume

# Patient and General Study, type 2 (PS3.3 C.7.1.1, C.7.2.1): present, if only empty
TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
NOT_STATED = "not stated"  # Manufacturer is type 1 in Contributing Equipment Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEquipment:
    """A network as equipment.

    IHE AI Results (RAD TF-3 6.5.3.1) asks for manufacturer, model name, software version and device
    UID. The version is the digest of the weights' manifest, so both change with each retraining.
    """

    identity: ModelIdentity
    manufacturer: str = NOT_STATED

    @property
    def name(self) -> str:
        """Manufacturer's Model Name (0008,1090), LO: 64 characters at most."""
        return self.identity.name[:64]

    @property
    def version(self) -> str:
        """Software Versions (0018,1020): SHA-256 in hex, just as long as LO may be."""
        return self.identity.manifest_sha256[:64]

    @property
    def device_uid(self) -> str:
        """Device UID (0018,1002)."""
        return uid_of("model", self.identity.name, self.identity.manifest_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomOptions:
    """How a destination wants its objects.

    Attributes:
        verifying_organization: whom the signing reader signs for (0040,A027); without it a report
            is written as not verified, since the attribute may not be left empty.
        label_maps: label maps as one segmentation of type LABELMAP, which many receivers don't
            know yet, instead of BINARY.
        time_zone: of the site, for times where the images state no offset from UTC.
    """

    verifying_organization: str | None = None
    label_maps: bool = False
    time_zone: tzinfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStudy:
    """The study that a report is about, with what its objects copy from it.

    Attributes:
        headers: of its images by SOP Instance UID, without pixels. Nothing changes them: who makes
            an object of one takes a copy by `header`.
        reading: what the report's draft rested on; its masks and label maps are segmentations.
        models: the networks of the report, as equipment.
        identity, restated_entry: as in `Printed`.
    """

    study: Study
    headers: Mapping[str, Dataset]
    reading: Reading | None = None
    models: tuple[ModelEquipment, ...] = ()
    identity: PatientIdentity | None = None
    restated_entry: int | None = None
    procedure: Coding | None = None
    options: DicomOptions = field(default_factory=DicomOptions)

    def header(self, sop_uid: str) -> Dataset:
        """Copy the header of an image, absent type 2 elements of patient and study made empty.

        Elements of objects made of one header would else be shared with it, and with each other.

        Raises: StateError if the study's files hold no such image.
        """
        if sop_uid not in self.headers:
            raise StateError(
                "the study keeps no DICOM header of an image that its report names",
                remedy="DICOM objects are made of studies that came as DICOM alone",
                sop_uid=sop_uid,
            )
        copied = deepcopy(self.headers[sop_uid])
        for keyword in TYPE_2:
            if keyword not in copied:
                setattr(copied, keyword, "")
        return copied

    def volume_headers(self, volume: Volume) -> list[Dataset]:
        """Copy the headers of a volume's images, in the order of its slices.

        Raises: as `header`.
        """
        return [self.header(uid) for uid in volume.sop_uids]

    @property
    def first(self) -> Dataset:
        """Header of the image that patient and study are copied from: what was read, if kept.

        Raises: as `header`.
        """
        main = self.study.volume(self.study.main_sha256 or "") or self.study.frontal
        volumes = ([main] if main else []) + list(self.study.volumes)
        uids = [volume.sop_uids[0] for volume in volumes if volume.sop_uids]
        return self.header(next((uid for uid in uids if uid in self.headers), ""))

    def model(self, name: str | None) -> ModelEquipment | None:
        """Return the equipment of this name; of a study that one network read, that one."""
        named = next((one for one in self.models if one.identity.name == name), None)
        only = self.models[0] if len(self.models) == 1 else None
        return named or (only if name is None else None)

    def local_time(self, report: SignedReport) -> datetime:
        """When the report was signed, by the clock that the images' own times are of."""
        stated = _offset(self.first)
        return report.signed_at.astimezone(
            stated or self.options.time_zone or report.signed_at.tzinfo
        )


def _offset(header: Dataset) -> tzinfo | None:
    """Read Timezone Offset From UTC (0008,0201), which holds for all times of an object."""
    try:
        return datetime.strptime(str(header.get("TimezoneOffsetFromUTC") or ""), "%z").tzinfo
    except ValueError:
        return None
