"""Models as their authors publish them: what each says, why some are refused, and what the others give on a real head.

The full runs are slow: `pytest -m slow tests/contract/test_outside_adopted.py` prints seconds and peak memory.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.model_check import ItemState, ModelCheck
from medmm.domain.reading import Reading, Side
from medmm.domain.reading_model import read_by
from medmm.domain.study import ChosenSequence, Sequence, SequenceRole, Study
from medmm.imaging.nifti.files import nifti_volume, open_nifti
from medmm.models import Adopted, Networks
from medmm.models.outside.checking import checked
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.preparation import prepared
from tests.factories import make_mr_study
from tests.outside_models import codes_of, declare, volume_declaration
from tests.unit.models.test_models_outside_model import ADULT, networks_with

# As its authors conform heads: 256^3 at 1 mm, L-I-A; scaled between quantiles (notes beside the networks)
CONFORMED = {"orientation": "LIA", "spacing_mm": [1.0] * 3, "size": [256] * 3, "fit": "pad-or-crop"}
QUANTILES = [{"rule": "percentile", "low": 2, "high": 98}]
LIMITS = {"seconds": 3600, "memory_gb": 12}
MADE_UP = {"kind": "relative", "half_width": 0.2}  # an interval for tests: nobody measured one


@pytest.fixture(scope="module")
def adopt(shared_data: Path) -> Path:
    folder = shared_data / "adopt"
    if not (folder / "README.md").exists():
        pytest.skip("the shared data hold no models to adopt")
    return folder


def copied(source: Path, folder: Path, *names: str) -> Path:
    """A writable copy of a published folder, or of some of its files."""
    folder.mkdir(parents=True)
    for path in [source / n for n in names] or sorted(source.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder


def words(check: ModelCheck, state: ItemState) -> dict[str, str]:
    return {one.item: one.words for one in check.items if one.state is state}


# the head in three orders of axes


def heads(source: Path, folder: Path) -> Iterator[Path]:
    """The head as it is published (L-I-A), in RAS and in LPS: the same voxels, the same places."""
    image = nibabel.load(source)
    assert nibabel.aff2axcodes(image.affine) == ("L", "I", "A")
    yield source
    for axes in ("RAS", "LPS"):
        turn = nibabel.orientations.ornt_transform(
            nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(axes)
        )
        turned = image.as_reoriented(turn)
        turned.header.set_sform(turned.affine, code=1)
        turned.header.set_qform(turned.affine, code=1)
        path = folder / f"{axes}.nii.gz"
        nibabel.save(turned, path)
        assert nibabel.aff2axcodes(nibabel.load(path).affine) == tuple(axes)
        yield path


def study_of(path: Path) -> Study:
    """A study of one T1 head; a NIfTI file says of no sequence, the test does."""
    volume = nifti_volume(open_nifti(path))
    volume = replace(volume, sequence=Sequence(role=SequenceRole.T1, reason="the test says so"))
    chosen = ChosenSequence(
        role=SequenceRole.T1, volume_sha256=volume.sha256, reason="the only one"
    )
    return replace(make_mr_study(ages=ADULT), volumes=(volume,), sequences=(chosen,))


def say(line: str) -> None:
    """Print a figure past pytest's capture."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"\n{line}\n")


# declarations


def meshnet_declaration(
    name: str, channels: dict[int, dict[str, Any]], **changes: Any
) -> dict[str, Any]:
    return volume_declaration(
        id=name,
        grid=CONFORMED,
        intensity=QUANTILES,
        output={"classes": "exclusive", "activated": False, "channels": channels},
        limits=LIMITS,
        **changes,
    )


def model18cls(adopt: Path, folder: Path) -> Path:
    """18 regions by their colormap; the hippocampus is measured on both sides."""
    made = copied(adopt / "brainchop/meshnet/model18cls", folder)
    labels = json.loads((made / "colormap.json").read_text())["labels"]
    channels: dict[int, dict[str, Any]] = {
        n: {"name": f"outside: {label}"} for n, label in enumerate(labels)
    }
    channels[0] = {"name": "background"}
    channels[labels.index("Hippocampus")] = {
        "name": "hippocampus", "quantity": "hippocampus volume", "interval": MADE_UP,
    }  # fmt: skip
    return declare(made, meshnet_declaration("model18cls", channels), "model.json", "model.pth")


