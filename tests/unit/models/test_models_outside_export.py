"""The shipped chest-findings network, exported to ONNX and declared, gives its own probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medmm.domain.reading_model import read_by
from medmm.models import Adopted, Networks
from medmm.models.film.preprocessing import GREY_MEAN, GREY_SPREAD, TONE_PERCENTILES, FilmToPrepare
from medmm.models.film.reading_model import Chest, FindingsModel
from medmm.models.weights.catalogue import open_weights, row_named
from tests.factories import make_study, make_volume
from tests.outside_models import CALIBRATION, codes_of, declare, film_declaration
from tests.unit.models.test_models_outside_model import ADULT


class WithMirror(nn.Module):
    """What a reading rests on: the mean of the logits of a film and of its mirror image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, film: Tensor) -> Tensor:
        return (self.network(film) + self.network(film.flip(3))) / 2


def declaration_of(findings: FindingsModel) -> dict[str, Any]:
    low, high = TONE_PERCENTILES
    channels = {}
    for number, name in enumerate(findings.names):
        row = findings.calibration[name]
        keys = ("slope", "intercept", "threshold", "rule_out")
        channels[number] = {"name": name, **{key: row[key] for key in keys if row[key] is not None}}
    size = findings.size_px
    return film_declaration(
        id="chest-findings-onnx",
        grid={"orientation": "rows-columns", "spacing_mm": None, "size": [size, size], "fit": "stretch"},
        intensity=[
            {"rule": "percentile", "low": low, "high": high},
            {"rule": "standardise", "mean": GREY_MEAN, "spread": GREY_SPREAD},
        ],
        value_range=[-GREY_MEAN / GREY_SPREAD, (1 - GREY_MEAN) / GREY_SPREAD],
        output={"classes": "overlapping", "activated": False, "channels": channels},
        calibration=CALIBRATION,
    )  # fmt: skip


# torch's exporter asks its own pytree in a former way (seen with torch 2.13)
@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")
def test_an_exported_classifier_gives_the_probabilities_of_the_shipped_one(tmp_path: Path) -> None:
    weights = open_weights(row_named("chest-findings"))
    if weights is None:
        pytest.skip("the weights are not installed")
    findings = FindingsModel.open(weights, torch.device("cpu"))
    folder = tmp_path / "net"
    folder.mkdir()
    network = WithMirror(findings.network).eval().to(memory_format=torch.contiguous_format)
    blank = torch.zeros(1, 1, findings.size_px, findings.size_px)
    torch.onnx.export(
        network,
        (blank,),
        folder / "chest.onnx",
        dynamo=True,
        input_names=["film"],
        output_names=["logits"],
        verbose=False,
    )
    assert sorted(path.name for path in folder.iterdir()) == ["chest.onnx", "chest.onnx.data"]
    declare(folder, declaration_of(findings))
    adopted = Adopted(tmp_path / "models")
    with adopted.adding(folder, name=None, licence=None):
        pass
    networks = Networks(tmp_path / "none", device="cpu", adopted=adopted)
    rng = np.random.default_rng(7)
    y, x = np.mgrid[-1:1:300j, -1:1:260j]
    ribs = 0.5 + 0.2 * np.cos(14 * y + 3 * x**2) - 0.3 * np.exp(-(((np.abs(x) - 0.45) / 0.25) ** 2))
    grey = np.clip(ribs + 0.03 * rng.normal(size=ribs.shape), 0, 1).astype(np.float32)
    film = make_volume(shape_zyx=(1, *grey.shape), loader=lambda: grey[np.newaxis])
    reading = read_by(networks.outside_models, make_study(volumes=(film,), ages=ADULT))
    expected = {f.name: f.probability for f in findings.read(FilmToPrepare(grey), "right", Chest())}
    assert codes_of(reading) == []
    assert len(expected) == len(reading.findings) > 5
    assert max(expected.values()) - min(expected.values()) > 0.05
    for found in reading.findings:
        assert found.probability == pytest.approx(expected[found.name], abs=0.001)
