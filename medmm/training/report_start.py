"""The weights folder of a multimodal model that a training goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from medmm.domain.errors import ConfigError
from medmm.models.multimodal import MedMMConfig, MedMMForConditionalGeneration, MedMMProcessor
from medmm.training.report_examples import record_codes

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A folder of `chest_report.save`, with its configuration and processor."""

    folder: Path
    config: MedMMConfig
    processor: MedMMProcessor

    @classmethod
    def of(cls, folder: Path, findings: Sequence[str], size_px: int, units: Sequence[str]) -> Start:
        """Raises: ConfigError if the folder holds no such model, or one with other findings, codes or film size."""
        if missing := [name for name in ("config.json", WEIGHTS, "tokenizer.json") if not (folder / name).is_file()]:
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
        """The model, in float32 and evaluation mode. Local safetensors alone are read."""
        return MedMMForConditionalGeneration.from_pretrained(
            self.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        ).eval()