def mindgrab(adopt: Path, folder: Path) -> Path:
    """A mask of the brain: a label of no quantity."""
    made = copied(adopt / "brainchop/meshnet/mindgrab", folder)
    channels = {0: {"name": "background"}, 1: {"name": "brain"}}
    declaration = meshnet_declaration(
        "mindgrab", channels, meshnet={"norm_groups": 15}, laterality="none"
    )
    return declare(made, declaration)


def test_the_published_meshnets_say_what_they_can_and_ask_for_the_rest(adopt: Path) -> None:
    folder = adopt / "brainchop/meshnet"
    named = checked(folder / "model18cls")
    assert "holds safetensors" in words(named, ItemState.READ)["files"]
    assert "Accumbens-area" in words(named, ItemState.READ)["output.channels"]
    few = checked(folder / "model5_gw_ae")
    assert "2 of 3 outputs" in words(few, ItemState.CONTRADICTS)["output.channels"]
    assert "meshnet.activation" in words(few, ItemState.MISSING)
    none = checked(folder / "mindgrab")
    assert "holds torch" in words(none, ItemState.READ)["files"]
    assert "no output has a name" in words(none, ItemState.MISSING)["output.channels"]
    assert "meshnet.norm_groups" in words(none, ItemState.MISSING)
    assert not any(one.ready for one in (named, few, none))


@pytest.mark.parametrize("orientation", ["LIA", "RAS", "LPS"])
def test_a_real_head_in_three_orders_of_axes_gives_the_same_bytes(
    adopt: Path, tmp_path: Path, orientation: str
) -> None:
    channels = {0: {"name": "background"}, 1: {"name": "brain"}}
    grid = {**CONFORMED, "orientation": orientation}
    tree = {**meshnet_declaration("net", channels), "grid": grid, "files": {}}
    declared = OutsideDeclaration.model_validate({**tree, "laterality": "none"})
    inputs = [
        prepared(declared, study_of(path), "image").arrays["image"]
        for path in heads(adopt / "brainchop/t1_crop.nii.gz", tmp_path)
    ]
    assert inputs[0].shape == (1, 1, 256, 256, 256)
    assert inputs[0].max() == 1
    for one, other in itertools.combinations(inputs, 2):
        assert one.tobytes() == other.tobytes()


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("made", [model18cls, mindgrab])
def test_a_real_head_gives_the_same_volumes_and_sides_in_three_orders_of_axes(
    adopt: Path, tmp_path: Path, made: Any
) -> None:
    """The network runs once: what it is given is the same in all three, byte for byte."""
    networks = networks_with(tmp_path, made(adopt, tmp_path / "net"))
    (model,) = networks.outside_models
    opened: Any = model.opened()
    answer, seen = None, []
    for path in heads(adopt / "brainchop/t1_crop.nii.gz", tmp_path):
        study = study_of(path)
        given = prepared(opened.declared, study, "image")
        if answer is None:
            start, first = time.monotonic(), given
            answer = opened.run(given)
            seconds, peak_gib = time.monotonic() - start, answer.line["peak_bytes"] / 2**30
            say(f"{opened.declared.id}: {seconds:.0f} s, peak {peak_gib:.1f} GiB")
        assert given.arrays["image"].tobytes() == first.arrays["image"].tobytes()
        reading = opened.reading(study, given, answer)
        (label_map,) = reading.label_maps
        counts = np.bincount(label_map.array().ravel(), minlength=len(label_map.labels) + 1)
        seen.append((counts.tolist(), [(m.side, m.value) for m in reading.measurements]))
    say(f"voxels: {dict(zip(('background', *label_map.labels), seen[0][0], strict=True))}")
    say(f"measured: {[(side.value, value) for side, value in seen[0][1]]}")
    assert seen[0] == seen[1] == seen[2]
    if made is model18cls:
        ml = dict(seen[0][1])
        assert set(ml) == {Side.LEFT, Side.RIGHT}
        assert all(1.5 < value < 7 for value in ml.values()), ml  # of an adult: 2 to 5 ml
    else:
        assert 0.8e6 < seen[0][0][1] < 2.0e6  # mm^3 of an adult's brain


