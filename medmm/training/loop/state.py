"""Checkpoints of a run: what moves, its average, optimizer, random states and place.

They are safetensors and JSON.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from medmm.domain.errors import IntegrityError, StateError
from medmm.files import flush, sha256_of
from medmm.training.loop.sharding import Processes, gathered, like
from medmm.training.weights_export import write_json

FOLDER, WEIGHTS, OPTIMIZER, STATE = (
    "checkpoint",
    "weights.safetensors",
    "optimizer.safetensors",
    "state.json",
)
AVERAGE = "average.safetensors"  # where the options ask for one
ANOTHER = "give the options and data of that run, or another run folder"


@dataclass(slots=True, kw_only=True)
class RunPlace:
    """How far a run is: steps in all and in this epoch (from 0), and sums since the last row."""

    step: int = 0
    epoch: int = 0
    in_epoch: int = 0
    seconds: float = 0.0
    rows: int = 0
    sums: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {"steps": {}, "epoch": {}}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a folder holds of an earlier part of the run."""

    place: RunPlace
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    average: dict[str, Tensor]
    random_states: list[dict[str, Any]]


def run_of(
    options: Mapping[str, Any], examples: int, frozen: str, inputs: Mapping[str, str]
) -> dict[str, Any]:
    """Return what must be the same for a run to go on."""
    return {
        "options": dict(options),
        "examples": examples,
        "frozen_weights": frozen,
        "inputs": dict(inputs),
    }


def digest(value: Any) -> str:
    """Compute the sha256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_of_frozen(model: nn.Module) -> str:
    """Compute the sha256 of the parameters that do not learn.

    A checkpoint holds none of them.
    """
    sha = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        if not parameter.requires_grad:
            sha.update(name.encode())
            sha.update(parameter.detach().cpu().float().contiguous().numpy().tobytes())
    return sha.hexdigest()


def learned(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that learn, by name; tied ones once."""
    return {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }


def norms(
    model: nn.Module, still: tuple[str, ...]
) -> tuple[dict[str, nn.Module], dict[str, nn.Module]]:
    """Return by name batch norms whose running statistics move, and those that are still.

    `still` holds starts of names.
    """
    found: dict[str, nn.Module] = {
        n: module for n, module in model.named_modules() if isinstance(module, _BatchNorm)
    }
    held = {name: module for name, module in found.items() if still and name.startswith(still)}
    return {name: module for name, module in found.items() if name not in held}, held


def moving(model: nn.Module, still: tuple[str, ...]) -> dict[str, Tensor]:
    """Return what a run moves: learned parameters, and statistics of batch norms not still."""
    found: dict[str, Tensor] = dict(learned(model))
    for name, module in norms(model, still)[0].items():
        found |= {f"{name}.{key}": buffer for key, buffer in module.named_buffers(recurse=False)}
    return found


def save(
    run_dir: Path,
    run: Mapping[str, Any],
    place: RunPlace,
    weights: Mapping[str, Tensor],
    optimizer: Any,
    average: Mapping[str, Tensor] | None,
    processes: Processes,
) -> None:
    """Write `run_dir/checkpoint` of what moves; every process must call.

    Until the new one is whole, the last one stays.
    """
    steps = {
        f"{key}/{n}": v
        for n, w in weights.items()
        if w.requires_grad
        for key, v in optimizer.state[w].items()
    }
    tensors = {WEIGHTS: gathered(weights), OPTIMIZER: gathered(steps)}
    if average is not None:
        tensors[AVERAGE] = gathered(average)
    states = processes.everyones(json.dumps(random_state(processes.device)))
    if processes.rank == 0:
        new = run_dir / f"{FOLDER}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        for name, values in tensors.items():
            save_file(values, new / name)
        content = {
            "run": dict(run),
            "digest": digest(run),
            "place": asdict(place),
            "random": [json.loads(text) for text in states],
            "files": {name: sha256_of(new / name) for name in tensors},
        }
        write_json(new / STATE, content)
        _put_in_place(new, run_dir / FOLDER)
    processes.wait()


