"""What a multimodal training goes on from: an earlier model, or a language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from medmm.domain.errors import ConfigError
from medmm.models.report_model.base_models import load_decoder, with_special_tokens
from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMProcessor,
)
from medmm.models.weights.catalogue import WeightsFolder
from medmm.models.weights.model_folder import INDEX
from medmm.training.reports.examples import record_codes

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A folder of `chest_report.save`, with its configuration and processor."""

    folder: Path
    config: MedMMConfig
    processor: MedMMProcessor

    @classmethod
    def of(cls, folder: Path, findings: Sequence[str], size_px: int, units: Sequence[str]) -> Start:
        """Open a start.

        Raises: ConfigError if the folder holds no such model, or one with other findings, codes or
            film size.
        """
        if missing := [
            name
            for name in ("config.json", WEIGHTS, "tokenizer.json")
            if not (folder / name).is_file()
        ]:
            raise ConfigError(
                f"the start lacks {', '.join(missing)}",
                remedy="name a folder that chest-report was trained into",
                path=str(folder),
            )
        config = MedMMConfig.from_pretrained(folder, local_files_only=True)
        processor = MedMMProcessor.from_pretrained(folder, local_files_only=True)
        wanted = {
            "findings": (list(config.findings), list(findings)),
            "record codes": (list(config.record_codes), record_codes()),
            "record units": (list(config.record_units), list(units)),
            "film size": (processor.image_processor.size_px, size_px),
        }
        for what, (there, asked) in wanted.items():
            if there != asked:
                raise ConfigError(
                    f"the start has other {what} than the recipe",
                    remedy="give the recipe those of the start, or train from the beginning",
                    path=str(folder),
                )
        return cls(folder=folder, config=config, processor=processor)

    def model(self) -> MedMMForConditionalGeneration:
        """Load the model in float32 and evaluation mode, from local safetensors alone."""
        return MedMMForConditionalGeneration.from_pretrained(
            self.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        ).eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A causal language model of a folder and its tokenizer, with the grammar's tokens added."""

    folder: Path
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast

    @classmethod
    def of(cls, folder: Path, findings: Sequence[str]) -> Decoder:
        """Load it in float32; see `load_decoder`.

        Raises: InputError for a folder that holds no such model.
        """
        torch.manual_seed(0)  # the new tokens' embeddings
        network, tokenizer = with_special_tokens(*load_decoder(folder), findings)
        return cls(folder=folder, network=network, tokenizer=tokenizer)

    def into(self, model: MedMMForConditionalGeneration) -> None:
        """Give a model that was built of this network's configuration its parameters."""
        model.language_model.load_state_dict(self.network.state_dict())


def inputs_of(
    start: Start | None, decoder: Decoder | None, encoder: WeightsFolder | None = None
) -> dict[str, Path] | None:
    """Return the files that a run goes on with alone."""
    named = {"start": start, "decoder": decoder, "encoder": encoder}
    there = {name: one.folder for name, one in named.items() if one is not None}
    files = {name: folder / WEIGHTS for name, folder in there.items()}
    return {n: f if f.is_file() else f.with_name(INDEX) for n, f in files.items()} or None