# the 2D networks


def test_the_published_onnx_networks_are_refused_naming_their_second_input_and_outputs(
    adopt: Path, tmp_path: Path
) -> None:
    folder = copied(adopt / "brainchop/multiaxial", tmp_path / "net", "axial_model.onnx")
    check = checked(folder)
    assert not check.ready
    assert "input_6 (any x 256 x 256 x 3)" in words(check, ItemState.READ)["input"]
    declare(folder, axial_declaration(further_inputs=[]))
    wrong = words(checked(folder), ItemState.CONTRADICTS)
    assert "a further input 'input_6'" in wrong["further_inputs"]
    output = {**axial_declaration()["output"], "channels": {0: {"name": "background"}}}
    declare(folder, axial_declaration(output=output))
    assert "the network has 7" in words(checked(folder), ItemState.CONTRADICTS)["output.channels"]
    with (
        pytest.raises(InputError, match="the network has 7"),
        Adopted(tmp_path / "models").adding(folder, name=None, licence=None),
    ):
        pass


def axial_declaration(**changes: Any) -> dict[str, Any]:
    """What the test says of it, with meanings of its own: its authors state none beside the file."""
    channels = {n: {"name": f"outside: class {n}"} for n in range(7)}
    channels[0] = {"name": "background"}
    own = {
        "id": "axial",
        "grid": {"orientation": "SRA", "spacing_mm": [1.0] * 3, "size": [256, 256], "fit": "pad-or-crop"},
        "intensity": [{"rule": "divide-percentile", "percentile": 95}],
        "value_range": None,
        "input": {"tensor": "input_5", "layout": "channels-last"},
        "further_inputs": [
            {
                "tensor": "input_6",
                "means": "place of each voxel about the middle of the head",
                "coordinates": {"axes": "RAS", "origin": [128, 128, 2], "divide_by": 256},
            }
        ],
        "output": {"classes": "exclusive", "activated": True, "channels": channels},
        "laterality": "none",
        "limits": LIMITS,
    }  # fmt: skip
    return volume_declaration(**{**own, **changes})


def test_a_published_onnx_network_runs_with_a_declaration(adopt: Path, tmp_path: Path) -> None:
    """Four slices of the head: the whole of it is the same, slice by slice."""
    folder = copied(adopt / "brainchop/multiaxial", tmp_path / "net", "axial_model.onnx")
    networks = networks_with(tmp_path, declare(folder, axial_declaration()))
    study = study_of(adopt / "brainchop/t1_crop.nii.gz")
    (volume,) = study.volumes
    middle = volume.signal()[:, 120:124].copy()  # rows run to the feet
    affine = np.array(volume.affine_lps_mm)
    affine[:3, 3] += 120 * affine[:3, 1]
    part = replace(
        volume, shape_zyx=middle.shape, signal_loader=lambda: middle,
        affine_lps_mm=tuple(tuple(float(v) for v in row) for row in affine),
    )  # fmt: skip
    reading = read_by(networks.outside_models, replace(study, volumes=(part,)))
    assert codes_of(reading) == []
    (label_map,) = reading.label_maps
    assert label_map.shape_zyx == (256, 4, 256)
    assert len(np.unique(label_map.array())) > 3  # several tissues, not one class everywhere


# the bundles


BUNDLES = {
    "wholeBrainSeg_Large_UNEST_segmentation": "scripts.networks.unest_base_patch_4.UNesT' is a script of its own",
    "breast_density_classification": "it reads Mammogram",
    "mednist_gan": "its input is no image",
}  # fmt: skip


@pytest.mark.parametrize("name", BUNDLES)
def test_the_other_bundles_are_refused_each_for_its_reason(adopt: Path, name: str) -> None:
    check = checked(adopt / "monai_bundles" / name)
    assert check.format == "MONAI bundle"
    assert BUNDLES[name] in check.refused
    assert check.remedy


def with_random_weights(folder: Path, roi: list[int]) -> Path:
    """Weights drawn at random: the shared data hold none. The window is made small for a small phantom."""
    import torch
    from monai.networks import nets

    path = folder / "configs" / "inference.json"
    inference = json.loads(path.read_text())
    arguments = dict(inference["network_def"])
    torch.manual_seed(1)
    network = getattr(nets, arguments.pop("_target_"))(**arguments)
    (folder / "models").mkdir(exist_ok=True)
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    inference["inferer"]["roi_size"] = roi
    path.write_text(json.dumps(inference))
    return folder


