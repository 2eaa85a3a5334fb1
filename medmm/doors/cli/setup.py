"""`medmm models`, `config` and `doctor`: what is installed and whether it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import EXIT_CODES, ConfigError, InputError, MedmmError
from medmm.doors.session import Session, add_row, new_table, out, plain, session, write_json

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.config import Settings
    from medmm.domain.model_check import ModelCheck
    from medmm.domain.report import Reader
    from medmm.domain.study_inspection import ModelRow
    from medmm.doors.doctor import Check

models_app = typer.Typer(help="The networks.", no_args_is_help=True)
config_app = typer.Typer(help="The settings.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
SIGNS = {"ok": "✓", "note": "·", "problem": "✗"}


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(models_app, name="models")
    app.add_typer(config_app, name="config")
    app.command("doctor")(doctor)


@models_app.command("list")
def models_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the networks of the catalogue, then the adopted models.

    Each row says whether the model is here and unaltered.
    """
    with session(context).assistant() as assistant:
        rows = assistant.models()
    table = new_table("name", "reads", "state", "digest", "terms")
    for row in rows:
        if as_json:
            write_json(to_json(row))
        terms = "research only" if row.research_only else "free"
        add_row(table, row.name, _reads(row), row.state, row.manifest_sha256[:12], terms)
    if not as_json:
        out().print(table)
        for row in rows:
            out().print(plain(f"{row.name}: {_duty(row)}{row.licence}"))


@models_app.command("check")
def models_check(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder with a model of somebody else.")],
    as_json: AsJson = False,
) -> None:
    """Say what a folder says of its model, and what its author still has to declare.

    Exit 3 unless it can be added as it is. Nothing of it is run or kept.
    """
    with session(context).assistant() as assistant:
        check = assistant.check_model(folder)
    if as_json:
        write_json({**to_json(check), "ready": check.ready})
    else:
        _print_check(check)
    if not check.ready:
        raise typer.Exit(EXIT_CODES[InputError])


def _print_check(check: ModelCheck) -> None:
    table = new_table("item", "state", "words")
    for one in check.items:
        add_row(table, one.item, one.state.value, one.words)
    out().print(plain(f"{check.folder}: {check.format or 'unknown format'}"))
    out().print(table)
    if check.refused:
        out().print(plain(f"can't be taken: {check.refused}\n→ {check.remedy}"))
    elif check.skeleton:
        out().print(plain("It has no reading-model.yaml. Its author can begin with this one:\n"))
        typer.echo(check.skeleton)
    elif check.ready:
        out().print(plain("It can be added."))


