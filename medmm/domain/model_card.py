"""What is told of one network: its card, its measurements, and how it stands here."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.acceptance import Acceptance
from medmm.domain.model_standing import ModelStanding
from medmm.domain.study_inspection import ModelRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A network of this installation.

    Attributes:
        card: its model card as Markdown, as its authors wrote it; None if it ships none.
        shipped: what it was measured to do before it shipped; None of others.
        standing: what persons decided on this version here; None if nobody did.
    """

    row: ModelRow
    card: str | None
    shipped: Acceptance | None = None
    standing: ModelStanding | None = None

    @property
    def accepted_here(self) -> bool:
        """Whether a person accepted this version on studies of this site, and it still counts."""
        return self.standing is not None and self.standing.accepted is not None
