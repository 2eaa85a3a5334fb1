"""Record and measurement tokens as vectors: what a row's codes mean and numbers say.

A vector is their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from medmm.domain.errors import InputError
from medmm.models.report_model import measurement_tokens, record_tokens
from medmm.models.report_model.record_tokens import STATUSES, code_rows


class RowEmbedding(nn.Module):
    """Embeds rows of ids and numbers in the language model's width; an id of 0 is padding.

    That is the id in the first column.

    `tables` name the embedding of each column of ids; `width` is the language model's.
    """

    tables: ClassVar[tuple[str, ...]]
    what: ClassVar[str]

    def __init__(self, rows: Sequence[int], numbers: int, width: int) -> None:
        super().__init__()
        self.columns = numbers
        for name, count in zip(self.tables, rows, strict=True):
            setattr(self, name, nn.Embedding(count, width, padding_idx=0))
        self.numbers = nn.Sequential(nn.Linear(numbers, width), nn.GELU(), nn.Linear(width, width))
        self.normalise = nn.LayerNorm(width)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        """Embed ids (b, n, tables) and values (b, n, columns) as (b, n, width).

        Padding rows give what padding gives.
        """
        named = [
            self.table(name)(column)
            for name, column in zip(self.tables, ids.unbind(-1), strict=True)
        ]
        numbers = self.numbers(values.to(self.normalise.weight.dtype))
        return self.normalise(reduce(torch.add, named) + numbers)

    def table(self, name: str) -> nn.Embedding:
        """Return the embedding of a column of ids."""
        return cast(nn.Embedding, getattr(self, name))  # made in __init__

    def checked(self, ids: Tensor, values: Tensor, *, sequences: int) -> Tensor:
        """Check rows; return which are there, as `present`.

        Raises: InputError for other shapes, or for ids that are not embedded.
        """
        rows = tuple(ids.shape[:2])
        wanted = ((*rows, len(self.tables)), (*rows, self.columns))
        if len(ids) != sequences or (tuple(ids.shape), tuple(values.shape)) != wanted:
            raise InputError(
                f"{self.what}s of shape {tuple(ids.shape)} and {tuple(values.shape)} for "
                f"{sequences} sequences",
                remedy=f"give (sequences, rows, {len(self.tables)}) and (sequences, rows, "
                f"{self.columns}), as the processor does",
            )
        known = ids.new_tensor([self.table(name).num_embeddings for name in self.tables])
        if bool(((ids < 0) | (ids >= known)).any()):
            raise InputError(
                f"a {self.what} names what this model does not embed: {' or '.join(self.tables)}",
                remedy="take the processor that was saved with this model",
            )
        return self.present(ids)

    @staticmethod
    def present(ids: Tensor) -> Tensor:
        """Tell which rows are there, (b, n)."""
        return torch.ne(ids[..., 0], 0)


class RecordEmbedding(RowEmbedding):
    """Embeds rows of `medmm.models.report_model.record_tokens`."""

    tables = record_tokens.ID_COLUMNS
    what = "record"

    @classmethod
    def of(cls, codes: Sequence[str], units: Sequence[str], width: int) -> RecordEmbedding:
        """Build the embedding for these known codes and units."""
        rows = (code_rows(codes), len(units) + 2, len(STATUSES) + 1)
        return cls(rows, len(record_tokens.VALUE_COLUMNS), width)


class MeasurementEmbedding(RowEmbedding):
    """Embeds rows of `medmm.models.report_model.measurement_tokens`."""

    tables = measurement_tokens.ID_COLUMNS
    what = "measurement"

    @classmethod
    def of(cls, quantities: int, width: int) -> MeasurementEmbedding:
        """Build the embedding for so many known quantities."""
        rows = (quantities + 1, len(measurement_tokens.SIDES) + 1)
        return cls(rows, len(measurement_tokens.VALUE_COLUMNS), width)
