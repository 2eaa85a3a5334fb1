"""A multimodal model of some thousand parameters and examples for it: some with a film, a record and labels, some not."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from medmm.models.multimodal.config import MedMMConfig
from medmm.models.multimodal.modeling import MedMMForConditionalGeneration
from medmm.training.loop import LoopOptions, fit

IMAGE, RECORD, PAD = 3, 4, 0
MOSTLY_PLAIN = (0, 2, 3, 5, 8)  # so that some process has no film in a step
OPTIONS: dict[str, Any] = {
    "epochs": 2, "batch": 4, "learning_rate": 3e-3, "warmup_steps": 2, "precision": "fp32", "log_every": 2,
}  # fmt: skip


def tiny_model(dropout: float = 0.0) -> MedMMForConditionalGeneration:
    torch.manual_seed(7)
    text = {
        "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "attention_dropout": dropout, "pad_token_id": PAD,
    }  # fmt: skip
    film = {"spatial_dims": 2, "size": 32, "layers": [1, 1, 1, 1], "widths": [8, 8, 16, 16], "stages": 3}
    config = MedMMConfig(
        encoders={"film": film}, text_config=text, connector_size=1, findings=["Effusion", "Nodule"],
        image_token_id=IMAGE, record_token_id=RECORD, record_codes=["loinc|1", "loinc|2"],
    )  # fmt: skip
    return MedMMForConditionalGeneration(config)


def examples(count: int, plain: tuple[int, ...] = (2, 5)) -> list[dict[str, Tensor | None]]:
    """Those whose place is in `plain` have text alone."""
    random = torch.Generator().manual_seed(count)
    rows: list[dict[str, Tensor | None]] = []
    for index in range(count):
        text = torch.randint(8, 16, (3 + index % 4,), generator=random).repeat(2)
        ids = torch.cat([torch.tensor([PAD] * 5 if index in plain else [IMAGE] * 4 + [RECORD]), text])
        ids = torch.cat([ids, torch.full((17 - len(ids),), PAD)])
        labels = torch.where(ids < 8, -100, ids)
        film = torch.randn(1, 32, 32, generator=random)
        said = torch.tensor([float(index % 2), float("nan") if index % 3 else 1.0])
        fact = torch.randn(1, 4, generator=random)
        extra = {"film": film, "said": said, "fact": fact}
        rows.append({"ids": ids, "labels": labels, **({} if index in plain else extra)})
    return rows


def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    batch = {"input_ids": torch.stack([r["ids"] for r in rows]), "labels": torch.stack([r["labels"] for r in rows])}
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    seen = [r for r in rows if "film" in r]
    if seen:
        batch["pixel_values"] = torch.stack([r["film"] for r in seen])
        batch["finding_labels"] = torch.stack([r["said"] for r in seen])
        code = torch.tensor([[5, 1, 1]])
        batch["record_ids"] = torch.stack([code if "film" in r else code * 0 for r in rows])
        batch["record_values"] = torch.stack([r.get("fact", torch.zeros(1, 4)) for r in rows])
    return batch


def state_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def one_of_several(run_dir: Path, out: Path, lora: dict[str, Any] | None, stop_at: int = -1) -> None:
    """What a launcher starts in each process: train in shards and write what this process ends with."""
    rank, seen, films = os.environ["RANK"], {}, []

    def look(model: Any) -> dict[str, float]:
        parts = [p for p in model.parameters() if isinstance(p, DTensor)]
        here, whole = (sum(map(torch.Tensor.numel, ps)) for ps in ([p.to_local() for p in parts], parts))
        seen.update(not_sharded=len(list(model.parameters())) - len(parts), here=here, whole=whole)
        return {"loss": float(model(**collate(rows[:4])).loss)}

    def noted(chosen: list[Any]) -> dict[str, Tensor]:
        if len(films) == stop_at and rank == "1":
            os.kill(os.getpid(), signal.SIGTERM)
        batch = collate(chosen)
        films.append("pixel_values" in batch)
        return batch

    model, rows = tiny_model(), examples(9, MOSTLY_PLAIN)
    options = LoopOptions(**OPTIONS, shard=True, lora=lora)
    result = fit(model, rows, noted, options, run_dir, validate=look, quiet=True)
    save_file({name: value.contiguous() for name, value in state_of(model).items()}, out / f"{rank}.safetensors")
    found = {"log": result.log, "films": films, "stopped": result.stopped, "steps": result.steps, **seen}
    (out / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    one_of_several(Path(sys.argv[1]), Path(sys.argv[2]), None)
