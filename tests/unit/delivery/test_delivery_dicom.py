"""A signed report as DICOM objects: what they say, what they copy, what stays the same when they are made again."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from medmm.delivery.dicom.objects import dicom_objects, notices
from medmm.delivery.dicom.references import LABEL_MAP_STORAGE, ObjectReference, references
from medmm.delivery.dicom.segmentations import segmentation
from medmm.delivery.dicom.segmented import Segmented, objection
from medmm.delivery.dicom.source_study import DicomOptions
from medmm.domain.draft import Section
from medmm.domain.errors import InputError, StateError
from medmm.domain.reading import LabelMap
from tests.enhanced_files import axial, enhanced_file
from tests.mr_intakes import study
from tests.signed_studies import KINDS, PATIENT, Signed, signed

SEG_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"


def made(one: Signed, *forms: str) -> dict[str, Dataset]:
    """The objects of the newest version, by the names of their files."""
    objects = dicom_objects(
        one.report, one.versions, one.source, forms or ("sr", "seg", "key-object", "pdf")
    )
    return {one.name: pydicom.dcmread(BytesIO(one.content)) for one in objects}


def items(root: Dataset, value_type: str | None = None) -> list[Dataset]:
    """All content items under one, of a value type."""
    found = []
    for item in root.get("ContentSequence", []):
        if value_type in (None, item.ValueType):
            found.append(item)
        found += items(item, value_type)
    return found


def name_of(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def said(root: Dataset, value_type: str) -> list[tuple[str, str]]:
    """Name and value of text and code items."""
    value = {
        "TEXT": lambda i: i.TextValue,
        "CODE": lambda i: i.ConceptCodeSequence[0].CodeMeaning,
        "UIDREF": lambda i: i.UID,
        "NUM": lambda i: str(i.MeasuredValueSequence[0].NumericValue),
        "PNAME": lambda i: str(i.PersonName),
    }[value_type]
    return [(name_of(i), value(i)) for i in items(root, value_type)]


@pytest.mark.parametrize("kind", KINDS)
def test_made_again_every_object_is_the_same_to_the_byte(kind: str) -> None:
    one = signed(kind)
    for version in (one, one.amended(), one.withdrawn()):
        first, again = (
            dicom_objects(version.report, version.versions, version.source) for _ in range(2)
        )
        assert first == again


def test_sentences_findings_numbers_and_their_network_stand_in_the_tree() -> None:
    sr = made(signed("chest"), "sr")["sr"]
    assert sr.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert sr.SOPClassUID.name == "Comprehensive 3D SR Storage"
    texts = said(sr, "TEXT")
    for statement in signed("chest").report.statements:
        name = "Finding" if statement.section is Section.FINDINGS else "Impression"
        assert (name, statement.text) in texts
    codes = said(sr, "CODE")
    assert ("Finding", "Pleural effusion") in codes
    assert ("Laterality", "Left") in codes
    assert ("Presence of property", "Possible") in codes
    assert ("Pneumothorax", "Not suspected") in codes, "without a place: a qualitative evaluation"
    assert ("Procedure reported", "Imaging procedure") in codes
    assert sr.PerformedProcedureCodeSequence[0].CodeValue == "36554-4"
    assert said(sr, "NUM") == [("cardiothoracic ratio", "0.54")]
    assert ("95 % interval", "0.51 to 0.57") in texts
    assert ("Person Observer Name", "ZZREADER One^") in said(sr, "PNAME")
    assert not [i for i in items(sr, "CONTAINER") if i.ContinuityOfContent != "SEPARATE"]


def test_a_region_is_drawn_on_its_film_in_pixels() -> None:
    one = signed("chest")
    sr = made(one, "sr")["sr"]
    region = next(
        e for s in one.report.statements for e in s.evidence if type(e).__name__ == "RegionEvidence"
    )
    (_, rows, columns), (x0, y0, x1, y1) = one.source.study.volumes[0].shape_zyx, region.box_xyxy
    drawn = items(sr, "SCOORD")[0]
    points = np.array(drawn.GraphicData).reshape(-1, 2)
    assert drawn.GraphicType == "POLYLINE"
    np.testing.assert_allclose(points.min(0), (x0 * columns, y0 * rows), atol=1e-3)
    np.testing.assert_allclose(points.max(0), (x1 * columns, y1 * rows), atol=1e-3)
    np.testing.assert_array_equal(points[0], points[-1])
    image = drawn.ContentSequence[0].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == one.source.study.volumes[0].sop_uids[0]


def test_the_networks_are_the_processing_equipment_with_the_values_of_tree_and_segments() -> None:
    """IHE AI Results, table 6.5.3.1-1; a library among them would be taken for an algorithm."""
    one = signed("brain")
    objects = made(one)
    (model,) = one.source.models
    sr, seg = objects["sr"], objects["seg-1"]
    for each in objects.values():
        processing = [
            i
            for i in each.ContributingEquipmentSequence
            if i.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        ]
        (item,) = processing
        assert item.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Processing Equipment"
        assert (item.Manufacturer, item.ManufacturerModelName) == ("medmm", model.name)
        assert (item.SoftwareVersions, item.DeviceUID) == (model.version, model.device_uid)
        assert not [e for e in each.iterall() if "highdicom" in str(e.value).lower()]
    texts, uids = said(sr, "TEXT"), said(sr, "UIDREF")
    assert ("Device Observer Manufacturer", item.Manufacturer) in texts
    assert ("Device Observer Model Name", item.ManufacturerModelName) in texts
    assert ("Algorithm Name", item.ManufacturerModelName) in texts
    assert ("Algorithm Version", item.SoftwareVersions) in texts
    assert ("Device Observer UID", item.DeviceUID) in uids
    of = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert (of.AlgorithmSource, of.AlgorithmName, of.AlgorithmVersion) == (
        item.Manufacturer,
        item.ManufacturerModelName,
        item.SoftwareVersions,
    )


def test_of_several_networks_medmm_is_the_device_and_each_stands_with_what_it_found() -> None:
    """TID 1004 has room for one device observer."""
    sr = made(signed("chest"), "sr")["sr"]
    assert [v for n, v in said(sr, "TEXT") if n == "Device Observer Name"] == ["medmm"]
    named = [i.ManufacturerModelName for i in sr.ContributingEquipmentSequence]
    assert named == ["ZZ 1", "chest-test", "anatomy-test", "medmm"]
    (device,) = [v for n, v in said(sr, "UIDREF") if n == "Device Observer UID"]
    assert device == sr.ContributingEquipmentSequence[3].DeviceUID
    of = {}
    for group in items(sr, "CONTAINER"):
        if name_of(group) == "Measurement Group":
            algorithms = [v for n, v in said(group, "TEXT") if n == "Algorithm Name"]
            of[(said(group, "NUM") or said(group, "CODE"))[0][1]] = algorithms
    assert of["Pleural effusion"] == ["chest-test"]
    assert of["0.54"] == ["anatomy-test"]


def test_another_training_is_another_device() -> None:
    (model,) = signed("brain").source.models
    trained = replace(model, identity=replace(model.identity, manifest_sha256="2" * 64))
    assert trained.device_uid != model.device_uid


def test_what_a_reader_added_names_no_network() -> None:
    one = signed("brain")
    own = tuple(
        replace(s, author=one.report.signed_by) if s.finding else s for s in one.report.statements
    )
    sr = made(
        replace(one, file=replace(one.file, report=replace(one.report, statements=own))), "sr"
    )
    group = next(i for i in items(sr["sr"], "CONTAINER") if name_of(i) == "Measurement Group")
    assert ("Algorithm Name", "mr-test") not in said(group, "TEXT")


def test_the_signing_reader_verifies_for_the_organisation_of_the_settings() -> None:
    verified = made(signed("chest"), "sr")["sr"]
    (observer,) = verified.VerifyingObserverSequence
    assert (verified.VerificationFlag, verified.CompletionFlag) == ("VERIFIED", "COMPLETE")
    assert (str(observer.VerifyingObserverName), observer.VerifyingOrganization) == (
        "ZZREADER One^",
        "ZZ Hospital",
    )
    assert observer.VerificationDateTime == "20260102093015+0000"
    nobody = signed("chest", organization=None)
    assert made(nobody, "sr")["sr"].VerificationFlag == "UNVERIFIED"
    (notice,) = notices(nobody.report, nobody.source)
    assert "dicom.verifying_organization" in notice


@pytest.mark.parametrize("kind", KINDS)
def test_patient_and_study_are_copied_as_they_are_and_their_source_is_left_alone(kind: str) -> None:
    one = signed(kind)
    before = {uid: deepcopy(header) for uid, header in one.source.headers.items()}
    header = one.source.first
    for each in made(one).values():
        for keyword in PATIENT:
            if keyword not in ("SpecificCharacterSet", "Manufacturer", "ManufacturerModelName"):
                assert each[keyword].value == header[keyword].value, keyword
        assert each.StudyInstanceUID == header.StudyInstanceUID
        each.PatientName = "OTHER^NAME"
    assert dict(one.source.headers) == before


def test_values_that_no_standard_knows_are_copied_and_missing_ones_are_empty() -> None:
    one = signed("brain")
    odd: dict[str, Any] = {"PatientSex": "X", "StudyDate": "2026.01.02", "PatientBirthDate": "1960"}
    headers = {uid: deepcopy(header) for uid, header in one.source.headers.items()}
    absent = ("StudyID", "AccessionNumber", "StudyTime", "SliceThickness", "Manufacturer")
    with pydicom.config.disable_value_validation():
        for header in headers.values():
            for keyword in (*odd, *absent):
                del header[keyword]
            for keyword, value in odd.items():
                setattr(header, keyword, value)
        objects = made(replace(one, source=replace(one.source, headers=headers)))
        assert len(objects) == 4
        for each in objects.values():
            assert {k: each.get(k) for k in odd} == odd
            assert each["StudyID"].is_empty
            assert each["AccessionNumber"].is_empty
        shared = objects["seg-1"].SharedFunctionalGroupsSequence[0]
        assert shared.PixelMeasuresSequence[0].SliceThickness == 8.0, "as its slices are apart"


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 144", "Щербакова^Анна"),
        ("ISO_IR 126", "Διονυσιος"),
        ("ISO_IR 138", "שרון^דבורה"),
        ("ISO_IR 127", "قباني^لنزار"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_of_every_script_arrive_whole_and_in_no_warning(
    charset: str | list[str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The objects are in UTF-8, whatever the images are in; one name has a single component."""
    one = signed("chest")
    headers = {}
    for uid, header in one.source.headers.items():
        stored = deepcopy(header)
        stored.SpecificCharacterSet, stored.PatientName = charset, name
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, stored, implicit_vr=False, little_endian=True)
        headers[uid] = pydicom.dcmread(BytesIO(buffer.getvalue()), force=True)
    for each in made(replace(one, source=replace(one.source, headers=headers))).values():
        assert (str(each.PatientName), each.SpecificCharacterSet) == (name, "ISO_IR 192")
    assert name.split("^")[0] not in caplog.text


