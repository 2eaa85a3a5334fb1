"""The house that verbs work in: store, networks, writers, settings and clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from medmm import drafting, imaging, models, records
from medmm.config import Settings
from medmm.domain.acceptance import Acceptance
from medmm.domain.clock import Clock, in_utc
from medmm.domain.codec import to_json
from medmm.domain.directory import Directory
from medmm.domain.draft import Case
from medmm.domain.errors import ConfigError, StateError
from medmm.domain.model_check import ModelCheck
from medmm.domain.model_server import Departure, ModelServer
from medmm.domain.reading import Reading
from medmm.domain.reading_model import ReadingModel
from medmm.domain.study import Study
from medmm.domain.study_inspection import ModelRow
from medmm.store import Store, digest
from medmm.verbs.background import Background
from medmm.verbs.calls import Calls
from medmm.verbs.drafts_underway import DraftsUnderway
from medmm.verbs.reading_models import OnDuty, digests_of, on_duty

DRAFTS_AT_ONCE = 2  # in the background: one that waits for a model server holds up no other


class Networks(Protocol):
    """The networks of an installation, each opened when it is first asked for."""

    @property
    def reading_models(self) -> Sequence[ReadingModel]:
        """What reads studies here, in the order in which they have their say."""
        ...

    @property
    def outside_models(self) -> Sequence[ReadingModel]:
        """Those of them that were added here, each of one network."""
        ...

    @property
    def picture_kinds(self) -> imaging.PictureKinds | None:
        """The network that tells kinds of pictures; None if it is not installed."""
        ...

    @property
    def language_model(self) -> drafting.LanguageModel | None:
        """The language model that the settings name; None if it is not installed."""
        ...

    @property
    def proposing_model(self) -> drafting.ProposingModel | None:
        """The model in the folder that the settings name; None if they name none.

        Raises: ConfigError if it can't be opened.
        """
        ...

    def model_rows(self) -> tuple[ModelRow, ...]:
        """List every network with its state."""
        ...

    def manifests(self) -> Mapping[str, str]:
        """Read the manifest digest of every network that is here.

        Returns: SHA-256 in hex by the network's name.
        """
        ...

    def card(self, name: str) -> str | None:
        """Read the model card of a network; None if it is not installed, or ships none.

        Raises: InputError if there is none of this name; IntegrityError if a file was altered.
        """
        ...

    def shipped_acceptances(self) -> Sequence[Acceptance]:
        """Read what packaged networks that are here were measured to do before they shipped."""
        ...

    def contents(self, source: Path) -> Mapping[str, str]:
        """Digest the files of a folder that would be added.

        Returns: SHA-256 in hex by the file's name in the folder.
        Raises: InputError if the folder can't be taken.
        """
        ...

    def check(self, source: Path) -> ModelCheck:
        """Say what a folder says of its model; nothing of it is run or kept."""
        ...

    def adding(
        self, source: Path, name: str | None, licence: str | None
    ) -> AbstractContextManager[ModelRow]:
        """Copy, check and keep a model if the body does not fail.

        Args:
            source: its folder.
            name: to keep it by; without one the folder's own.
            licence: its terms; without them those of its manifest or card.

        Returns: a context that gives the model's row; it leaves no trace if its body fails.
        Raises: InputError if the folder or the name can't be taken; IntegrityError if a file is not
            what the manifest says.
        """
        ...

    def removing(self, name: str) -> AbstractContextManager[models.CatalogueRow]:
        """Delete an added model if the body does not fail.

        Returns: a context that gives the row that the model had; it is back if the body fails.
        Raises: StateError if it is in use; InputError if there is none of this name.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The house that every verb works in.

    Attributes:
        directory: who may act.
        clock: gives the time now, in UTC.
        record_folders: folders of records that were gone through, by their places.
        record_servers: what asks for records, by its address; it keeps its token.
        background: where models in shadow read.
        drafters: where drafts are made that nobody waits for; how far they are says `underway`.
    """

    settings: Settings
    store: Store
    networks: Networks
    directory: Directory
    calls: Calls
    clock: Clock
    record_folders: dict[Path, records.RecordFolder] = field(default_factory=dict)
    record_servers: dict[str, records.RecordServer] = field(default_factory=dict)
    background: Background = field(default_factory=Background)
    drafters: Background = field(default_factory=lambda: Background(DRAFTS_AT_ONCE, "medmm-draft"))
    underway: DraftsUnderway = field(default_factory=DraftsUnderway)

    def with_directory(self, directory: Directory) -> House:
        """Give the same house to those whom another directory knows."""
        calls = Calls(self.store, self.settings.actor, directory, self.clock)
        return replace(self, directory=directory, calls=calls)

    def with_site(self, site: str) -> House:
        """Give the same house, whose new cases are of another site."""
        return replace(self, settings=self.settings.model_copy(update={"site": site}))

    def close(self) -> None:
        """Finish what is done in the background, and let go of the store."""
        self.drafters.finish()  # each draft may give the models in shadow a case to read
        self.background.finish()
        self.store.close()

    def drop(self) -> None:
        """Leave undone what nobody waits for and has not begun."""
        self.drafters.drop()
        self.background.drop()

    def on_duty(self) -> OnDuty:
        """Tell which reading models speak in drafts and which read in shadow.

        Raises: ConfigError if the settings order a model that is not here.
        """
        networks, order = self.networks, self.settings.reading_order
        standings, shipped = self.store.standings(), networks.shipped_acceptances()
        models, added = networks.reading_models, networks.outside_models
        return on_duty(models, added, standings, order, shipped)

    def drafted_from(self) -> str:
        """Digest what a draft depends on beside its images and record: settings and models.

        A model in shadow is none of them, and of one that was accepted it is the acceptance too.
        With a model server it is also whether that may speak.
        """
        duty = self.on_duty()
        unseen = {sha256 for model in duty.shadow for sha256 in digests_of(model)}
        manifests = self.networks.manifests().items()
        speaking = {name: sha256 for name, sha256 in manifests if sha256 not in unseen}
        found: dict[str, Any] = {"settings": self.settings.of_a_draft(), "models": speaking}
        if accepted := duty.accepted():
            found["accepted"] = sorted(digest(to_json(one)) for one in accepted)
        if self.asks is drafting.Asks.SERVER:
            probed = self._probed(self.settings.server.server())
            told = ("passed", "log_probabilities")
            found["server"] = {key: str(probed.get(key, "no")) for key in told}
        return digest(found)

    def attached(self, case: Case) -> Case:
        """Give a kept case the pixels that its study names."""
        return replace(case, study=imaging.attach_pixels(case.study, self.store.object_path))

    def read(self, study: Study) -> Reading:
        """Read a study with the models that speak in drafts; see `OnDuty.read`."""
        return self.on_duty().read(study)

    def language_model(self) -> drafting.LanguageModel | None:
        """Load the language model that the settings name.

        None if their writer asks for none, or it is not installed.
        """
        asked = self.asks is drafting.Asks.LANGUAGE_MODEL
        return self.networks.language_model if asked else None

    @property
    def asks(self) -> drafting.Asks:
        """What the writer of the settings asks for."""
        return drafting.WRITERS[self.settings.writer].asks

    def writer(
        self, leaving: Callable[[Departure], None] | None = None, names: Collection[str] = ()
    ) -> drafting.Writer:
        """Make the writer that the settings name.

        Args:
            leaving: told of each request that leaves the house; without it none may.
            names: the patient's, of which no fact that an outside model is given holds a word.

        Raises: ConfigError if its model can't be opened, or its server has not passed the probe.
        """
        speakers = drafting.Speakers(
            language_model=self.language_model(),
            outside=self._outside(leaving or _nothing_leaves),
            names=names,
        )
        return drafting.WRITERS[self.settings.writer].make(speakers)

    def _outside(self, leaving: Callable[[Departure], None]) -> drafting.ProposingModel | None:
        if self.asks is drafting.Asks.FOLDER:
            return self.networks.proposing_model
        if self.asks is not drafting.Asks.SERVER:
            return None
        server = self.settings.server.server()
        probed = self._probed(server)
        if probed.get("passed") != "yes":
            raise ConfigError(
                "the model server has not passed its probe, so it may not speak",
                remedy="run `medmm --by ADMINISTRATOR models probe`",
                host=server.host,
                model=server.model,
            )
        return drafting.ServerModel(
            server, leaving, log_probabilities=probed.get("log_probabilities") == "yes"
        )

    def _probed(self, server: ModelServer) -> Mapping[str, object]:
        """Return what the last probe of a server found, by the log; nothing if there was none."""
        last = next(reversed(self.store.events(server.key)), None)
        return {} if last is None else last.details


def _nothing_leaves(departure: Departure) -> None:
    raise StateError(
        "nothing leaves the house outside a draft",
        remedy="this is a fault of medmm: report it",
        sha256=departure.sha256,
    )


def opened_house(
    settings: Settings,
    networks: Networks | None,
    directory: Directory | None,
    clock: Clock,
    progress: Callable[[int, int], None] | None = None,
) -> House:
    """Open what the settings name, or the networks and the directory that are given instead.

    Args:
        progress: told how many cases of an earlier release were gone through, of how many.
    """
    clock, url = in_utc(clock), settings.store.url
    store = Store.open(
        settings.data_dir,
        heads_path=settings.heads_path,
        replay_days=settings.replay_days,
        clock=clock,
        url=None if url is None else url.get_secret_value(),
        progress=progress,
    )
    # Memory is the process's: the last opened says
    imaging.keep_at_most(settings.frame_cache_bytes)
    directory = directory or settings.directory()
    return House(
        settings=settings,
        store=store,
        networks=networks or _networks_of(settings, clock),
        directory=directory,
        calls=Calls(store, settings.actor, directory, clock),
        clock=clock,
    )


def _networks_of(settings: Settings, clock: Clock) -> Networks:
    folder = settings.writer_path if settings.writer == "hugging-face" else None
    models.refuse_lacking_packages(folder)
    models.refuse_lacking_runtime(settings.film_backend)
    return models.Networks(
        settings.weights_dir,
        device=settings.device,
        threads=settings.threads,
        adopted=models.Adopted(settings.data_dir / "models", clock),
        report=settings.language_model,
        writer_folder=folder,
        film_backend=settings.film_backend,
    )
