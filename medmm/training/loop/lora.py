"""Low-rank adapters on the language model (Hu et al., ICLR 2022), by PEFT."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from torch import nn

from medmm.domain.errors import ConfigError

ADAPTER = "default"
MARK = ".lora_"  # in the names of adapter parameters


def with_adapters(model: Any, lora: Mapping[str, Any]) -> None:
    """Put adapters into `model.language_model`, unless the same ones are there.

    Raises: ConfigError without PEFT, for layers that are not there, or if other adapters are there.
    """
    if there := adapter_layers(model):
        if any(
            layer.r[ADAPTER] != lora["r"] or layer.lora_alpha[ADAPTER] != _alpha(lora)
            for layer in there.values()
        ):
            raise ConfigError(
                "the model has other adapters",
                remedy="put those into the weights first: `merged(model)`",
            )
        return
    if importlib.util.find_spec("peft") is None:
        raise ConfigError(
            "lora needs PEFT, which is not installed", remedy="pip install 'medmm[train]'"
        )
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=lora["r"],
        lora_alpha=_alpha(lora),
        lora_dropout=lora.get("dropout", 0.0),
        target_modules=list(lora["target_modules"]),
    )
    try:
        inject_adapter_in_model(config, model.language_model, adapter_name=ADAPTER)
    except ValueError as error:
        raise ConfigError(
            f"no adapters for {', '.join(lora['target_modules'])}",
            remedy="name layers that the language model has, such as q_proj and v_proj",
        ) from error


def adapter_layers(model: nn.Module) -> dict[str, Any]:
    """Find the layers that have adapters, by name."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}


def merged(model: Any) -> Any:
    """Merge a model's adapters into its weights, in place.

    The result is a plain model that saves and loads.
    """
    for name, layer in adapter_layers(model).items():
        layer.merge()
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.get_base_layer())
    if hasattr(model.language_model, "peft_config"):
        del model.language_model.peft_config
    return model


def _alpha(lora: Mapping[str, Any]) -> float:
    return float(lora.get("alpha", lora["r"]))
