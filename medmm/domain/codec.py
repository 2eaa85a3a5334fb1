"""Nouns to JSON and back, unchanged, driven by their type hints.

What to do with a type is worked out once and kept: a kept value of another release is read by the
same table of upgrades.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from medmm.domain.errors import InputError
from medmm.domain.noun_upgrades import form_of, upgraded

T = TypeVar("T")
Code = Callable[[Any], Any]
TAG, FORM = "type", "form"
PLAIN = frozenset({str, int, float, bool, type(None)})  # what JSON holds as it is
ARRAYS = frozenset({list, tuple})


def to_json(value: Any) -> Any:
    """Give the JSON-ready value of a noun: objects tagged with `type`, tuples as arrays.

    An object also has its `form`, if that is no longer the first; see `noun_upgrades`.
    """
    kind: Any = type(value)
    return value if kind in PLAIN else _encoder(kind)(value)


def from_json(kind: type[T], data: Any) -> T:
    """Rebuild a noun of type `kind` from what `to_json` of this or an earlier release gave.

    Raises: InputError if the data do not have the shape of `kind`.
    """
    try:
        return cast(T, _decoder(cast(Any, kind))(data))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(
            f"stored data are not a {getattr(kind, '__name__', kind)}: {error}",
            remedy="check that both sides run the same medmm release",
        ) from error


@cache
def _encoder(kind: Any) -> Code:
    if dataclasses.is_dataclass(kind):
        return _noun_encoder(kind)
    if issubclass(kind, Enum):
        return attrgetter("value")
    if issubclass(kind, date):  # also datetime
        return lambda value: value.isoformat()
    if issubclass(kind, tuple | list):
        return _encoded_items
    if issubclass(kind, Mapping):
        return lambda value: {str(key): to_json(item) for key, item in value.items()}
    return lambda value: value


def _encoded_items(values: Any) -> list[Any]:
    kinds = set(map(type, values))
    if kinds <= PLAIN:
        return list(values)
    if kinds <= ARRAYS and set(map(type, chain.from_iterable(values))) <= PLAIN:
        return list(map(list, values))
    return [to_json(item) for item in values]


def _noun_encoder(kind: Any) -> Code:
    names = [f.name for f in dataclasses.fields(kind) if f.compare]
    form = form_of(kind.__name__)
    head = {TAG: kind.__name__} if form == 1 else {TAG: kind.__name__, FORM: form}

    def encode(value: Any) -> dict[str, Any]:
        return head | {name: to_json(getattr(value, name)) for name in names}

    return encode


@cache
def _decoder(kind: Any) -> Code:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union_decoder(get_args(kind))
    if origin is tuple:
        return _tuple_decoder(get_args(kind))
    if origin is not None and issubclass(origin, Mapping):
        value = _decoder(get_args(kind)[1])
        return lambda data: {key: value(item) for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _noun_decoder(kind)
    if kind in (date, datetime) or (isinstance(kind, type) and issubclass(kind, Enum)):
        return _named_decoder(kind)
    return (lambda data: data) if kind is Any else _plain_decoder(kind)


def _named_decoder(kind: Any) -> Code:
    """Build the decoder of values that JSON holds as text.

    An error does not repeat the text, which may be of a patient.
    """
    read = kind if issubclass(kind, Enum) else kind.fromisoformat

    def decode(data: Any) -> Any:
        try:
            return read(data)
        except ValueError as error:
            raise ValueError(f"a text that is not a {kind.__name__}") from error

    return decode


def _plain_decoder(kind: type) -> Code:
    fits = (float, int) if kind is float else (kind,)

    def decode(data: Any) -> Any:
        if type(data) not in fits:
            raise TypeError(f"{type(data).__name__} where {kind.__name__} is expected")
        return float(data) if kind is float else data

    return decode


def _noun_decoder(kind: Any) -> Code:
    name, form = kind.__name__, form_of(kind.__name__)
    fields: dict[str, Code] = {}

    def decode(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise TypeError(f"{type(data).__name__} where {name} is expected")
        if data.get(TAG, name) != name:
            raise ValueError(f"another noun than {name}")
        if not fields:  # on first use: a noun may hold nouns of its own kind
            hints = get_type_hints(kind)
            fields.update(
                (f.name, _decoder(hints[f.name])) for f in dataclasses.fields(kind) if f.compare
            )
        if data.get(FORM, 1) != form:
            data = upgraded(name, data.get(FORM, 1), data)
        values = {}
        for key, item in data.items():
            if key in fields:
                values[key] = fields[key](item)
            elif key not in (TAG, FORM):
                raise ValueError(f"unknown fields {sorted(set(data) - {*fields, TAG, FORM})}")
        return kind(**values)

    return decode


def _is_noun(kind: type) -> bool:
    return dataclasses.is_dataclass(kind)


def _union_decoder(kinds: tuple[Any, ...]) -> Code:
    """Build the decoder of several kinds.

    A tagged noun is built by its tag, a plain value by its Python type, a text of a time by whether
    it has a time of day.
    """
    optional = type(None) in kinds
    there: tuple[Any, ...] = tuple(kind for kind in kinds if kind is not type(None))
    if len(there) == 1:
        only = _decoder(there[0])
        return (lambda data: None if data is None else only(data)) if optional else only
    tagged = {k.__name__: _decoder(k) for k in there if isinstance(k, type) and _is_noun(k)}
    times = {kind: _decoder(kind) for kind in there if kind in (datetime, date)}

    def decode(data: Any) -> Any:
        if data is None and optional:
            return None
        if isinstance(data, Mapping) and data.get(TAG) in tagged:
            return tagged[data[TAG]](data)
        if type(data) in there:
            return data
        if isinstance(data, str) and (kind := datetime if "T" in data else date) in times:
            return times[kind](data)
        raise ValueError(f"no alternative fits {type(data).__name__}")

    return decode


def _tuple_decoder(kinds: tuple[Any, ...]) -> Code:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return _row_decoder(kinds[0])
    items = tuple(_decoder(kind) for kind in kinds)

    def decode(data: Any) -> tuple[Any, ...]:
        if len(_array(data)) != len(items):
            raise ValueError(f"{len(data)} items where {len(items)} are expected")
        return tuple(item(value) for item, value in zip(items, data, strict=True))

    return decode


def _row_decoder(kind: Any) -> Code:
    """Build the decoder of items of one kind.

    The long rows of a reading are of whole numbers, or of pairs of them: they are looked at as one.
    """
    item, plain = _decoder(kind), {kind} if kind in (int, str, bool) else set()
    args = get_args(kind) if get_origin(kind) is tuple else ()
    length = None if args[1:] == (Ellipsis,) else len(args)
    inner = {args[0]} if args and set(args) - {Ellipsis} in ({int}, {str}, {bool}) else set()

    def decode(data: Any) -> tuple[Any, ...]:
        kinds = set(map(type, _array(data)))
        if kinds <= plain:
            return tuple(data)
        if inner and kinds <= ARRAYS and _are_rows(data, inner, length):
            return tuple(map(tuple, data))
        return tuple(item(value) for value in data)

    return decode


def _are_rows(data: Any, kinds: set[Any], length: int | None) -> bool:
    long = length is None or set(map(len, data)) <= {length}
    return long and set(map(type, chain.from_iterable(data))) <= kinds


def _array(data: Any) -> Any:
    if type(data) not in ARRAYS:
        raise TypeError(f"{type(data).__name__} where an array is expected")
    return data
