"""The processes of a run: alone, or each with its shard of the model.

Source: ZeRO, Rajbhandari et al., SC 2020.
"""

from __future__ import annotations

import atexit
import copy
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from medmm.domain.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Which process this is, of how many, and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def here(cls, model: nn.Module, shard: bool) -> Processes:
        """Find the processes as torchrun, or `accelerate launch` on GPUs, started them.

        One process computes where its model lies.

        Raises: ConfigError for several without `shard`.
        """
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if world == 1:
            if shard:
                log.info("one process: nothing to shard")
            return cls(rank=0, world=1, device=next(model.parameters()).device)
        if not shard:
            raise ConfigError(
                f"{world} processes, and `shard` is false",
                remedy="set shard: true, or start one process",
            )
        local = int(os.environ.get("LOCAL_RANK", str(rank)))
        device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
        if device.type == "cuda":
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            dist.init_process_group(
                "nccl" if device.type == "cuda" else "gloo", rank=rank, world_size=world
            )
            atexit.register(_leave)
        return cls(rank=rank, world=world, device=device)

    def share(self, rows: Sequence[int]) -> Sequence[int]:
        """Return this process's part of a batch."""
        return rows[self.rank :: self.world]

    def total(self, values: Sequence[float]) -> list[float]:
        """Sum each value over the processes."""
        if self.world == 1:
            return [float(value) for value in values]
        summed = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(summed)
        return [float(value) for value in summed.tolist()]

    def everyones(self, text: str) -> list[str]:
        """Gather the text of each process, by rank."""
        if self.world == 1:
            return [text]
        mine = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).to(self.device)
        length = torch.tensor([len(mine)], device=self.device)
        lengths = [torch.zeros_like(length) for _ in range(self.world)]
        dist.all_gather(lengths, length)
        longest = max(int(n) for n in lengths)
        padded = torch.zeros(longest, dtype=torch.uint8, device=self.device)
        padded[: len(mine)] = mine
        texts = [torch.zeros_like(padded) for _ in range(self.world)]
        dist.all_gather(texts, padded)
        return [bytes(t[: int(n)].tolist()).decode() for t, n in zip(texts, lengths, strict=True)]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()

    def to_train(self, model: Any) -> Any:
        """Put the model on its device, in shards if there are several processes.

        Then it is a copy, of which each process holds its own shard alone.
        """
        return model.to(self.device) if self.world == 1 else sharded(model, self)


def sharded(model: Any, processes: Processes) -> Any:
    """Copy a model on the CPU so that each process holds a shard of every parameter.

    Each layer of the language model is gathered when it is needed. Encoders, connectors and record
    tokens belong to the root: a process whose share of a batch has no image must gather and reduce
    them with the others all the same.
    Raises: ConfigError if a parameter was not sharded.
    """
    mesh = init_device_mesh(processes.device.type, (processes.world,))
    copied = copy.deepcopy(model)
    layers = set(getattr(copied.language_model, "_no_split_modules", None) or ())
    for module in copied.language_model.modules():
        if type(module).__name__ in layers:
            fully_shard(module, mesh=mesh)
    fully_shard(copied, mesh=mesh).set_reduce_scatter_unused_params(True)
    if whole := [name for name, p in copied.named_parameters() if not isinstance(p, DTensor)]:
        raise ConfigError(
            f"not sharded: {', '.join(whole[:3])}", remedy="train this model in one process"
        )
    # gradients flow into every first layer, whatever a share holds: so all processes reduce the
    # layers in one order
    copied.get_input_embeddings().register_forward_hook(
        lambda module, args, out: out.requires_grad_(True)
    )
    return copied.to(processes.device)


def gathered(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gather the whole tensors on the CPU; every process must ask at once."""
    whole = {name: t.full_tensor() if isinstance(t, DTensor) else t for name, t in tensors.items()}
    return {name: t.detach().cpu().contiguous() for name, t in whole.items()}


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """Bring a whole tensor to a parameter's device, shards and memory format."""
    if isinstance(parameter, DTensor):
        mesh = parameter.device_mesh
        return distribute_tensor(value.to(mesh.device_type), mesh, parameter.placements)
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
