"""Arguments of a public function held against its annotations, so errors are typed.

A wrong type gives no traceback.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from medmm.domain.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def checked_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments that are not of the annotated types, before the function begins.

    Arguments that are missing, or that the function does not know, stay Python's own TypeError.

    Raises: InputError naming the argument.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def refusing(*args: P.args, **kwargs: P.kwargs) -> R:
        hints = _hints(function)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in hints and not _fits(value, hints[name]):
                wanted, found = _words(hints[name]), type(value).__name__
                raise InputError(
                    f"{name} of {function.__name__} is {found} where {wanted} is expected",
                    remedy=f"give {wanted}",
                )
        return function(*args, **kwargs)

    return refusing


def checked_methods(kind: type[T]) -> type[T]:
    """Make a class whose construction and public methods refuse arguments of a wrong type.

    See `checked_arguments`.
    """
    for name, member in list(vars(kind).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(member):
            setattr(kind, name, checked_arguments(member))
        elif isinstance(member, classmethod):
            setattr(kind, name, classmethod(checked_arguments(member.__func__)))
    return kind


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return hints by name, asked for at the first call, when every module is loaded.

    These are the modules that the hints name.
    """
    return get_type_hints(function)


def _fits(value: Any, kind: Any) -> bool:
    origin = get_origin(kind)
    # Whether it has the methods of a protocol is seen when they are called, or asked of it here
    if kind is Any or getattr(kind, "_is_protocol", False):
        runtime = getattr(kind, "_is_runtime_protocol", False)
        return not runtime or isinstance(value, kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(kind))
    # A text would be taken apart letter by letter, a mapping by its keys
    if origin in (Iterable, Sequence):
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, origin):
            return False
        # What can be gone through but once is checked where it is used
        again = isinstance(value, Sequence | set | frozenset)
        return not again or all(_fits(item, get_args(kind)[0]) for item in value)
    if origin is not None:
        return isinstance(value, origin)
    if kind is None or kind is types.NoneType:
        return value is None
    return isinstance(value, kind)


def _words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(one) for one in get_args(kind)))
    if origin in (Iterable, Sequence):
        return f"several of {_words(get_args(kind)[0])}"
    if kind is types.NoneType:
        return "None"
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return f"{kind.__name__} ({', '.join(str(one.value) for one in kind)})"
    return str(getattr(kind, "__name__", kind))


def paths_of(given: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the paths of one path or of several.

    Raises: InputError if one of them is not a path, or there is none.
    """
    several = [given] if isinstance(given, str | Path) else list(given)
    for one in several:
        if not isinstance(one, str | Path):
            raise InputError(f"a path is {type(one).__name__}", remedy="give str or Path")
    if not several:
        raise InputError("no path is given", remedy="name a file or a folder")
    return [Path(one) for one in several]
