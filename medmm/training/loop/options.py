"""How a model is trained: the options of a run, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from medmm.domain.errors import ConfigError

PRECISIONS = ("auto", "fp32", "bf16")
LORA_KEYS = frozenset({"r", "alpha", "dropout", "target_modules"})
LAST_SHARE = 0.05  # of the peak learning rate, at the last step
# What may differ when a run goes on
HABITS = ("save_every", "log_every", "validate_every", "shard")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions:
    """Settings of one run.

    A step learns from `batch` x `accumulate` examples, shared among the processes. `trained` and
    `learning_rates` name parameters by the start of their names; an empty `trained` means all. With
    `lora` ({"r", "alpha", "dropout", "target_modules"}) the language model itself stays as it is
    and its adapters learn. With `average`, a share below 1, the weights that are looked at and kept
    are a mean over the steps (see `Average`), without `shard`. `save_every` and `log_every` are in
    steps, `validate_every` in epochs.
    Raises: ConfigError for values no run can have.
    """

    epochs: int
    batch: int
    learning_rate: float
    accumulate: int = 1
    weight_decay: float = 0.01
    warmup_steps: int = 20
    clip_norm: float = 1.0
    seed: int = 0
    precision: str = "auto"
    gradient_checkpointing: bool = False
    trained: tuple[str, ...] = ()
    lora: Mapping[str, Any] | None = None
    shard: bool = False
    save_every: int = 200
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    log_every: int = 20
    validate_every: int = 1
    average: float | None = None  # no number, so that runs from before it was an option go on

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulate", "save_every", "log_every", "validate_every"):
            _whole(name, getattr(self, name), least=1)
        for name in ("warmup_steps", "seed"):
            _whole(name, getattr(self, name), least=0)
        for name in ("learning_rate", "clip_norm"):
            _number(name, getattr(self, name), above_zero=True)
        _number("weight_decay", self.weight_decay)
        for name in ("gradient_checkpointing", "shard"):
            if not isinstance(getattr(self, name), bool):
                raise _wrong(name, getattr(self, name), "give true or false")
        if self.precision not in PRECISIONS:
            raise _wrong("precision", self.precision, f"give one of {', '.join(PRECISIONS)}")
        _texts("trained", self.trained)
        for prefix, rate in self.learning_rates.items():
            _number(f"learning_rates.{prefix}", rate, above_zero=True)
        if self.average is not None:
            _number("average", self.average)
            if self.average >= 1:
                raise _wrong("average", self.average, "give a share below 1, such as 0.995")
            if self.shard:
                raise _wrong(
                    "average", self.average, "leave it out, or shard: no shards are averaged"
                )
        if self.lora is not None:
            _check_lora(self.lora)

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> LoopOptions:
        """Read the options that a configuration gives.

        Raises: ConfigError for unknown or missing names and for bad values.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(map(str, config)) - known):
            raise ConfigError(
                f"unknown training options: {', '.join(unknown)}",
                remedy=f"the options are {', '.join(sorted(known))}",
            )
        if missing := [name for name in ("epochs", "batch", "learning_rate") if name not in config]:
            raise ConfigError(
                f"training options are missing: {', '.join(missing)}", remedy="give each a value"
            )
        values = dict(config)
        if isinstance(values.get("trained"), list):
            values["trained"] = tuple(values["trained"])
        if values.get("learning_rates") is None:
            values.pop("learning_rates", None)
        elif not isinstance(values["learning_rates"], Mapping):
            raise _wrong(
                "learning_rates",
                values["learning_rates"],
                "give a learning rate for each start of names",
            )
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """Return all options as JSON has them."""
        values = asdict(self)
        values["trained"], values["learning_rates"] = list(self.trained), dict(self.learning_rates)
        values["lora"] = (
            None if self.lora is None else {k: _listed(v) for k, v in self.lora.items()}
        )
        return values

    def deciding(self) -> dict[str, Any]:
        """Return the options that decide what comes out: a run goes on with these alone."""
        return {name: value for name, value in self.as_json().items() if name not in HABITS}

    def share_of_rate(self, step: int, steps: int) -> float:
        """Compute the share of its learning rate that a step (from 0) has.

        It is a straight rise, then half a cosine to a twentieth.
        """
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(steps - self.warmup_steps, 1)
        return LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * done))

    def rate_of(self, parameter: str) -> float:
        """Return the peak learning rate of a parameter: by the longest start of its name.

        Without one it is the general rate.
        """
        starts = [prefix for prefix in self.learning_rates if parameter.startswith(prefix)]
        return self.learning_rates[max(starts, key=len)] if starts else self.learning_rate


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _wrong(name, value, f"give a whole number from {least}")


def _number(name: str, value: Any, above_zero: bool = False) -> None:
    if isinstance(value, str):
        raise _wrong(
            name, value, "give a number; YAML takes 1.0e-4 for a number and 1e-4 for a text"
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(name, value, "give a number")
    if value < 0 or (above_zero and value == 0):
        raise _wrong(name, value, f"give a number {'above' if above_zero else 'from'} 0")


def _texts(name: str, value: Any) -> None:
    if not isinstance(value, list | tuple) or not all(
        isinstance(text, str) and text for text in value
    ):
        raise _wrong(name, value, "give a list of texts")


def _check_lora(lora: Any) -> None:
    if not isinstance(lora, Mapping) or not {"r", "target_modules"} <= set(lora) <= LORA_KEYS:
        raise _wrong("lora", lora, "give r and target_modules, and alpha and dropout if wanted")
    _whole("lora.r", lora["r"], least=1)
    _number("lora.alpha", lora.get("alpha", lora["r"]), above_zero=True)
    _number("lora.dropout", lora.get("dropout", 0.0))
    if lora.get("dropout", 0.0) >= 1:
        raise _wrong("lora.dropout", lora["dropout"], "give a number below 1")
    _texts("lora.target_modules", lora["target_modules"])
    if not lora["target_modules"]:
        raise _wrong("lora.target_modules", [], "name at least one kind of layer, such as q_proj")


def _wrong(name: str, value: Any, remedy: str) -> ConfigError:
    return ConfigError(f"training option {name} is {value!r}", remedy=remedy)
