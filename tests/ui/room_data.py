"""A data folder of a reading room with films and a head, drafted by networks of the tests: nothing loads torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from medmm import Assistant
from medmm.domain.measurement_formulas import voxel_count, voxel_ml
from medmm.domain.reading import LabelMap, Reading
from medmm.domain.report import CaseFile
from medmm.domain.study import Study
from tests import mr_phantoms
from tests.dicom_files import film_file, mr_file, picture
from tests.factories import MR_MODEL
from tests.mr_readings import finding, measured_as, place
from tests.quick_assistant import opened, quick_assistant
from tests.ui.drafted_case import LINKS, SCRIPT

READERS = [
    {"id": "reader-1", "name": "ZZREADER One", "role": "attending"},
    {"id": "reader-2", "name": "ZZREADER Two", "role": "attending"},
]
# The patient of the demo's record
OF_THE_RECORD = {
    "PatientID": "9RG1",
    "PatientName": "CompressedSamples^RG1",
    "PatientBirthDate": "19400305",
    "PatientSex": "F",
}
# Repetition, echo and inversion times of a FLAIR sequence, in ms
FLAIR = {"RepetitionTime": 9000, "EchoTime": 120, "InversionTime": 2500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The settings of the folder, and its cases by id: films, and a head by MR."""

    config: Path
    films: tuple[str, ...]
    head: str

    def case(self, case_id: str) -> CaseFile:
        """A case as it is kept now; a look of the service."""
        with Assistant.from_config(self.config) as assistant:
            return assistant.case(case_id, pixels=False)


class ReadsHeads:
    """Marks the lesion of the phantom."""

    def read(self, study: Study) -> Reading:
        flair, lesion = study.volumes[0], enlarged(mr_phantoms.head()[1])
        marked = LabelMap.from_array("brain-lesion", flair.sha256, ("lesion",), lesion)
        extent, size_ml = place(marked, "lesion", flair, 0.0), voxel_ml(flair)
        assert size_ml is not None
        volume = measured_as("lesion volume", voxel_count(marked, "lesion") * size_ml, extent)
        return Reading(
            study_uid=study.uid,
            models=(MR_MODEL,),
            findings=(finding("brain lesion", 0.91, rule_out=0.2, extent=extent),),
            measurements=(volume,),
            label_maps=(marked,),
        )


def enlarged(pixels: NDArray[Any]) -> NDArray[Any]:
    """Twice as many rows and columns: the gate takes no picture under 64 pixels."""
    return pixels.repeat(2, axis=-2).repeat(2, axis=-1)


def furnished(folder: Path, films: int) -> Room:
    """Admit and draft films of as many patients, the first with a record, and one head."""
    config, data = folder / "settings.yaml", folder / "data"
    config.write_text(yaml.safe_dump({"data_dir": str(data), "threads": 1, "readers": READERS}))
    with quick_assistant(data) as assistant:
        found = [_film(assistant, folder / "in", number) for number in range(films)]
    with quick_assistant(data, reader=ReadsHeads()) as assistant:
        head = opened(assistant, _head(folder / "head"))
        assistant.draft(head)
    return Room(config=config, films=tuple(found), head=head)


def _film(assistant: Assistant, folder: Path, number: int) -> str:
    patient = {"PatientID": f"ZZ-7{number}", "PatientName": f"ZZFILM{number}^NOBODY"}
    path = film_file(
        folder,
        f"{number}.dcm",
        np.maximum(picture(), np.uint16(10 * number)),
        StudyInstanceUID=f"1.2.826.0.1.3680043.8.498.77.{number}",
        SeriesInstanceUID=f"1.2.826.0.1.3680043.8.498.77.{number}.1",
        SOPInstanceUID=f"1.2.826.0.1.3680043.8.498.77.{number}.1.1",
        **(OF_THE_RECORD if number == 0 else patient),
    )
    how = {"record": _record(folder / "record.json")} if number == 0 else {}
    case_id = opened(assistant, path, **how)
    assistant.draft(case_id)
    return case_id


def _record(path: Path) -> Path:
    text = files("medmm.doors").joinpath("demo_record.json").read_text(encoding="utf-8")
    text = text.replace("Cough for three weeks", SCRIPT.replace('"', '\\"'))
    text = text.replace('"authoredOn": "1995-09-25"', '"authoredOn": "2020-03-03"')  # of the film
    path.write_text(text.replace('"Hypertension"', f'"Hypertension {LINKS}"'))
    return path


def _head(folder: Path) -> Path:
    flair = mr_phantoms.head()[0][0]
    for index in range(flair.shape_zyx[0]):
        pixels = enlarged((flair.frame(index) * 4000).astype(np.uint16))
        mr_file(
            folder,
            f"{index:02}.dcm",
            -40.0 + 8.0 * index,
            pixels=pixels,
            PixelSpacing=[2.25, 2.25],
            SliceThickness=8,
            ImagePositionPatient=[-87.75, -105.0, -40.0 + 8.0 * index],
            SeriesDescription="AX FLAIR",
            PatientName="ZZHEAD^NOBODY",
            **FLAIR,
        )
    return folder