def test_times_are_those_of_the_signature_by_the_clock_of_the_images() -> None:
    one = signed("chest")  # whose images state +0100
    for each in made(one).values():
        assert (each.InstanceCreationDate, each.InstanceCreationTime) == ("20260102", "103015")
        assert each.TimezoneOffsetFromUTC == "+0100"


def labels_of(one: Signed, seg: Dataset) -> np.ndarray[Any, Any]:
    """The labels on the volume's grid as highdicom reads them, by the images that the frames name."""
    read = hd.seg.Segmentation.from_dataset(seg)
    uids = one.source.reading.label_maps[0].volume_sha256 if one.source.reading else ""
    volume = one.source.study.volume(uids)
    assert volume is not None
    return read.get_pixels_by_source_instance(
        list(volume.sop_uids), combine_segments=True, assert_missing_frames_are_empty=True
    )


@pytest.mark.parametrize("label_maps", [False, True])
@pytest.mark.parametrize("kind", ["brain", "hippocampus", "heart"])
def test_every_voxel_lies_where_it_lay(kind: str, label_maps: bool) -> None:
    one = signed(kind, label_maps=label_maps)
    seg = made(one, "seg")["seg-1"]
    assert seg.SOPClassUID == (LABEL_MAP_STORAGE if label_maps else SEG_STORAGE)
    assert one.source.reading is not None
    np.testing.assert_array_equal(labels_of(one, seg), one.source.reading.label_maps[0].array())


