"""Record tokens as vectors: the sum of what a fact's code, unit and status mean and what its numbers say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medmm.domain.errors import InputError
from medmm.models.record_tokens import ID_COLUMNS, STATUSES, VALUE_COLUMNS, code_rows


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

    def checked(self, ids: Tensor, values: Tensor, *, sequences: int) -> Tensor:
        """Which rows are facts, as `present`. Raises: InputError for other shapes, or for ids that are not embedded."""
        rows = tuple(ids.shape[:2])
        wanted = ((*rows, len(ID_COLUMNS)), (*rows, len(VALUE_COLUMNS)))
        if len(ids) != sequences or (tuple(ids.shape), tuple(values.shape)) != wanted:
            raise InputError(
                f"records of shape {tuple(ids.shape)} and {tuple(values.shape)} for {sequences} sequences",
                remedy="give (sequences, facts, 3) and (sequences, facts, 4), as the processor does",
            )
        rows_of = ids.new_tensor([self.code.num_embeddings, self.unit.num_embeddings, self.status.num_embeddings])
        if bool(((ids < 0) | (ids >= rows_of)).any()):
            raise InputError(
                "a record names codes, units or statuses that this model does not embed",
                remedy="take the processor that was saved with this model",
            )
        return self.present(ids)

    @staticmethod
    def present(ids: Tensor) -> Tensor:
        """Which rows are facts, (b, n)."""
        return torch.ne(ids[..., 0], 0)
