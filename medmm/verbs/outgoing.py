"""What leaves the house for a model server: whether any may, and its entries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC

from medmm import drafting
from medmm.domain.draft import Case, Draft
from medmm.domain.errors import ConfigError, Unavailable
from medmm.domain.model_server import Departure, WriterProbe
from medmm.domain.reading import Reading
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import kept, verb

SEND = "send"  # the verb in the entry of a request that leaves


@dataclass(slots=True)
class Departures:
    """The requests of one call: each is counted and in the log before it leaves."""

    house: House
    call: VerbCall
    case_id: str
    count: int = field(init=False, default=0)

    def __call__(self, departure: Departure) -> None:
        """Keep the entry of a request.

        Raises: Unavailable if the day's budget is spent.
        """
        server, at = self.house.settings.server.server(), self.house.clock()
        day = f"{server.key}/{at.astimezone(UTC):%Y-%m-%d}"
        with self.house.store.exclusive_server(day):
            if len(self.house.store.events(day)) >= server.budget_per_day:
                raise Unavailable(
                    f"the day's budget of {server.budget_per_day} requests is spent",
                    remedy="wait for tomorrow (UTC), or raise budget_per_day under `server`",
                    host=server.host,
                )
            event = self.call.event(
                "done",
                day,
                for_case=self.case_id,
                host=server.host,
                model=server.model,
                bytes=departure.bytes,
                body_sha256=departure.sha256,
                picture_sha256=departure.picture_sha256 or "none",
                facts=departure.facts,
            )
            with self.house.store.step() as step:
                step.record(replace(event, verb=SEND))
        self.count += 1

    def details(self) -> dict[str, object]:
        """Say in the entry of the draft how often which server was asked; nothing if none was."""
        if not self.count:
            return {}
        server = self.house.settings.server.server()
        return {"server": server.key, "host": server.host, "requests": self.count}


def written(
    house: House,
    case: Case,
    reading: Reading,
    departures: Departures,
    growing: drafting.Growing,
) -> Draft:
    """Have the writer of the settings draft a case; rules do where it is not ready.

    Args:
        growing: told of the draft as it is written.

    Raises: ConfigError if the language model of the settings can't be opened.
    """
    outside = house.asks in (drafting.Asks.FOLDER, drafting.Asks.SERVER)
    try:
        writer = house.writer(departures, _names(house, case) if outside else ())
    except (ConfigError, Unavailable) as error:
        if not outside:
            raise
        writer = drafting.RuleWriter(drafting.not_ready(error))
    return writer.write(case, reading, growing)


def _names(house: House, case: Case) -> tuple[str, ...]:
    """List what the patient is called by: no fact that is given away holds a word of it."""
    who = house.store.identity(case.study.patient_key)
    further = [part for name in who.names for part in (name.family, name.given)]
    numbers = [value for _, value in who.identifiers]
    found = (who.family_name, who.given_name, who.patient_id, *further, *numbers)
    return tuple(name for name in found if name)


def _of_server(house: House) -> dict[str, object]:
    server = house.settings.server.server()
    return {"url": server.url, "model": server.model}


@verb("probe_writer", kept(WriterProbe), request=_of_server, reads=True)
def probe_writer(house: House, call: VerbCall) -> WriterProbe:
    """Probe the model server of the settings; see `Assistant.probe_writer`."""
    server = house.settings.server.server()
    found = drafting.probe(server, house.clock)
    with house.store.step() as step:
        call.done(
            step,
            found,
            server.key,
            host=server.host,
            model=server.model,
            passed="yes" if found.passed else "no",
            log_probabilities="yes" if found.log_probabilities else "no",
            refusals=" ".join(one.code for one in found.refusals),
        )
    return found
