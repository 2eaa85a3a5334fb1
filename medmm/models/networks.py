"""The networks of one folder of weights, each opened when it is first asked for.

Loads without torch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medmm.domain.acceptance import Acceptance
from medmm.domain.errors import StateError
from medmm.domain.model_check import ModelCheck
from medmm.domain.reading_model import ReadingModel
from medmm.domain.study_inspection import ModelRow
from medmm.files import sha256_of
from medmm.models.film_backends import AUTO, TORCH
from medmm.models.installed_models import Adopted, report_weights
from medmm.models.outside.formats import is_outside, sizes_of
from medmm.models.reading_models import (
    NOTHING_DECLARED,
    OF_FILMS,
    OF_ONE_FOLDER,
    Once,
    OpenedWhenAsked,
    Opener,
    of_films,
)
from medmm.models.report_model.hugging_face_folder import folder_digest
from medmm.models.weights.catalogue import (
    DEFAULT_REPORT,
    CatalogueRow,
    catalogue,
    declarations,
    declared_by,
    model_rows,
    open_weights,
    packaged_weights,
    row_named,
    shipped_acceptance,
)
from medmm.models.weights.model_folder import files_of

if TYPE_CHECKING:
    from medmm.models.film.kinds_when_asked import KindsWhenAsked
    from medmm.models.report_model.chest_report import ChestReportModel
    from medmm.models.report_model.encoded_films import EncodedFilms
    from medmm.models.report_model.hugging_face import HuggingFaceModel


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
        writer_folder: Path | None = None,
        film_backend: str = AUTO,
    ) -> None:
        self.weights_dir, self.device, self.threads = weights_dir, device, threads
        self.adopted, self.report, self.writer_folder = adopted, report, writer_folder
        self.film_backend = film_backend
        self._opening = opening = threading.RLock()
        self._kinds = Once(
            lambda: picture_kinds(weights_dir, device=device, film_backend=film_backend), opening
        )
        self._language_model = Once(self._opened_language_model, opening)
        self._proposing_model = Once(self._opened_proposing_model, opening)
        self._films = Once(_encoded_films, opening)
        self._shipped = Once(self._read_shipped, opening)
        self._of_outside: dict[str, OpenedWhenAsked] = {}
        self._reading_models = Once(lambda: (self._of_films(), *self._of_one_folder()), opening)

    @property
    def reading_models(self) -> tuple[OpenedWhenAsked, ...]:
        """List the reading models that are here: the packaged ones, then those of others.

        Each opens its networks when the first study comes that it reads. Which of them speak in
        drafts, and in which order, whoever asks for them decides.
        """
        return (*self._reading_models(), *self.outside_models)

    @property
    def outside_models(self) -> tuple[OpenedWhenAsked, ...]:
        """List the declared models of others, in the order in which they were added."""
        return tuple(self._outside(row) for row in self.adopted.outside_rows())

    def _outside(self, row: CatalogueRow) -> OpenedWhenAsked:
        """Make the reading model of a row, once for its digest."""
        with self._opening:
            known = self._of_outside.get(row.manifest_sha256)
            if known is None or known.identities != (row.identity,):
                declared = declared_by(row, self._folder(row)) or NOTHING_DECLARED
                opened = Once(partial(self._opened_outside, row), self._opening)
                known = OpenedWhenAsked((row,), declared, opened)
                self._of_outside[row.manifest_sha256] = known
            return known

    def _opened_outside(self, row: CatalogueRow) -> ReadingModel | None:
        from medmm.models.outside.outside_model import OutsideModel

        weights = open_weights(row, self.adopted.folder)
        return OutsideModel.open(weights, self.threads) if weights else None

    @property
    def picture_kinds(self) -> KindsWhenAsked | None:
        """See `picture_kinds`."""
        return self._kinds()

    @property
    def language_model(self) -> ChestReportModel | None:
        """See `language_model`."""
        return self._language_model()

    @property
    def proposing_model(self) -> HuggingFaceModel | None:
        """The model in the folder `writer_folder`; None if none is named."""
        return self._proposing_model()

    def model_rows(self) -> tuple[ModelRow, ...]:
        """List every network of the catalogue, then every adopted one, with their state."""
        return model_rows(self.weights_dir) + self.adopted.model_rows()

    def manifests(self) -> dict[str, str]:
        """Return manifest digests by name.

        They are those of every packaged network that is here, of every reading model of others, of
        the report model in use, and the digest of the outside writer's folder.
        """
        folder = self.weights_dir or packaged_weights()
        here = {
            name: row.manifest_sha256
            for name, row in catalogue().items()
            if (folder / name).is_dir()
        }
        here |= {row.name: row.manifest_sha256 for row in self.adopted.outside_rows()}
        if self.writer_folder is not None:
            here["writer_path"] = folder_digest(self.writer_folder)
        adopted = self.adopted.rows().get(self.report)
        return here if adopted is None else here | {self.report: adopted.manifest_sha256}

    def card(self, name: str) -> str | None:
        """Read the model card of a network, checked with all its files.

        Returns: Markdown; None if the network is not installed, or ships no card.
        Raises: InputError if there is none of this name; IntegrityError if a file was altered.
        """
        adopted = self.adopted.rows().get(name)
        row = adopted or row_named(name)
        weights = open_weights(row, self.adopted.folder if adopted else self.weights_dir)
        file = None if weights is None else weights.folder / "card.md"
        if file is None or not file.is_file():
            return None
        return file.read_text(encoding="utf-8", errors="replace")

    def shipped_acceptances(self) -> tuple[Acceptance, ...]:
        """Read what packaged networks that are here were measured to do before they shipped.

        Raises: IntegrityError if a file of the weights was altered.
        """
        return self._shipped()

    def _read_shipped(self) -> tuple[Acceptance, ...]:
        shipped = (shipped_acceptance(row, self.weights_dir) for row in catalogue().values())
        return tuple(one for one in shipped if one is not None)

    def contents(self, source: Path) -> dict[str, str]:
        """Return by name in the folder the digests of the files that would be adopted.

        Raises: as `adding`.
        """
        source = source.expanduser().absolute()
        names = sizes_of(source) if is_outside(source) else files_of(source)
        return {name: sha256_of(source / name) for name in names}

    def check(self, source: Path) -> ModelCheck:
        """Say what a folder says of its model, and what its author still has to declare."""
        from medmm.models.outside.checking import checked

        return checked(source.expanduser().absolute())

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

    def _opened_language_model(self) -> ChestReportModel | None:
        return language_model(
            self.weights_dir,
            device=self.device,
            adopted=self.adopted,
            report=self.report,
            films=self._films(),
            film_backend=self.film_backend,
        )

    def _opened_proposing_model(self) -> HuggingFaceModel | None:
        if self.writer_folder is None:
            return None
        from medmm.models.report_model.hugging_face import HuggingFaceModel
        from medmm.models.weights.loading import reading_device

        return HuggingFaceModel.open(self.writer_folder, reading_device(self.device, self.threads))

    def _of_films(self) -> OpenedWhenAsked:
        """Make the reading model of chest films of those of its networks that are here."""
        packaged = [row_named(name) for name in OF_FILMS]
        adopted = {} if self.report in catalogue() else self.adopted.rows()
        heads = catalogue().get(self.report) or adopted.get(self.report)
        rows = [*packaged, *([heads] if heads is not None else [])]
        there = [row for row in rows if self._folder(row).is_dir()]
        declared = [declared_by(row, self._folder(row)) for row in there]
        opened = Once(self._opened_film_reader, self._opening)
        return OpenedWhenAsked(tuple(there), of_films(filter(None, declared)), opened)

    def _folder(self, row: CatalogueRow) -> Path:
        own = self.weights_dir or packaged_weights()
        return (own if row.name in catalogue() else self.adopted.folder) / row.name

    def _opened_film_reader(self) -> ReadingModel | None:
        from medmm.models.film.reading_model import ChestReader

        return ChestReader.open(
            self.weights_dir,
            device=self.device,
            threads=self.threads,
            adopted=self.adopted,
            report=self.report,
            films=self._films(),
            backend=self.film_backend,
        )

    def _of_one_folder(self) -> Iterator[OpenedWhenAsked]:
        for name, opener in OF_ONE_FOLDER.items():
            row = row_named(name)
            if self._folder(row).is_dir():
                opened = Once(partial(self._opened_folder, row, opener), self._opening)
                yield OpenedWhenAsked((row,), declarations()[name], opened)

    def _opened_folder(self, row: CatalogueRow, opener: Opener) -> ReadingModel | None:
        from medmm.models.weights.loading import reading_device

        weights = open_weights(row, self.weights_dir)
        return opener(weights, reading_device(self.device, self.threads)) if weights else None


def _encoded_films() -> EncodedFilms:
    """Make what the heads and the language model share of a film."""
    from medmm.models.report_model.encoded_films import EncodedFilms

    return EncodedFilms()


def picture_kinds(
    weights_dir: Path | None = None, *, device: str = "auto", film_backend: str = TORCH
) -> KindsWhenAsked | None:
    """Open what says of a film's pixels what kind of picture they are; None if not installed.

    The network is loaded when it is first asked, and run by what the setting `film_backend` names.
    Raises: IntegrityError if a file of the weights was altered.

    Returns: None if it is not installed.
    """
    from medmm.models.film.kinds_when_asked import KindsWhenAsked

    weights = open_weights(row_named("film-kind"), weights_dir)
    return KindsWhenAsked(weights, device, film_backend) if weights else None


def language_model(
    weights_dir: Path | None = None,
    *,
    device: str = "auto",
    adopted: Adopted | None = None,
    report: str = DEFAULT_REPORT,
    films: EncodedFilms | None = None,
    film_backend: str = TORCH,
) -> ChestReportModel | None:
    """Open what writes sentences from film and record; None if it is not installed.

    Args:
        weights_dir: the folder of packaged weights; None is the one that ships.
        device: auto, cpu or cuda.
        adopted: where a model that does not ship is looked for.
        report: name of the model, packaged or adopted.
        films: encoded films that other readers of the same weights share.
        film_backend: the library that runs its film encoder: auto, torch, onnxruntime or openvino.
    Returns: None if a packaged one is not installed.
    Raises: ConfigError for a name that is not a report model's, IntegrityError if a file of the
        weights was altered.
    """
    weights = report_weights(report, weights_dir, adopted)
    if weights is None:
        return None
    from medmm.models.report_model.chest_report import ChestReportModel
    from medmm.models.weights.loading import torch_device

    return ChestReportModel.open(weights, torch_device(device), films, film_backend)


def device_name(device: str) -> tuple[str, str]:
    """Return the torch device that `device` (auto, cpu, cuda) means, and torch's version."""
    import torch

    from medmm.models.weights.loading import torch_device

    return str(torch_device(device)), torch.__version__
