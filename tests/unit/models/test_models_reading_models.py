"""The reading models of a folder: what each declares, when it is opened, and what is said where it is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import RLock

import pytest

from medmm.domain.errors import IntegrityError
from medmm.domain.reading import Reading
from medmm.domain.reading_model import ReadingModel, no_reading_model, read_by
from medmm.domain.study import Modality
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.models import Adopted, Networks, networks
from medmm.models.mr.cardiac import GROUPS
from medmm.models.reading_models import OF_ONE_FOLDER, Once
from medmm.models.weights.catalogue import (
    CatalogueRow,
    catalogue,
    declarations,
    declared_by,
    open_weights,
    row_named,
)
from medmm.training.weights_export import write_manifest, write_weights_folder
from tests.factories import make_mr_study, make_study
from tests.volume_models import TINY, tiny


def networks_of(folder: Path | None, tmp_path: Path) -> Networks:
    return Networks(folder, device="cpu", adopted=Adopted(tmp_path / "models"))


def reader_of(models: Networks, name: str) -> ReadingModel:
    (found,) = [m for m in models.reading_models if name in {i.name for i in m.identities}]
    return found


@pytest.mark.parametrize("row", catalogue().values(), ids=lambda row: row.name)
def test_a_network_declares_what_its_weights_can_say(row: CatalogueRow) -> None:
    weights, declared = open_weights(row), declarations()[row.name]
    if weights is None:
        pytest.skip("the weights are not installed")
    calibration, config = weights.json("calibration.json"), weights.json("config.json")
    assert declared == declared_by(row, weights.folder)
    assert (declared.modality.value, declared.body_parts) == (row.modality, (row.body_part,))
    assert set(declared.findings) <= set(finding_terms())
    heads = {"findings": config.get("findings", ()), "report": calibration.get("heads", ())}
    groups = [GROUPS[g] for g in calibration.get("groups", {}).get("groups", ()) if g in GROUPS]
    of_volumes = ["brain lesion"] if row.name == "brain-lesion" else groups
    assert list(declared.findings) == list(heads.get(row.task, of_volumes))
    measured = {name for name in measurement_terms() if name in calibration}
    ratio = {"cardiothoracic ratio"} if row.task == "anatomy" else set()
    assert set(declared.quantities) == measured | ratio
    terms = [measurement_terms()[name] for name in declared.quantities]
    assert {term.body_part for term in terms} <= {row.body_part}


def test_every_kind_of_study_has_one_packaged_model_that_declares_it(tmp_path: Path) -> None:
    models = networks_of(None, tmp_path).reading_models
    if len(models) < 1 + len(OF_ONE_FOLDER):
        pytest.skip("the weights are not installed")
    for study in (make_study(), *map(make_mr_study, ("BRAIN", "HIPPOCAMPUS", "HEART"))):
        assert [m.declares.covers(study) for m in models].count(True) == 1
    knee = replace(make_mr_study(), body_part="KNEE")
    assert not any(m.declares.covers(knee) for m in models)
    assert read_by(models, knee) == read_by([], knee)
    films = models[0]
    assert films.declares.modality is Modality.RADIOGRAPH
    assert len(set(films.declares.findings)) == len(films.declares.findings)


def test_what_a_model_declares_is_the_same_before_and_after_it_is_opened(tmp_path: Path) -> None:
    for model in networks_of(None, tmp_path).reading_models:
        opened = model.opened()
        if opened is None or not model.identities:
            pytest.skip("the weights are not installed")
        assert (opened.declares, opened.identities) == (model.declares, model.identities)


def test_what_is_declared_is_known_without_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from medmm.models import Adopted, Networks\n"
        "models = Networks(None, adopted=Adopted(Path('none'))).reading_models\n"
        "print([m.declares for m in models]); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Declaration(" in done.stdout


@pytest.mark.parametrize("part", ["BRAIN", "HEART", "HIPPOCAMPUS"])
def test_without_weights_the_reading_says_so(tmp_path: Path, part: str) -> None:
    reading = read_by(networks_of(tmp_path, tmp_path).reading_models, make_mr_study(part))
    (warning,) = reading.warnings
    assert warning.code == "no-reading-model"
    assert part in warning.text
    assert reading == Reading(study_uid=reading.study_uid, warnings=(warning,))


def test_a_film_without_weights_is_not_read(tmp_path: Path) -> None:
    (films,) = networks_of(tmp_path, tmp_path).reading_models
    assert films.identities == ()
    assert films.read(make_study()) == no_reading_model(make_study())


def test_what_is_made_once_is_made_once_by_many_and_again_after_a_failure() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        if len(made) == 1:
            raise OSError("the disk is gone")
        return len(made)

    once = Once(make, RLock())
    with pytest.raises(OSError, match="gone"):
        once()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: once(), range(32))) == {2}


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
        networks, "row_named", lambda name: row if name == "hippocampus" else row_named(name)
    )
    return row


def test_installed_weights_read_a_study_and_name_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, study = installed(tmp_path, monkeypatch), make_mr_study("HIPPOCAMPUS")
    models = networks_of(tmp_path, tmp_path)
    reading = read_by(models.reading_models, study)
    assert reading.models == (row.identity,)
    assert reader_of(models, "hippocampus").declares.allows(reading)
    assert reading.label_maps[0].shape_zyx == study.volumes[0].shape_zyx
    assert reading == read_by(models.reading_models, study)
    (warning,) = read_by(models.reading_models, make_mr_study("BRAIN")).warnings
    assert warning.code == "no-reading-model"


def test_altered_weights_are_refused_where_they_would_read_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch)
    models = networks_of(tmp_path, tmp_path).reading_models
    file = tmp_path / "hippocampus" / "calibration.json"
    sound = file.read_text()
    file.write_text(json.dumps({"plausible_ml": [0, 1]}))
    with pytest.raises(IntegrityError, match="altered"):
        read_by(models, make_mr_study("HIPPOCAMPUS"))
    assert read_by(models, make_mr_study("BRAIN")).warnings
    file.write_text(sound)
    assert read_by(models, make_mr_study("HIPPOCAMPUS")).models


def test_weights_that_went_after_they_were_found_are_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch)
    models = networks_of(tmp_path, tmp_path).reading_models
    (tmp_path / "hippocampus").rename(tmp_path / "elsewhere")
    study = make_mr_study("HIPPOCAMPUS")
    assert read_by(models, study) == read_by([], study)
