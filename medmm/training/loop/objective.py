"""What the loop does not know: how examples become a batch, and what an answer costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

Batch = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a model's answer to a batch costs.

    Attributes:
        parts: mean of each part of the loss over what teaches it; None for a part that nothing of
            the batch teaches.
        weights: of the parts in their sum.
        output: an element of the answer: through it processes go backward together, taught by their
            shares or not.
    """

    parts: tuple[Tensor | None, ...]
    weights: tuple[float, ...]
    output: Tensor


class Objective(Protocol):
    """What a run learns; see `ReportObjective` and `VolumeObjective`.

    The former is that of the multimodal model, the latter that of the networks for MR volumes.
    """

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of the loss in the log, such as text_loss."""

    @property
    def still(self) -> tuple[str, ...]:
        """Starts of names of modules whose batch norms keep the statistics they came with."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides beside the loop's options, as JSON: a run goes on with these alone."""

    def batch(self, examples: Sequence[Any]) -> Batch:
        """Build a batch of examples, on the CPU.

        Draws come from torch's, NumPy's or Python's generators, which the loop keeps.
        """

    def counts(self, batch: Batch) -> tuple[int, ...]:
        """Count how many things of a batch teach each part.

        Raises: InputError for a batch that teaches nothing it could.
        """

    def costs(self, model: Any, batch: Batch) -> Costs:
        """Compute the model's answer to a batch on its device, and what it costs."""
