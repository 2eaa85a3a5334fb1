"""Reading the settings from a file and the environment, with every fault named at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError
from rapidfuzz import process

from medmm.config.destinations import KINDS
from medmm.config.entries import ENTRIES, ReaderEntry
from medmm.config.settings import ENVIRONMENT_PREFIX, Settings
from medmm.config.sources import SOURCE_KINDS
from medmm.domain.errors import ConfigError

# which file to read; where the tests find the shared data; where a test lets the process die
NOT_SETTINGS = {"MEDMM_CONFIG", "MEDMM_TEST_DATA", "MEDMM_FAILPOINT"}

# of which entry, under which key, and what it is; each has a key for a file beside it
SECRETS = (
    ("server", "api_key", "key"),
    ("dictation", "api_key", "key"),
    ("sign_in", "client_secret", "secret"),
)

LISTS = ("readers", "destinations")  # settings that are lists of entries


def configs_dir() -> Path:
    """Find `configs/`: at the top of a checkout, or inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    places = (package.parent / "configs", package / "shipped" / "configs")
    return next(folder for folder in places if folder.is_dir())


def load_settings(path: str | Path | None = None) -> Settings:
    """Read the settings from `path`, else `$MEDMM_CONFIG`, else the `local.yaml` that ships.

    Raises: ConfigError naming every fault: file, line and the nearest known key for an unknown one;
        the key and its source (file and line, or the variable), never its value (it may be a
        secret), for a wrong one.
    """
    file = Path(path or os.environ.get("MEDMM_CONFIG") or configs_dir() / "local.yaml").expanduser()
    tree = _parse(file)
    unknown = list(_unknown_keys(tree, Settings))
    faults = [_unknown(dotted, f"{file}, line {line}", model) for dotted, line, model in unknown]
    faults += _unknown_variables()
    faults += _secrets_in_file(file, tree)
    content = _without(
        {dotted for dotted, _, _ in unknown}, yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    )
    try:
        settings = Settings(**content)
    except ValidationError as error:
        faults.append(_wrong([(e["loc"], e["msg"]) for e in error.errors()], file, tree))
    except (
        SettingsError
    ) as error:  # a variable that should hold JSON and does not; its text would name the value
        given = [f for f in Settings.model_fields if f'"{f}"' in str(error)]
        faults.append(_wrong([((f,), "no JSON") for f in given if _variable(f)], file, tree))
    if faults:
        raise _together(faults) from None
    return settings


def _secrets_in_file(file: Path, tree: yaml.Node | None) -> Iterator[ConfigError]:
    """Refuse a key or secret that stands in the settings file, where others may read it."""
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    for entry, key, what in SECRETS:
        found = content.get(entry)
        if isinstance(found, dict) and key in found:
            variable = f"{ENVIRONMENT_PREFIX}{entry}__{key}".upper()
            yield ConfigError(
                f"a {what} stands in the settings file: {entry}.{key}",
                remedy=f"give it as {variable}, or name a file under {key}_file",
                file=f"{file}, line {_line_of(tree, (entry, key))}",
            )


def _without(unknown: set[str], content: Any, above: str = "") -> Any:
    """Leave out the keys that nobody knows, so that the others are checked too."""
    if isinstance(content, list):
        return [_without(unknown, item, above) for item in content]
    if not isinstance(content, dict):
        return content
    kept = {key: value for key, value in content.items() if f"{above}{key}" not in unknown}
    return {key: _without(unknown, value, f"{above}{key}.") for key, value in kept.items()}


def _together(faults: Sequence[ConfigError]) -> ConfigError:
    """Make one error that names every fault with its place."""
    if len(faults) == 1:
        return faults[0]
    places: dict[str, list[str]] = {}
    for fault in faults:
        for kind, place in fault.where.items():
            places.setdefault(kind, []).append(place)
    return ConfigError(
        f"{len(faults)} faults: " + "; ".join(fault.problem for fault in faults),
        remedy="; ".join(dict.fromkeys(fault.remedy for fault in faults)),
        **{kind: "; ".join(dict.fromkeys(where)) for kind, where in places.items()},
    )


