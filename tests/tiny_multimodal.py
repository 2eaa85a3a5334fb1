"""Multimodal models of a few thousand random parameters, with cases for them and with examples that they learn from."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, PreTrainedTokenizerFast

from medmm.domain.draft import Assertion
from medmm.domain.reading import Measurement
from medmm.domain.record import ClinicalContext, Coding, Fact, FactKind, FactStatus, Quantity
from medmm.domain.study import SequenceRole
from medmm.domain.vocabulary import measurement_terms
from medmm.models.mr.preprocessing import MrImage
from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMImageProcessor,
    MedMMProcessor,
)
from medmm.models.report_model.multimodal.processing import IMAGE, MEASUREMENT, RECORD
from medmm.training.loop.fitting import LoopOptions, fit
from medmm.training.reports.objective import ReportObjective

SPECIAL = ("<pad>", "<s>", "</s>", IMAGE, RECORD, "<unk>")
WORDS = ("no", "effusion", "the", "heart", "is", "normal", "question", ":")
VOCABULARY = (
    *SPECIAL,
    *WORDS,
    *(f"w{n}" for n in range(63 - len(SPECIAL) - len(WORDS))),
    MEASUREMENT,
)
PAD_ID, IMAGE_ID, RECORD_ID, MEASUREMENT_ID = (
    VOCABULARY.index(word) for word in ("<pad>", IMAGE, RECORD, MEASUREMENT)
)
SIZE_PX, SIZE_VOXELS = 32, 16
CODES, UNITS = ("http://loinc.org|718-7", "sex|female"), ("g/dL", "a")
FINDINGS = ("effusion", "pneumothorax", "nodule")
STUDY_AT = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
TEXT = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
TYPICAL = {"LVEF": 55.0, "hippocampus volume": 3.0, "cardiothoracic ratio": 0.5}
MR_ENCODER = {
    "kind": "volume-network", "sequences": ["T1", "FLAIR"], "channels": [4, 8], "kernels": [[1, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2]], "norm": "instance", "presence": "nodule",
}  # fmt: skip
MR_GRID = {
    "sequences": ["T1", "FLAIR"],
    "stand_in": "FLAIR",
    "spacing_zyx_mm": [None, None, None],
    "side_px": 16,
}
TEXT_MODELS = ("llama", "qwen2", "gemma")


def text_config(model_type: str = "llama", **changes: Any) -> Any:
    if model_type == "gpt2":
        return AutoConfig.for_model(
            "gpt2",
            vocab_size=64,
            n_embd=32,
            n_layer=2,
            n_head=2,
            n_positions=256,
            bos_token_id=1,
            eos_token_id=2,
        )
    return AutoConfig.for_model(model_type, **{**TEXT, "tie_word_embeddings": False, **changes})


def tiny_config(
    model_type: str = "llama", *, text: dict[str, Any] | None = None, **changes: Any
) -> MedMMConfig:
    encoder = {"layers": [1, 1, 1, 1], "widths": [8, 8, 16, 16]}
    given: dict[str, Any] = {
        "encoders": {
            "film": {"spatial_dims": 2, **encoder},
            "volume": {"spatial_dims": 3, **encoder},
        },
        "text_config": text_config(model_type, **(text or {})),
        "connector_size": 2,
        "record_codes": CODES,
        "record_units": UNITS,
        "findings": FINDINGS,
        "image_token_id": IMAGE_ID,
        "record_token_id": RECORD_ID,
    }
    return MedMMConfig(**{**given, **changes})


def mr_config(**changes: Any) -> MedMMConfig:
    """A model for MR images of two sequences, records and measurements."""
    given = {
        "encoders": {"mr": MR_ENCODER},
        "measurements": TYPICAL,
        "measurement_token_id": MEASUREMENT_ID,
    }
    return tiny_config(**{**given, **changes})


def tiny_model(
    config: MedMMConfig | None = None, *, seed: int = 0
) -> MedMMForConditionalGeneration:
    """A model in evaluation mode, every parameter moved off its start so that nothing is hidden by a zero."""
    torch.manual_seed(seed)
    model = MedMMForConditionalGeneration(config or tiny_config()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def tiny_processor(
    config: MedMMConfig | None = None, *, padding_side: str = "left"
) -> MedMMProcessor:
    config = config or tiny_config()
    words = Tokenizer(models.WordLevel({w: n for n, w in enumerate(VOCABULARY)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=[IMAGE, RECORD, MEASUREMENT], padding_side=padding_side,
    )  # fmt: skip
    return MedMMProcessor(
        MedMMImageProcessor(
            size_px=SIZE_PX,
            size_voxels=SIZE_VOXELS,
            mr=MR_GRID if "mr" in config.encoders else None,
        ),
        tokenizer,
        record_codes=config.record_codes,
        record_units=config.record_units,
        film_tokens=config.image_tokens(2),
        volume_tokens=config.image_tokens(3),
        measurements=config.measurements,
    )


def film(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((40, 50)).astype(np.float32)


def volume(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((9, 20, 24)).astype(np.float32)


def mr_image(seed: int = 0, slices: int = 5, **changes: Any) -> MrImage:
    """An MR image of two sequences, 20 x 24 a slice."""
    draw = np.random.default_rng(seed)
    signals = {
        r: draw.random((slices, 20, 24)).astype(np.float32)
        for r in (SequenceRole.T1, SequenceRole.FLAIR)
    }
    return MrImage(**{"signals": signals, **changes})


def measurement(value: float = 60.0, name: str = "LVEF", **changes: Any) -> Measurement:
    given = {
        "unit": measurement_terms()[name].unit,
        "interval": (0.9 * value, 1.1 * value),
        **changes,
    }
    return Measurement(name=name, value=value, **given)


def fact(number: int, **changes: Any) -> Fact:
    """A haemoglobin of some day before the study."""
    given: dict[str, Any] = {
        "id": f"Observation/o{number:05d}",
        "kind": FactKind.OBSERVATION,
        "label": "Hemoglobin",
        "status": FactStatus.ACTIVE,
        "codings": (Coding(system="http://loinc.org", code="718-7"),),
        "value": Quantity(value=10.0 + number % 7, unit="g/dL", low=12.0, high=16.0),
        "when": STUDY_AT - timedelta(days=1 + number),
        "source": f"entry[{number}]",
    }
    return Fact(**{**given, **changes})


def record(*facts: Fact, as_of: datetime | None = STUDY_AT) -> ClinicalContext:
    return ClinicalContext(patient_key="ZZ1", as_of=as_of, facts=facts)


def age(years: float) -> Fact:
    return fact(
        0,
        id="Patient#age",
        kind=FactKind.DEMOGRAPHIC,
        label="Age at the study",
        codings=(),
        value=Quantity(value=years, unit="a"),
        when=None,
    )


def inputs(processor: MedMMProcessor | None = None, **images_and_records: Any) -> dict[str, Any]:
    """Three cases: a film and a record, a film alone, a record alone."""
    given: dict[str, Any] = {
        "text": ["question : effusion", "the heart", "no effusion : the heart is normal"],
        "images": [film(1), film(2), None],
        "records": [record(fact(1), fact(2)), None, record(fact(3))],
    }
    return dict((processor or tiny_processor())(**{**given, **images_and_records}))


class MostLikely:
    """Decides for what the language model finds likeliest, with no one to hold it back."""

    def said(
        self, row: int, finding: str, scores: Mapping[Assertion | None, float]
    ) -> Assertion | None:
        return max(scores, key=lambda said: scores[said])


# ---- what a model learns from: some examples with a film, a record and labels, some not --------------------

MOSTLY_PLAIN = (0, 2, 3, 5, 8)  # so that some process has no film in a step
OPTIONS: dict[str, Any] = {
    "epochs": 2, "batch": 4, "learning_rate": 3e-3, "warmup_steps": 2, "precision": "fp32", "log_every": 2,
}  # fmt: skip


def film_model(dropout: float = 0.0) -> MedMMForConditionalGeneration:
    """A model for films alone, at its start, to learn from `examples`."""
    film = {
        "spatial_dims": 2,
        "size": SIZE_PX,
        "layers": [1, 1, 1, 1],
        "widths": [8, 8, 16, 16],
        "stages": 3,
    }
    config = tiny_config(
        text={"attention_dropout": dropout},
        encoders={"film": film},
        connector_size=1,
        findings=["Effusion", "Nodule"],
        record_codes=["loinc|1", "loinc|2"],
    )
    torch.manual_seed(7)
    return MedMMForConditionalGeneration(config)


def examples(count: int, plain: tuple[int, ...] = (2, 5)) -> list[dict[str, Tensor | None]]:
    """Those whose place is in `plain` have text alone."""
    random = torch.Generator().manual_seed(count)
    rows: list[dict[str, Tensor | None]] = []
    for index in range(count):
        text = torch.randint(8, 16, (3 + index % 4,), generator=random).repeat(2)
        ids = torch.cat(
            [torch.tensor([PAD_ID] * 5 if index in plain else [IMAGE_ID] * 4 + [RECORD_ID]), text]
        )
        ids = torch.cat([ids, torch.full((17 - len(ids),), PAD_ID)])
        labels = torch.where(ids < 8, -100, ids)
        film = torch.randn(1, 32, 32, generator=random)
        said = torch.tensor([float(index % 2), float("nan") if index % 3 else 1.0])
        fact = torch.randn(1, 4, generator=random)
        extra = {"film": film, "said": said, "fact": fact}
        rows.append({"ids": ids, "labels": labels, **({} if index in plain else extra)})
    return rows


def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    batch = {
        "input_ids": torch.stack([r["ids"] for r in rows]),
        "labels": torch.stack([r["labels"] for r in rows]),
    }
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    seen = [r for r in rows if "film" in r]
    if seen:
        batch["pixel_values"] = torch.stack([r["film"] for r in seen])
        batch["finding_labels"] = torch.stack([r["said"] for r in seen])
        code = torch.tensor([[5, 1, 1]])
        batch["record_ids"] = torch.stack([code if "film" in r else code * 0 for r in rows])
        batch["record_values"] = torch.stack([r.get("fact", torch.zeros(1, 4)) for r in rows])
    return batch


OBJECTIVE = ReportObjective(collate=collate)


def state_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def one_of_several(
    run_dir: Path, out: Path, lora: dict[str, Any] | None, stop_at: int = -1
) -> None:
    """What a launcher starts in each process: train in shards and write what this process ends with."""
    rank, seen, films = os.environ["RANK"], {}, []

    def look(model: Any) -> dict[str, float]:
        parts = [p for p in model.parameters() if isinstance(p, DTensor)]
        here, whole = (
            sum(map(torch.Tensor.numel, ps)) for ps in ([p.to_local() for p in parts], parts)
        )
        seen.update(not_sharded=len(list(model.parameters())) - len(parts), here=here, whole=whole)
        return {"loss": float(model(**collate(rows[:4])).loss)}

    def noted(chosen: list[Any]) -> dict[str, Tensor]:
        if len(films) == stop_at and rank == "1":
            os.kill(os.getpid(), signal.SIGTERM)
        batch = collate(chosen)
        films.append("pixel_values" in batch)
        return batch

    model, rows = film_model(), examples(9, MOSTLY_PLAIN)
    options = LoopOptions(**OPTIONS, shard=True, lora=lora)
    result = fit(
        model, rows, ReportObjective(collate=noted), options, run_dir, validate=look, quiet=True
    )
    save_file(
        {name: value.contiguous() for name, value in state_of(model).items()},
        out / f"{rank}.safetensors",
    )
    found = {
        "log": result.log,
        "films": films,
        "stopped": result.stopped,
        "steps": result.steps,
        **seen,
    }
    (out / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    one_of_several(Path(sys.argv[1]), Path(sys.argv[2]), None)
