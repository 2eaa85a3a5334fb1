"""`medmm models calibrate`, `accept`, `shadow` and `watch`: what a model may say here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import InputError
from medmm.doors.cli.setup import AsJson, models_app
from medmm.doors.session import add_row, new_table, out, plain, progress_bar, session, write_json

if TYPE_CHECKING:
    from medmm.domain.acceptance import Acceptance, Figure
    from medmm.domain.drift import DriftReport
    from medmm.domain.report import Reader

Name = Annotated[str, typer.Argument(help="A reading model; `medmm models list` names them.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to those of the models."""
    models_app.command("calibrate")(calibrate)
    models_app.command("accept")(accept)
    models_app.command("shadow")(shadow)
    models_app.command("watch")(watch)


def calibrate(
    context: typer.Context,
    name: Name,
    to: Annotated[Path, typer.Option(help="A new folder for what is measured.")],
    labels: Annotated[
        Path | None, typer.Option(help="A CSV of path, patient and one column a finding.")
    ] = None,
    from_reports: Annotated[
        bool,
        typer.Option("--from-reports", help="Take the labels from the reports signed here."),
    ] = False,
    burden: Annotated[
        float,
        typer.Option(help="The most studies without any finding that may carry a claim, 0 to 1."),
    ] = 0.15,
    as_json: AsJson = False,
) -> None:
    """Measure a model on your own labelled studies and set its points. Needs `--by READER`.

    It writes acceptance.json and acceptance.html. A run that was broken off goes on in its folder.
    """
    if from_reports is (labels is not None):
        raise InputError(
            "labels come from a table or from signed reports",
            remedy="give either --labels FILE or --from-reports",
        )
    who = session(context)
    with who.assistant() as assistant, progress_bar() as bar:
        task = bar.add_task("reading", total=None)
        measured = assistant.calibrate_model(
            name,
            labels=labels,
            burden=burden,
            to=to,
            by=who.person(assistant, "models calibrate"),
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if as_json:
        write_json(to_json(measured))
        return
    _print_measured(measured)
    out().print(plain(f"\nIts page is {to / 'acceptance.html'}. Look at it; then:"))
    typer.echo(f"medmm --by READER models accept {name} --acceptance {to / 'acceptance.json'}")


def accept(
    context: typer.Context,
    name: Name,
    acceptance: Annotated[
        Path, typer.Option(help="The acceptance.json that `medmm models calibrate` wrote.")
    ],
    note: Annotated[str, typer.Option(help="Why, in your own words.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a model speak in drafts as it was measured here. Needs `--by READER`.

    It shows the figures first, and asks.
    """
    who = session(context)
    with who.assistant() as assistant:
        by = who.person(assistant, "models accept")
        measured = assistant.acceptance(acceptance, by=by)
        if not as_json:
            _print_measured(measured)
        if not yes and not _agreed(name, by):
            raise typer.Exit(1)
        standing = assistant.accept_model(name, acceptance, by=by, note=note)
    if as_json:
        write_json(to_json(standing))
    else:
        out().print(plain(f"{name} speaks in drafts from now on, accepted by {by.name}."))


def _agreed(name: str, by: Reader) -> bool:
    words = f"\n{by.name} ({by.role}): let {name} speak in drafts with these figures?"
    return typer.confirm(plain(words), default=False)


def shadow(
    context: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(help="Why it is to speak no longer.")],
    as_json: AsJson = False,
) -> None:
    """Let an accepted model speak no longer; it reads in shadow again. Needs `--by READER`."""
    who = session(context)
    with who.assistant() as assistant:
        by = who.person(assistant, "models shadow")
        standing = assistant.shadow_model(name, reason=reason, by=by)
    if as_json:
        write_json(to_json(standing))
    else:
        out().print(plain(f"{name} reads in shadow from now on."))


def watch(
    context: typer.Context,
    name: Name,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="First day (UTC); without it since it was accepted."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page with plots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether scores and images still look like those that the model was accepted on.

    Exit 0 also where they do not.
    """
    who = session(context)
    with who.assistant() as assistant:
        first = None if since is None else since.replace(tzinfo=UTC)
        report = assistant.watch_model(name, since=first, by=who.reader(assistant))
    if html is not None:
        from medmm.presentation.drift_html import drift_html

        _write(html, drift_html(report))
    if as_json:
        write_json(to_json(report))
    else:
        _print_drift(name, report)


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"the page can't be written: {type(error).__name__}",
            remedy="give a path in a folder that you may write to",
            path=str(path),
        ) from error


def _print_measured(measured: Acceptance) -> None:
    counted = measured.measured
    heading = (
        f"{measured.model.name} ({measured.model.manifest_sha256[:12]}), measured on "
        f"{counted.studies} studies of {counted.patients} patients, set on "
        f"{measured.calibrated.studies}: {measured.films}"
    )
    out().print(plain(heading))
    table = new_table("", "value", "95 % interval", "of")
    rows: list[tuple[str, Any]] = [
        ("studies without any finding that carry a claim", measured.burden),
        ("labelled findings that are claimed", measured.labelled_claimed),
        ("AUROC, mean", measured.auroc),
    ]
    for finding in measured.findings:
        rows += [
            (f"{finding.name}: AUROC", finding.auroc),
            (f"{finding.name}: sensitivity", finding.sensitivity),
            (f"{finding.name}: specificity", finding.specificity),
        ]
    rows += [(f"{one.name}: bias ({one.unit})", one.bias) for one in measured.quantities]
    for words, figure in rows:
        add_row(table, words, *_cells(figure))
    out().print(table)
    for why, count in measured.unread:
        out().print(plain(f"not read: {count} ({why})"))
    for one in measured.not_measured:
        out().print(plain(f"not measured: {one.of}, {one.why}"))


def _cells(figure: Figure) -> tuple[str, str, str]:
    value = "unknown" if figure.value is None else f"{figure.value:.3f}"
    known = figure.low is not None and figure.high is not None
    interval = f"{figure.low:.3f} to {figure.high:.3f}" if known else ""
    return value, interval, str(figure.of)


def _print_drift(name: str, report: DriftReport) -> None:
    table = new_table("of", "then", "now", "stability index", "p", "verdict")
    for row in report.rows:
        what = f"{row.then.of} of {row.then.finding}" if row.then.finding else row.then.of
        index = "" if row.stability_index is None else f"{row.stability_index:.2f}"
        p = "" if row.p_value is None else f"{row.p_value:.3g}"
        counts = (str(row.then.studies), str(row.now.studies))
        add_row(table, what, *counts, index, p, row.verdict.value)
    out().print(plain(f"{name}: {report.studies} studies beside those of its acceptance"))
    out().print(table)
    drifted = len(report.drifted)
    words = (
        f"{drifted} of {len(report.rows)} distributions drifted." if drifted else "No drift seen."
    )
    out().print(plain(words))
