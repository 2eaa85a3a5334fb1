"""What the multimodal model learns: next tokens of a report, and labels of its heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from medmm.domain.errors import InputError
from medmm.training.loop.objective import Batch, Costs


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportObjective:
    """Cross-entropy of taught tokens, and binary cross-entropy of given labels.

    The latter weighs the model's `finding_loss_weight`.

    `collate` makes the model's arguments of examples, with `labels`, `finding_labels` or both.
    Batches are small: batch norms of the encoders stay as they came.
    """

    parts: ClassVar = ("text_loss", "finding_loss")
    still: ClassVar = ("encoders.",)
    settings: ClassVar[Mapping[str, Any]] = {}

    collate: Callable[[list[Any]], Batch]

    def batch(self, examples: Sequence[Any]) -> Batch:
        """Build the model's arguments for these examples."""
        return self.collate(list(examples))

    def counts(self, batch: Batch) -> tuple[int, int]:
        """Count how many tokens and labels a batch teaches.

        Raises: InputError for a batch without either.
        """
        tokens, labels = batch.get("labels"), batch.get("finding_labels")
        if tokens is None and labels is None:
            raise InputError(
                "a batch without labels and finding_labels", remedy="let collate give one or both"
            )
        seen = labels is not None and batch.get("pixel_values") is not None
        return (
            0 if tokens is None else int((tokens[:, 1:] != -100).sum()),
            int((~torch.isnan(labels)).sum()) if labels is not None and seen else 0,
        )

    def costs(self, model: Any, batch: Batch) -> Costs:
        """Compute both losses of the model's answer."""
        out = model(**batch, use_cache=False)
        return Costs(
            parts=(out.text_loss, out.finding_loss),
            weights=(1.0, model.config.finding_loss_weight),
            output=out.logits[0, 0, 0],
        )
