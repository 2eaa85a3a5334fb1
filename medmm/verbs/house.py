"""The house that verbs work in: what is kept, what reads, what writes, the settings and the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from medmm import drafting, imaging, models, records
from medmm.config import Settings
from medmm.domain.draft import Case
from medmm.domain.study_inspection import ModelRow
from medmm.store import Store, digest
from medmm.verbs.calls import Calls, Clock


class Networks(Protocol):
    """The networks of an installation, each opened when it is first asked for."""

    @property
    def reader(self) -> models.ReadingModel:
        """The reading model of every modality."""
        ...

    @property
    def picture_kinds(self) -> imaging.PictureKinds | None:
        """The network that tells kinds of pictures; None where it is not installed."""
        ...

    @property
    def language_model(self) -> drafting.LanguageModel | None:
        """The language model that the settings name; None where it is not installed."""
        ...

    def model_rows(self) -> tuple[ModelRow, ...]:
        """Every network with its state."""
        ...

    def manifests(self) -> Mapping[str, str]:
        """The manifest digest of every network that is here, by name."""
        ...

    def contents(self, source: Path) -> Mapping[str, str]:
        """The digests of the files of a folder that would be added, by their names there."""
        ...

    def adding(
        self, source: Path, name: str | None, licence: str | None
    ) -> AbstractContextManager[ModelRow]:
        """Copy, check and keep a model, if the body does not fail."""
        ...

    def removing(self, name: str) -> AbstractContextManager[models.CatalogueRow]:
        """Delete an added model, if the body does not fail. Raises: StateError for the model in use."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every verb works with.

    Attributes:
        clock: gives the time now, with its zone.
        record_folders: folders of records that were gone through, by their places.
    """

    settings: Settings
    store: Store
    networks: Networks
    calls: Calls
    clock: Clock
    record_folders: dict[Path, records.RecordFolder] = field(default_factory=dict)

    def drafted_from(self) -> str:
        """Digest what a draft depends on beside its images and record: settings and models."""
        return digest({"settings": self.settings.of_a_draft(), "models": self.networks.manifests()})

    def attached(self, case: Case) -> Case:
        """Give a kept case the pixels that its study names."""
        return replace(case, study=imaging.attach_pixels(case.study, self.store.object_path))

    def language_model(self) -> drafting.LanguageModel | None:
        """The language model that the settings name; None where drafts are written by rules."""
        return None if self.settings.writer == "rules" else self.networks.language_model

    def writer(self) -> drafting.Writer:
        """The writer that the settings name."""
        return drafting.writer(self.language_model(), by_rules=self.settings.writer == "rules")


def opened_house(
    settings: Settings,
    networks: Networks | None,
    clock: Clock,
    progress: Callable[[int, int], None] | None = None,
) -> House:
    """Open what the settings name; networks that are given take the place of theirs.

    Args:
        progress: told how many cases of an earlier release were gone through, of how many.
    """
    url = settings.store.url
    store = Store.open(
        settings.data_dir,
        heads_path=settings.heads_path,
        replay_days=settings.replay_days,
        url=None if url is None else url.get_secret_value(),
        progress=progress,
    )
    imaging.keep_at_most(
        settings.frame_cache_bytes
    )  # memory is the process's: the last opened says
    calls = Calls(
        store, settings.actor, {entry.id: entry.reader() for entry in settings.readers}, clock
    )
    return House(
        settings=settings,
        store=store,
        networks=networks or _networks_of(settings),
        calls=calls,
        clock=clock,
    )


def _networks_of(settings: Settings) -> Networks:
    return models.Networks(
        settings.weights_dir,
        device=settings.device,
        threads=settings.threads,
        adopted=models.Adopted(settings.data_dir / "models"),
        report=settings.language_model,
    )
