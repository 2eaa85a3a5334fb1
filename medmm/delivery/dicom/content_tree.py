"""The content tree of a report as Measurement Report, TID 1500 (DICOM PS3.16).

A coded group stands for each finding that has a place and for each measurement; the sentences that
the reader signed follow under Qualitative Evaluations, word by word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentSequence,
    FindingSite,
    ImageContentItem,
    ImageRegion,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from medmm.delivery.dicom import codes as coded
from medmm.delivery.dicom.equipment import (
    algorithm_in_tree,
    device_observer,
    observing,
    person_observer,
)
from medmm.delivery.dicom.references import SEG, ObjectReference
from medmm.delivery.dicom.segmented import Segmented, extents_of
from medmm.delivery.dicom.source_study import ModelEquipment, SourceStudy
from medmm.delivery.dicom.uids import uid_of
from medmm.delivery.observed import measured, observations, said_of_finding
from medmm.delivery.text import printable
from medmm.domain.draft import CLAIMS, MeasurementEvidence, RegionEvidence, ScoreEvidence, Section
from medmm.domain.errors import needed
from medmm.domain.frame_reference import FrameReference, frame_of
from medmm.domain.reading import Extent, LabelMap
from medmm.domain.report import SignedReport, SignedStatement
from medmm.presentation.report_versions import reader_words
from medmm.presentation.value_words import digits, unit_words

ENGLISH = Code("en", "RFC5646", "English")
QUALITATIVE = Code("C0034375", "UMLS", "Qualitative Evaluations")
TEXTS = {
    Section.CLINICAL_INFORMATION: codes.DCM.History,
    Section.FINDINGS: codes.DCM.Finding,
    Section.IMPRESSION: codes.DCM.Impression,
    Section.ADDENDUM: codes.DCM.Addendum,
}


@dataclass(slots=True, kw_only=True)
class Group:
    """What is stated of one finding, quantity or segment.

    Attributes:
        extents: the segments that it is of, where they are drawn; what is stated of one and the
            same segment stands in one group.
        region: the box of it on a film.
    """

    key: str
    extents: tuple[Extent, ...] = ()
    region: ImageRegion | None = None
    finding: SignedStatement | None = None
    measured: list[tuple[SignedStatement, MeasurementEvidence]] = field(default_factory=list)

    @property
    def first(self) -> SignedStatement:
        """The statement that the group is named by."""
        return self.finding or self.measured[0][0]


def measurement_report(
    report: SignedReport, source: SourceStudy, objects: Sequence[ObjectReference]
) -> ContainerContentItem:
    """Build the root of the tree.

    Args:
        objects: of the same version of the report, of which segmentations are referred to.
    """
    root = ContainerContentItem(
        codes.cid7021.ImagingMeasurementReport, is_content_continuous=False, template_id="1500"
    )
    content = ContentSequence()
    content.extend(LanguageOfContentItemAndDescendants(ENGLISH))
    content.extend(ObservationContext(person_observer(report.signed_by, source)))
    if (device := observing(source)) is not None:
        content.extend(device_observer(device))
    content.append(
        CodeContentItem(
            codes.DCM.ProcedureReported,
            coded.PROCEDURES[source.study.modality],
            RelationshipTypeValues.HAS_CONCEPT_MOD,
        )
    )
    tree = Tree(report, source, objects)
    if groups := [item for group in tree.groups() for item in tree.content(group)]:
        content.append(_container(codes.DCM.ImagingMeasurements, groups))
    content.append(_container(QUALITATIVE, [*tree.placeless(), *_texts(report)]))
    root.ContentSequence = content
    return root


def _container(name: Code, items: Sequence[ContainerContentItem]) -> ContainerContentItem:
    """Make a container of separate items: a viewer would else run them together as prose."""
    made = ContainerContentItem(
        name, is_content_continuous=False, relationship_type=RelationshipTypeValues.CONTAINS
    )
    made.ContentSequence = ContentSequence(items)
    return made


def _texts(report: SignedReport) -> Iterator[TextContentItem]:
    for statement in report.statements:
        words = printable(statement.text)
        if statement.author is not None and statement.author.id != report.signed_by.id:
            words += f" ({reader_words(statement.author)})"
        if words:
            yield _text(TEXTS[statement.section], words)
    if report.not_evaluated:
        unseen = "; ".join(report.not_evaluated)
        yield _text(codes.DCM.Comment, f"Not evaluated by the models: {unseen}.")


def _text(name: Code, words: str) -> TextContentItem:
    return TextContentItem(name, words, RelationshipTypeValues.CONTAINS)


class Tree:
    """The coded part of the tree of one version of a report.

    A finding or measurement with a place is a group; a finding without one is a qualitative
    evaluation. So no report mixes groups with a place (TID 1410, 1411) and others (TID 1501), which
    the standard allows, and PixelMed's validator takes for faulty ones of the former.
    """

    def __init__(
        self, report: SignedReport, source: SourceStudy, objects: Sequence[ObjectReference]
    ) -> None:
        self.report, self.source = report, source
        self.segmentations = [one for one in objects if one.form == SEG]

    def groups(self) -> list[Group]:
        """Gather the observations that have a place, and all measurements."""
        found: dict[str, Group] = {}
        for statement in observations(self.report):
            group = self._group(statement)
            if group is None:
                continue
            known = found.setdefault(group.key, group)
            if known is not group and known.finding is not None and group.finding is not None:
                found[statement.id] = group  # a second finding of the same segment
            elif known is not group:
                known.finding = known.finding or group.finding
                known.measured += group.measured
        return list(found.values())

    def placeless(self) -> Iterator[CodeContentItem]:
        """Yield what is said of each finding that has no place: the finding and its presence."""
        for statement in observations(self.report):
            if statement.finding is None or self._group(statement) is not None:
                continue
            said = coded.presence_code(said_of_finding(statement))
            item = CodeContentItem(
                coded.finding_code(statement.finding), said, RelationshipTypeValues.CONTAINS
            )
            if statement.side is not None:
                side = CodeContentItem(
                    codes.SCT.Laterality,
                    coded.SIDES[statement.side],
                    RelationshipTypeValues.HAS_CONCEPT_MOD,
                )
                item.ContentSequence = ContentSequence([side])
            yield item

    def content(self, group: Group) -> Sequence[ContainerContentItem]:
        """Build the template of a group: of a segment, of a region of a film, or of neither."""
        common = self._common(group)
        items: ContentSequence
        if group.extents:
            items = VolumetricROIMeasurementsAndQualitativeEvaluations(
                referenced_segment=self._segment(group.extents[0]), **common
            )
            items[0].ContentSequence.extend(self._further(group.extents[1:]))
        elif group.region is not None:
            items = PlanarROIMeasurementsAndQualitativeEvaluations(
                referenced_region=group.region, **common
            )
        else:
            items = MeasurementsAndQualitativeEvaluations(source_images=self._images(), **common)
        for item in items:
            item.ContinuityOfContent = "SEPARATE"
        return items

    def _group(self, statement: SignedStatement) -> Group | None:
        """Make the group of a statement alone; None of what has neither place nor number."""
        drawn = tuple(e for e in extents_of(statement) if self._drawn(e))
        of = measured(statement) if statement.finding is None else None
        if statement.finding is None and of is None:
            return None
        region = self._outlined() if of else self._region(statement)
        if of is None and not drawn and region is None:
            return None
        key = statement.id
        if len(drawn) == 1:
            key = f"{drawn[0].label_map}/{drawn[0].label}/{drawn[0].volume_sha256[:12]}"
        return Group(
            key=key,
            extents=drawn,
            region=region,
            finding=statement if of is None else None,
            measured=[] if of is None else [(statement, of)],
        )

    def _common(self, group: Group) -> dict[str, Any]:
        finding, model = group.finding, self._model(group)
        evaluations = []
        if finding is not None:
            said = coded.presence_code(said_of_finding(finding))
            evaluations = [QualitativeEvaluation(coded.PRESENCE, said)]
        return {
            "tracking_identifier": TrackingIdentifier(
                uid=uid_of(self.report.root, "tracking", group.key),
                identifier=f"{self.report.root}/{group.key}",
            ),
            "finding_type": coded.finding_code(finding.finding or "") if finding else None,
            "finding_sites": self._sites(group),
            "algorithm_id": algorithm_in_tree(model) if model else None,
            "measurements": [_number(of) for _, of in group.measured],
            "qualitative_evaluations": evaluations,
        }

    def _sites(self, group: Group) -> list[FindingSite]:
        """Name the structure that was measured, else the part of the body that the study is of."""
        measured_of = [coded.measurement_site(of.name) for _, of in group.measured]
        site = next(filter(None, measured_of), None)
        site = site or coded.BODY_PARTS.get(self.source.study.body_part)
        side = coded.SIDES[group.first.side] if group.first.side else None
        return [FindingSite(anatomic_location=site, laterality=side)] if site else []

    def _model(self, group: Group) -> ModelEquipment | None:
        """Find the network that a group rests on; None of what a person saw."""
        statement = group.first
        if statement.author is not None:
            return None
        name = next((e.model for e in statement.evidence if isinstance(e, ScoreEvidence)), None)
        reading = self.source.reading
        if name is None and reading is not None and group.measured:
            found = reading.measurement(group.measured[0][1].name, statement.side)
            name = found.model if found else None
        return self.source.model(name)

    def _drawn(self, extent: Extent) -> tuple[ObjectReference, Segmented] | None:
        """Find the segmentation that shows a place."""
        wanted = (extent.label_map, extent.volume_sha256)
        for one in self.segmentations:
            of = one.segmented
            if of is not None and (of.name, of.volume.sha256) == wanted:
                return one, of
        return None

    def _segment(self, extent: Extent) -> ReferencedSegment:
        drawn, of = needed(self._drawn(extent), "the segmentation of a place", label=extent.label)
        return ReferencedSegment(
            sop_class_uid=drawn.sop_class_uid,
            sop_instance_uid=drawn.sop_uid,
            segment_number=of.number(extent.label),
            source_series=SourceSeriesForSegmentation(of.volume.series_uid),
        )

    def _further(self, extents: Sequence[Extent]) -> Iterator[ImageContentItem]:
        """Name the further segments of a measurement, since TID 1411 has room for one."""
        for extent in extents:
            drawn, of = needed(self._drawn(extent), "the segmentation of a place")
            yield ImageContentItem(
                codes.DCM.SourceOfMeasurement,
                drawn.sop_class_uid,
                drawn.sop_uid,
                referenced_segment_numbers=[of.number(extent.label)],
                relationship_type=RelationshipTypeValues.CONTAINS,
            )

    def _region(self, finding: SignedStatement) -> ImageRegion | None:
        """Draw the box of a finding on its film."""
        if finding.assertion not in CLAIMS:
            return None
        for evidence in finding.evidence:
            if isinstance(evidence, RegionEvidence) and evidence.image is not None:
                return self._box(evidence.box_xyxy, evidence.image)
        return None

    def _outlined(self) -> ImageRegion | None:
        """Draw the box around the outlines on which a film was measured."""
        of = next((s.segmented for s in self.segmentations if s.segmented), None)
        if of is None or isinstance(of.drawn, LabelMap) or not of.volume.sop_uids:
            return None
        inside = np.any([mask.array() for mask in of.drawn], axis=0)
        if not inside.any():
            return None
        rows, columns = inside.shape
        y, x = np.nonzero(inside)
        box = (x.min() / columns, y.min() / rows, (x.max() + 1) / columns, (y.max() + 1) / rows)
        return self._box(box, frame_of(of.volume))

    def _box(
        self, box_xyxy: tuple[float, float, float, float], image: FrameReference
    ) -> ImageRegion | None:
        """Draw a box as a closed line, in columns and rows from the top left corner."""
        volume = self.source.study.volume(image.volume_sha256)
        if volume is None or image.sop_uid is None:
            return None
        _, rows, columns = volume.shape_zyx
        x0, y0, x1, y1 = box_xyxy
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
        return ImageRegion(
            graphic_type="POLYLINE",
            graphic_data=np.array([(x * columns, y * rows) for x, y in corners]),
            source_image=SourceImageForRegion(
                volume.sop_class_uid,
                image.sop_uid,
                [image.frame_number] if image.frame_number else None,
            ),
        )

    def _images(self) -> list[SourceImageForMeasurementGroup]:
        """Name the films that were read; of a stack the evidence names the images."""
        return [
            SourceImageForMeasurementGroup(volume.sop_class_uid, volume.sop_uids[0])
            for image in self.report.images_read
            if (volume := self.source.study.volume(image.volume_sha256)) is not None
            and len(volume.sop_uids) == 1
            and not volume.frame_numbers
        ]


def _number(of: MeasurementEvidence) -> Measurement:
    """Build a NUM item, with its 95 % interval in words.

    TID 310 has numbers for that, which PixelMed's validator takes for measurements that the value
    was inferred from, and refuses.
    """
    made = Measurement(
        name=coded.measurement_code(of.name),
        value=of.value,
        unit=coded.unit_code(of.unit),
        derivation=codes.cid3627.Estimated,
        method=coded.BY_VOXELS if of.unit in coded.VOLUME_UNITS else None,
    )
    low, high = (digits(limit) for limit in of.interval)
    unit = unit_words(of.unit)
    interval = TextContentItem(
        coded.INTERVAL, f"{low} to {high} {unit}".strip(), RelationshipTypeValues.HAS_PROPERTIES
    )
    made[0].ContentSequence.append(interval)
    return made
