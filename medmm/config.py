"""The one configuration: YAML and `MEDMM_…` variables become one frozen tree.

Nothing else reads either.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from rapidfuzz import process

from medmm.domain.directory import ConfiguredReaders
from medmm.domain.errors import ConfigError
from medmm.domain.imaging_order import IdentifierSystems
from medmm.domain.model_server import ModelServer, fault_of_address
from medmm.domain.report import Reader
from medmm.domain.roles import roles
from medmm.domain.vocabulary import finding_terms

ENVIRONMENT_PREFIX = "MEDMM_"
# Where things lie, who acts and on what the networks run: none of it decides what a draft says.
NOT_OF_A_DRAFT = {
    "data_dir",
    "heads_path",
    "weights_dir",
    "device",
    "threads",
    "frame_cache_bytes",
    "actor",
    "identifiers",
    "readers",
    "replay_days",
    "claim_minutes",
    "writer_path",
    "server",
    "site",
    "store",
}
DATABASE_URL = (  # user, password; host, port and database; options
    r"(?P<scheme>postgresql(\+psycopg)?)://((?P<user>[^:@/?\s]*)(:[^@/?\s]*)?@)?"
    r"(?P<place>[^@?\s]*/[^@/?\s]+)(\?\S*)?"
)
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
        """Make the noun of this entry."""
        return Reader(id=self.id, name=self.name, role=self.role)


class IdentifierEntry(BaseModel):
    """The identifier systems of the site, by which FHIR servers know its patients and orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mrn: str | None = None
    mrn_issuers: tuple[str, ...] = ()
    accession: str | None = None
    placer_order: str | None = None
    filler_order: str | None = None

    @field_validator("mrn", "accession", "placer_order", "filler_order")
    @classmethod
    def _absolute_uri(cls, system: str | None) -> str | None:
        if system is not None and re.fullmatch(r"\d+(\.\d+)+", system):
            raise ValueError(f"an OID is written as a URI: urn:oid:{system}")
        if system is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", system):
            raise ValueError(
                "no absolute URI, such as https://hospital.example/mrn or urn:oid:1.2.3"
            )
        return system

    def systems(self) -> IdentifierSystems:
        """Make the noun of this entry."""
        return IdentifierSystems(**self.model_dump())


class StoreEntry(BaseModel):
    """The database that keeps studies, cases and the audit log.

    It may hold a password: it is never shown whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.fullmatch(DATABASE_URL, url.get_secret_value()):
            raise ValueError(
                "no URL of a PostgreSQL database, such as "
                "postgresql+psycopg://medmm@db.example/medmm"
            )
        return url

    @field_serializer("url", when_used="json")
    def _without_password(self, url: SecretStr | None) -> str | None:
        return None if url is None else self.place()

    def place(self) -> str:
        """Show the database without password and options; "" if it is a file of data_dir."""
        found = re.fullmatch(DATABASE_URL, self.url.get_secret_value() if self.url else "")
        if found is None:
            return ""
        user = f"{found['user']}@" if found["user"] else ""
        return f"{found['scheme']}://{user}{found['place']}"


class ServerEntry(BaseModel):
    """The model server that words drafts where `writer` is openai-compatible.

    A key stands in the environment or in a file of its own, never in the settings file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    url: str | None = None
    model: str | None = Field(default=None, min_length=1, max_length=200)
    hosts: tuple[str, ...] = ()
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    ca_file: Path | None = None
    plain_http_on_loopback: bool = False
    budget_per_day: PositiveInt = 500
    connect_timeout_s: float = Field(default=5, gt=0, le=60)
    chunk_timeout_s: float = Field(default=30, gt=0, le=600)
    timeout_s: float = Field(default=120, gt=0, le=3600)
    retries: NonNegativeInt = Field(default=2, le=10)
    answer_bytes: PositiveInt = Field(default=262_144, le=16_777_216)

    @field_validator("api_key_file", "ca_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @model_validator(mode="after")
    def _safe_address(self) -> ServerEntry:
        if self.url is not None and (
            fault := fault_of_address(self.url, self.hosts, self.plain_http_on_loopback)
        ):
            raise ValueError(f"url: {fault}")
        return self

    def server(self) -> ModelServer:
        """Make the noun of this entry, with the key that its file holds.

        Raises: ConfigError if address or model is missing, or the file can't be read.
        """
        if self.url is None or self.model is None:
            raise ConfigError(
                "no model server is named", remedy="set url, hosts and model under `server`"
            )
        return ModelServer(
            url=self.url,
            model=self.model,
            api_key=self._key(),
            ca_file=self.ca_file,
            connect_s=self.connect_timeout_s,
            chunk_s=self.chunk_timeout_s,
            total_s=self.timeout_s,
            retries=self.retries,
            answer_bytes=self.answer_bytes,
            budget_per_day=self.budget_per_day,
        )

    def _key(self) -> str | None:
        if self.api_key is not None or self.api_key_file is None:
            return self.api_key.get_secret_value() if self.api_key else None
        try:
            return self.api_key_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the key of the model server can't be read: {type(error).__name__}",
                remedy="correct api_key_file under `server`, or its permissions",
                file=str(self.api_key_file),
            ) from error