def test_a_series_that_was_stored_from_head_to_foot_is_not_turned_round() -> None:
    """An array and a list of images in two orders would be one: the mark stays on its slice."""
    one = signed("brain")
    reading = one.source.reading
    assert reading is not None
    (label_map,) = reading.label_maps
    marked = label_map.array().copy()
    marked[0, 5, 7] = 1
    extra = LabelMap.from_array(label_map.name, label_map.volume_sha256, label_map.labels, marked)
    source = replace(
        one.source,
        headers=dict(reversed(one.source.headers.items())),
        reading=replace(reading, label_maps=(extra,)),
    )
    seg = made(replace(one, source=source), "seg")["seg-1"]
    volume = source.study.volumes[0]
    frame = next(
        f
        for f in seg.PerFrameFunctionalGroupsSequence
        if f.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        == volume.sop_uids[0]
    )
    place = frame.PlanePositionSequence[0].ImagePositionPatient
    np.testing.assert_allclose(
        [float(x) for x in place], source.headers[volume.sop_uids[0]].ImagePositionPatient
    )
    np.testing.assert_array_equal(labels_of(replace(one, source=source), seg), marked)


def test_segments_are_coded_named_and_of_a_side() -> None:
    seg = made(signed("hippocampus"), "seg")["seg-1"]
    anterior = seg.SegmentSequence[0]
    assert (anterior.SegmentNumber, anterior.SegmentAlgorithmType) == (1, "AUTOMATIC")
    assert anterior.SegmentLabel == "Anterior hippocampus, right"
    kind = anterior.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("5366008", "SCT")
    side = kind.SegmentedPropertyTypeModifierCodeSequence[0]
    assert (side.CodeValue, side.CodeMeaning) == ("24028007", "Right")
    assert len({s.TrackingUID for s in seg.SegmentSequence}) == 2


