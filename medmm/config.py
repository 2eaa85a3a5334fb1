"""The one configuration: YAML and `MEDMM_…` variables become one frozen tree; nothing else reads either."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from rapidfuzz import process

from medmm.domain.errors import ConfigError
from medmm.domain.report import Reader
from medmm.domain.roles import roles

ENVIRONMENT_PREFIX = "MEDMM_"
# which file to read; where the tests find the shared data; where a test lets the process die
NOT_SETTINGS = {"MEDMM_CONFIG", "MEDMM_TEST_DATA", "MEDMM_FAILPOINT"}


class ReaderEntry(BaseModel):
    """A person who may act, with a role of the role table (docs/roles.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    name: str = Field(min_length=1)
    role: str

    @field_validator("role")
    @classmethod
    def _known_role(cls, role: str) -> str:
        if role not in roles():
            raise ValueError(f"unknown role; known roles: {', '.join(roles())}")
        return role

    def reader(self) -> Reader:
        """The noun of this entry."""
        return Reader(id=self.id, name=self.name, role=self.role)


class Settings(BaseSettings):
    """All settings, frozen. A field has its line in `configs/local.yaml` or a default that needs none."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )

    data_dir: Path = Path("~/.local/share/medmm")
    heads_path: Path | None = None
    weights_dir: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt | None = None
    actor: str = "medmm-service"
    readers: tuple[ReaderEntry, ...] = ()

    @field_validator("data_dir", "heads_path", "weights_dir")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @field_validator("readers")
    @classmethod
    def _one_entry_a_reader(cls, readers: tuple[ReaderEntry, ...]) -> tuple[ReaderEntry, ...]:
        ids = [reader.id for reader in readers]
        if len(set(ids)) != len(ids):
            raise ValueError("two readers share an id")
        return readers

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings


def configs_dir() -> Path:
    """Where `configs/` lies: at the top of a checkout, or inside the installed package."""
    here = Path(__file__).resolve().parent
    return next(d for d in (here.parent / "configs", here / "shipped" / "configs") if d.is_dir())


def load_settings(path: str | Path | None = None) -> Settings:
    """Read the settings from `path`, else from `$MEDMM_CONFIG`, else from the `local.yaml` that ships.

    Raises: ConfigError naming file, line and the nearest known key for an unknown one; naming the key,
        never its value (it may be a secret), for a wrong one.
    """
    file = Path(path or os.environ.get("MEDMM_CONFIG") or configs_dir() / "local.yaml").expanduser()
    tree = _parse(file)
    for dotted, line in _unknown_keys(tree, Settings):
        raise _unknown(dotted, f"{file}, line {line}", Settings)
    _refuse_unknown_variables()
    try:
        return Settings(**(yaml.safe_load(file.read_text(encoding="utf-8")) or {}))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(
            f"wrong setting: {wrong}",
            remedy="correct it there or in the MEDMM_ variable of that name",
            file=str(file),
        ) from None


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
        raise ConfigError("the settings are no YAML", remedy="correct it", file=f"{file}{line}") from error
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise ConfigError("the settings are no mapping", remedy="write `key: value` lines", file=str(file))
    return node


def _unknown_keys(node: Any, model: type[BaseModel], above: str = "") -> Iterator[tuple[str, int]]:
    """Dotted name and 1-based line of each key that `model` does not know."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value not in model.model_fields:
            yield f"{above}{key.value}", key.start_mark.line + 1
        elif key.value == "readers" and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                yield from _unknown_keys(item, ReaderEntry, "readers.")


def _unknown(dotted: str, where: str, model: type[BaseModel]) -> ConfigError:
    known = (ReaderEntry if dotted.startswith("readers.") else model).model_fields
    nearest = process.extractOne(dotted.rsplit(".", 1)[-1].lower(), known.keys())
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return ConfigError(f"unknown setting {dotted!r}", remedy=f"{hint}known: {', '.join(known)}", file=where)


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            field = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")[0]
            if field not in Settings.model_fields:
                raise _unknown(field, f"environment variable {name}", Settings)
