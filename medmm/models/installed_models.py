"""Models that an installation adopted: a folder each, and a catalogue of digests.

The digests are those of their manifests.

Importing this loads no torch; adopting does, to look whether a model fits its configuration.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from medmm.domain.clock import Clock, utc_now
from medmm.domain.errors import ConfigError, InputError, IntegrityError, Unavailable
from medmm.domain.study_inspection import ModelRow
from medmm.files import CHUNK_BYTES, PRIVATE, flush, flushed_file, locked, write_atomically
from medmm.models.outside.declaration import FILE as OUTSIDE_FILE
from medmm.models.outside.declaration import read_declaration
from medmm.models.outside.formats import is_outside, sizes_of
from medmm.models.weights.catalogue import (
    OUTSIDE_TASKS,
    CatalogueRow,
    WeightsFolder,
    catalogue,
    model_row,
    open_weights,
)
from medmm.models.weights.model_folder import MANIFEST, files_of, json_mapping

CATALOGUE = "catalogue.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PASSING = ".passing-"  # folders on their way in or out
OPEN_LICENCES = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "unlicense"}
)
DECODER = CatalogueRow(
    name="",
    task="decoder",
    modality="",
    body_part="",
    manifest_sha256="",
    licence="",
    research_only=True,
)


class Adopted:
    """The adopted models of one folder; safe from several threads and processes.

    Whoever changes something holds a lock.
    """

    def __init__(self, folder: Path, clock: Clock = utc_now) -> None:
        self.folder, self._clock = folder, clock

    def rows(self) -> dict[str, CatalogueRow]:
        """Read all rows by name.

        Raises: IntegrityError if the catalogue is damaged.
        """
        path = self.folder / CATALOGUE
        if not path.exists():
            return {}
        try:
            rows = [CatalogueRow(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
            named = {row.name: row for row in rows if NAME.fullmatch(row.name)}
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(path) from error
        if len(named) != len(rows):
            raise _damaged(path)
        return named

    def row(self, name: str) -> CatalogueRow:
        """Read a row.

        Raises: InputError if no adopted model has this name.
        """
        rows = self.rows()
        if name not in rows:
            known = ", ".join(sorted(rows)) or "none"
            raise InputError(
                f"no adopted model {name!r}", remedy=f"take one of those that are adopted: {known}"
            )
        return rows[name]

    def open(self, name: str, *, task: str) -> WeightsFolder:
        """Open the checked folder of an adopted model of this task.

        Raises: InputError for another name or task, IntegrityError if a file was altered.
        """
        row = self.row(name)
        if row.task != task:
            raise InputError(
                f"{name!r} is a {row.task}, not a {task}", remedy="see `medmm models list`"
            )
        return self._open(row)

    def _open(self, row: CatalogueRow) -> WeightsFolder:
        weights = open_weights(row, self.folder)
        if weights is None:
            raise IntegrityError(
                "the folder of an adopted model is gone",
                remedy="restore it from a copy, or remove the model and add it again",
                weights=row.name,
            )
        return weights

    def model_rows(self) -> tuple[ModelRow, ...]:
        """List every adopted model and its state."""
        return tuple(model_row(row, self._open) for row in self.rows().values())

    @contextmanager
    def adding(self, source: Path, *, name: str | None, licence: str | None) -> Iterator[ModelRow]:
        """Copy a folder in, checked; it stays if the body ends well and leaves no trace otherwise.

        Args:
            name: of the model here; the folder's own without it.
            licence: its terms in words or by SPDX; those of its manifest or card without it.
        Raises: InputError for a folder or name that can't be taken, IntegrityError for a file that
            its manifest does not bear out, Unavailable if it can't be written.
        """
        source = source.expanduser().absolute()
        outside = is_outside(source)
        if name is None:
            name = read_declaration(source).id if outside else source.name
        name = self._free_name(name)
        sizes = sizes_of(source) if outside else files_of(source)
        with self._changing():
            self._free_name(name)
            _has_room(self.folder, 2 * sum(sizes.values()))
            incoming = self.folder / f"{PASSING}{secrets.token_hex(8)}"
            before, stays = self.rows(), False
            try:
                row = replace(
                    self._taken_outside(source, incoming, sizes, name, licence)
                    if outside
                    else _taken(source, incoming, sizes, name, licence),
                    added_at=self._clock().isoformat(timespec="seconds"),
                )
                with _writable():
                    incoming.rename(self.folder / name)
                self._write({**before, name: row})
                yield model_row(row, self._open)
                stays = True
            finally:
                if not stays:
                    self._drop(name, before, incoming)

    @contextmanager
    def removing(self, name: str) -> Iterator[CatalogueRow]:
        """Take a model out; it is back if the body fails."""
        with self._changing():
            row, before, gone = self.row(name), self.rows(), False
            self._write({key: kept for key, kept in before.items() if key != name})
            try:
                yield row
                gone = True
            finally:
                if gone:
                    self._drop(name, self.rows(), self.folder / f"{PASSING}{secrets.token_hex(8)}")
                else:
                    self._write(before)

    def outside_rows(self) -> tuple[CatalogueRow, ...]:
        """List the reading models of others, in the order in which they were added."""
        return tuple(row for row in self.rows().values() if row.task in OUTSIDE_TASKS)

    def _taken_outside(
        self,
        source: Path,
        incoming: Path,
        sizes: Mapping[str, int],
        name: str,
        licence: str | None,
    ) -> CatalogueRow:
        """Take a declared model of others in. Returns: its row."""
        from medmm.models.outside.taking import taken

        given = self.folder / f"{PASSING}{secrets.token_hex(8)}"
        try:
            digests = _copied(source, given, sizes)
            with _writable():
                incoming.mkdir(mode=0o700)
            claimed = read_declaration(given).id
            for row in self.outside_rows():
                if read_declaration(self.folder / row.name).id == claimed:
                    raise InputError(
                        f"{row.name!r} has the id {claimed!r} too",
                        remedy="remove that model first, or give this one an id of its own",
                        file=OUTSIDE_FILE,
                    )
            row = taken(given, incoming, digests)
        finally:
            shutil.rmtree(given, ignore_errors=True)
        return replace(row, name=name, licence=licence.strip() if licence else row.licence)

    def _drop(self, name: str, rows: Mapping[str, CatalogueRow], passing: Path) -> None:
        """Keep `rows` alone, and remove the folder.

        What lies in `passing` is not a model, even if this is cut short.
        """
        if self.rows() != dict(rows):
            self._write(rows)
        if not passing.exists():
            with suppress(FileNotFoundError):
                (self.folder / name).rename(passing)
        shutil.rmtree(passing, ignore_errors=True)

    def _free_name(self, name: str) -> str:
        if not NAME.fullmatch(name) or name.endswith(".json"):
            raise InputError(
                f"a model can't be named {name!r}",
                remedy="give --name: letters, digits, '.', '_' and '-', at most 64",
            )
        if name.lower() in {known.lower() for known in (*catalogue(), *self.rows())}:
            raise InputError(
                f"there is a model {name!r}", remedy="give another --name, or remove that one first"
            )
        if os.path.lexists(self.folder / name):
            raise InputError(
                "something of this name lies among the models and is not one",
                remedy="move it away, or give another --name",
                path=str(self.folder / name),
            )
        return name

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with ExitStack() as held:
            with _writable():
                held.enter_context(locked(self.folder / ".lock"))
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove what a killed process left: whoever holds the lock is alone here."""
        for left in self.folder.glob(f"{PASSING}*"):
            shutil.rmtree(left, ignore_errors=True)

    def _write(self, rows: Mapping[str, CatalogueRow]) -> None:
        text = json.dumps([asdict(row) for row in rows.values()], indent=1, ensure_ascii=False)
        with _writable():
            write_atomically(self.folder / CATALOGUE, text.encode(), mode=PRIVATE)


