"""`medmm read FOLDER --task …`: lines, masks, exit codes and the log, with a reader of the tests' own and with the shipped one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm import models
from medmm.assistant import Assistant
from medmm.config import Settings
from medmm.domain.errors import InputError, MedmmError
from medmm.domain.read_task import ReadTask
from medmm.doors import cli
from medmm.models import Networks
from medmm.models.weights.catalogue import catalogue, open_weights, row_named
from tests import mri_sets
from tests.array_files import BrightIsLabel, blob, diagonal, folder_of
from tests.dicom_files import mr_file
from tests.nifti_files import nifti_file
from tests.quick_assistant import ModelOf

KEYS = {
    "study",
    "path",
    "evaluable",
    "held",
    "reason",
    "warnings",
    "findings",
    "measurements",
    "masks",
}
MASKS = {
    ReadTask.HIPPOCAMPUS: ("hippocampus",),
    ReadTask.BRAIN_LESION: ("brain-lesion",),
    ReadTask.CARDIAC: ("cardiac-ed", "cardiac-es"),
}
SOURCES = {"hippocampus": "t1", "brain-lesion": "flair", "cardiac-ed": "ed", "cardiac-es": "es"}
MEASURED = {
    "hippocampus": {"hippocampus volume": "ml"},
    "brain-lesion": {"lesion share of head": "%"},
    "cardiac": {
        "LVEF": "%",
        "RVEF": "%",
        "LV EDV": "ml",
        "LV ESV": "ml",
        "RV EDV": "ml",
        "RV ESV": "ml",
        "LV mass": "g",
        "LV mass to LV EDV ratio": "g/ml",
        "RV EDV to LV EDV ratio": "1",
    },
}


class Tool:
    """`medmm` with its own data folder, run in this process."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "settings.yaml"
        self.config.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "threads": 1}))

    def __call__(self, *words: object, code: int = 0) -> Result:
        result = CliRunner().invoke(
            cli.app, ["--config", str(self.config), *map(str, words)], env={"NO_COLOR": "1"}
        )
        found = result.exit_code
        if isinstance(result.exception, MedmmError):
            found = cli.report(result.exception)
        assert found == code, (result.output, result.exception)
        return result

    def lines(self, *words: object, code: int = 0) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for line in self("read", *words, "--json", code=code).stdout.splitlines()
        ]


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    return Tool(tmp_path)


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bright voxels are labels."""

    class Bright(Networks):
        reading_models = (ModelOf(BrightIsLabel()),)  # type: ignore[assignment]

    monkeypatch.setattr(models, "Networks", Bright)


@pytest.mark.usefixtures("bright")
@pytest.mark.parametrize("task", list(ReadTask))
def test_a_folder_gives_one_line_and_its_masks(tool: Tool, tmp_path: Path, task: ReadTask) -> None:
    folder = folder_of(tmp_path, task, "case 1")
    (line,) = tool.lines(folder, "--task", task.value, "--masks", tmp_path / "masks")
    assert set(line) >= KEYS
    assert (line["study"], line["path"]) == ("case 1", str(folder))
    assert (line["evaluable"], line["held"], line["reason"]) == (True, False, None)
    assert any(
        "taken for what the task and their names say" in warning for warning in line["warnings"]
    )
    assert tuple(line["masks"]) == MASKS[task]
    for name, path in line["masks"].items():
        assert path == str(tmp_path / "masks" / f"{name}.nii.gz")
        source, mask = nibabel.load(folder / f"{SOURCES[name]}.nii.gz"), nibabel.load(path)
        np.testing.assert_array_equal(
            np.asarray(mask.dataobj) > 0, np.asarray(source.dataobj) > 500
        )
        np.testing.assert_array_equal(mask.affine, source.affine)
    assert line["measurements"]
    assert all(
        set(m) == {"name", "value", "unit", "interval", "side"} for m in line["measurements"]
    )


@pytest.mark.usefixtures("bright")
def test_a_finding_with_an_extent_says_where(tool: Tool, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ReadTask.BRAIN_LESION)
    (line,) = tool.lines(folder, "--task", "brain-lesion")
    (finding,) = line["findings"]
    bright = np.argwhere(np.asarray(nibabel.load(folder / "flair.nii.gz").dataobj) > 500)
    slices = np.unique(bright[:, 2])
    assert finding["slices"] == [slices[0], slices[-1]]
    assert finding["slice_count"] == len(slices)
    assert (finding["image_half"], finding["side"]) == ("first columns", None)
    assert finding["centroid"]["index_zyx"] == pytest.approx(list(bright.mean(0)[::-1]))
    assert finding["centroid"]["lps_mm"] is None
    assert line["masks"] == {}
    assert not any(m["unit"].lower() == "ml" for m in line["measurements"])


@pytest.mark.usefixtures("bright")
@pytest.mark.parametrize("heights", [(0, 5, 10, 15), (0, 5, 15, 20)])
def test_a_dicom_study_gets_its_masks_on_the_grid_of_its_series(
    tool: Tool, tmp_path: Path, heights: tuple[float, ...]
) -> None:
    flair = {
        "ScanningSequence": ["SE", "IR"],
        "EchoTime": 120,
        "RepetitionTime": 9000,
        "InversionTime": 2500,
    }
    for n, height in enumerate(heights):
        mr_file(tmp_path / "study", f"{n}.dcm", height, **flair)
    (line,) = tool.lines(tmp_path / "study", "--masks", tmp_path / "masks")
    assert line["evaluable"], line
    path = Path(line["masks"]["brain-lesion"])
    assert path.parent.parent == tmp_path / "masks"
    about = json.loads((path.parent / "brain-lesion.json").read_text())
    assert len(about["slices"]) == 4
    image = nibabel.load(path)
    said = [warning for warning in line["warnings"] if "has no affine" in warning]
    if heights[2] == 10:
        np.testing.assert_allclose(image.affine @ [0, 0, 1, 1], [10, 20, 5, 1])
        assert said == []
    else:
        assert not image.header["sform_code"]
        assert said == [f"The mask brain-lesion has no affine: {about['no_affine']}."]


@pytest.mark.usefixtures("bright")
def test_several_folders_get_a_folder_each_and_none_leaves_the_masks(
    tool: Tool, tmp_path: Path
) -> None:
    names = ["p1", "CON", "ZZ\nout", "..p"]
    folders = [folder_of(tmp_path / "in", ReadTask.CARDIAC, name) for name in names]
    folders.append(folder_of(tmp_path / "in again", ReadTask.CARDIAC, "p1"))
    lines = tool.lines(*folders, "--task", "cardiac", "--masks", tmp_path / "out")
    assert [line["study"] for line in lines] == [*names, "p1"]
    parents = [Path(path).parent for line in lines for path in line["masks"].values()]
    assert len(set(parents)) == 5
    assert all(parent.parent == tmp_path / "out" for parent in parents)
    assert not any(word in parent.name for parent in parents for word in ("CON", "ZZ", ".."))
    written = {
        path.relative_to(tmp_path / "out").name for path in (tmp_path / "out").rglob("*.nii.gz")
    }
    assert written == {"cardiac-ed.nii.gz", "cardiac-es.nii.gz"}


@pytest.mark.usefixtures("bright")
def test_the_table_names_measurements_with_their_units(tool: Tool, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ReadTask.HIPPOCAMPUS)
    told = tool("read", folder, "--task", "hippocampus").stdout
    assert "hippocampus" in told
    assert " mL" in told
    table, _, warnings = told.partition(
        f"! {folder.name}: "
    )  # what must be known of it stands below
    assert "no finding was read" in " ".join(table.split())
    assert "NIfTI files state no modality" in warnings


@pytest.mark.usefixtures("bright")
def test_wrong_folders_are_lines_errors_and_exit_9_and_the_others_go_on(
    tool: Tool, tmp_path: Path, demo_films: Path
) -> None:
    good = folder_of(tmp_path, ReadTask.HIPPOCAMPUS, "good")
    dicom = tmp_path / "dicom"
    dicom.mkdir()
    shutil.copy(demo_films / "MR2_UNCR.dcm", dicom)
    empty = tmp_path / "empty"
    empty.mkdir()
    result = tool(
        "read",
        dicom,
        empty,
        tmp_path / "nothing",
        good / "t1.nii.gz",
        good,
        "--task",
        "hippocampus",
        "--json",
        code=9,
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["study"] for line in lines] == ["dicom", "empty", "nothing", "t1.nii.gz", "good"]
    assert [line["evaluable"] for line in lines] == [False, False, False, False, True]
    assert "looks for t1.nii.gz, or .nii; there is: 1 DICOM files" in lines[0]["reason"]
    assert "there is: nothing" in lines[1]["reason"]
    assert "remedy: leave --task out" in result.stderr
    assert result.stderr.count("InputError") == 4


@pytest.mark.usefixtures("bright")
def test_what_is_refused_or_damaged_is_a_line_and_exit_0(tool: Tool, tmp_path: Path) -> None:
    head, cut = tmp_path / "head", folder_of(tmp_path, ReadTask.HIPPOCAMPUS, "cut")
    nifti_file(head, "t1.nii.gz", blob((90, 110, 90)), affine=diagonal((2, 2, 2)))
    (cut / "t1.nii.gz").write_bytes((cut / "t1.nii.gz").read_bytes()[:300])
    lines = tool.lines(head, cut, "--task", "hippocampus", "--masks", tmp_path / "masks")
    assert [line["evaluable"] for line in lines] == [False, False]
    assert lines[0]["reason"].startswith("not evaluable: t1.nii.gz spans 180 x 220 x 180 mm")
    assert lines[1]["reason"]
    assert not any(line["held"] or line["masks"] for line in lines)
    assert not (tmp_path / "masks").exists()


def test_an_unknown_task_is_wrong_usage(tool: Tool, tmp_path: Path) -> None:
    tool("read", tmp_path, "--task", "knee", code=2)


def test_without_a_task_arrays_are_held_as_before(tool: Tool, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ReadTask.BRAIN_LESION)
    lines = tool.lines(folder)
    assert [line["held"] for line in lines] == [True] * 3
    assert all("a person must look" in line["reason"] for line in lines)


@pytest.mark.usefixtures("bright")
def test_every_read_leaves_its_entry_and_nothing_else_is_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ReadTask.CARDIAC)
    with Assistant(Settings(data_dir=tmp_path / "data")) as assistant:
        (result,) = assistant.read([folder], task=ReadTask.CARDIAC)
        assert result.study is not None
        assert result.reading is not None
        assert result.reading.study_uid == result.study.uid
        with pytest.raises(InputError, match="looks for"):
            next(assistant.read([folder], task=ReadTask.HIPPOCAMPUS))
        verification = assistant.verify()
        assert verification.ok
        assert verification.size == 2  # the read, and the one that could not be done
        assert assistant.cases() == ()
    assert not (tmp_path / "data" / "objects").exists()


@pytest.mark.parametrize(("name", "task"), list(mri_sets.SETS.items()))
def test_the_shipped_networks_read_a_subject_of_the_sets(
    tool: Tool, shared_data: Path, tmp_path: Path, name: str, task: ReadTask
) -> None:
    if task.value not in catalogue() or open_weights(row_named(task.value)) is None:
        pytest.skip(f"no network {task.value!r} in the catalogue")
    load = mri_sets.loader(shared_data)
    row = load.table(name, "test")[0]
    folder = mri_sets.subject_folder(load, row, tmp_path / row["subject"])
    (line,) = tool.lines(folder, "--task", task.value, "--masks", tmp_path / "masks")
    assert line["study"] == row["subject"]
    assert tuple(line["masks"]) == MASKS[task]
    units = {m["name"]: m["unit"].lower() for m in line["measurements"]}
    assert units == MEASURED[task.value]
    true = mri_sets.truth(load, row)
    for mask, path in line["masks"].items():
        found, labels = np.asarray(nibabel.load(path).dataobj).T, true[mask]
        assert set(np.unique(found)) <= {0, *np.unique(labels)} | {0}
        both = (
            2 * ((found > 0) & (labels > 0)).sum() / max((found > 0).sum() + (labels > 0).sum(), 1)
        )
        assert both > 0.5, mask


def test_a_crop_is_outlined_alike_in_whatever_order_its_header_states(
    tool: Tool, shared_data: Path, tmp_path: Path
) -> None:
    if open_weights(row_named("hippocampus")) is None:
        pytest.skip("the hippocampus network is not installed")
    load = mri_sets.loader(shared_data)
    row = load.table("hippocampus", "val")[0]
    source = nibabel.load(mri_sets.subject_folder(load, row, tmp_path / "ras") / "t1.nii.gz")
    values, ras = np.asarray(source.dataobj), np.diag([1.0, 1.0, 1.0, 1.0])
    nifti_file(tmp_path / "plain", "t1.nii.gz", values, affine=ras, codes=(2, 0))
    nifti_file(
        tmp_path / "lps",
        "t1.nii.gz",
        values[::-1, ::-1].copy(),
        affine=np.diag([-1.0, -1, 1, 1]),
        codes=(1, 0),
    )
    plain, lps = tool.lines(
        tmp_path / "plain", tmp_path / "lps", "--task", "hippocampus", "--masks", tmp_path / "masks"
    )
    one, other = (
        np.asarray(nibabel.load(line["masks"]["hippocampus"]).dataobj) for line in (plain, lps)
    )
    np.testing.assert_array_equal(one, other[::-1, ::-1])
    assert plain["measurements"] == lps["measurements"]
    assert one.any()
