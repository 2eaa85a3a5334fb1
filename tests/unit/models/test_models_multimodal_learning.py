"""What enters is of use: a model learns to tell cases apart by it, and cannot where it is withheld.

The training loop takes the processor's batches as they are: `collate` adds labels and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medmm.domain.reading import Measurement, Side
from medmm.domain.study import SequenceRole
from medmm.models.mr.preprocessing import MrImage
from medmm.models.report_model.multimodal import MedMMForConditionalGeneration
from medmm.training.loop.fitting import LoopOptions, fit
from medmm.training.reports.objective import ReportObjective
from tests.tiny_multimodal import VOCABULARY, measurement, mr_config, record, tiny_processor

WORDS = ("normal", "effusion")
Case = tuple[MrImage | None, Sequence[Measurement] | None, int]  # and which word is right


def lesion_image(seed: int) -> MrImage:
    """Noise, and of odd seeds a bright block somewhere in it; slices and their size differ."""
    draw = np.random.default_rng(seed)
    z, y, x = draw.integers((3, 18, 18), (6, 25, 25))
    signal = draw.random((z, y, x)).astype(np.float32)
    if seed % 2:
        top, left = draw.integers(0, (y - 8, x - 8))
        signal[:, top : top + 8, left : left + 8] += 2
    return MrImage(signals={SequenceRole.FLAIR: signal})


def volumes(first: int, count: int) -> list[Case]:
    return [(lesion_image(seed), None, seed % 2) for seed in range(first, first + count)]


def values(first: int, count: int) -> list[Case]:
    """Ejection fractions around 35 % and 62 %."""
    draw = np.random.default_rng(first)
    return [
        (None, [measurement(float((62.0, 35.0)[n % 2] + draw.normal(0, 4)))], n % 2)
        for n in range(count)
    ]


def sides(first: int, count: int) -> list[Case]:
    """The smaller hippocampus is on one side or the other: the same two values, their sides swapped."""
    draw, cases = np.random.default_rng(first), []
    for n in range(count):
        pair = draw.uniform(2.0, 2.6), draw.uniform(3.2, 3.8)
        left, right = pair if n % 2 else pair[::-1]
        both = [(float(left), Side.LEFT), (float(right), Side.RIGHT)]
        cases.append(
            (None, [measurement(v, "hippocampus volume", side=side) for v, side in both], n % 2)
        )
    return cases


def without_image(case: Case) -> Case:
    return (None, case[1], case[2])


def without_values(case: Case) -> Case:
    return (case[0], None, case[2])


def without_sides(case: Case) -> Case:
    """The values by their size: nothing says which side each is of."""
    return (case[0], [measurement(one.value, one.name) for one in case[1] or ()], case[2])


def same(case: Case) -> Case:
    return case


# what is told apart, what withholds it, how many training cases are seen how often
SETS = {
    "volumes": (volumes, without_image, 32, 12),
    "values": (values, without_values, 32, 12),
    "sides": (sides, without_sides, 64, 30),
}


def right_of(
    name: str, change: Callable[[Case], Case], run_dir: Path, *, seed: int = 0
) -> tuple[int, int]:
    """How many of so many new cases a model gets right that learned from others."""
    make, _, examples, times = SETS[name]
    config = mr_config(text={"attention_dropout": 0.0}, findings=(), encoders={"mr": ENCODER})
    torch.manual_seed(seed)
    model, processor = (
        MedMMForConditionalGeneration(config),
        tiny_processor(config, padding_side="right"),
    )
    processor.image_processor.mr = {**processor.image_processor.mr, "sequences": ["FLAIR"]}

    def collate(cases: list[Case]) -> dict[str, Any]:
        images, measurements, _ = zip(*cases, strict=True)
        texts = [f"question : {WORDS[right]}" for *_, right in cases]
        batch = dict(processor(texts, images, [record()] * len(cases), measurements))
        words = torch.isin(
            batch["input_ids"], torch.tensor([VOCABULARY.index(word) for word in WORDS])
        )
        return {**batch, "labels": torch.where(words, batch["input_ids"], -100)}

    # One epoch that holds each case so often: nothing is kept, or drawn, between.
    options = LoopOptions(epochs=1, batch=8, learning_rate=4e-3, warmup_steps=2, precision="fp32")
    fit(
        model,
        [change(case) for case in make(0, examples)] * times,
        ReportObjective(collate=collate),
        options,
        run_dir,
        quiet=True,
    )
    new = [change(case) for case in make(1000, 24)]
    right = 0
    with torch.no_grad():
        for image, measurements, wanted in new:
            given = processor(["question :"], [image], [record()], [measurements])
            scores = model(**given).logits[0, -1, [VOCABULARY.index(word) for word in WORDS]]
            right += int(scores.argmax()) == wanted
    return right, len(new)


ENCODER = {
    "kind": "volume-network", "sequences": ["FLAIR"], "channels": [4, 8], "kernels": [[1, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2]], "norm": "instance",
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_new_cases_are_told_apart_by_what_enters(name: str, tmp_path: Path) -> None:
    right, count = right_of(name, same, tmp_path)
    assert right >= count - 2


@pytest.mark.parametrize("name", SETS)
def test_where_it_is_withheld_nothing_tells_them_apart(name: str, tmp_path: Path) -> None:
    right, count = right_of(name, SETS[name][1], tmp_path)
    assert abs(right - count // 2) <= 3