def report_weights(
    name: str, weights_dir: Path | None = None, adopted: Adopted | None = None
) -> WeightsFolder | None:
    """Open the checked folder of the report model of this name, packaged or adopted.

    Returns: None if a packaged one is not installed.
    Raises: ConfigError for a name that is not a report model's.
    """
    own = {key for key, row in catalogue().items() if row.task == "report"}
    if name in own:
        return open_weights(catalogue()[name], weights_dir)
    more = (
        {key for key, row in adopted.rows().items() if row.task == "report"} if adopted else set()
    )
    if adopted is None or name not in more:
        raise ConfigError(
            f"no report model {name!r}",
            remedy=f"set language_model to one that is here: {', '.join(sorted(own | more))}",
        )
    return adopted.open(name, task="report")


def _taken(
    source: Path, incoming: Path, sizes: Mapping[str, int], name: str, licence: str | None
) -> CatalogueRow:
    """Copy the files of `source` into `incoming` and check the copy. Returns: its row."""
    digests = _copied(source, incoming, sizes)
    written = digests.pop(MANIFEST, None)
    manifest = _checked_manifest(incoming, digests) if written else {}
    row = _kind(incoming, manifest)
    terms = licence or manifest.get("licence") or _card_licence(incoming)
    if not isinstance(terms, str) or not terms.strip():
        raise InputError(
            "the terms of the model are not known", remedy="give them with --licence TEXT"
        )
    research = manifest.get("research_only", terms.strip().lower() not in OPEN_LICENCES)
    if written is None:
        made = {"name": name, "licence": terms, "research_only": research, "files": digests}
        text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        with _writable():
            (incoming / MANIFEST).write_text(text, encoding="utf-8")
        written = hashlib.sha256(text.encode()).hexdigest()
    row = replace(
        row,
        name=name,
        manifest_sha256=written,
        licence=terms.strip(),
        research_only=research is not False,
    )
    _check_fit(WeightsFolder(row=row, folder=incoming))
    return row


