"""The networks that medmm knows, a row each, with manifest digests; loads no torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from medmm.domain.acceptance import Acceptance
from medmm.domain.codec import from_json
from medmm.domain.errors import InputError, IntegrityError
from medmm.domain.reading import ModelIdentity
from medmm.domain.reading_model import Declaration
from medmm.domain.study import Modality
from medmm.domain.study_inspection import ModelRow
from medmm.files import sha256_of
from medmm.models.weights.model_folder import json_mapping

REMEDY = (
    "restore the weights folder from a copy; or install medmm again, or remove and add an "
    "adopted model again"
)
ANOTHER = "the folder is not the network of this release, though its own manifest bears it out"
ACCEPTANCE = "acceptance.json"  # of a packaged network: what it was measured to do
DEFAULT_REPORT = "chest-report"
OUTSIDE_TASKS = ("classification", "segmentation")  # of reading models of others


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRow:
    """A network of the catalogue; `added_at` (ISO 8601) is set if it was adopted."""

    name: str
    task: str
    modality: str
    body_part: str
    manifest_sha256: str
    licence: str
    research_only: bool
    added_at: str = ""

    @property
    def identity(self) -> ModelIdentity:
        """Who read, as a reading names it."""
        return ModelIdentity(name=self.name, manifest_sha256=self.manifest_sha256)


@cache
def catalogue() -> dict[str, CatalogueRow]:
    """Read all rows by name."""
    return {
        row["name"]: CatalogueRow(
            name=row["name"],
            task=row["task"],
            modality=row["modality"],
            body_part=row["body_part"],
            manifest_sha256=row["manifest_sha256"],
            licence=row["licence"],
            research_only=row["research_only"] == "yes",
        )
        for row in _table()
    }


@cache
def declarations() -> dict[str, Declaration]:
    """Say what each network of the catalogue reads and states, by its name."""
    return {
        row["name"]: Declaration(
            modality=Modality(row["modality"]),
            body_parts=(row["body_part"],),
            findings=_names(row["findings"]),
            quantities=_names(row["quantities"]),
        )
        for row in _table()
    }


def _names(cell: str) -> tuple[str, ...]:
    return tuple(filter(None, cell.split(";")))


def _table() -> list[dict[str, str]]:
    text = files("medmm.models.weights").joinpath("catalogue.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def is_packaged(name: str) -> bool:
    """Tell whether a network of this name ships with medmm."""
    return name in catalogue()


def packaged_weights() -> Path:
    """Return the folder of weights that ships."""
    return Path(str(files("medmm"))) / "weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFolder:
    """A weights folder whose every file holds its digest."""

    row: CatalogueRow
    folder: Path

    @property
    def identity(self) -> ModelIdentity:
        """Who read, as a reading names it."""
        return self.row.identity

    def json(self, name: str) -> Any:
        """Read a JSON file of the folder."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


def open_weights(row: CatalogueRow, weights_dir: Path | None = None) -> WeightsFolder | None:
    """Open the checked weights folder of a row; return None if it is not installed.

    The manifest must have the digest of the catalogue row, and each other file that of the
    manifest.

    Raises: IntegrityError naming the file that is altered, missing or too many.
    """
    folder = (weights_dir or packaged_weights()) / row.name
    if not folder.is_dir():
        return None
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise _altered(row, "manifest.json")
    if sha256_of(manifest) != row.manifest_sha256:
        raise _another(row) if _is_borne_out(folder) else _altered(row, "manifest.json")
    expected = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    found = {p.name for p in folder.iterdir() if p.name != "manifest.json"}
    for name in sorted(found ^ set(expected)):
        raise _altered(row, name)
    for name, digest in expected.items():
        if sha256_of(folder / name) != digest:
            raise _altered(row, name)
    return WeightsFolder(row=row, folder=folder)


