"""Models that a site adds and removes, and what its installation can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medmm import drafting, imaging, models
from medmm.domain.acceptance import SignedAcceptance
from medmm.domain.errors import InputError, StateError
from medmm.domain.model_card import ModelCard
from medmm.domain.model_check import ModelCheck
from medmm.domain.model_standing import ModelStanding
from medmm.domain.reading import ModelIdentity
from medmm.domain.study_inspection import Capabilities, Duty, ModelDuty, ModelRow
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import Asked, By, kept, verb


def _adding(
    house: House, path: Path, name: str | None, licence: str | None, keyed: bool
) -> dict[str, object]:
    files = house.networks.contents(path) if keyed else None
    return {"files": files, "name": name or path.name, "licence": licence}


@verb("add_model", kept(ModelRow), request=_adding, reads=True)
def _add(
    house: House, call: VerbCall, path: Path, name: str | None, licence: str | None, keyed: bool
) -> ModelRow:
    with house.networks.adding(path, name, licence) as row, house.store.step() as step:
        call.done(step, row, row.name, task=row.task, manifest=row.manifest_sha256)
    return row


def add_model(
    house: House, asked: Asked, path: Path, name: str | None, licence: str | None
) -> ModelRow:
    """Add a model; see `Assistant.add_model`.

    Its files are digested for the request only if there is a key to ask for it.
    """
    return _add(house, asked, path, name, licence, asked.key is not None)


@verb("remove_model", lambda house, value: None, request=lambda house, name: {"name": name})
def remove_model(house: House, call: VerbCall, name: str) -> None:
    """Delete an added model; see `Assistant.remove_model`."""
    if name in house.settings.reading_order:
        raise StateError(
            "reading_order names this model", remedy="leave it out there first", model=name
        )
    with house.networks.removing(name) as row, house.store.step() as step:
        call.done(step, name, name, task=row.task, manifest=row.manifest_sha256)


def model_rows(house: House, by: By | None) -> tuple[ModelRow, ...]:
    """List the networks and whether they are here and unaltered."""
    house.calls.allow("models", by)
    return _rows(house)


def _rows(house: House) -> tuple[ModelRow, ...]:
    standings, read = house.store.standings(), house.store.shadow_counts()
    return tuple(_with_duty(row, standings, read) for row in house.networks.model_rows())


def model_card(house: House, by: By | None, name: str) -> ModelCard:
    """Show a network's card and how it stands here; see `Assistant.model_card`."""
    house.calls.allow("model_card", by)
    row = next((one for one in _rows(house) if one.name == name), None)
    if row is None:
        raise InputError(
            f"no network {name!r} here", remedy="take a name that `medmm models list` shows"
        )
    shipped = {one.model: one for one in house.networks.shipped_acceptances()}
    of = ModelIdentity(name=row.name, manifest_sha256=row.manifest_sha256)
    return ModelCard(
        row=row,
        card=house.networks.card(name),
        shipped=shipped.get(of),
        standing=house.store.standings().get(row.manifest_sha256),
    )


def _with_duty(
    row: ModelRow, standings: Mapping[str, ModelStanding], read: Mapping[str, int]
) -> ModelRow:
    """Add to the row of a reading model what it does here."""
    if row.declares is None or (row.added_at and row.task == "report"):
        return row  # heads of a report model speak as soon as the settings name it
    sha256 = row.manifest_sha256
    standing = standings.get(sha256)
    last = standing.decisions[-1] if standing is not None else None
    since = row.added_at if last is None else last.at.isoformat(timespec="seconds")
    by = last.reader.name if last is not None else ""
    if isinstance(last, SignedAcceptance):
        studies = last.acceptance.measured.studies
        duty = ModelDuty(duty=Duty.ACCEPTED, since=since, by=by, studies=studies)
    elif row.added_at:
        duty = ModelDuty(duty=Duty.SHADOW, since=since, by=by, studies=read.get(sha256, 0))
    else:
        duty = ModelDuty(duty=Duty.PACKAGED)
    return replace(row, duty=duty)


def check_model(house: House, by: By | None, path: Path) -> ModelCheck:
    """Say what a folder says of its model; see `Assistant.check_model`."""
    house.calls.allow("check_model", by)
    return house.networks.check(path)


def capabilities(house: House, by: By | None) -> Capabilities:
    """Say what this installation can decode, run and write; see `Assistant.capabilities`."""
    (device, torch_version), rows = models.device_name(house.settings.device), model_rows(house, by)
    (writer, problem), syntaxes = drafting.name_of(house.writer), imaging.decodable_syntaxes()
    return Capabilities(
        syntaxes=syntaxes,
        models=rows,
        writer=writer,
        device=device,
        torch_version=torch_version,
        film_backend=models.film_backend_words(house.settings.film_backend, device),
        writer_problem=problem,
        database=house.store.database(),
    )