def _put_in_place(new: Path, folder: Path) -> None:
    """Rename; whenever this is cut off, `load` finds a whole checkpoint."""
    for file in (*new.iterdir(), new):
        flush(file)
    old = folder.with_name(f"{FOLDER}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(run_dir: Path, run: Mapping[str, Any]) -> Checkpoint | None:
    """Load the checkpoint of a run folder; return None if there is none.

    Raises: StateError if it is of other options, data or frozen weights, IntegrityError if a file
        was altered.
    """
    folder = run_dir / FOLDER
    if not folder.exists():
        folder = run_dir / f"{FOLDER}.old"
    if not folder.exists():
        return None
    try:
        content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        before, place, states = (
            content["run"],
            RunPlace(**content["place"]),
            list(content["random"]),
        )
        whole = content["digest"] == digest(before)
        names = [
            WEIGHTS,
            OPTIMIZER,
            *([AVERAGE] if before["options"].get("average") is not None else []),
        ]
        whole = whole and all(content["files"][name] == sha256_of(folder / name) for name in names)
        tensors = {name: load_file(folder / name) for name in names if whole}
    except (ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise _altered(folder) from error
    if not whole:
        raise _altered(folder)
    if different := _differences(before, run):
        raise StateError(
            f"the run folder holds another run: {'; '.join(different)}",
            remedy=ANOTHER,
            folder=str(run_dir),
        )
    weights, optimizer, average = (tensors.get(name, {}) for name in (WEIGHTS, OPTIMIZER, AVERAGE))
    return Checkpoint(
        place=place, weights=weights, optimizer=optimizer, average=average, random_states=states
    )


def restore(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> None:
    """Put back what moves, in a model that is not sharded.

    Raises: StateError if the checkpoint is of other parameters.
    """
    shapes = {name: tuple(w.shape) for name, w in weights.items()}
    if shapes != {name: tuple(w.shape) for name, w in checkpoint.weights.items()}:
        raise StateError(
            "the run folder holds a run of a model of other parameters", remedy=ANOTHER
        )
    put(weights, checkpoint.weights)


@torch.no_grad()
def put(tensors: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Put values into the tensors of these names, in place."""
    for name, value in values.items():
        tensors[name].copy_(value)


def restore_optimizer(
    checkpoint: Checkpoint, weights: Mapping[str, Tensor], optimizer: Any
) -> None:
    """Put the optimizer's state in, sharded as the parameters are."""
    for key, value in sorted(checkpoint.optimizer.items()):
        kind, _, name = key.partition("/")
        optimizer.state[weights[name]][kind] = (
            value if kind == "step" else like(value, weights[name])
        )


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators, as JSON has them."""
    version, integers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state = {
        "python": [version, list(integers), gauss],
        "numpy": [kind, np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
        "torch": _hex(torch.get_rng_state()),
    }
    return (
        {**state, "cuda": _hex(torch.cuda.get_rng_state(device))}
        if device.type == "cuda"
        else state
    )


def set_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Put the generators back to what `random_state` gave."""
    version, integers, gauss = state["python"]
    random.setstate((version, tuple(integers), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.asarray(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(_bytes(state["torch"]))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(_bytes(state["cuda"]), device)


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and torch's generators (the GPUs' too)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _hex(state: Tensor) -> str:
    return state.cpu().numpy().tobytes().hex()


def _bytes(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    for name in sorted(set(before["options"]) | set(now["options"])):
        was, is_now = before["options"].get(name), now["options"].get(name)
        if was != is_now:
            found.append(f"{name} was {was!r} and is {is_now!r}")
    if before["examples"] != now["examples"]:
        found.append(f"it had {before['examples']} examples, now there are {now['examples']}")
    found += [
        f"{what} differ" for what in ("frozen_weights", "inputs") if before[what] != now[what]
    ]
    return [text.replace("frozen_weights", "the weights that do not learn") for text in found]


def _altered(folder: Path) -> IntegrityError:
    return IntegrityError(
        "a checkpoint was altered or is not whole",
        remedy="restore it, or remove that folder to start the run anew",
        folder=str(folder),
    )
