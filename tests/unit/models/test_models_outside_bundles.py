"""MONAI bundles and nnU-Net exports: read as data, run by medmm's own steps, or refused by the name of a step."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet

from medmm.domain.model_check import ItemState
from medmm.domain.reading_model import read_by
from medmm.models.outside.checking import checked
from tests.factories import make_mr_study
from tests.outside_models import declare, volume_declaration
from tests.unit.models.test_models_outside_model import ADULT, networks_with

ARGUMENTS = {
    "spatial_dims": 3,
    "in_channels": 2,
    "out_channels": 2,
    "channels": [4, 8],
    "strides": [2],
}
METADATA: dict[str, Any] = {
    "name": "small",
    "version": "0.1",
    "network_data_format": {
        "inputs": {
            "image": {
                "type": "image", "format": "magnitude", "modality": "MR", "num_channels": 2,
                "spatial_shape": ["8*n", "8*n", "8*n"], "channel_def": {"0": "FLAIR", "1": "T1"},
            }
        },
        "outputs": {
            "pred": {
                "type": "image", "format": "segmentation", "num_channels": 2,
                "channel_def": {"0": "background", "1": "lesion"},
            }
        },
    },
}  # fmt: skip
INFERENCE: dict[str, Any] = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii*')))",
    "network_def": {"_target_": "UNet", **ARGUMENTS},
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": [4.5, 4.5, 8.0]},
            {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "overlap": 0.25},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
        ],
    },
    "handlers": [{"_target_": "CheckpointLoader", "load_path": "$@bundle_root + '/models/model.pt'"}],
    "evaluator": {"_target_": "SupervisedEvaluator", "network": "@network", "amp": True},
    "evaluating": ["$@evaluator.run()"],
}  # fmt: skip


def network() -> UNet:
    torch.manual_seed(0)
    return UNet(**ARGUMENTS)


def bundle(
    folder: Path, inference: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
) -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata or METADATA))
    (folder / "configs" / "inference.json").write_text(json.dumps(inference or INFERENCE))
    torch.save(network().state_dict(), folder / "models" / "model.pt")
    return folder


def declared(folder: Path, **changes: Any) -> Path:
    own = {
        "sequences": ["FLAIR", "T1"],
        "grid": {"orientation": "RAS", "spacing_mm": [4.5, 4.5, 8.0], "size": [8, 8, 8], "fit": "multiple"},
        "intensity": [{"rule": "z-score", "nonzero": True}],
        "value_range": None,
        "output": {
            "classes": "exclusive",
            "activated": False,
            "channels": {0: {"name": "background"}, 1: {"name": "outside: lesion"}},
        },
        "laterality": "none",
        **changes,
    }  # fmt: skip
    return declare(folder, volume_declaration(**own))


def test_a_bundle_fills_what_it_says_and_asks_for_the_rest(tmp_path: Path) -> None:
    check = checked(bundle(tmp_path))
    assert (check.format, check.refused) == ("MONAI bundle", "")
    missing = {one.item for one in check.items if one.state is ItemState.MISSING}
    assert {"age_years", "body_part", "laterality", "not_for"} <= missing
    assert (
        not {"intensity", "grid.orientation", "grid.size", "output.classes", "sequences"} & missing
    )
    assert "intensity:\n- rule: z-score\n  nonzero: true" in check.skeleton
    assert "- FLAIR\n- T1" in check.skeleton


def test_a_declared_bundle_reads_what_its_network_gives(tmp_path: Path) -> None:
    """Beside MONAI itself: the same network on the same input, windows and all."""
    from monai.inferers import sliding_window_inference

    from medmm.models.outside.preparation import prepared

    networks = networks_with(tmp_path, declared(bundle(tmp_path / "net")))
    kept = {path.name for path in (tmp_path / "models" / "volume-net").iterdir()}
    assert kept == {"config.json", "manifest.json", "model.safetensors", "reading-model.yaml"}
    study = make_mr_study(ages=ADULT)
    reading = read_by(networks.outside_models, study)
    (label_map,) = reading.label_maps
    opened: Any = networks.outside_models[0].opened()
    given = prepared(opened.declared, study, "image")
    assert given.arrays["image"].shape == (1, 2, 40, 48, 16)
    with torch.inference_mode():
        logits = sliding_window_inference(
            torch.from_numpy(given.arrays["image"]), [16] * 3, 1, network().eval(), overlap=0.25
        )
    expected = given.placement.back(torch.as_tensor(logits)[0].argmax(0).numpy().astype(np.uint8))
    assert 0 < expected.mean() < 1
    assert (label_map.array() == expected).all()
    assert len(reading.volumes_read) == 2


def changed(path: str, value: Any) -> dict[str, Any]:
    tree = copy.deepcopy(INFERENCE)
    *outer, last = path.split(".")
    place: Any = tree
    for key in outer:
        place = place[int(key) if key.isdigit() else key]
    place[int(last) if last.isdigit() else last] = value
    return tree


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("network", "$__import__('os').system('ls')", "step 'network' is an expression"),
        ("network_def.channels", "$[4, 8]", "step 'network_def.channels' is an expression"),
        ("network_def._target_", "scripts.net.Own", "network 'scripts.net.Own' is a script of its own"),
        ("network_def._target_", "Generator", "network 'Generator' is none that medmm builds"),
        ("network_def._target_", "os.system", "network 'os.system' is a script of its own"),
        ("network_def.pretrained", True, "fetches parameters"),
        ("own_step", {"_target_": "scripts.own.Step"}, "step 'own_step' is an expression or code"),
        ("own_step", "$print(1)", "step 'own_step' is an expression or code"),
        ("dataset", {"_target_": "scripts.data.Own"}, "step 'dataset' is a script of its own"),
        ("evaluator.prepare_batch", "$lambda b: b", "step 'evaluator.prepare_batch' is not known"),
        ("handlers.0._target_", "scripts.Own", "handler 'scripts.Own' is not known"),
        ("inferer._target_", "SaliencyInferer", "step 'inferer' (SaliencyInferer) is not known"),
        ("inferer.roi_size", "$[16] * 3", "step 'inferer'"),
        ("preprocessing.transforms.3._target_", "HistogramNormalized", "preprocessing step 'HistogramNormalized'"),
        ("preprocessing.transforms.3.channel_wise", False, "preprocessing step 'NormalizeIntensityd'"),
        ("preprocessing.transforms.2.pixdim", "$(1, 1, 1)", "preprocessing step 'Spacingd'"),
        ("preprocessing", "$Compose([])", "step 'preprocessing' is no list"),
        ("postprocessing.transforms.1", {"_target_": "KeepLargestConnectedComponentd"}, "postprocessing step"),
        ("postprocessing.transforms.0", {"_target_": "Lambdad", "func": "$lambda x: x"}, "postprocessing step 'Lambdad'"),
    ],
)  # fmt: skip
def test_a_step_that_is_not_known_keeps_a_bundle_out_by_its_name(
    path: str, value: Any, words: str, tmp_path: Path
) -> None:
    check = checked(declared(bundle(tmp_path, inference=changed(path, value))))
    assert words in check.refused
    assert "reading-model.yaml" in check.remedy


def test_nothing_of_a_bundle_is_evaluated(tmp_path: Path) -> None:
    here = tmp_path / "evaluated"
    evil = f"$open({str(here)!r}, 'w').close()"
    for step in ("datalist", "imports", "network", "own", "evaluating", "bundle_root"):
        folder = bundle(tmp_path / step, inference=changed(step, evil))
        checked(declared(folder))
        assert not here.exists()


def test_a_pickle_in_a_bundle_is_not_opened(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "evaluated"), "w"))

    folder = bundle(tmp_path / "net")
    (folder / "models" / "model.pt").write_bytes(pickle.dumps({"a": Evil()}))
    assert "pickle" in refusal_of(declared(folder), tmp_path)
    torch.save({"a": Evil()}, folder / "models" / "model.pt")
    assert "no plain state dict" in refusal_of(declared(folder), tmp_path)
    (folder / "models" / "own.py").write_text("x = 1\n")
    assert "a file is code" in checked(folder).refused
    assert not (tmp_path / "evaluated").exists()


def refusal_of(folder: Path, tmp_path: Path) -> str:
    from medmm.domain.errors import InputError
    from medmm.models import Adopted

    with (
        pytest.raises(InputError) as caught,
        Adopted(tmp_path / "models").adding(folder, name=None, licence=None),
    ):
        pass
    return caught.value.problem


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"sequences": ["T1", "FLAIR"]}, "sequences"),
        ({"sequences": ["T1"]}, "sequences"),
        ({"intensity": [{"rule": "min-max"}]}, "intensity"),
        ({"grid": {"orientation": "LPS", "spacing_mm": [4.5, 4.5, 8.0], "size": [8, 8, 8], "fit": "multiple"}}, "grid.orientation"),
        ({"grid": {"orientation": "RAS", "spacing_mm": None, "size": [8, 8, 8], "fit": "multiple"}}, "grid.spacing_mm"),
    ],
)  # fmt: skip
def test_a_declaration_that_contradicts_the_bundle_is_named(
    changes: dict[str, Any], place: str, tmp_path: Path
) -> None:
    check = checked(declared(bundle(tmp_path), **changes))
    assert place in {one.item for one in check.items if one.state is ItemState.CONTRADICTS}


def test_parameters_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "net", inference=changed("network_def.channels", [4, 16]))
    assert "does not run" in refusal_of(declared(folder), tmp_path)


def test_an_nnunet_export_is_described_and_refused_with_the_way_through_onnx(
    tmp_path: Path,
) -> None:
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "fold_0" / "checkpoint_final.pth").write_bytes(b"anything")
    dataset = {"channel_names": {"0": "T2"}, "labels": {"background": 0, "prostate": 1}}
    plans = {
        "configurations": {"3d_fullres": {"spacing": [3.0, 0.5, 0.5], "patch_size": [16, 320, 256]}}
    }
    (tmp_path / "dataset.json").write_text(json.dumps(dataset))
    (tmp_path / "plans.json").write_text(json.dumps(plans))
    check = checked(declare(tmp_path, volume_declaration()))
    assert check.format == "nnU-Net v2"
    assert "unpickles" in check.refused
    assert "ONNX" in check.remedy
    assert any("prostate" in one.words for one in check.items)
    assert any("[16, 320, 256]" in one.words for one in check.items)
    assert "unpickles" in refusal_of(tmp_path, tmp_path.parent)
