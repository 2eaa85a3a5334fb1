"""What a folder says of its model, and what its author still has to declare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from medmm.domain.errors import MedmmError
from medmm.domain.model_check import CheckedItem, ItemState, ModelCheck
from medmm.files import sha256_of
from medmm.models.outside.declaration import FILE, TODO, OutsideDeclaration, faults_of, written_in
from medmm.models.outside.declaration_parts import OUTSIDE
from medmm.models.outside.examined import Examined, ModelFormat, refused
from medmm.models.outside.formats import format_of, sizes_of
from medmm.models.outside.schema import schema_rows

SKELETON: Mapping[str, Any] = {
    "id": TODO,
    "version": TODO,
    "files": {},
    "licences": {"code": TODO, "weights": TODO},
    "task": f"{TODO} classification or segmentation",
    "modality": f"{TODO} DX or MR",
    "body_part": TODO,
    "views": f"{TODO} of films: [PA, AP]; else leave it out",
    "sequences": f"{TODO} of MR, in the order of the channels: [T1 post-contrast, T1, T2, FLAIR]",
    "contrast": f"{TODO} with, without or either",
    "age_years": f"{TODO} [18, 100]",
    "sex": f"{TODO} any, female or male",
    "grid": {
        "orientation": f"{TODO} rows-columns of films, axis codes such as RAS of volumes",
        "spacing_mm": f"{TODO} in mm along these axes, or null",
        "size": f"{TODO} voxels along each axis",
        "fit": f"{TODO} pad-or-crop, stretch or multiple",
    },
    "intensity": [{"rule": f"{TODO} window, percentile, min-max, z-score, divide, …"}],
    "value_range": f"{TODO} [0, 1], or null",
    "input": {"layout": f"{TODO} channels-first or channels-last"},
    "output": {
        "classes": f"{TODO} exclusive or overlapping",
        "activated": f"{TODO} true or false",
        "channels": {0: {"name": f"{TODO} a finding, a structure, background, or {OUTSIDE}…"}},
    },
    "laterality": f"{TODO} by-affine, none or separate-labels",
    "intended_use": TODO,
    "not_for": TODO,
}


def checked(folder: Path) -> ModelCheck:
    """Look at a folder; nothing of it is run or kept.

    A model that can't be taken is an answer too: `refused` says why.
    """
    found, examined = "", None
    try:
        sizes_of(folder)
        kind = format_of(folder)
        examined = kind.examine(folder)
        found = examined.format
        if examined.refusal:
            raise refused(examined.refusal, examined.remedy)
        items, skeleton = _items(folder, kind, examined)
    except MedmmError as error:
        where = "".join(f" ({key} {value})" for key, value in error.where.items())
        return ModelCheck(
            folder=folder.name,
            format=found,
            items=examined.items if examined else (),
            refused=error.problem + where,
            remedy=error.remedy,
        )
    return ModelCheck(
        folder=folder.name, format=found, items=(*examined.items, *items), skeleton=skeleton
    )


def _items(
    folder: Path, kind: ModelFormat, examined: Examined
) -> tuple[tuple[CheckedItem, ...], str]:
    if not (folder / FILE).exists():
        return tuple(_lacking(examined)), skeleton_of(folder, examined)
    tree = written_in(folder)
    try:
        declared = OutsideDeclaration.model_validate(tree)
    except ValidationError as error:
        return (*_declared(tree), *_faults(error)), ""
    against = [
        CheckedItem(item=place, state=ItemState.CONTRADICTS, words=words)
        for place, words in (
            *_digest_faults(folder, examined, declared),
            *kind.against(examined, declared),
        )
    ]
    return (*_declared(tree), *against), ""


def _lacking(examined: Examined) -> Iterator[CheckedItem]:
    """Yield what must be declared of a folder without a declaration."""
    for row in schema_rows():
        if row.needed and row.place not in ("files", *examined.known):
            yield CheckedItem(item=row.place, state=ItemState.MISSING, words=row.about)


def _faults(error: ValidationError) -> Iterator[CheckedItem]:
    missing = {fault["loc"] for fault in error.errors() if fault["type"] == "missing"}
    places = {".".join(map(str, place)) for place in missing}
    for place, words in faults_of(error):
        state = ItemState.MISSING if place in places or TODO in words else ItemState.CONTRADICTS
        about = _about(place) if place in places else words
        yield CheckedItem(item=place or FILE, state=state, words=about)


def _about(place: str) -> str:
    """Return what the schema says of an item."""
    plain = re.sub(r"\.\d+(?=\.|$)", "[]", place)
    rows = [row for row in schema_rows() if row.place == plain or row.place.startswith(f"{plain}.")]
    return "; ".join(row.about for row in rows if row.about) or "must be declared"


def _declared(tree: Mapping[str, Any]) -> Iterator[CheckedItem]:
    for key, value in tree.items():
        if key in OutsideDeclaration.model_fields and key != "files":
            words = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
            shown = words.removesuffix("\n...").strip()
            cut = shown if len(shown) <= 200 else f"{shown[:200]} …"
            yield CheckedItem(item=key, state=ItemState.DECLARED, words=cut)


def _digest_faults(
    folder: Path, examined: Examined, declared: OutsideDeclaration
) -> Iterator[tuple[str, str]]:
    for name in examined.files:
        if name not in declared.files:
            yield "files", f"{name} is not listed"
    for name, digest in declared.files.items():
        path = folder / name
        if name not in sizes_of(folder) or sha256_of(path) != digest:
            yield "files", f"{name} has another digest, or is not there"


def skeleton_of(folder: Path, examined: Examined) -> str:
    """Write a `reading-model.yaml` with what could be read, and TODO for the rest."""
    tree = {key: dict(v) if isinstance(v, Mapping) else v for key, v in SKELETON.items()}
    tree["files"] = {name: sha256_of(folder / name) for name in examined.files}
    for place, value in examined.known.items():
        *parts, key_of_value = place.split(".")
        inner = tree
        for key in parts:
            inner = inner.setdefault(key, {})
        inner[key_of_value] = value
    for item in examined.items:
        outer, _, last = item.item.partition(".")
        if item.state is ItemState.MISSING and last and outer not in SKELETON:
            tree.setdefault(outer, {})[last] = f"{TODO} {item.words}"
    if examined.channels is not None:
        labels = examined.labels if len(examined.labels) == examined.channels else ()
        tree["output"]["channels"] = {
            n: {"name": f"{TODO}{f' the files call it {labels[n]!r}' if labels else ''}"}
            for n in range(examined.channels)
        }
    if len(examined.inputs) > 1:
        tree["further_inputs"] = [
            {"tensor": f"{TODO} one of {', '.join(one.name for one in examined.inputs)}",
             "means": TODO, "constant": TODO}
        ]  # fmt: skip
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
