"""The settings of a run: what they mean and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import ConfigError
from medmm.training.loop import precision
from medmm.training.loop.fitting import LoopOptions
from medmm.training.loop.options import LAST_SHARE

LEAST = {"epochs": 1, "batch": 2, "learning_rate": 1e-4}


def test_a_mapping_gives_the_options() -> None:
    given = {
        **LEAST,
        "trained": ["connectors."],
        "learning_rates": {"encoders.": 1e-5, "encoders.film.head": 1e-3},
    }
    options = LoopOptions.from_mapping(given)
    assert options.trained == ("connectors.",)
    assert options.rate_of("encoders.film.trunk.conv1.weight") == 1e-5
    assert options.rate_of("encoders.film.head.weight") == 1e-3
    assert options.rate_of("record.code.weight") == 1e-4
    assert LoopOptions.from_mapping(options.as_json()) == options
    assert LoopOptions.from_mapping({**LEAST, "learning_rates": None}) == LoopOptions(**LEAST)


def test_habits_do_not_decide() -> None:
    plain = LoopOptions(**LEAST).deciding()
    assert (
        LoopOptions(**LEAST, save_every=3, log_every=1, validate_every=2, shard=True).deciding()
        == plain
    )
    assert LoopOptions(**LEAST, seed=3).deciding() != plain


@pytest.mark.parametrize(("more", "said"), [
    ({"epoch": 3}, "unknown training options: epoch"),
    ({"epochs": 0}, "epochs is 0"),
    ({"epochs": True}, "epochs is True"),
    ({"batch": 2.0}, "batch is 2.0"),
    ({"seed": -1}, "seed is -1"),
    ({"learning_rate": "1e-4"}, "YAML takes 1.0e-4"),
    ({"learning_rate": 0}, "above 0"),
    ({"learning_rate": float("nan")}, "learning_rate is nan"),
    ({"weight_decay": -0.1}, "from 0"),
    ({"precision": "fp16"}, "auto, fp32, bf16"),
    ({"gradient_checkpointing": "yes"}, "give true or false"),
    ({"trained": "connectors."}, "give a list of texts"),
    ({"trained": [""]}, "give a list of texts"),
    ({"learning_rates": [1]}, "a learning rate for each"),
    ({"learning_rates": {"a": 0}}, "learning_rates.a is 0"),
    ({"validate_every": 0}, "validate_every is 0"),
    ({"average": 1.0}, "give a share below 1"),
    ({"average": "0.9"}, "give a number"),
    ({"average": 0.9, "shard": True}, "leave it out, or shard"),
    ({"lora": {"r": 8}}, "give r and target_modules"),
    ({"lora": {"r": 8, "target_modules": ["q_proj"], "rank": 1}}, "give r and target_modules"),
    ({"lora": {"r": 0, "target_modules": ["q_proj"]}}, "lora.r is 0"),
    ({"lora": {"r": 8, "target_modules": []}}, "name at least one"),
    ({"lora": {"r": 8, "target_modules": ["q_proj"], "dropout": 1.0}}, "below 1"),
])  # fmt: skip
def test_what_no_run_can_have_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        LoopOptions.from_mapping(LEAST | more)
    assert said in str(refused.value)
    assert refused.value.remedy


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="missing: epochs, learning_rate"):
        LoopOptions.from_mapping({"batch": 2})


@given(st.integers(0, 40), st.integers(1, 400))
def test_the_learning_rate_rises_and_falls_once(warmup: int, steps: int) -> None:
    options = LoopOptions(**LEAST, warmup_steps=warmup)
    shares = [options.share_of_rate(step, steps) for step in range(steps)]
    top = min(warmup, steps)
    assert all(0 < share <= 1 for share in shares)
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    assert all(share >= LAST_SHARE for share in shares[top:])
    if steps > warmup:
        assert shares[warmup] == 1.0


def test_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    for there, name in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(precision, "bf16_here", lambda there=there: there)
        assert precision.chosen("auto", cpu) == name
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda there=there: there)
        assert precision.chosen("auto", gpu) == name
    assert precision.chosen("bf16", cpu) == "bf16"
    assert precision.chosen("fp32", gpu) == "fp32"
    with pytest.raises(ConfigError, match="bf16 is not supported on cuda"):
        precision.chosen("bf16", gpu)
