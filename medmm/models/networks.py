"""The networks of one folder of weights, each opened when it is first asked for.

Loads without torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from medmm.domain.errors import StateError
from medmm.domain.reading import Reading
from medmm.domain.study import Modality, Study
from medmm.domain.study_inspection import ModelRow
from medmm.files import sha256_of
from medmm.models.installed_models import Adopted, report_weights
from medmm.models.weights.catalogue import (
    DEFAULT_REPORT,
    CatalogueRow,
    catalogue,
    model_rows,
    open_weights,
    packaged_weights,
    row_named,
)
from medmm.models.weights.model_folder import files_of


class ReadingModel(Protocol):
    """Reads findings, regions, measurements and masks off a study's pixels."""

    def read(self, study: Study) -> Reading:
        """Read what the networks see.

        A study without a model for it gives a reading that says so.
        """
        ...


class Networks:
    """The networks of one folder of weights, each opened when it is first asked for.

    What needs none needs no torch.

    `report` names the multimodal model in use, of the catalogue or among `adopted`.
    """

    def __init__(
        self,
        weights_dir: Path | None,
        *,
        device: str = "auto",
        threads: int | None = None,
        adopted: Adopted,
        report: str = DEFAULT_REPORT,
    ) -> None:
        self.weights_dir, self.device, self.threads = weights_dir, device, threads
        self.adopted, self.report = adopted, report
        self._loaded: dict[str, Any] = {}
        self._loading = threading.Lock()
        self._shared: Any = None
        self._sharing = threading.Lock()

    @property
    def reader(self) -> ReadingModel:
        """What reads a study of any modality, whose networks are opened when it first comes."""
        return cast(ReadingModel, self._once("reader", lambda: _ByModality(networks=self)))

    def reader_of(self, modality: Modality) -> ReadingModel:
        """Return what reads studies of one modality.

        Raises: IntegrityError if a file of the weights was altered.
        """
        make = {Modality.RADIOGRAPH: self._chest_reader, Modality.MR: self._mr_reader}[modality]
        return cast(ReadingModel, self._once(f"reader of {modality.value}", make))

    @property
    def picture_kinds(self) -> Any:
        """See `picture_kinds`."""
        return self._once("kinds", lambda: picture_kinds(self.weights_dir, device=self.device))

    @property
    def language_model(self) -> Any:
        """See `language_model`."""
        return self._once("language model", self._language_model)

    def model_rows(self) -> tuple[ModelRow, ...]:
        """List every network of the catalogue, then every adopted one, with their state."""
        return model_rows(self.weights_dir) + self.adopted.model_rows()

    def manifests(self) -> dict[str, str]:
        """Return manifest digests by name.

        They are those of every packaged network that is here, and of the report model in use.
        """
        folder = self.weights_dir or packaged_weights()
        here = {
            name: row.manifest_sha256
            for name, row in catalogue().items()
            if (folder / name).is_dir()
        }
        adopted = self.adopted.rows().get(self.report)
        return here if adopted is None else here | {self.report: adopted.manifest_sha256}

    def contents(self, source: Path) -> dict[str, str]:
        """Return by name in the folder the digests of the files that would be adopted.

        Raises: as `adding`.
        """
        source = source.expanduser().absolute()
        return {name: sha256_of(source / name) for name in files_of(source)}

    def adding(
        self, source: Path, name: str | None, licence: str | None
    ) -> AbstractContextManager[ModelRow]:
        """Adopt a folder as `Adopted.adding` does."""
        return self.adopted.adding(source, name=name, licence=licence)

    @contextmanager
    def removing(self, name: str) -> Iterator[CatalogueRow]:
        """Remove an adopted model as `Adopted.removing` does.

        Raises: StateError for the model in use.
        """
        if name == self.report and name in self.adopted.rows():
            raise StateError(
                "this model is in use", remedy="name another under language_model first", model=name
            )
        with self.adopted.removing(name) as row:
            yield row

    def _chest_reader(self) -> ReadingModel:
        from medmm.models.film.reading_model import ChestReader

        return ChestReader.open(
            self.weights_dir,
            device=self.device,
            threads=self.threads,
            adopted=self.adopted,
            report=self.report,
            films=self._films(),
        )

    def _mr_reader(self) -> ReadingModel:
        from medmm.models.mr.reading_model import MrReader

        return MrReader.open(self.weights_dir, device=self.device, threads=self.threads)

    def _language_model(self) -> Any:
        return language_model(
            self.weights_dir,
            device=self.device,
            adopted=self.adopted,
            report=self.report,
            films=self._films(),
        )

    def _films(self) -> Any:
        """Return what the heads and the language model share of a film."""
        from medmm.models.report_model.encoded_films import EncodedFilms

        with self._sharing:
            self._shared = self._shared or EncodedFilms()
            return self._shared

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = make()
            return self._loaded[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ByModality:
    """Reads each study with the reader of its modality."""

    networks: Networks

    def read(self, study: Study) -> Reading:
        return self.networks.reader_of(study.modality).read(study)


def picture_kinds(weights_dir: Path | None = None, *, device: str = "auto") -> Any:
    """Return what says of a film's pixels which kind of picture they are (`kind_of`).

    The network is loaded when it is first asked. Raises: IntegrityError if a file of the weights
    was altered.

    Returns: None if it is not installed.
    """
    from medmm.models.film.kinds_when_asked import KindsWhenAsked

    weights = open_weights(row_named("film-kind"), weights_dir)
    return KindsWhenAsked(weights, device) if weights else None


def language_model(
    weights_dir: Path | None = None,
    *,
    device: str = "auto",
    adopted: Adopted | None = None,
    report: str = DEFAULT_REPORT,
    films: Any = None,
) -> Any:
    """Return what writes sentences from film and record together.

    Returns: None if a packaged one is not installed.
    Raises: ConfigError for a name that is not a report model's, IntegrityError if a file of the
        weights was altered.
    """
    weights = report_weights(report, weights_dir, adopted)
    if weights is None:
        return None
    from medmm.models.report_model.chest_report import ChestReportModel
    from medmm.models.weights.loading import torch_device

    return ChestReportModel.open(weights, torch_device(device), films)


def device_name(device: str) -> tuple[str, str]:
    """Return the torch device that `device` (auto, cpu, cuda) means, and torch's version."""
    import torch

    from medmm.models.weights.loading import torch_device

    return str(torch_device(device)), torch.__version__
