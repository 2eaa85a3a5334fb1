"""The schema of `reading-model.yaml` as rows: for checks, and for the table of the docs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from medmm.models.outside.declaration import OutsideDeclaration


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRow:
    """One key: its place, whether it must be there, and what it means."""

    place: str
    needed: bool
    about: str


def schema_rows(
    model: type[BaseModel] = OutsideDeclaration, place: str = "", *, needed: bool = True
) -> Iterator[SchemaRow]:
    """Yield a row for each key that holds a value, outer ones first, `[]` for each of several."""
    for name, field in model.model_fields.items():
        inner = f"{place}.{name}" if place else name
        must = needed and field.is_required()
        part, several = _part_of(field.annotation)
        if part is not None:
            yield from schema_rows(part, f"{inner}[]" if several else inner, needed=must)
            continue
        choices = ", ".join(f"`{one}`" for one in _choices(field.annotation))
        about = field.description or ""
        words = f"{about}: {choices}" if about and choices else about or choices
        yield SchemaRow(place=inner, needed=must, about=words)


def _part_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the part that a key holds, and whether it holds several of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    several = get_origin(annotation) in (tuple, dict)
    if several or get_origin(annotation) in (Union, UnionType):
        for one in get_args(annotation):
            if isinstance(one, type) and issubclass(one, BaseModel):
                return one, several
    return None, False


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    for one in get_args(annotation):
        if get_origin(one) is Literal:
            return get_args(one)
    return ()
