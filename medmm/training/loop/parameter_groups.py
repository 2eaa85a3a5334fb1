"""What of the model learns in a run, and how fast."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from medmm.domain.errors import ConfigError
from medmm.training.loop.lora import MARK, adapter_layers, with_adapters
from medmm.training.loop.options import LoopOptions
from medmm.training.loop.state import learned, norms, seed_everything


def ready(model: Any, options: LoopOptions, *, whole_fp32: bool) -> None:
    """Put adapters in if wanted and mark what learns; it learns in fp32.

    Raises: ConfigError if a name of `trained` or `learning_rates` starts no parameter's name, for
        adapters that the options do not name, and for options that need a language model if
        there is none.
    """
    wanted = [
        name for name in ("lora", "gradient_checkpointing", "shard") if getattr(options, name)
    ]
    if wanted and not hasattr(model, "language_model"):
        raise ConfigError(
            f"{', '.join(wanted)}: this model has no language model", remedy="leave them out"
        )
    if options.lora is not None:
        seed_everything(options.seed)  # the adapters' start
        with_adapters(model, options.lora)
    elif adapter_layers(model):
        raise ConfigError(
            "the model has adapters and the options name none", remedy="`merged(model)` first"
        )
    names = [name for name, _ in model.named_parameters()]
    for prefix in (*options.trained, *options.learning_rates):
        if not any(name.startswith(prefix) for name in names):
            parts = sorted({name.split(".")[0] for name in names})
            raise ConfigError(
                f"no parameter's name starts with {prefix!r}",
                remedy=f"they start with {', '.join(parts)}",
            )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_learns(name, options))
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if whole_fp32:
        model.float()


def _learns(name: str, options: LoopOptions) -> bool:
    if options.lora is not None and name.startswith("language_model."):
        return MARK in name
    return not options.trained or name.startswith(options.trained)


def optimizer_of(model: nn.Module, options: LoopOptions) -> torch.optim.AdamW:
    """Build AdamW; vectors (biases, norms) do not decay, and `peak` is a group's rate.

    Source: Loshchilov and Hutter, ICLR 2019.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in learned(model).items():
        decay = options.weight_decay if parameter.dim() > 1 else 0.0
        groups.setdefault((options.rate_of(name), decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": group, "lr": rate, "peak": rate, "weight_decay": decay}
            for (rate, decay), group in groups.items()
        ]
    )


def to_train(model: nn.Module, still: tuple[str, ...]) -> None:
    """Train mode, but for batch norms that keep the statistics they came with."""
    model.train()
    for module in norms(model, still)[1].values():
        module.eval()


def checkpointed(model: Any, on: bool) -> None:
    """Compute activations again in the backward pass instead of keeping them, or no longer."""
    # Older transformers 5
    kind = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    if on:
        getattr(model, f"{kind}_checkpointing_enable")(
            **{f"{kind}_checkpointing_kwargs": {"use_reentrant": False}}
        )
    else:
        getattr(model, f"{kind}_checkpointing_disable")()
