"""Checkpoints of a run: learned weights, the optimizer's state, random states and the place; safetensors and JSON."""

from __future__ import annotations

import hashlib
import json
import os
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

from medmm.domain.errors import IntegrityError, StateError
from medmm.training.loop_sharding import Processes, gathered, like
from medmm.training.package import sha256_of, write_json

FOLDER, WEIGHTS, OPTIMIZER, STATE = "checkpoint", "weights.safetensors", "optimizer.safetensors", "state.json"
ANOTHER = "give the options and data of that run, or another run folder"


@dataclass(slots=True, kw_only=True)
class Place:
    """How far a run is: steps in all and in this epoch (from 0), and what was summed since rows of the log."""

    step: int = 0
    epoch: int = 0
    in_epoch: int = 0
    seconds: float = 0.0
    rows: int = 0
    sums: dict[str, dict[str, list[float]]] = field(default_factory=lambda: {"steps": {}, "epoch": {}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a folder holds of an earlier part of the run."""

    place: Place
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random_states: list[dict[str, Any]]


def run_of(options: Mapping[str, Any], examples: int, frozen: str, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    return {"options": dict(options), "examples": examples, "frozen_weights": frozen, "inputs": dict(inputs)}


def digest(value: Any) -> str:
    """sha256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_of_frozen(model: nn.Module) -> str:
    """sha256 of the parameters that do not learn: a checkpoint holds none of them."""
    sha = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        if not parameter.requires_grad:
            sha.update(name.encode())
            sha.update(parameter.detach().cpu().float().contiguous().numpy().tobytes())
    return sha.hexdigest()


def learned(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name; tied ones once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save(
    run_dir: Path, run: Mapping[str, Any], place: Place, model: nn.Module, optimizer: Any, processes: Processes
) -> None:
    """Write `run_dir/checkpoint`; every process must call. Until the new one is whole, the last one stays."""
    parameters = learned(model)
    weights = gathered(dict(parameters))
    state = gathered({f"{key}/{n}": v for n, p in parameters.items() for key, v in optimizer.state[p].items()})
    states = processes.everyones(json.dumps(random_state(processes.device)))
    if processes.rank == 0:
        new = run_dir / f"{FOLDER}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        save_file(weights, new / WEIGHTS)
        save_file(state, new / OPTIMIZER)
        content = {
            "run": dict(run),
            "digest": digest(run),
            "place": asdict(place),
            "random": [json.loads(text) for text in states],
            "files": {name: sha256_of(new / name) for name in (WEIGHTS, OPTIMIZER)},
        }
        write_json(new / STATE, content)
        _put_in_place(new, run_dir / FOLDER)
    processes.wait()


def _put_in_place(new: Path, folder: Path) -> None:
    """Rename; whenever this is cut off, `load` finds a whole checkpoint."""
    for file in (*new.iterdir(), new):
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    old = folder.with_name(f"{FOLDER}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(run_dir: Path, run: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint of a run folder, or None if there is none.

    Raises: StateError if it is of other options, data or frozen weights, IntegrityError if a file was altered.
    """
    folder = run_dir / FOLDER
    if not folder.exists():
        folder = run_dir / f"{FOLDER}.old"
    if not folder.exists():
        return None
    try:
        content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        before, place, states = content["run"], Place(**content["place"]), list(content["random"])
        whole = content["digest"] == digest(before)
        whole = whole and all(content["files"][n] == sha256_of(folder / n) for n in (WEIGHTS, OPTIMIZER))
        weights, optimizer = (load_file(folder / name) for name in (WEIGHTS, OPTIMIZER)) if whole else ({}, {})
    except (ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise _altered(folder) from error
    if not whole:
        raise _altered(folder)
    if different := _differences(before, run):
        raise StateError(
            f"the run folder holds another run: {'; '.join(different)}", remedy=ANOTHER, folder=str(run_dir)
        )
    return Checkpoint(place=place, weights=weights, optimizer=optimizer, random_states=states)


def restore(checkpoint: Checkpoint, model: nn.Module) -> None:
    """Put the learned weights into a model that is not sharded. Raises: StateError if it has others."""
    parameters = learned(model)
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    if shapes != {name: tuple(w.shape) for name, w in checkpoint.weights.items()}:
        raise StateError("the run folder holds a run of a model of other parameters", remedy=ANOTHER)
    put(model, checkpoint.weights)


@torch.no_grad()
def put(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put whole weights into a model that is not sharded."""
    for name, parameter in learned(model).items():
        parameter.copy_(weights[name])


def restore_optimizer(checkpoint: Checkpoint, model: nn.Module, optimizer: Any) -> None:
    """Put the optimizer's state in, sharded as the parameters are."""
    parameters = learned(model)
    for key, value in sorted(checkpoint.optimizer.items()):
        kind, _, name = key.partition("/")
        optimizer.state[parameters[name]][kind] = value if kind == "step" else like(value, parameters[name])


def random_state(device: torch.device) -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's generators, as JSON has them."""
    version, integers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state = {
        "python": [version, list(integers), gauss],
        "numpy": [kind, np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
        "torch": _hex(torch.get_rng_state()),
    }
    return {**state, "cuda": _hex(torch.cuda.get_rng_state(device))} if device.type == "cuda" else state


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
    found += [f"{what} differ" for what in ("frozen_weights", "inputs") if before[what] != now[what]]
    return [text.replace("frozen_weights", "the weights that do not learn") for text in found]


def _altered(folder: Path) -> IntegrityError:
    return IntegrityError(
        "a checkpoint was altered or is not whole",
        remedy="restore it, or remove that folder to start the run anew",
        folder=str(folder),
    )
