"""`medmm insight` and `recall`: how drafts were taken, and what rests on a model."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import InputError
from medmm.doors.session import add_row, new_table, out, plain, session, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medmm.domain.insight import Insight

AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="A table for spreadsheets, as CSV.")]
DAYS = ["%Y-%m-%d"]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("insight")(insight)
    app.command("recall")(recall)


def insight(
    context: typer.Context,
    since: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="First day of signatures (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="The day after the last one (UTC).")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Only cases of this site.")] = None,
    reader: Annotated[str | None, typer.Option(help="Only cases that this reader decided.")] = None,
    model: Annotated[str | None, typer.Option(help="Only statements of this network.")] = None,
    modality: Annotated[str | None, typer.Option(help="Only this modality, such as DX.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Count how readers took drafts, with 95 % intervals. Needs `--by READER`.

    The figures say what readers decided, not what was true.

    A role that may not see everybody's figures gets its own; a file is for roles that may export.
    """
    from medmm.domain.insight import InsightFilter
    from medmm.domain.roles import may

    _refuse_two_forms(as_json, as_csv)
    asked = InsightFilter(
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
        site=site,
        reader=reader,
        model=model,
        modality=modality,
    )
    who = session(context)
    with who.assistant() as assistant:
        by = who.person(assistant, "insight")
        if as_json or as_csv:
            found = assistant.export_insight(asked, by=by)
        elif may("insight_of_all", by):
            found = assistant.insight_of_all(asked, by=by)
        else:
            found = assistant.insight(asked, by=by)
        readers = {one.id: one.name for one in assistant.readers()}
    if as_json:
        write_json(to_json(found))
    elif as_csv:
        from medmm.presentation.insight_words import insight_csv

        _write_csv(insight_csv(found))
    else:
        _print_insight(found, readers)


def _refuse_two_forms(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise InputError("both JSON and CSV are asked for", remedy="give --json or --csv")


def _write_csv(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _print_insight(found: Insight, readers: Mapping[str, str]) -> None:
    from medmm.domain.insight import Group
    from medmm.domain.reviewed_case import Answer
    from medmm.presentation import insight_words as words

    out().print(plain(f"{words.asked_words(found.asked)}: {words.population_words(found)}"))
    table = new_table("", "share", "95 % interval")
    for head in words.headlines(found):
        add_row(table, head.label, head.value, head.interval)
    out().print(table)
    for group in (Group.KIND, Group.FINDING, Group.MODEL, Group.READER):
        table = new_table(group.value, "statements", *(answer.value for answer in Answer))
        for row in found.of(group):
            name = words.group_words(group, row.value, readers)
            shares = (words.percent(row.share(answer)) for answer in Answer)
            add_row(table, name, str(row.statements), *shares)
        out().print(table)
    for one in found.reasons:
        out().print(plain(f"rejected, {words.reason_words(one.value)}: {one.count}"))
    for one in found.added:
        name = words.group_words(Group.FINDING, one.value, {})
        out().print(plain(f"added by readers, {name}: {one.count}"))
    lines = (
        *map(words.time_words, found.times),
        words.PAUSES,
        *map(words.gap_words, found.gaps),
        words.FEW,
        *words.influence_words(found.influence),
        words.LIMITS,
    )
    for line in lines:
        out().print(plain(line))


def recall(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model, as drafts and reports name it.")],
    version: Annotated[
        str,
        typer.Argument(
            help="Its digest, or the first 8 hex digits of it; `medmm models list` shows them."
        ),
    ],
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the cases that rest on a version of a model, to look at again. Needs `--by READER`.

    Every draft is gone through and held against the log.
    """
    from medmm.presentation import recall_words as words

    _refuse_two_forms(as_json, as_csv)
    who = session(context)
    with who.assistant() as assistant:
        found = assistant.recall_list(name, version, by=who.person(assistant, "recall"))
    if as_json:
        write_json(to_json(found))
        return
    if as_csv:
        _write_csv(words.recall_csv(found))
        return
    table = new_table("case", "state", "drafts", "claimed", "signed, published")
    # an id that is folded can't be copied
    table.columns[0].min_width = max((len(one.case_id) for one in found.cases), default=0)
    for row in words.recall_rows(found):
        known = (row["signed_at"], row["signed_by"], row["published_at"])
        add_row(
            table,
            row["case"],
            row["state"],
            row["drafts"],
            row["findings_claimed"],
            "\n".join(filter(None, known)),
        )
    out().print(plain(words.recall_summary(found)))
    if found.cases:
        out().print(table)
    out().print(plain(words.OUT_OF_SIGHT))