def test_a_measurement_refers_to_its_segment_and_one_of_several_segments_names_the_others() -> None:
    one = signed("heart")
    objects = made(one)
    groups = [i for i in items(objects["sr"], "CONTAINER") if name_of(i) == "Measurement Group"]
    of = {said(g, "NUM")[0][0]: g for g in groups if said(g, "NUM")}
    ejection = of["Left ventricular ejection fraction by MR"]
    named = {
        name_of(i): (
            i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
            i.ReferencedSOPSequence[0].ReferencedSegmentNumber,
        )
        for i in items(ejection, "IMAGE")
    }
    assert named["Referenced Segment"] == (objects["seg-1"].SOPInstanceUID, 3)
    assert named["Source of Measurement"] == (objects["seg-2"].SOPInstanceUID, 3)
    volume = of["Left Ventricular ED Volume"]
    assert ("Measurement Method", "Sum of segmented voxel method for volume") in said(
        volume, "CODE"
    )
    assert ("Derivation", "Estimated") in said(volume, "CODE")


def test_a_label_map_that_no_signed_statement_rests_on_stays_here_and_that_is_said() -> None:
    one = signed("brain")
    rejected = tuple(s for s in one.report.statements if not s.evidence or s.finding is None)
    left = tuple(s for s in rejected if not any(hasattr(e, "extent") for e in s.evidence))
    report = replace(one.report, statements=left or one.report.statements[:0])
    without = replace(one, file=replace(one.file, report=report))
    assert [r.form for r in references(report, one.source)] == ["sr", "key-object", "pdf"]
    assert any("brain-lesion is not sent" in n for n in notices(report, one.source))
    assert not items(made(without, "sr")["sr"], "IMAGE")


def test_an_empty_segment_is_described_and_said() -> None:
    one = signed("hippocampus")
    reading = one.source.reading
    assert reading is not None
    first, *others = reading.label_maps
    named = LabelMap.from_array(
        first.name, first.volume_sha256, (*first.labels, "tail"), first.array()
    )
    source = replace(one.source, reading=replace(reading, label_maps=(named, *others)))
    seg = made(replace(one, source=source), "seg")["seg-1"]
    assert [s.SegmentLabel for s in seg.SegmentSequence][2] == "tail"
    assert list(notices(one.report, source)) == [
        "DICOM: segment 3 of hippocampus (tail) has no voxel."
    ]


def test_long_labels_of_outside_models_are_cut_and_their_kind_is_their_own() -> None:
    one = signed("brain")
    reading = one.source.reading
    assert reading is not None
    label, (first,) = "l" * 90, reading.label_maps
    other = LabelMap.from_array(first.name, first.volume_sha256, ("lesion", label), first.array())
    seg = made(
        replace(one, source=replace(one.source, reading=replace(reading, label_maps=(other,)))),
        "seg",
    )["seg-1"]
    segment = seg.SegmentSequence[1]
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    assert len(segment.SegmentLabel) == 64
    assert (kind.LongCodeValue, kind.CodingSchemeDesignator) == (f"brain-lesion/{label}", "99MEDMM")