def read_with(networks: Networks, study: Study) -> Reading:
    reading = read_by(networks.outside_models, study)
    assert set(codes_of(reading)) <= {"outside-cropped"}, reading.warnings
    return reading


def test_the_brain_tumour_bundle_reads_with_a_declaration(adopt: Path, tmp_path: Path) -> None:
    folder = copied(adopt / "monai_bundles/brats_mri_segmentation", tmp_path / "net")
    with_random_weights(folder, [32, 32, 32])
    files = ("configs/metadata.json", "configs/inference.json", "models/model.pt")
    grid = {"orientation": "RAS", "spacing_mm": [4.0] * 3, "size": [8, 8, 8], "fit": "multiple"}
    lesion = {"threshold": 0.5, "quantity": "lesion volume", "interval": MADE_UP}
    channels = {
        0: {"name": "outside: tumour core"},
        1: {"name": "brain lesion", **lesion},
        2: {"name": "outside: enhancing tumour"},
    }
    output = {
        "classes": "overlapping",
        "activated": False,
        "mask_threshold": 0.5,
        "channels": channels,
    }
    own = {
        "id": "brats", "contrast": "with", "grid": grid, "intensity": [{"rule": "z-score", "nonzero": True}],
        "value_range": None, "output": output, "laterality": "none", "limits": LIMITS,
    }  # fmt: skip
    roles = ["T1 post-contrast", "T1", "T2", "FLAIR"]
    wrong = declare(folder, volume_declaration(sequences=roles[::-1], **own), *files)
    assert "sequences" in words(checked(wrong), ItemState.CONTRADICTS)
    declare(folder, volume_declaration(sequences=roles, **own), *files)
    assert checked(folder).ready, checked(folder)
    networks = networks_with(tmp_path, folder)
    study = make_mr_study(ages=ADULT)
    assert read_by(networks.outside_models, study).warnings[0].code == "outside-sequence"
    every = [
        ChosenSequence(
            role=SequenceRole(r),
            volume_sha256=study.volumes[n % 2].sha256,
            reason="the test says so",
        )
        for n, r in enumerate(roles)
    ]
    reading = read_with(networks, replace(study, sequences=tuple(every)))
    assert [m.name for m in reading.label_maps] == [f"brats {c['name']}" for c in channels.values()]
    assert [f.name for f in reading.findings] == ["brain lesion"]


def test_the_ventricle_bundle_reads_slices_with_a_declaration(adopt: Path, tmp_path: Path) -> None:
    folder = copied(adopt / "monai_bundles/ventricular_short_axis_3label", tmp_path / "net")
    with_random_weights(folder, [256, 256])
    files = ("configs/metadata.json", "configs/inference.json", "models/model.pt")
    channels = {
        0: {"name": "background"},
        1: {"name": "left ventricle", "quantity": "LV EDV", "interval": MADE_UP},
        2: {"name": "outside: myocardium"},
        3: {"name": "right ventricle", "quantity": "RV EDV", "interval": MADE_UP},
    }
    grid = {
        "orientation": "slices-columns-rows",
        "spacing_mm": None,
        "size": [256, 256],
        "fit": "pad-or-crop",
    }
    own = {
        "id": "ventricles", "body_part": "HEART", "sequences": ["cine, end-diastole"], "grid": grid,
        "intensity": [{"rule": "min-max"}], "value_range": None, "laterality": "none", "limits": LIMITS,
        "output": {"classes": "exclusive", "activated": False, "channels": channels},
    }  # fmt: skip
    declare(folder, volume_declaration(**own), *files)
    assert checked(folder).ready, checked(folder)
    networks = networks_with(tmp_path, folder)
    reading = read_with(networks, make_mr_study("HEART", ages=ADULT))
    (label_map,) = reading.label_maps
    assert label_map.labels == ("left ventricle", "outside: myocardium", "right ventricle")
    assert {m.name for m in reading.measurements} <= {"LV EDV", "RV EDV"}