def _wrong(
    errors: Sequence[tuple[tuple[int | str, ...], str]], file: Path, tree: yaml.Node | None
) -> ConfigError:
    """Name each wrong key with its source: the variable that sets it, else file and line."""
    places: dict[str, list[str]] = {}
    for loc, _ in errors:
        variable = _variable(str(loc[0])) if loc else None
        line = _line_of(tree, loc)
        places.setdefault("variable" if variable else "file", []).append(
            variable or (f"{file}, line {line}" if line else str(file))
        )
    return ConfigError(
        "wrong setting: " + "; ".join(f"{'.'.join(map(str, loc))}: {why}" for loc, why in errors),
        remedy="correct it there",
        **{kind: "; ".join(dict.fromkeys(where)) for kind, where in places.items()},
    )


def _variable(field: str) -> str | None:
    """Find the environment variable that sets a field, as spelt there; None if none does."""
    wanted = f"{ENVIRONMENT_PREFIX}{field}".lower()
    return next(
        (n for n in os.environ if n.lower() == wanted or n.lower().startswith(wanted + "__")), None
    )


def _line_of(node: yaml.Node | None, loc: Sequence[int | str]) -> int | None:
    """Find the 1-based line of a key, or of the innermost thing around it in the file."""
    line = None
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == part), None)
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            found = (node.value[part], node.value[part])
        else:
            found = None
        if found is None:
            if part in KINDS:  # no key: pydantic names the kind of a destination there
                continue
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _parse(file: Path) -> yaml.MappingNode | None:
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the configuration can't be read: {type(error).__name__}",
            remedy="name an existing YAML file with --config or MEDMM_CONFIG",
            file=str(file),
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            "the settings are no YAML", remedy="correct it", file=f"{file}{line}"
        ) from error
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            "the settings are no mapping", remedy="write `key: value` lines", file=str(file)
        )
    return node


def _unknown_keys(
    node: Any, model: type[BaseModel], above: str = ""
) -> Iterator[tuple[str, int, type[BaseModel]]]:
    """Find the keys that `model`, or one within it, does not know.

    Yields: dotted name and 1-based line of each, and which model does not know it.
    """
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value not in model.model_fields:
            yield f"{above}{key.value}", key.start_mark.line + 1, model
        elif key.value in LISTS and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                of = ReaderEntry if key.value == "readers" else _kind_of(item, KINDS)
                if of is not None:
                    yield from _unknown_keys(item, of, f"{key.value}.")
        elif not above and key.value == "sources" and isinstance(value, yaml.MappingNode):
            for name, item in value.value:
                if (of := _kind_of(item, SOURCE_KINDS)) is not None:
                    yield from _unknown_keys(item, of, f"sources.{name.value}.")
        elif not above and key.value in ENTRIES:
            yield from _unknown_keys(value, ENTRIES[key.value], f"{key.value}.")


def _kind_of(item: yaml.Node, kinds: Mapping[str, type[BaseModel]]) -> type[BaseModel] | None:
    """Find the class of an entry by its kind; None if it names none, or another."""
    pairs = item.value if isinstance(item, yaml.MappingNode) else ()
    return next((kinds.get(str(v.value)) for k, v in pairs if k.value == "kind"), None)


def _unknown(dotted: str, where: str, model: type[BaseModel]) -> ConfigError:
    """Name an unknown key beside those that `model`, in which it stands, knows."""
    known = model.model_fields
    nearest = process.extractOne(dotted.rsplit(".", 1)[-1].lower(), known.keys())
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return ConfigError(
        f"unknown setting {dotted!r}", remedy=f"{hint}known: {', '.join(known)}", file=where
    )


def _unknown_variables() -> Iterator[ConfigError]:
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            field = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")[0]
            if field not in Settings.model_fields:
                yield _unknown(field, f"environment variable {name}", Settings)