def test_outlines_of_a_film_have_its_grid_and_no_scale_of_their_own() -> None:
    one = signed("chest")
    seg = made(one, "seg")["seg-1"]
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["Lungs", "Heart"]
    assert "PixelMeasuresSequence" not in seg.SharedFunctionalGroupsSequence[0]
    assert list(seg.PatientOrientation) == ["L", "F"]
    read = hd.seg.Segmentation.from_dataset(seg)
    film = one.source.study.volumes[0]
    pixels = read.get_pixels_by_source_instance([film.sop_uids[0]])
    assert one.source.reading is not None
    for n, mask in enumerate(one.source.reading.masks):
        np.testing.assert_array_equal(pixels[0, ..., n], mask.array())


def test_what_cannot_be_a_segmentation_is_said_with_its_reason() -> None:
    one = signed("brain")
    headers = {uid: deepcopy(h) for uid, h in one.source.headers.items()}
    for header in headers.values():
        del header.FrameOfReferenceUID
    source = replace(one.source, headers=headers)
    assert list(made(replace(one, source=source))) == ["sr", "key-object", "pdf"]
    assert list(notices(one.report, source)) == [
        "DICOM: brain-lesion is no segmentation, because its images don't state their place in the "
        "patient."
    ]


def test_key_objects_are_the_images_that_the_report_cites() -> None:
    brain = signed("brain")
    ko = made(brain, "key-object")["key-object"]
    assert ko.ConceptNameCodeSequence[0].CodeValue == "113000"
    (cited,) = items(ko, "IMAGE")
    extent = next(
        e.extent for s in brain.report.statements for e in s.evidence if hasattr(e, "extent")
    )
    middle = brain.source.study.volumes[0].sop_uids[round(extent.centroid_index_zyx[0])]
    assert cited.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == middle
    (study,) = ko.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert [s.ReferencedSOPInstanceUID for s in series.ReferencedSOPSequence] == [middle]


def test_an_amended_report_has_new_objects_and_names_the_one_before() -> None:
    one = signed("brain")
    before, after = made(one), made(one.amended())
    uids = [{each.SOPInstanceUID for each in objects.values()} for objects in (before, after)]
    assert not set.intersection(*uids)
    assert {each.SeriesInstanceUID for each in before.values()}.isdisjoint(
        each.SeriesInstanceUID for each in after.values()
    )
    (study,) = after["sr"].PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (document,) = series.ReferencedSOPSequence
    assert document.ReferencedSOPInstanceUID == before["sr"].SOPInstanceUID
    assert "PredecessorDocumentsSequence" not in before["sr"]
    tracked = [
        [uid for name, uid in said(o["sr"], "UIDREF") if name == "Tracking Unique Identifier"]
        for o in (before, after)
    ]
    assert set(tracked[1]) & set(tracked[0]), "what is tracked stays the same over versions"


def test_objects_of_a_version_stay_as_they_were_when_it_is_replaced() -> None:
    one = signed("chest")
    later = one.amended()
    first = dicom_objects(one.report, one.versions, one.source)
    assert dicom_objects(one.report, later.versions, later.source) == first


def test_a_withdrawn_report_is_a_note_that_rejects_every_object_of_it() -> None:
    one = signed("heart")
    amended = one.amended()
    note = made(amended.withdrawn(), "sr")
    assert list(note) == ["key-object"], "whatever was asked for"
    title = note["key-object"].ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodeMeaning) == ("113037", "Rejected for Patient Safety Reasons")
    named = {
        i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for i in items(note["key-object"])
        if i.ValueType in ("IMAGE", "COMPOSITE")
    }
    assert named == {
        each.SOPInstanceUID for objects in (made(one), made(amended)) for each in objects.values()
    }
    ((_, words),) = [t for t in said(note["key-object"], "TEXT") if "Description" in t[0]]
    assert words == "Report withdrawn, entered in error. Reason: Of another patient."


def test_the_page_travels_with_its_length_and_sources() -> None:
    pdf = made(signed("chest"), "pdf")["pdf"]
    page = pdf.EncapsulatedDocument[: pdf.EncapsulatedDocumentLength]
    assert page.startswith(b"%PDF-")
    assert page.rstrip().endswith(b"%%EOF")
    assert (pdf.MIMETypeOfEncapsulatedDocument, pdf.BurnedInAnnotation) == (
        "application/pdf",
        "YES",
    )
    assert pdf.SourceInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.826.0.1.3680043.8.498.3"


