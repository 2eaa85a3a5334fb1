"""The reader of MR: which network reads which body part, and what is said without one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medmm.domain.errors import IntegrityError
from medmm.domain.reading import Reading
from medmm.domain.study import Study
from medmm.models.mr import reading_model
from medmm.models.mr.intervals import measured
from medmm.models.mr.reading_model import OF_BODY_PART, MrReader
from medmm.models.weights.catalogue import CatalogueRow, row_named
from medmm.training.weights_export import write_manifest, write_weights_folder
from tests.factories import make_mr_study
from tests.volume_models import TINY, tiny


class Said:
    """A network that answers with its own name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, study: Study) -> Reading:
        return Reading(study_uid=f"{study.uid}/{self.name}")


def test_each_body_part_is_read_by_its_own_network() -> None:
    reader = MrReader(models={part: Said(name) for part, (name, _) in OF_BODY_PART.items()})
    for part, name in (
        ("BRAIN", "brain-lesion"),
        ("HEART", "cardiac"),
        ("HIPPOCAMPUS", "hippocampus"),
    ):
        study = make_mr_study(part)
        assert reader.read(study).study_uid == f"{study.uid}/{name}"


@pytest.mark.parametrize("part", ["BRAIN", "HEART", "HIPPOCAMPUS"])
def test_without_weights_the_reading_says_so(tmp_path: Path, part: str) -> None:
    reading = MrReader.open(tmp_path, device="cpu").read(make_mr_study(part))
    (warning,) = reading.warnings
    assert warning.code == "no-reading-model"
    assert part in warning.text
    assert (reading.models, reading.findings, reading.measurements, reading.label_maps) == (
        (),
        (),
        (),
        (),
    )


def test_a_body_part_without_a_network_says_so() -> None:
    study = replace(make_mr_study(), body_part="KNEE")
    reading = MrReader(models={"BRAIN": Said("x")}).read(study)
    assert "KNEE" in reading.warnings[0].text


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogueRow:
    """Tiny random weights of the hippocampus in `folder`, with their digest in the catalogue."""
    preprocessing = {
        "spacing_zyx_mm": [1.0, 1.0, 1.0],
        "side_px": None,
        "window_zyx": [16, 16, 16],
        "multiple_zyx": [2, 2, 2],
        "flips": [2],
    }
    calibration = {
        "hippocampus volume": {"kind": "relative", "half_width": 0.1},
        "plausible_ml": [0.0, 1e6],
    }
    labels = ["anterior hippocampus", "posterior hippocampus"]
    write_weights_folder(
        folder / "hippocampus",
        tiny(labels=labels),
        config={**TINY, "labels": labels},
        preprocessing=preprocessing,
        calibration=calibration,
    )
    digest = write_manifest(
        folder / "hippocampus", name="hippocampus", licence="x", research_only=False, inputs={}
    )
    row = replace(row_named("hippocampus"), manifest_sha256=digest)
    monkeypatch.setattr(
        reading_model, "row_named", lambda name: row if name == "hippocampus" else row_named(name)
    )
    return row


def test_installed_weights_read_a_study_and_name_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = installed(tmp_path, monkeypatch)
    study = make_mr_study("HIPPOCAMPUS")
    reader = MrReader.open(tmp_path, device="cpu")
    reading = reader.read(study)
    assert list(reader.models) == ["HIPPOCAMPUS"]
    assert [m.manifest_sha256 for m in reading.models] == [row.manifest_sha256]
    assert reading.label_maps[0].shape_zyx == study.volumes[0].shape_zyx
    assert reading == reader.read(study)
    assert reader.read(make_mr_study("BRAIN")).warnings[0].code == "no-reading-model"


def test_altered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    file = tmp_path / "hippocampus" / "calibration.json"
    file.write_text(json.dumps({"plausible_ml": [0, 1]}))
    with pytest.raises(IntegrityError, match="altered"):
        MrReader.open(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("spread", "interval"),
    [
        ({"kind": "absolute", "half_width": 5.0}, (35.0, 45.0)),
        ({"kind": "absolute", "half_width": 50.0}, (0.0, 60.0)),
        ({"kind": "relative", "half_width": 0.6931472}, (20.0, 60.0)),
        ({"kind": "relative", "half_width": 0.0}, (40.0, 40.0)),
    ],
)
def test_an_interval_stays_within_what_can_be(
    spread: dict[str, object], interval: tuple[float, float]
) -> None:
    found = measured("LVEF", 40.0, "%", spread, most=60.0)
    assert found.interval == pytest.approx(interval, abs=1e-3)
    assert found.value == 40.0
