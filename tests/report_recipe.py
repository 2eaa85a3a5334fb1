"""The recipe of chest-report at the size of a test: a dozen films, a language model of one layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FINDINGS = ["Effusion", "Cardiomegaly"]
LANGUAGE = ["language_model", "record", "finding_tokens"]
FRESH: dict[str, Any] = {
    "penalty": 0.003,
    "connector": "pooled",
    "connector_size": 2,
    "vocabulary": 320,
    "language_model": {
        "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 256, "attention_dropout": 0.1,
        "tie_word_embeddings": True,
    },
}  # fmt: skip


def stage(kept_maps: bool, trained: list[str], **more: Any) -> dict[str, Any]:
    return {
        "kept_maps": kept_maps, "epochs": 1, "batch": 4, "learning_rate": 0.002, "warmup_steps": 2, "trained": trained,
        **more,
    }  # fmt: skip


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    """All three stages on the reports of an Open-i folder; a change to None takes a key out."""
    config = {
        "task": "chest-report",
        "findings": FINDINGS,
        "facts": {"drop": 0.5, "most_random": 4},
        "most_invented": 0.35,
        "reports": {"layout": "open-i", "folder": str(folder)},
        **FRESH,
        "stages": {
            "language": stage(True, LANGUAGE),
            "alignment": stage(True, ["connectors", *LANGUAGE]),
            "end_to_end": stage(
                False,
                ["connectors", *LANGUAGE, "encoders.film.trunk.layer3", "encoders.film.head"],
                accumulate=2,
            ),
        },
        **changes,
    }
    return {key: value for key, value in config.items() if value is not None}


def begun(folder: Path, **changes: Any) -> dict[str, Any]:
    """The same without what a trained model brings along, in one stage."""
    without: dict[str, Any] = dict.fromkeys(FRESH)
    return recipe(folder, **without | {"stages": {"language": stage(True, LANGUAGE)}} | changes)
