"""Whether a reading model may speak in drafts here: accepted, or put back into shadow."""

from __future__ import annotations

import json
from pathlib import Path

from medmm.domain.acceptance import Acceptance, Place, SignedAcceptance
from medmm.domain.codec import from_json, to_json
from medmm.domain.errors import InputError, StateError
from medmm.domain.model_standing import BackToShadow, ModelStanding
from medmm.domain.reading import ModelIdentity
from medmm.store import digest
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.reading_models import digests_of
from medmm.verbs.verb import By, kept, verb

MEASURED = "acceptance_sha256"  # the detail of the entry of a calibration


def _accepting(house: House, name: str, path: Path, note: str) -> dict[str, object]:
    measured = digest(to_json(read_acceptance(path)))
    return {"model": name, "acceptance": measured, "note": note}


@verb("accept_model", kept(ModelStanding), request=_accepting, reads=True)
def accept_model(house: House, call: VerbCall, name: str, path: Path, note: str) -> ModelStanding:
    """Let a model speak as it was measured; see `Assistant.accept_model`."""
    measured, model = read_acceptance(path), reading_network(house, name)
    _refuse_another(house, measured, model)
    with house.store.exclusive_model(model.manifest_sha256):
        before = standing_of(house, model)
        if before.accepted is not None and before.accepted.acceptance == measured:
            raise StateError(
                "this acceptance is in force already",
                remedy="measure again with `medmm models calibrate`, or leave it",
                model=name,
                by=before.accepted.reader.id,
                at=before.accepted.at.isoformat(timespec="seconds"),
            )
        at = house.clock()
        signed = SignedAcceptance(acceptance=measured, reader=call.actor, at=at, note=note)
        standing = before.after(signed)
        with house.store.step() as step:
            step.save_standing(standing)
            call.done(
                step,
                standing,
                name,
                manifest=model.manifest_sha256,
                acceptance_sha256=digest(to_json(measured)),
                studies=measured.measured.studies,
            )
    return standing


def acceptance(house: House, by: By | None, path: Path) -> Acceptance:
    """Read a file of figures; see `Assistant.acceptance`."""
    house.calls.allow("models", by)
    return read_acceptance(path)


@verb(
    "shadow_model",
    kept(ModelStanding),
    request=lambda house, name, reason: {"model": name, "reason": reason},
)
def shadow_model(house: House, call: VerbCall, name: str, reason: str) -> ModelStanding:
    """Let an accepted model speak no longer; see `Assistant.shadow_model`."""
    model = reading_network(house, name)
    added = {sha256 for one in house.networks.outside_models for sha256 in digests_of(one)}
    if model.manifest_sha256 not in added:
        raise StateError(
            "a packaged network reads as it shipped and has no shadow",
            remedy="accept another measurement of it, or leave its folder out of weights_dir",
            model=name,
        )
    with house.store.exclusive_model(model.manifest_sha256):
        before = standing_of(house, model)
        if before.accepted is None:
            raise StateError(
                "this model reads in shadow already", remedy="see `medmm models list`", model=name
            )
        standing = before.after(BackToShadow(reason=reason, reader=call.actor, at=house.clock()))
        with house.store.step() as step:
            step.save_standing(standing)
            call.done(step, standing, name, manifest=model.manifest_sha256)
    return standing


def standing_of(house: House, model: ModelIdentity) -> ModelStanding:
    """Read how this version of a model stands; of a new one nobody decided anything."""
    return house.store.standings().get(model.manifest_sha256, ModelStanding(model=model))


def reading_network(house: House, name: str) -> ModelIdentity:
    """Find the network of this name among the reading models.

    Raises: InputError naming those that there are, if none has it.
    """
    there = {one.name: one for model in house.networks.reading_models for one in model.identities}
    if name not in there:
        raise InputError(
            f"no reading model {name!r}",
            remedy=f"take one of those that are here: {', '.join(sorted(there)) or 'none'}",
        )
    return there[name]


def read_acceptance(path: Path) -> Acceptance:
    """Read the file of an acceptance.

    Raises: InputError if it can't be read, or is none.
    """
    try:
        return from_json(Acceptance, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(
            f"the acceptance can't be read: {type(error).__name__}",
            remedy="give the acceptance.json that `medmm models calibrate` wrote",
            file=str(path),
        ) from error


def _refuse_another(house: House, measured: Acceptance, model: ModelIdentity) -> None:
    """Refuse an acceptance of another model or version, or that was not measured here.

    Raises: InputError saying which.
    """
    of = measured.model
    if of.name != model.name:
        raise InputError(
            f"this is the acceptance of {of.name}",
            remedy="accept that model with it, or calibrate this one",
            model=model.name,
        )
    if of.manifest_sha256 != model.manifest_sha256:
        raise InputError(
            "this is the acceptance of another version of the model",
            remedy="calibrate the version that is here: an acceptance is of one digest",
            model=model.name,
            measured=of.manifest_sha256,
            here=model.manifest_sha256,
        )
    named = {
        event.details.get(MEASURED)
        for event in house.store.events(model.name)
        if (event.verb, event.outcome) == ("calibrate_model", "done")
    }
    if measured.place is not Place.SITE or digest(to_json(measured)) not in named:
        raise InputError(
            "the log names no such measurement: the file was altered, or made by another "
            "installation",
            remedy="give the file as `medmm models calibrate` wrote it here, or calibrate again",
            model=model.name,
        )