def test_a_study_that_was_not_kept_as_dicom_has_no_objects() -> None:
    one = signed("brain")
    with pytest.raises(StateError, match="no DICOM header"):
        made(replace(one, source=replace(one.source, headers={})))


def test_headers_that_no_object_can_be_made_of_are_refused_without_their_words() -> None:
    one = signed("brain")
    headers = {uid: deepcopy(h) for uid, h in one.source.headers.items()}
    for header in headers.values():
        del header.ImageOrientationPatient
    with pytest.raises(InputError, match="no seg can be made of the headers") as refused:
        made(replace(one, source=replace(one.source, headers=headers)), "seg")
    assert "ZZ" not in str(refused.value)


def test_a_label_map_of_a_film_is_a_segmentation_without_a_scale() -> None:
    one = signed("chest")
    film = one.source.study.volumes[0]
    labels = np.zeros(film.shape_zyx, dtype=np.uint8)
    labels[0, 10:20, 5:9] = 1
    drawn = LabelMap.from_array("added opacity", film.sha256, ("opacity",), labels)
    of = Segmented(name=drawn.name, volume=film, labels=drawn.labels, drawn=drawn, projection=True)
    own = ObjectReference(
        form="seg",
        study_uid=one.report.study.uid,
        series_uid="1.2.3.7",
        sop_class_uid=SEG_STORAGE,
        sop_uid="1.2.3.6",
        segmented=of,
    )
    assert objection(of, one.source) is None
    read = hd.seg.Segmentation.from_dataset(segmentation(one.report, one.source, own))
    pixels = read.get_pixels_by_source_instance([film.sop_uids[0]], combine_segments=True)
    np.testing.assert_array_equal(pixels, labels)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="no form 'gif'"):
        made(signed("chest"), "gif")


def test_a_site_without_offset_in_its_images_tells_the_time_by_its_own_zone() -> None:
    one = signed("chest")
    headers = {uid: deepcopy(h) for uid, h in one.source.headers.items()}
    for header in headers.values():
        del header.TimezoneOffsetFromUTC
    options = DicomOptions(time_zone=ZoneInfo("Asia/Tokyo"))
    source = replace(one.source, headers=headers, options=options)
    sr = made(replace(one, source=source), "sr")["sr"]
    assert (sr.ContentTime, "TimezoneOffsetFromUTC" in sr) == ("183015", False)


def test_frames_of_a_multi_frame_image_are_marked_by_their_numbers(tmp_path: Path) -> None:
    """Four frames from head to foot, of which a volume has its slices the other way round."""
    path = enhanced_file(tmp_path / "a.dcm", [axial(10.0 * n, n) for n in (4, 3, 2, 1)])
    header = pydicom.dcmread(path, stop_before_pixels=True)
    header.FrameOfReferenceUID = "1.2.4.8"
    one = signed("brain")
    (volume,) = study(tmp_path).volumes
    assert volume.frame_numbers == (4, 3, 2, 1)
    labels = np.zeros(volume.shape_zyx, dtype=np.uint8)
    labels[0, 3, 5] = 1  # the lowest slice, which is frame 4
    drawn = LabelMap.from_array("brain-lesion", volume.sha256, ("lesion",), labels)
    made_up = replace(one.source.study, uid=str(header.StudyInstanceUID), volumes=(volume,))
    source = replace(one.source, study=made_up, headers={volume.sop_uids[0]: header})
    own = ObjectReference(
        form="seg",
        study_uid=made_up.uid,
        series_uid="1.2.4.7",
        sop_class_uid=SEG_STORAGE,
        sop_uid="1.2.4.6",
        segmented=Segmented(
            name="brain-lesion", volume=volume, labels=drawn.labels, drawn=drawn, model="mr-test"
        ),
    )
    seg = segmentation(one.report, source, own)
    read = hd.seg.Segmentation.from_dataset(seg)
    pixels = read.get_pixels_by_source_frame(
        volume.sop_uids[0], [1, 2, 3, 4], assert_missing_frames_are_empty=True
    )
    assert np.argwhere(pixels[..., 0]).tolist() == [[3, 3, 5]]
    (frame,) = seg.PerFrameFunctionalGroupsSequence
    assert frame.PlanePositionSequence[0].ImagePositionPatient == [-30, -40, 10]