@models_app.command("add")
def models_add(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            help="A weights folder of the training pipeline, a causal LM's, or a folder with a "
            "reading-model.yaml."
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Its name here; without it, the folder's own.")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", help="Its terms; without it, those of its manifest or card."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy in a trained model, a larger decoder or a reading model of others, checked.

    Drafts or a training can name it from then on; a reading model of others reads in shadow.
    """
    with session(context).assistant() as assistant:
        row = assistant.add_model(path, name=name, licence=licence, by=_person(context, assistant))
    if as_json:
        write_json(to_json(row))
    else:
        out().print(
            plain(
                f"{row.name} ({_reads(row)}) added: {row.licence}; manifest "
                f"{row.manifest_sha256[:12]}"
            )
        )
        if row.declares is not None and row.added_at:
            out().print("It reads in shadow and is shown in no draft until it is accepted here:")
            typer.echo(f"medmm --by READER models calibrate {row.name} --labels FILE --to FOLDER")


@models_app.command("remove")
def models_remove(
    context: typer.Context, name: Annotated[str, typer.Argument(help="An adopted model.")]
) -> None:
    """Delete an adopted model; packaged ones stay."""
    with session(context).assistant() as assistant:
        assistant.remove_model(name, by=_person(context, assistant))
    out().print(plain(f"{name} removed"))


@models_app.command("probe")
def models_probe(context: typer.Context, as_json: AsJson = False) -> None:
    """Try the model server of the settings: two pictures and a schema, no patient's data.

    It may word drafts only after it passed. Exit 4 if it did not.
    """
    with session(context).assistant() as assistant:
        found = assistant.probe_writer(by=_person(context, assistant))
    if as_json:
        write_json(to_json(found))
    else:
        verdict = "passed" if found.passed else "may not word drafts"
        out().print(plain(f"{found.model} at {found.host}: {verdict} ({found.seconds} s)"))
        if found.passed:
            given = "given" if found.log_probabilities else "not given"
            out().print(plain(f"log-probabilities of its tokens: {given}"))
        for refusal in found.refusals:
            out().print(plain(f"{refusal.code}: {refusal.text}"))
    if not found.passed:
        raise typer.Exit(EXIT_CODES[ConfigError])


def _person(context: typer.Context, assistant: Assistant) -> Reader:
    by = session(context).reader(assistant)
    if by is None:
        raise InputError(
            "models are a person's to choose",
            remedy="medmm --by READER models …, with an administrator",
        )
    return by


def _reads(row: ModelRow) -> str:
    return f"{row.modality} {row.body_part}: {row.task}" if row.modality else row.task


def _duty(row: ModelRow) -> str:
    """Say of a model that was added whether it speaks in drafts, and since when."""
    from medmm.domain.study_inspection import Duty

    duty = row.duty
    if duty is None or duty.duty is Duty.PACKAGED:
        return ""
    day = duty.since[:10]
    if duty.duty is Duty.ACCEPTED:
        return f"accepted here on {duty.studies} studies by {duty.by}, {day}; "
    return f"in shadow since {day}, {duty.studies} studies read; "


@config_app.command("show")
def config_show(context: typer.Context) -> None:
    """Print the settings in force as JSON: file, then environment."""
    typer.echo(session(context).settings().model_dump_json(indent=2))


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="A settings file.")]) -> None:
    """Check a settings file; every fault is named with its place.

    The folders and models that it names are opened.
    """
    from medmm.config import load_settings
    from medmm.doors.doctor import named_folders

    settings = load_settings(file)
    found = list(named_folders(settings))
    if not any(check.state == "problem" for check in found):
        found += _opened(settings)
    wrong = [check for check in found if check.state == "problem"]
    if wrong:
        named = "; ".join(f"{check.name}: {check.found}" for check in wrong)
        remedies = "; ".join(dict.fromkeys(check.remedy for check in wrong if check.remedy))
        raise ConfigError(f"settings that can't be used: {named}", remedy=remedies, file=str(file))
    typer.echo(
        f"{file}: all settings are known and valid; the folders and models that they name can "
        "be used"
    )


def _opened(settings: Settings) -> list[Check]:
    """Open the models that the settings name; make nothing if there is no data folder yet."""
    from tempfile import TemporaryDirectory

    from medmm.assistant import Assistant
    from medmm.config import StoreEntry
    from medmm.doors.doctor import opened_models

    with TemporaryDirectory() as nowhere:
        made = settings.data_dir.exists()
        own = {"data_dir": Path(nowhere), "heads_path": None, "store": StoreEntry()}
        tried = settings if made else settings.model_copy(update=own)
        with Assistant(tried) as assistant:
            return list(opened_models(assistant))


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what this machine can decode, run and reach, and what to do about the rest.

    Exit 4 if there is a problem.
    """
    checks = list(_checks(session(context)))
    table = new_table()
    for check in checks:
        if as_json:
            write_json(to_json(check))
        remedy = f"\n→ {check.remedy}" if check.remedy else ""
        add_row(table, f"{SIGNS[check.state]} {check.name}", check.found + remedy)
    if not as_json:
        out().print(table)
    if any(check.state == "problem" for check in checks):
        raise typer.Exit(EXIT_CODES[ConfigError])


def _checks(who: Session) -> Iterator[Check]:
    """Run all checks; an installation that does not open is a problem among them."""
    from medmm.doors.doctor import Check, examine, machine

    try:
        database = who.settings().store.place()
    except MedmmError:  # what is wrong with the settings is told below
        database = ""
    yield from machine(database)
    try:
        with who.assistant() as assistant:
            yield from examine(assistant)
    except MedmmError as error:
        place = "".join(f"\n{name}: {value}" for name, value in error.where.items())
        yield Check(
            name="installation", state="problem", found=error.problem + place, remedy=error.remedy
        )
