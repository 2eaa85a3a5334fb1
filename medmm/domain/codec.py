"""Nouns to JSON and back, unchanged, driven by their type hints."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from medmm.domain.errors import InputError

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """JSON-ready value of a noun: dataclasses become objects tagged with `type`, tuples become arrays."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare
        }
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):  # also datetime
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    return value


def from_json(kind: type[T], data: Any) -> T:
    """Rebuild a noun of type `kind` from what `to_json` gave.

    Raises: InputError if the data do not have the shape of `kind`.
    """
    try:
        return cast(T, _build(kind, data))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"stored data are no {getattr(kind, '__name__', kind)}: {error}",
            remedy="check that both sides run the same medmm release",
        ) from error


def _build(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _build_union(get_args(kind), data)
    if origin is tuple:
        return _build_tuple(get_args(kind), data)
    if origin is not None and issubclass(origin, Mapping):
        value_kind = get_args(kind)[1]
        return {key: _build(value_kind, item) for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(cast(type, kind), data)
    if kind in (date, datetime):
        return kind.fromisoformat(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind is float:
        return float(data)
    if kind is not Any and not isinstance(data, kind):
        raise TypeError(f"{type(data).__name__} where {kind.__name__} is expected")
    return data


def _build_union(kinds: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    if isinstance(data, Mapping) and "type" in data:
        kinds = tuple(kind for kind in kinds if getattr(kind, "__name__", "") == data["type"])
    if len(kinds) == 1:
        return _build(kinds[0], data)
    for kind in kinds:  # plain values: the one whose Python type is exactly that of the data
        if kind is type(data):
            return data
    for kind in (kind for kind in kinds if kind in (datetime, date)):
        if isinstance(data, str) and ("T" in data) == (kind is datetime):
            return _build(kind, data)
    raise ValueError(f"no alternative fits {type(data).__name__}")


def _build_tuple(kinds: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_build(kinds[0], item) for item in data)
    if len(kinds) != len(data):
        raise ValueError(f"{len(data)} items where {len(kinds)} are expected")
    return tuple(_build(kind, item) for kind, item in zip(kinds, data, strict=True))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _build_dataclass(kind: type, data: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    known = {f.name for f in dataclasses.fields(kind) if f.compare}
    unknown = set(data) - known - {"type"}
    if unknown:
        raise ValueError(f"unknown fields {sorted(unknown)}")
    return kind(
        **{name: _build(hints[name], item) for name, item in data.items() if name != "type"}
    )
