"""Tiny folders in the layouts of public sets: random pixels, invented words."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import count as counted
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from medmm.language.report_labeller import LABELS
from medmm.training.data.layouts.splits import split_of

Line = Mapping[str, object]


def table(path: Path, columns: Sequence[str], lines: Iterable[Line]) -> Path:
    """A CSV table, packed where its name ends in .gz; what a line does not state is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def picture(
    path: Path, *, bits: int = 8, seed: int = 0, shape: tuple[int, int] = (5, 7)
) -> np.ndarray:
    """A picture of random values on disk, and its values."""
    kind, most = (np.uint16, 65535) if bits == 16 else (np.uint8, 255)
    values = np.random.default_rng(seed).integers(0, most, shape, endpoint=True).astype(kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return values


CHEXPERT = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABELS)


def chexpert(folder: Path, release: str = "CheXpert-v1.0-small") -> Path:
    """Three films of two patients, one of them lateral, and one for validation."""
    base = {"Sex": "Female", "Age": 68, "Frontal/Lateral": "Frontal", "AP/PA": "AP"}
    train = [
        {**base, "Path": f"{release}/train/patient00001/study1/view1_frontal.jpg", "Edema": "-1.0", "Fracture": "1.0",
         "Pleural Effusion": "0.0", "Lung Lesion": "1.0"},
        {**base, "Path": f"{release}/train/patient00002/study1/view1_frontal.jpg", "No Finding": "1.0", "AP/PA": "PA"},
        {**base, "Path": f"{release}/train/patient00002/study1/view2_lateral.jpg", "Frontal/Lateral": "Lateral",
         "AP/PA": ""},
    ]  # fmt: skip
    valid = [{**base, "Path": f"{release}/valid/patient64541/study1/view1_frontal.jpg", "Sex": "Male",
              **dict.fromkeys(LABELS, "0.0"), "Support Devices": "1.0"}]  # fmt: skip
    for seed, line in enumerate(train + valid):
        picture(folder / str(line["Path"]), seed=seed)
    table(folder / release / "train.csv", CHEXPERT, train)
    table(folder / release / "valid.csv", CHEXPERT, valid)
    return folder


REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ year old with cough

 TECHNIQUE:  Two views.

 FINDINGS:

 The lungs are clear.
 At 10:30 no change: none.

 IMPRESSION:

 No acute process.

 NOTIFICATION:  Told by telephone.
