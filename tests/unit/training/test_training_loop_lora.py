"""Adapters learn and the language model stays; merged, the model is a plain one again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from medmm.domain.errors import ConfigError
from medmm.models.report_model.multimodal.modeling import MedMMForConditionalGeneration
from medmm.training.loop import lora
from medmm.training.loop.fitting import LoopOptions, fit, merged
from medmm.training.loop.lora import adapter_layers
from tests.tiny_multimodal import OBJECTIVE, OPTIONS, collate, examples, film_model, same, state_of

LORA = {"r": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["q_proj", "v_proj"]}


def run(run_dir: Path, model: Any, **more: Any) -> Any:
    return fit(
        model,
        examples(8),
        OBJECTIVE,
        LoopOptions(**OPTIONS | {"lora": LORA} | more),
        run_dir,
        quiet=True,
    )


def base_name(name: str) -> str:
    return name.replace(".base_layer", "")


@pytest.mark.parametrize("trained", [(), ("connectors.", "record.")])
def test_the_language_model_stays_bit_for_bit(tmp_path: Path, trained: tuple[str, ...]) -> None:
    model = film_model()
    before = state_of(model)
    run(tmp_path, model, trained=trained)
    after = {base_name(name): value for name, value in state_of(model).items()}
    new = set(after) - set(before)
    assert len(new) == 2 * 2 * 2, "A and B of two projections in two layers"
    assert all(after[name].abs().max() > 0 for name in new), "B starts at zero and learns"
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("language_model.") for name in changed)
    expected = (
        {name.split(".")[0] + "." for name in before} - {"language_model."}
        if not trained
        else set(trained)
    )
    assert {name.split(".")[0] + "." for name in changed} == expected


def test_merged_it_is_a_plain_model_that_says_the_same(tmp_path: Path) -> None:
    model = film_model()
    plain_names = set(state_of(model))
    run(tmp_path / "run", model)
    batch = collate(examples(8))
    with torch.no_grad():
        adapted = model(**batch).logits
        assert merged(model) is model
        together = model(**batch).logits
    torch.testing.assert_close(together, adapted, atol=1e-5, rtol=1e-4)
    assert set(state_of(model)) == plain_names
    assert not adapter_layers(model)
    assert type(model.language_model.model.layers[0].self_attn.q_proj) is torch.nn.Linear
    model.save_pretrained(tmp_path / "saved")
    again = MedMMForConditionalGeneration.from_pretrained(tmp_path / "saved").eval()
    assert same(state_of(again), state_of(model))
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, together)
    fit(
        model,
        examples(8),
        OBJECTIVE,
        LoopOptions(**OPTIONS | {"epochs": 1}),
        tmp_path / "next",
        quiet=True,
    )


def test_it_goes_on_and_is_not_adapted_twice(tmp_path: Path) -> None:
    one, other = film_model(), film_model()
    run(tmp_path, one)
    run(tmp_path, other)
    assert same(state_of(one), state_of(other))
    run(tmp_path / "more", one)
    assert len(adapter_layers(one)) == 4


def test_adapters_that_cannot_be_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no adapters for wrong_proj"):
        run(tmp_path, film_model(), lora={"r": 2, "target_modules": ["wrong_proj"]})
    model = film_model()
    run(tmp_path / "a", model, epochs=1)
    with pytest.raises(ConfigError, match="the model has other adapters"):
        run(tmp_path / "b", model, lora={**LORA, "r": 2})
    with pytest.raises(ConfigError, match="the model has adapters and the options name none"):
        run(tmp_path / "c", model, lora=None)
    monkeypatch.setattr(lora.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="PEFT") as missing:
        run(tmp_path / "d", film_model())
    assert "pip install 'medmm[train]'" in missing.value.remedy
