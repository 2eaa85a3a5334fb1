"""Who made a report: person, networks and medmm, with the same values everywhere.

Source: IHE AI Results Rev. 1.3, RAD TF-3 6.5.3.1 and table 6.5.3.1-1 (what Contributing Equipment
Sequence says of an algorithm is said alike in the content tree and in segmentations).
"""

from __future__ import annotations

from collections.abc import Iterator

from highdicom import AlgorithmIdentificationSequence, ContributingEquipment
from highdicom.sr import (
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from medmm.delivery.dicom.source_study import ModelEquipment, SourceStudy
from medmm.domain.plain_text import clean
from medmm.domain.reading import ModelIdentity
from medmm.domain.report import Reader
from medmm.domain.version import __version__

MANUFACTURER = MODEL_NAME = "medmm"
OF_SCANNER = (
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "InstitutionName",
    "InstitutionalDepartmentName",
    "StationName",
)
LONGEST_NAME = 62  # of a component group of PN, with the caret that marks a single component


def person_name(reader: Reader) -> str:
    """Write a reader's name as PN: one component, since nothing tells its parts apart."""
    name = clean(reader.name) or reader.id
    return name.translate(str.maketrans("^=\\", "   "))[:LONGEST_NAME].strip() + "^"


def person_observer(reader: Reader, source: SourceStudy) -> ObserverContext:
    """Name the person who signed (TID 1003)."""
    return ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(
            name=person_name(reader),
            organization_name=source.options.verifying_organization,
        ),
    )


# medmm itself, which brings several networks together
MEDMM = ModelEquipment(
    identity=ModelIdentity(name=MODEL_NAME, manifest_sha256=__version__), manufacturer=MANUFACTURER
)


def observing(source: SourceStudy) -> ModelEquipment | None:
    """Find what observed beside the reader: the network that read; of several medmm itself.

    TID 1004 has room for one device. Which network found what stands with each finding.
    """
    if len(source.models) > 1:
        return MEDMM
    return source.models[0] if source.models else None


def device_observer(model: ModelEquipment) -> ObserverContext:
    """Name what observed as a device (TID 1004)."""
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=model.device_uid,
            name=model.name,
            manufacturer_name=model.manufacturer,
            model_name=model.name,
        ),
    )


def algorithm_in_tree(model: ModelEquipment) -> AlgorithmIdentification:
    """Name a network where the tree states what it found (TID 4019)."""
    return AlgorithmIdentification(
        name=model.name, version=model.version, manufacturer=model.manufacturer
    )


def algorithm_of_segments(model: ModelEquipment) -> AlgorithmIdentificationSequence:
    """Name a network in a segmentation (PS3.3 table 10-19)."""
    return AlgorithmIdentificationSequence(
        name=model.name,
        family=codes.cid7162.ArtificialIntelligence,
        version=model.version,
        source=model.manufacturer,
    )


def contributing(source: SourceStudy) -> list[Dataset]:
    """List the scanner and every network that the object rests on."""
    whole = [MEDMM] if observing(source) is MEDMM else []
    return [*_scanner(source.first), *(_model(model) for model in (*source.models, *whole))]


def _scanner(header: Dataset) -> Iterator[Dataset]:
    """Yield what acquired the images, with its elements as they are; nothing without a maker."""
    if not header.get("Manufacturer"):
        return
    item = Dataset()
    for keyword in OF_SCANNER:
        if keyword in header:
            item.add(header[keyword])
    code, purpose = codes.DCM.AcquisitionEquipment, Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = code.value, code.scheme_designator
    purpose.CodeMeaning = code.meaning
    item.PurposeOfReferenceCodeSequence = [purpose]
    yield item


def _model(model: ModelEquipment) -> ContributingEquipment:
    item = ContributingEquipment(
        manufacturer=model.manufacturer,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=model.name,
        software_versions=model.version,
        contribution_description="Software that brought the networks together"
        if model is MEDMM
        else "Network that read the images",
    )
    item.DeviceUID = model.device_uid
    return item


def set_equipment(made: Dataset, source: SourceStudy) -> None:
    """State the equipment of an object, and no library among its algorithms.

    highdicom names itself as Processing Equipment, which a receiver would take for the algorithm;
    it stands in the file's meta information, as the encoder.
    """
    made.Manufacturer, made.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    made.SoftwareVersions, made.DeviceSerialNumber = __version__, __version__
    made.ContributingEquipmentSequence = contributing(source)
