"""Label maps and outlines as DICOM Segmentation, on the grid of their source images.

Source: PS3.3 A.51, C.8.20. Each frame stands with the image it belongs to, by SOP Instance UID:
an array alone would lie the wrong way round in a series that runs from head to foot.
"""

from __future__ import annotations

import numpy as np
from highdicom import PixelMeasuresSequence
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from medmm.delivery.dicom import codes as coded
from medmm.delivery.dicom.equipment import algorithm_of_segments
from medmm.delivery.dicom.finishing import evidence, finished
from medmm.delivery.dicom.references import (
    LABEL_MAP_STORAGE,
    SEG,
    SERIES_NUMBERS,
    ObjectReference,
)
from medmm.delivery.dicom.segmented import Segmented
from medmm.delivery.dicom.source_study import NOT_STATED, ModelEquipment, SourceStudy
from medmm.delivery.dicom.uids import uid_of
from medmm.domain.errors import needed
from medmm.domain.grid import source_frames
from medmm.domain.reading import ModelIdentity
from medmm.domain.report import SignedReport

LONGEST_LABEL = 64  # Segment Label (0062,0005) is LO; a longer one is written all the same
UNKNOWN_MODEL = ModelEquipment(identity=ModelIdentity(name=NOT_STATED, manifest_sha256=NOT_STATED))


def segmentation(report: SignedReport, source: SourceStudy, own: ObjectReference) -> Dataset:
    """Write one label map, or the outlines of one film, as a segmentation.

    Args:
        own: of the segmentation; it names what it is made of, which has no `objection`.
    """
    one = needed(own.segmented, "what a segmentation is made of", sop_uid=own.sop_uid)
    kind = SegmentationTypeValues.BINARY
    if own.sop_class_uid == LABEL_MAP_STORAGE:
        kind = SegmentationTypeValues.LABELMAP
    images = [evidence(header) for header in source.volume_headers(one.volume)]
    measures = _measures(one, images[0])
    for image in images:
        if _thickness_mm(image) is None:  # highdicom asks for it; see below
            image.SliceThickness = 1.0
    made = Segmentation(
        source_images=images,
        pixel_array=_by_frame(one, source),
        segmentation_type=kind,
        segment_descriptions=_descriptions(report, one, source),
        series_instance_uid=own.series_uid,
        series_number=SERIES_NUMBERS[SEG],
        sop_instance_uid=own.sop_uid,
        instance_number=own.number,
        manufacturer="medmm",
        manufacturer_model_name="medmm",
        software_versions="medmm",
        device_serial_number="medmm",
        content_label="MEDMM",
        content_description=f"{one.name}, report version {report.version}"[:LONGEST_LABEL],
        pixel_measures=measures,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set="ISO_IR 192",
    )
    if one.projection:
        _as_projection(made, one, source)
    elif measures is not None:
        made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = measures
    _same_dimensions(made, own)
    return finished(made, report, source)


def _same_dimensions(made: Dataset, own: ObjectReference) -> None:
    """Derive the UID of the dimensions too, which highdicom draws by lot."""
    uid = uid_of(own.sop_uid, "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _by_frame(one: Segmented, source: SourceStudy) -> NDArray[np.uint8]:
    """Order the labels as the frames of the source are: of a multi-frame image all of them."""
    labels = one.by_label()
    if not one.volume.frame_numbers:
        return labels
    count = int(source.header(one.volume.sop_uids[0]).get("NumberOfFrames") or 1)
    frames = np.zeros((count, *labels.shape[1:]), dtype=labels.dtype)
    for frame, plane in zip(source_frames(one.volume), labels, strict=True):
        frames[frame.frame_number - 1] = plane
    return frames


def _measures(one: Segmented, header: Dataset) -> PixelMeasuresSequence | None:
    """State the grid's scale: in the plane as the images do, across it as they lie.

    highdicom makes no object without one; that of a film is taken off again. Where the images state
    no thickness, a voxel of the labels is as thick as its slices are apart.
    """
    if one.projection:
        return PixelMeasuresSequence((1.0, 1.0), 1.0)
    if one.volume.frame_numbers:  # in the functional groups of the image
        return None
    across_mm = one.volume.spacing_z_mm
    return PixelMeasuresSequence(
        needed(one.volume.spacing_yx_mm, "the spacing of a volume", label_map=one.name),
        _thickness_mm(header) or across_mm,
        across_mm,
    )


def _thickness_mm(header: Dataset) -> float | None:
    """Read Slice Thickness (0018,0050); None if it is missing, malformed or 0."""
    try:
        return float(header.get("SliceThickness") or 0) or None
    except (TypeError, ValueError):
        return None


def _as_projection(made: Dataset, one: Segmented, source: SourceStudy) -> None:
    """Take the scale off the segmentation of a film, and say how it lies as the film does.

    A projection has no spacing in the patient, and its grid is that of the image that it refers to.
    """
    del made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    made.PatientOrientation = source.header(one.volume.sop_uids[0]).get("PatientOrientation") or ""


def _descriptions(
    report: SignedReport, one: Segmented, source: SourceStudy
) -> list[SegmentDescription]:
    model = source.model(one.model) or UNKNOWN_MODEL
    sides = dict(one.sides)
    made = []
    for number, label in enumerate(one.labels, start=1):
        term = coded.segment_term(one.name, label)
        side = sides.get(label)
        words = f"{term.words}, {side.value}" if side else term.words
        described = SegmentDescription(
            segment_number=number,
            segment_label=words[:LONGEST_LABEL],
            segmented_property_category=term.category,
            segmented_property_type=term.kind,
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm_of_segments(model),
            tracking_uid=uid_of(report.root, "segment", one.name, label, one.volume.sha256),
            tracking_id=f"{report.root}/{one.name}/{label}"[:LONGEST_LABEL],
        )
        if side is not None:
            item = described.SegmentedPropertyTypeCodeSequence[0]
            item.SegmentedPropertyTypeModifierCodeSequence = [_code(coded.SIDES[side])]
        made.append(described)
    return made


def _code(code: coded.Code) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator = code.value, code.scheme_designator
    made.CodeMeaning = code.meaning
    return made
