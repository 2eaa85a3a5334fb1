"""Whether a version of a reading model may speak in drafts, and who decided that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from medmm.domain.acceptance import SignedAcceptance
from medmm.domain.errors import InputError
from medmm.domain.reading import ModelIdentity
from medmm.domain.report import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class BackToShadow:
    """A person's decision that an accepted model speaks no longer, and why."""

    reason: str
    reader: Reader
    at: datetime

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise InputError("no reason is given", remedy="say why the model is to speak no longer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStanding:
    """The decisions of persons on one version of a model, oldest first; the last one counts.

    Attributes:
        model: the network and the digest of its manifest; another version has a standing of its
            own.
    """

    model: ModelIdentity
    decisions: tuple[SignedAcceptance | BackToShadow, ...] = ()

    @property
    def accepted(self) -> SignedAcceptance | None:
        """The acceptance in force; None while the model reads in shadow."""
        last = self.decisions[-1] if self.decisions else None
        return last if isinstance(last, SignedAcceptance) else None

    @property
    def since(self) -> datetime | None:
        """When the last decision was made."""
        return self.decisions[-1].at if self.decisions else None

    def after(self, decision: SignedAcceptance | BackToShadow) -> ModelStanding:
        """Add a decision to those that there are."""
        return replace(self, decisions=(*self.decisions, decision))