class Settings(BaseSettings):
    """The settings, all of them and frozen.

    A field has its line in `configs/local.yaml` or a default that needs none.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )

    data_dir: Path = Path("~/.local/share/medmm")
    heads_path: Path | None = None
    weights_dir: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt | None = None
    frame_cache_bytes: NonNegativeInt = 268_435_456
    writer: Literal["language-model", "rules", "hugging-face", "openai-compatible"] = (
        "language-model"
    )
    language_model: str = Field(default="chest-report", min_length=1)
    reading_order: tuple[str, ...] = ()
    writer_path: Path | None = None
    server: ServerEntry = ServerEntry()
    prevalence: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default={})
    site: str | None = Field(default=None, min_length=1, max_length=200)
    site_time_zone: str | None = None
    actor: str = "medmm-service"
    replay_days: float = Field(default=7, gt=0, le=3650)
    claim_minutes: PositiveInt = Field(default=30, le=1440)
    store: StoreEntry = StoreEntry()
    identifiers: IdentifierEntry = IdentifierEntry()
    readers: tuple[ReaderEntry, ...] = ()

    def of_a_draft(self) -> dict[str, Any]:
        """List the settings that a draft depends on, as JSON.

        A new setting is one of them until `NOT_OF_A_DRAFT` names it. Those of an outside writer are
        only where it writes: of a folder its digest counts (`Networks.manifests`).
        """
        found = self.model_dump(mode="json", exclude=NOT_OF_A_DRAFT)
        if self.writer == "openai-compatible":
            found["server"] = {"url": self.server.url, "model": self.server.model}
        return found

    def directory(self) -> ConfiguredReaders:
        """Give the directory that `readers` make."""
        return ConfiguredReaders(entry.reader() for entry in self.readers)

    @model_validator(mode="after")
    def _writer_has_what_it_needs(self) -> Settings:
        if self.writer == "hugging-face" and self.writer_path is None:
            raise ValueError("writer: hugging-face needs writer_path, the folder of the model")
        if self.writer == "openai-compatible" and None in (self.server.url, self.server.model):
            raise ValueError("writer: openai-compatible needs url, hosts and model under server")
        return self

    @field_validator("data_dir", "heads_path", "weights_dir", "writer_path")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @field_validator("site_time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ValueError, OSError, ZoneInfoNotFoundError):
                raise ValueError(
                    "no time zone of the IANA database, such as Europe/Vienna"
                ) from None
        return name

    @field_validator("prevalence")
    @classmethod
    def _known_findings(cls, prevalence: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(prevalence) - set(finding_terms())):
            raise ValueError(f"no findings of the vocabulary: {', '.join(unknown)}")
        return prevalence

    @field_validator("reading_order")
    @classmethod
    def _each_model_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError("a model has its say once: name each once")
        return names

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
        """Let the environment win over the file."""
        return env_settings, init_settings


ENTRIES: dict[str, type[BaseModel]] = {
    "identifiers": IdentifierEntry,
    "store": StoreEntry,
    "server": ServerEntry,
}


def configs_dir() -> Path:
    """Find `configs/`: at the top of a checkout, or inside the installed package."""
    here = Path(__file__).resolve().parent
    return next(d for d in (here.parent / "configs", here / "shipped" / "configs") if d.is_dir())


def load_settings(path: str | Path | None = None) -> Settings:
    """Read the settings from `path`, else `$MEDMM_CONFIG`, else the `local.yaml` that ships.

    Raises: ConfigError naming every fault: file, line and the nearest known key for an unknown one;
        the key and its source (file and line, or the variable), never its value (it may be a
        secret), for a wrong one.
    """
    file = Path(path or os.environ.get("MEDMM_CONFIG") or configs_dir() / "local.yaml").expanduser()
    tree = _parse(file)
    unknown = list(_unknown_keys(tree, Settings))
    faults = [_unknown(dotted, f"{file}, line {line}", Settings) for dotted, line in unknown]
    faults += _unknown_variables()
    faults += _secrets_in_file(file, tree)
    content = _without(
        {dotted for dotted, _ in unknown}, yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    )
    try:
        settings = Settings(**content)
    except ValidationError as error:
        faults.append(_wrong([(e["loc"], e["msg"]) for e in error.errors()], file, tree))
    except (
        SettingsError
    ):  # a variable that should hold JSON and does not; its text would name the value
        given = [
            f
            for f in Settings.model_fields
            if Settings.model_fields[f].annotation == tuple[ReaderEntry, ...]
        ]
        faults.append(_wrong([((f,), "no JSON") for f in given if _variable(f)], file, tree))
    if faults:
        raise _together(faults) from None
    return settings


def _secrets_in_file(file: Path, tree: yaml.Node | None) -> Iterator[ConfigError]:
    """Refuse a key of a server that stands in the settings file, where others may read it."""
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    server = content.get("server")
    if isinstance(server, dict) and "api_key" in server:
        yield ConfigError(
            "a key stands in the settings file: server.api_key",
            remedy="give it as MEDMM_SERVER__API_KEY, or name a file under api_key_file",
            file=f"{file}, line {_line_of(tree, ('server', 'api_key'))}",
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


def _unknown_keys(node: Any, model: type[BaseModel], above: str = "") -> Iterator[tuple[str, int]]:
    """Find the dotted name and 1-based line of each key that `model` does not know."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value not in model.model_fields:
            yield f"{above}{key.value}", key.start_mark.line + 1
        elif key.value == "readers" and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                yield from _unknown_keys(item, ReaderEntry, "readers.")
        elif key.value in ENTRIES:
            yield from _unknown_keys(value, ENTRIES[key.value], f"{key.value}.")


def _unknown(dotted: str, where: str, model: type[BaseModel]) -> ConfigError:
    inner: dict[str, type[BaseModel]] = {"readers": ReaderEntry, **ENTRIES}
    known = inner.get(dotted.rpartition(".")[0], model).model_fields
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