def _kind(folder: Path, manifest: Mapping[str, Any]) -> CatalogueRow:
    """Build the row of what the folder is: a network by its manifest, else a decoder."""
    config = json_mapping(folder / "config.json")
    multimodal = config.get("model_type") == "medmm"
    if "model_type" in config and not multimodal:
        return DECODER
    if not manifest:
        raise InputError(
            "the folder has no manifest of digests",
            remedy="give a folder that `python -m pipelines.train` finished",
            file=MANIFEST,
        )
    known = catalogue().get("chest-report" if multimodal else str(manifest.get("name")))
    if known is None:
        raise InputError(
            "config.json and manifest.json name no kind of model that is known",
            remedy="give a folder of the training pipeline, or of a causal language model of "
            "transformers",
            file="config.json",
        )
    return known


def _check_fit(weights: WeightsFolder) -> None:
    from medmm.models import installed_model_checks

    if weights.row.task == "report":
        installed_model_checks.check_report(weights)
    elif weights.row.task == "decoder":
        installed_model_checks.check_decoder(weights.folder)
    else:
        installed_model_checks.check_network(weights)


def _checked_manifest(folder: Path, digests: Mapping[str, str]) -> dict[str, Any]:
    manifest = json_mapping(folder / MANIFEST)
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        raise InputError(
            "the manifest lists no files", remedy="write it anew, or leave it out", file=MANIFEST
        )
    for name in sorted(listed.keys() | digests.keys()):
        if listed.get(name) != digests.get(name):
            raise IntegrityError(
                "a file is not what the manifest says",
                remedy="fetch the folder again from where it was made",
                file=name,
            )
    return manifest


def _card_licence(folder: Path) -> str | None:
    """Read `license:` at the head of a model card."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    head = card.read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0]
    found = re.search(r"^license:\s*(\S.*)$", head, re.M) if head.startswith("---") else None
    return found[1].strip("'\" ") if found else None


def _copied(source: Path, incoming: Path, names: Mapping[str, int]) -> dict[str, str]:
    """Copy files, for this user alone, flushed. Returns: their digests."""
    digests = {}
    with _writable():
        incoming.mkdir(mode=0o700)
        for name in names:
            (incoming / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                given = os.open(source / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError as error:
                raise InputError(
                    f"a file can't be opened: {type(error).__name__}",
                    remedy="make it readable",
                    file=name,
                ) from error
            digest = hashlib.sha256()
            with os.fdopen(given, "rb") as file, flushed_file(incoming / name) as out:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    out.write(chunk)
            digests[name] = digest.hexdigest()
        flush(incoming)
    return digests


def _has_room(folder: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise Unavailable(
            f"the model needs {needed_bytes / 1e9:.1f} GB and {free / 1e9:.1f} GB are free",
            remedy="free space in data_dir, then try again",
        )


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the models' folder can't be written: {type(error).__name__}",
            remedy="free space in data_dir or make it writable, then try again",
        ) from error


def _damaged(path: Path) -> IntegrityError:
    return IntegrityError(
        "the catalogue of adopted models is damaged",
        remedy="restore it from a copy",
        file=path.name,
    )
