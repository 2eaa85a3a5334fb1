"""The settings as one frozen tree; the environment wins over the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from medmm.config.destinations import Destination
from medmm.config.entries import (
    CriticalEntry,
    DicomEntry,
    DictationEntry,
    Hl7Entry,
    IdentifierEntry,
    ReaderEntry,
    ReadingModeName,
    ServerEntry,
    StoreEntry,
)
from medmm.config.listening import ListenEntry
from medmm.config.orders import OrdersEntry
from medmm.config.record_server import RecordServerEntry
from medmm.config.serving import ServeEntry
from medmm.config.sign_in import SignInEntry
from medmm.config.sources import Source, SourceName
from medmm.domain.directory import ConfiguredReaders
from medmm.domain.vocabulary import finding_terms

ENVIRONMENT_PREFIX = "MEDMM_"
# Where things lie, who acts and on what the networks run: none of it decides what a draft says.
NOT_OF_A_DRAFT = {
    "data_dir",
    "heads_path",
    "weights_dir",
    "device",
    "threads",
    "film_backend",
    "frame_cache_bytes",
    "upload_bytes",
    "actor",
    "identifiers",
    "readers",
    "record_server",
    "replay_days",
    "claim_minutes",
    "critical",
    "destinations",
    "reading_mode",
    "dicom",
    "dictation",
    "hl7",
    "speech",
    "writer_path",
    "listen",
    "orders",
    "serve",
    "server",
    "sign_in",
    "site",
    "sources",
    "store",
}


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
    film_backend: Literal["auto", "torch", "onnxruntime", "openvino"] = "auto"
    frame_cache_bytes: NonNegativeInt = 268_435_456
    upload_bytes: PositiveInt = 4_294_967_296
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
    critical: CriticalEntry = CriticalEntry()
    reading_mode: ReadingModeName = "draft-first"
    dictation: DictationEntry = DictationEntry()
    speech: bool = False
    store: StoreEntry = StoreEntry()
    identifiers: IdentifierEntry = IdentifierEntry()
    dicom: DicomEntry = DicomEntry()
    hl7: Hl7Entry = Hl7Entry()
    destinations: tuple[Destination, ...] = ()
    record_server: RecordServerEntry | None = None
    readers: tuple[ReaderEntry, ...] = ()
    sign_in: SignInEntry = SignInEntry()
    listen: ListenEntry = ListenEntry()
    orders: OrdersEntry = OrdersEntry()
    sources: dict[SourceName, Source] = Field(default={})
    serve: ServeEntry = ServeEntry()

    def of_a_draft(self) -> dict[str, Any]:
        """List the settings that a draft depends on, as JSON.

        A new setting is one of them until `NOT_OF_A_DRAFT` names it. Those of an outside writer are
        only where it writes: of a folder its digest counts (`Networks.manifests`).
        """
        found = self.model_dump(mode="json", exclude=NOT_OF_A_DRAFT)
        if self.writer == "openai-compatible":
            said = {"url", "model", "pictures_without_statement"}
            found["server"] = self.server.model_dump(mode="json", include=said)
        return found

    def reading_mode_of(self, reader: str) -> ReadingModeName:
        """Say what a reader is to see first: as their entry says, else as the site does."""
        own = next((one.reading_mode for one in self.readers if one.id == reader), None)
        return own or self.reading_mode

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

    @model_validator(mode="after")
    def _dictation_is_whole(self) -> Settings:
        if self.dictation.on and self.dictation.model is None:
            raise ValueError("dictation needs url, hosts and model")
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

    @field_validator("destinations")
    @classmethod
    def _one_entry_a_destination(
        cls, destinations: tuple[Destination, ...]
    ) -> tuple[Destination, ...]:
        names = [one.name for one in destinations]
        if len(set(names)) != len(names):
            raise ValueError("two destinations share a name")
        return destinations

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