"""
MIMIC_METADATA = ("dicom_id", "subject_id", "study_id", "ViewPosition")


def mimic(folder: Path) -> Path:
    """Two studies of two patients: PA and lateral with a report and labels, AP and one of no stated view without."""
    metadata = [
        {
            "dicom_id": "aa-1",
            "subject_id": "10000032",
            "study_id": "50414267",
            "ViewPosition": "PA",
        },
        {
            "dicom_id": "aa-2",
            "subject_id": "10000032",
            "study_id": "50414267",
            "ViewPosition": "LATERAL",
        },
        {
            "dicom_id": "bb-1",
            "subject_id": "10000764",
            "study_id": "57375967",
            "ViewPosition": "AP",
        },
        {"dicom_id": "bb-2", "subject_id": "10000764", "study_id": "57375967", "ViewPosition": ""},
    ]
    splits = ["train", "train", "validate", "validate"]
    for line in metadata:
        subject, study = line["subject_id"], line["study_id"]
        picture(folder / f"files/p{subject[:2]}/p{subject}/s{study}/{line['dicom_id']}.jpg")
    (folder / "files/p10/p10000032/s50414267.txt").write_text(REPORT)
    table(folder / "mimic-cxr-2.0.0-metadata.csv.gz", MIMIC_METADATA, metadata)
    columns = ("dicom_id", "study_id", "subject_id", "split")
    lines = [
        {"dicom_id": m["dicom_id"], "split": split}
        for m, split in zip(metadata, splits, strict=True)
    ]
    table(folder / "mimic-cxr-2.0.0-split.csv.gz", columns, lines)
    labels = [
        {
            "subject_id": "10000032",
            "study_id": "50414267",
            "Pneumonia": "-1.0",
            "Support Devices": "1.0",
        }
    ]
    table(folder / "mimic-cxr-2.0.0-chexpert.csv.gz", ("subject_id", "study_id", *LABELS), labels)
    return folder


NIH = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Sex", "View Position")


def nih(folder: Path, *, sex_column: str = "Patient Sex", lists: bool = True) -> Path:
    """Four films of three patients in two of the folders that the archives unpack to."""
    lines = [
        {"Image Index": "00000001_000.png", "Finding Labels": "Cardiomegaly|Effusion", "Patient ID": "1",
         "Patient Age": "58", sex_column: "M", "View Position": "PA"},
        {"Image Index": "00000001_001.png", "Finding Labels": "No Finding", "Patient ID": "1",
         "Patient Age": "058Y", sex_column: "M", "View Position": "AP"},
        {"Image Index": "00000002_000.png", "Finding Labels": "Pleural_Thickening", "Patient ID": "2",
         "Patient Age": "414", sex_column: "F", "View Position": "PA"},
        {"Image Index": "00000003_000.png", "Finding Labels": "No Finding", "Patient ID": "3",
         "Patient Age": "30", sex_column: "", "View Position": "PA"},
    ]  # fmt: skip
    columns = tuple(sex_column if name == "Patient Sex" else name for name in NIH)
    table(folder / "Data_Entry_2017_v2020.csv", columns, lines)
    for number, line in enumerate(lines):
        picture(
            folder
            / ("images_001/images" if number < 2 else "images_002/images")
            / str(line["Image Index"])
        )
    if lists:
        (folder / "train_val_list.txt").write_text("00000001_000.png\n00000001_001.png\n")
        (folder / "test_list.txt").write_text("00000002_000.png\n")
    return folder


PADCHEST = (
    "ImageID", "ImageDir", "StudyDate_DICOM", "PatientID", "PatientBirth", "PatientSex_DICOM", "Projection",
    "PhotometricInterpretation_DICOM", "Report", "Labels",
)  # fmt: skip


def padchest(folder: Path) -> Path:
    """Seven films: PA, supine, inverted, lateral, of excluded projection, excluded by label, unchanged."""
    base = {"ImageDir": 0, "StudyDate_DICOM": "20140915", "PatientBirth": "1930.0", "PatientSex_DICOM": "F",
            "Projection": "PA", "PhotometricInterpretation_DICOM": "MONOCHROME2", "Report": "sin hallazg ."}  # fmt: skip
    changes: list[dict[str, object]] = [
        {"Labels": "['cardiomegaly', 'mass', ' aortic elongation', '']"},
        {
            "Labels": "['hydropneumothorax', 'NSG tube']",
            "Projection": "AP_horizontal",
            "PatientSex_DICOM": "O",
        },
        {
            "Labels": "['normal']",
            "PhotometricInterpretation_DICOM": "MONOCHROME1",
            "PatientBirth": "",
        },
        {"Labels": "['normal']", "Projection": "L"},
        {"Labels": "['normal']", "Projection": "EXCLUDE"},
        {"Labels": "['exclude']"},
        {"Labels": "['unchanged']", "Report": ""},
    ]
    lines = [
        {**base, "ImageID": f"{n}_a.png", "PatientID": f"ZZ{n}", **more}
        for n, more in enumerate(changes)
    ]
    table(folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz", PADCHEST, lines)
    for number in range(len(lines)):
        picture(folder / "0" / f"{number}_a.png", bits=16, seed=number)
    return folder


def report_xml(
    uid: str,
    terms: Sequence[str],
    images: Sequence[str],
    caption: str = "Xray Chest PA and Lateral",
    findings: str = "The heart is <b>large</b>.",
) -> str:
    """A report as Open-i gives it."""
    majors = "".join(f"<major>{term}</major>" for term in terms)
    films = "".join(
        f'<parentImage id="{image}"><caption>{caption}</caption></parentImage>' for image in images
    )
    return f"""<?xml version="1.0" encoding="utf-8"?><eCitation><meta type="rr"/><uId id="{uid}"/>
    <MedlineCitation><Article><Abstract>
    <AbstractText Label="COMPARISON">None.</AbstractText><AbstractText Label="INDICATION">Cough</AbstractText>
    <AbstractText Label="FINDINGS">{findings}</AbstractText><AbstractText Label="IMPRESSION"/>
    </Abstract></Article></MedlineCitation>
    <MeSH>{majors}<automatic>pneumonia</automatic></MeSH>{films}</eCitation>"""


def open_i(folder: Path) -> Path:
    """Three reports: with a frontal and a lateral film, with an AP film that nobody indexed, without a film."""
    reports = folder / "ecgen-radiology"
    reports.mkdir(parents=True)
    terms = [
        "Cardiomegaly/mild",
        "Opacity/retrocardiac",
        "Thickening/pleura/left",
        "Aorta/tortuous",
    ]
    first, second, third = "CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001", "CXR2_IM-0652-1001"
    (reports / "1.xml").write_text(report_xml("CXR1", terms, [first, second]))
    (reports / "2.xml").write_text(report_xml("CXR2", ["No Indexing"], [third], "CHEST AP"))
    (reports / "3.xml").write_text(report_xml("CXR3", ["normal"], []))
    for seed, name in enumerate((first, second, third)):
        picture(folder / "NLMCXR_png" / f"{name}.png", seed=seed)
    lines = [
        {"uid": "1", "filename": "1_IM-0001-4001.dcm.png", "projection": "Frontal"},
        {"uid": "1", "filename": "1_IM-0001-3001.dcm.png", "projection": "Lateral"},
        {"uid": "2", "filename": "2_IM-0652-1001.dcm.png", "projection": "Frontal"},
    ]
    table(folder / "indiana_projections.csv", ("uid", "filename", "projection"), lines)
    return folder


SAID = (
    "There is a pleural effusion. The heart is normal in size.",
    "No pleural effusion. Cardiomegaly is present.",
    "No pleural effusion. The heart is normal in size.",
    "There is a pleural effusion. Cardiomegaly is present.",
)


def numbers(split: str, count: int) -> list[int]:
    """The first numbers of Open-i reports that fall into a split."""
    return list(islice((n for n in counted(1) if split_of(f"CXR{n}") == split), count))


def open_i_reports(folder: Path, train: int = 8, val: int = 4, test: int = 1) -> Path:
    """An Open-i folder of reports on effusion and the heart's size, with a frontal film of 64 pixels each."""
    (folder / "ecgen-radiology").mkdir(parents=True)
    chosen = [*numbers("train", train), *numbers("val", val), *numbers("test", test)]
    films = [f"CXR{number}_1_IM-{number:04d}-1001" for number in chosen]
    for place, (number, film) in enumerate(zip(chosen, films, strict=True)):
        xml = report_xml(f"CXR{number}", ["normal"], [film], findings=SAID[place % len(SAID)])
        (folder / "ecgen-radiology" / f"{number}.xml").write_text(xml)
        picture(folder / "NLMCXR_png" / f"{film}.png", seed=number, shape=(64, 64))
    lines = [{"filename": f"{film}.png", "projection": "Frontal"} for film in films]
    table(folder / "projections.csv", ("filename", "projection"), lines)
    return folder


def shared_reports(folder: Path, splits: Mapping[int, str]) -> Path:
    """A data folder whose reports/ hold these numbers, as the shared data give them."""
    reports = folder / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    rows, pairs = [], []
    with zipfile.ZipFile(reports / "films.zip", "w") as shard:
        for place, (number, split) in enumerate(splits.items()):
            words = {
                "findings": SAID[place % len(SAID)],
                "impression": "",
                "exam": "",
                "indication": "Cough",
            }
            rows.append(
                json.dumps({"uid": number, "split": split, "split_source": "made", **words})
            )
            pairs.append({"uid": number, "projection": "frontal", "frontal_rank": 0, "shard": "films.zip",
                          "file": f"{number}.png"})  # fmt: skip
            picture(folder / "one.png", seed=number, shape=(64, 64))
            shard.write(folder / "one.png", f"{number}.png")
    (reports / "reports.jsonl").write_text("\n".join(rows) + "\n")
    table(reports / "pairs.csv", ("uid", "projection", "frontal_rank", "shard", "file"), pairs)
    return folder
