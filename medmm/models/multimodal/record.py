"""Record tokens as vectors: the sum of what a fact's code, unit and status mean and what its numbers say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medmm.models.record_tokens import STATUSES, VALUE_COLUMNS, code_rows


class RecordEmbedding(nn.Module):
    """Embeds rows of `medmm.models.record_tokens` into the language model's width."""

    def __init__(self, codes: int, units: int, width: int) -> None:
        super().__init__()
        self.code = nn.Embedding(codes, width, padding_idx=0)
        self.unit = nn.Embedding(units + 2, width, padding_idx=0)
        self.status = nn.Embedding(len(STATUSES) + 1, width, padding_idx=0)
        self.numbers = nn.Sequential(nn.Linear(len(VALUE_COLUMNS), width), nn.GELU(), nn.Linear(width, width))
        self.normalise = nn.LayerNorm(width)

    @classmethod
    def of(cls, codes: list[str], units: list[str], width: int) -> RecordEmbedding:
        """The embedding for these known codes and units."""
        return cls(code_rows(codes), len(units), width)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        """ids (b, n, 3) and values (b, n, 4) to (b, n, width); padding rows give what padding gives."""
        code, unit, status = ids.unbind(-1)
        numbers = self.numbers(values.to(self.normalise.weight.dtype))
        return self.normalise(self.code(code) + self.unit(unit) + self.status(status) + numbers)

    @staticmethod
    def present(ids: Tensor) -> Tensor:
        """Which rows are facts, (b, n)."""
        return torch.ne(ids[..., 0], 0)