def shipped_acceptance(row: CatalogueRow, weights_dir: Path | None = None) -> Acceptance | None:
    """Read what a packaged network was measured to do before it shipped.

    The file can't hold the digest of the manifest that lists it, so that is filled in.

    Returns: None if the network of the row is not here, or does not tell.
    Raises: IntegrityError if the file is not the one that shipped.
    """
    folder = (weights_dir or packaged_weights()) / row.name
    manifest, file = folder / "manifest.json", folder / ACCEPTANCE
    if not (manifest.is_file() and file.is_file()) or sha256_of(manifest) != row.manifest_sha256:
        return None
    if sha256_of(file) != json_mapping(manifest)["files"].get(ACCEPTANCE):
        raise _altered(row, ACCEPTANCE)
    return replace(from_json(Acceptance, json_mapping(file)), model=row.identity)


def model_rows(weights_dir: Path | None = None) -> tuple[ModelRow, ...]:
    """List every network and its state here."""
    return tuple(
        model_row(row, lambda row: open_weights(row, weights_dir)) for row in catalogue().values()
    )


def model_row(
    row: CatalogueRow, opened: Callable[[CatalogueRow], WeightsFolder | None]
) -> ModelRow:
    """Describe a network and the state in which `opened` finds it."""
    findings, state, remedy = (), "ready", ""
    declares = declarations().get(row.name)
    try:
        weights = opened(row)
    except IntegrityError as error:
        state, remedy = "another" if error.problem == ANOTHER else "altered", str(error)
    else:
        if weights is None:
            state, remedy = (
                "not installed",
                "install the package with its weights, or set weights_dir",
            )
        else:
            config = weights.json("config.json")
            findings = tuple(config.get("findings") or config.get("structures") or ())
            declares = declared_by(row, weights.folder)
    return ModelRow(
        name=row.name,
        task=row.task,
        modality=row.modality,
        body_part=row.body_part,
        findings=findings,
        licence=row.licence,
        research_only=row.research_only,
        manifest_sha256=row.manifest_sha256,
        state=state,
        remedy=remedy,
        added_at=row.added_at,
        declares=declares,
    )


def declared_by(row: CatalogueRow, folder: Path) -> Declaration | None:
    """Say what a weights folder reads and states; None if nothing reads with it.

    An adopted report model states what its heads are calibrated for. A damaged file says
    nothing: opening it does.
    """
    if row.task in OUTSIDE_TASKS:
        return _declared_outside(folder)
    if row.name in declarations() or row.task != "report":
        return declarations().get(row.name)
    try:
        heads = json_mapping(folder / "calibration.json").get("heads")
    except InputError:
        heads = None
    return Declaration(
        modality=Modality(row.modality),
        body_parts=(row.body_part,),
        findings=tuple(heads) if isinstance(heads, dict) else (),
    )


def _declared_outside(folder: Path) -> Declaration | None:
    from medmm.models.outside.declaration import read_declaration

    try:
        return read_declaration(folder).declares
    except InputError:
        return None


def row_named(name: str) -> CatalogueRow:
    """Return a row.

    Raises: InputError if the catalogue has none of this name.
    """
    try:
        return catalogue()[name]
    except KeyError:
        raise InputError(
            f"no network {name!r} in the catalogue", remedy="see `medmm models list`"
        ) from None


def _is_borne_out(folder: Path) -> bool:
    """Tell whether a folder is what its own manifest says, whatever manifest was expected."""
    try:
        files = dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"])
        found = {p.name for p in folder.iterdir() if p.name != "manifest.json"}
        return found == set(files) and all(
            sha256_of(folder / name) == digest for name, digest in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _another(row: CatalogueRow) -> IntegrityError:
    return IntegrityError(
        ANOTHER,
        remedy="put the released folder back; add a network of your own with `medmm models add`",
        weights=row.name,
        file="manifest.json",
    )


def _altered(row: CatalogueRow, file: str) -> IntegrityError:
    return IntegrityError("the weights were altered", remedy=REMEDY, weights=row.name, file=file)
