"""The tables of docs/ that are made from the code: `python -m tests.docs.generate` rewrites them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import numpy as np
import typer.main
from pydantic import BaseModel

from medmm.acceptance.figures import LEAST_CASES
from medmm.acceptance.labels import COLUMNS, REQUIRED
from medmm.acceptance.metrics import share
from medmm.acceptance.promises import ALARM_BURDEN, least_studies, upper
from medmm.config import (
    DestinationEntry,
    DicomEntry,
    DictationEntry,
    Hl7Entry,
    IdentifierEntry,
    ListenEntry,
    OrdersEntry,
    ReaderEntry,
    ServeEntry,
    ServerEntry,
    Settings,
    SignInEntry,
    StoreEntry,
    configs_dir,
)
from medmm.config.destinations import KINDS
from medmm.config.record_server import RecordServerEntry
from medmm.domain.critical_result import categories
from medmm.domain.errors import EXIT_CODES, HTTP_STATUS, SOME_FAILED
from medmm.domain.record import Coding
from medmm.domain.rejection_reasons import rejection_reasons
from medmm.domain.roles import role_table, roles
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.evaluation.cards.drafted import said_table
from medmm.evaluation.cards.findings import beside_chance
from medmm.evaluation.cards.places import sides_table, sides_text
from medmm.evaluation.cards.tables import figure, table
from medmm.evaluation.reports import checked_summary
from medmm.evaluation.reports.summary import summary
from medmm.models.outside.intensity import RULES
from medmm.models.outside.schema import schema_rows
from tests.docs.conformance import conformance_md
from tests.docs.mr_figures import mr_md, mr_page_md
from ui.keys import PAGE_KEYS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MADE = "<!-- made by `make docs` from the code; do not edit -->\n\n"


def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command of the tool with its full name, groups left out."""
    if hasattr(command, "commands"):
        for child in sorted(command.commands):
            yield from walk(command.commands[child], f"{name} {child}")
    else:
        yield name, command


def cli() -> Any:
    from medmm.doors.cli import app

    return typer.main.get_command(app)


def commands_md() -> str:
    out = [
        MADE,
        "# Commands\n\n",
        "Every command takes `--help`. Exit codes stand in [errors](errors.md).\n",
    ]
    top = cli()
    out.append("\nBefore the command:\n\n" + options_table(top))
    for name, command in walk(top, "medmm"):
        about = (command.help or "").split("\f")[0].strip()
        arguments = " ".join(p.metavar or p.name.upper() for p in command.params if is_argument(p))
        out.append(f"\n## `{name}`\n\n{about}\n\n`{' '.join([name, arguments]).strip()}`\n\n")
        out.append(options_table(command))
    return "".join(out)


def is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def options_table(command: Any) -> str:
    rows = [
        [
            ", ".join(f"`{o}`" for o in [*p.opts, *p.secondary_opts]),
            " ".join((p.help or "").split()),
        ]
        for p in command.params
        if not is_argument(p) and "--help" not in p.opts and not p.hidden
    ]
    return table(["option", "meaning"], rows) if rows else "No options.\n"


def configuration_md() -> str:
    comments = _comments((configs_dir() / "local.yaml").read_text(encoding="utf-8"))
    rows = []
    for name, field in Settings.model_fields.items():
        nested = isinstance(field.default, BaseModel)
        default = "unset" if field.default is None or nested else f"`{field.default}`"
        rows.append([f"`{name}`", default, f"`MEDMM_{name.upper()}`", comments.get(name, "")])
    readers = table(
        ["key of a reader", "required"],
        [[f"`{n}`", "yes" if f.is_required() else ""] for n, f in ReaderEntry.model_fields.items()],
    )
    destinations = [
        [f"`{n}`", kind, "required" if f.is_required() else f"`{_settled(f.default)}`"]
        for kind, model in {"all": DestinationEntry, **KINDS}.items()
        for n, f in model.model_fields.items()
        if kind == "all" or n not in (*DestinationEntry.model_fields, "kind")
    ]
    record_server = [
        [f"`{n}`", "required" if f.is_required() else f"`{_settled(f.default)}`"]
        for n, f in RecordServerEntry.model_fields.items()
        if n != "kind"
    ]
    return (
        MADE
        + "# Configuration\n\nOne YAML file (`--config`, else `$MEDMM_CONFIG`, else the `local.yaml` that ships) and the "
        + "environment, which wins. An unknown key is refused with file, line and the nearest known key.\n\n"
        + table(["key", "default", "variable", "meaning"], rows)
        + "\n"
        + readers
        + "\n"
        + table(
            ["key of `identifiers`", "default", "variable"], _keys("identifiers", IdentifierEntry)
        )
        + "\n"
        + table(
            [
                "key of `dicom` ([conformance](conformance.md#dicom-reports))",
                "default",
                "variable",
            ],
            _keys("dicom", DicomEntry),
        )
        + "\n"
        + table(
            ["key of `hl7` ([conformance](conformance.md#hl7-v2-reports))", "default", "variable"],
            _keys("hl7", Hl7Entry),
        )
        + "\n"
        + table(["key of `store`", "default", "variable"], _keys("store", StoreEntry))
        + "\n"
        + table(
            ["key of `server` ([writers](writers.md))", "default", "variable"],
            _keys("server", ServerEntry),
        )
        + "\n"
        + table(
            ["key of `sign_in` ([sign-in](sign-in.md))", "default", "variable"],
            _keys("sign_in", SignInEntry),
        )
        + "\n"
        + table(
            ["key of `dictation` ([dictation](dictation.md))", "default", "variable"],
            _keys("dictation", DictationEntry),
        )
        + "\n"
        + table(
            ["key of `listen` ([listening](listening.md))", "default", "variable"],
            _keys("listen", ListenEntry),
        )
        + "\n"
        + table(
            ["key of `orders` ([orders](orders.md))", "default", "variable"],
            _keys("orders", OrdersEntry),
        )
        + "\n"
        + table(
            ["key of a destination ([delivering](delivering.md))", "of kind", "default"],
            destinations,
        )
        + "\n"
        + table(
            ["key of `record_server` ([record server](record-server.md))", "default"],
            record_server,
        )
        + "\n"
        + table(
            ["key of `serve` ([HTTP API](http-api.md))", "default", "variable"],
            _keys("serve", ServeEntry),
        )
    )


def _keys(setting: str, entry: type[BaseModel]) -> list[list[str]]:
    """The keys of a setting that is an entry, with their defaults and variables."""
    return [
        [
            f"`{name}`",
            "unset" if field.default is None else f"`{_plain(field.default)}`",
            f"`MEDMM_{setting.upper()}__{name.upper()}`",
        ]
        for name, field in entry.model_fields.items()
    ]


def _plain(value: Any) -> Any:
    """A default as it would be written in the settings."""
    if isinstance(value, dict):
        return {key: one.model_dump(exclude_none=True) for key, one in value.items()}
    return value


def _settled(default: Any) -> Any:
    """A default of a destination in words of YAML."""
    if isinstance(default, bool):
        return str(default).lower()
    return (
        "unset"
        if default is None or isinstance(default, BaseModel)
        else "all"
        if default == ()
        else default
    )


def _comments(text: str) -> dict[str, str]:
    """Comment lines above each key of a YAML file."""
    comments: dict[str, str] = {}
    above: list[str] = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        key = bare.split(":")[0]
        if key in Settings.model_fields and ":" in bare:
            comments[key], above = " ".join(above), []
        elif line.startswith("# "):
            above.append(bare)
        elif not line.strip():
            above = []
    return comments


def roles_md() -> str:
    verbs = role_table()
    rows = [
        [f"`{verb}`", *("yes" if may[r] else "" for r in roles())] for verb, may in verbs.items()
    ]
    return (
        MADE
        + "# Roles\n\nWho may do what. The assistant asks this table at every verb; a verb without a row fails the tests. "
        + "`service` acts where nobody is named; it prepares and never decides.\n\n"
        + table(["verb or look", *roles()], rows)
    )


def errors_md() -> str:
    rows = [
        [
            f"`{kind.__name__}`",
            str(code),
            str(HTTP_STATUS[kind]),
            (kind.__doc__ or "").split("\n")[0],
        ]
        for kind, code in EXIT_CODES.items()
    ]
    return (
        MADE
        + "# Errors\n\nEvery error says what, where and the remedy. Exit code 0 is done (a study that is not evaluable is "
        + f"done too), 2 wrong usage; of several inputs {SOME_FAILED} where some failed and others were done, and the highest of "
        + "theirs where all failed.\n\n"
        + table(["error", "exit code", "HTTP status", "who must act"], rows)
    )


def vocabulary_md() -> str:
    rows = [
        [f"`{t.name}`", t.words, "yes" if t.sided else "", "yes" if t.critical else "",
         "; ".join(_code(c, t.broader) for c in t.codings) or "none"]
        for t in finding_terms().values()
    ]  # fmt: skip
    return (
        MADE
        + "# Finding vocabulary\n\nFrom `medmm/domain/data/findings.csv`, which names the source of every code. A code without a "
        + "source stays empty. A broader code means more than the finding: it is sent with its own display, and the finding's words "
        + "stand beside it. Sided is what has a side; which findings are drafted with one stands in [limitations](limitations.md).\n\n"
        + table(["name", "words", "sided", "critical", "codes"], rows)
        + "\n## Critical results\n\nHow soon a person is told of a critical finding, by the categories of the ACR Actionable Reporting "
        + "Work Group: 1 within minutes, 2 within hours, 3 within days (`critical` in the [configuration](configuration.md)). From "
        + "`medmm/domain/data/actionable_findings.csv`; a critical finding that is in no row is of category 1.\n\n"
        + table(
            ["finding", "category"],
            [[f"`{name}`", str(category)] for name, category in categories().items()],
        )
        + "\n## Reasons to reject\n\nWhat a reader may give as the reason to reject a statement, from "
        + "`medmm/domain/data/rejection_reasons.csv`.\n\n"
        + table(
            ["code", "words", "meaning"],
            [[f"`{one.code}`", one.words, one.note] for one in rejection_reasons().values()],
        )
        + "\n## Measurements\n\nFrom `medmm/domain/data/measurements.csv`, with units as UCUM writes them. A number is stated with "
        + "at least these decimals, with more where it would be rounded away. What of each is stated, and on which evidence, stands "
        + "in [MR](mr.md).\n\n"
        + table(
            ["name", "words", "unit", "decimals", "sided", "code", "structure"], measurement_rows()
        )
    )


def measurement_rows() -> list[list[str]]:
    return [
        [
            f"`{t.name}`",
            t.words,
            t.unit,
            str(t.decimals),
            "yes" if t.sided else "",
            "; ".join(_code(c, (c.code,) if t.broader else ()) for c in t.codings) or "none",
            f"sct {t.site.code} {t.site.display}" if t.site else "",
        ]
        for t in measurement_terms().values()
    ]


def _code(coding: Coding, broader: tuple[str, ...]) -> str:
    wider = f' (broader: "{coding.display}")' if coding.code in broader else ""
    return f"{coding.system.split('/')[-1]} {coding.code}{wider}"


def checks_md() -> str:
    from medmm.grounding import CHECKS

    rows = [
        [
            check.number,
            check.name,
            check.what,
            check.severity.value,
            check.of_readers.value if check.of_readers else "not run",
        ]
        for check in CHECKS
    ]
    data = files("medmm.domain").joinpath("data/certainty.csv").read_text(encoding="utf-8")
    words = [
        [row["from"], row["meaning"], row["strongest"], row["source"]]
        for row in csv.DictReader(data.splitlines())
    ]
    return (
        MADE
        + "# Checks\n\nEvery statement of a draft gets a verdict of every check, and so does what is also suspected. A statement "
        + "that failed one that blocks can't be accepted unchanged. The words that readers write (edits, added findings, their "
        + "own impression) are checked as the last column says: there a check warns, and refuses nothing. What a language model "
        + "proposed and is not stated is checked too, but not against a draft (G20 to G22): that informs, and asks nobody "
        + "anything. How many errors the checks notice, and how many true sentences they stop, stands in "
        + "[the evaluation](checks-evaluation.md).\n\n"
        + table(["no.", "check", "what it holds", "failed in a draft", "in a reader's words"], rows)
        + "\n## Words and probability\n\nWhat a calibrated probability means in words, as it stands beside it on every page, and "
        + "the strongest words that it bears in a draft (G10).\n\n"
        + table(["from", "meaning", "said at most to be", "source"], words)
    )


def checks_evaluation_md() -> str:
    """What the checks flag, from the kept result of `python -m pipelines.evaluate checks`."""
    found = json.loads((DOCS / "checks-evaluation.json").read_text(encoding="utf-8"))
    return MADE + checked_summary.summary(found)


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_md,
    "configuration.md": configuration_md,
    "roles.md": roles_md,
    "errors.md": errors_md,
    "vocabulary.md": vocabulary_md,
    "checks.md": checks_md,
    "checks-evaluation.md": checks_evaluation_md,
    "conformance.md": lambda: MADE + conformance_md(),
}


FIGURES = re.compile(r"(<!-- figures[^\n]*-->\n).*?(<!-- /figures -->)", re.S)


def evaluation(name: str) -> dict[str, Any]:
    """The figures that stand beside shipped weights."""
    path = ROOT / "medmm" / "weights" / name / "evaluation.json"
    return json.loads(path.read_text(encoding="utf-8"))


def figures_md() -> str:
    """All figures for people, from `evaluation.json` beside the weights."""
    found = evaluation("chest-findings")
    rows = {n.replace("_", " "): r for n, r in found["labels"].items()}
    openi = found["external"]["openi"]["labels"].items()
    by_finding = [
        [n.replace("_", " "), str(r["cases"]), figure(r["auroc"])]
        for n, r in sorted(openi, key=lambda item: -item[1]["auroc"]["value"])
    ]
    return "\n".join(
        (
            seen_md(found),
            "What a draft says of the test films, beside their labels:\n\n" + said_table(rows),
            said_md(found) + "\n",
            sides_text(found["sides"]) + "\n",
            sides_table(found["sides"]),
            elsewhere_md(found["external"]) + " Open-i by finding:\n",
            table(["finding", "cases", "AUROC"], by_finding),
            outlines_md(),
        )
    )


def headline_md() -> str:
    """The figures that the README shows."""
    found = evaluation("chest-findings")
    told = (said_md(found), elsewhere_md(found["external"]), outlines_md())
    return seen_md(found) + "\n" + "\n\n".join(told) + "\n" + mr_md()


def seen_md(found: dict[str, Any]) -> str:
    """What the network tells apart, and where its maps point."""
    macro, films, base = found["macro_auroc"], found["films"], found["baselines"]
    rows = [
        [f"test films ({films['test']}, {films['patients']} patients)", *_row("test", macro, base)],
        [f"official test list alone ({films['official']})", *_row("official", macro, base)],
    ]
    labels = sorted(found["labels"].items(), key=lambda item: -item[1]["auroc"]["value"])
    by_label = [[n.replace("_", " "), str(r["cases"]), figure(r["auroc"])] for n, r in labels]
    pointing = found["pointing"]
    rest = pointing["nih_boxes_of_the_rest"]
    boxes = [
        [
            words,
            str(r["count"]),
            f"{r['hits']}: {r['value']:.2f} [{r['low']:.2f}, {r['high']:.2f}]",
            f"{r['centre_of_lung']:.2f}",
        ]
        for words, r in (
            ("all findings with NIH boxes", pointing["nih_boxes"]),
            (f"of these all but Pneumonia and Infiltration ({rest['findings']} findings)", rest),
            ("lung opacity, RSNA boxes", pointing["lung_opacity"]),
        )
    ]
    header = [
        "macro AUROC, 13 findings",
        "medmm",
        "without Pneumonia",
        "frozen features",
        "age, sex, view",
        "label prior",
    ]
    return (
        "Frontal chest radiographs of adults, 95 % intervals by patient, on patients it never saw:\n\n"
        + table(header, rows)
        + "\n"
        + table(["finding", "test cases", "AUROC"], by_label)
        + "\nDoes its map point into the reader's box? Beside it the centre of a lung as a guess:\n\n"
        + table(["boxes", "count", "hits", "centre of lung"], boxes)
    )


def outlines_md() -> str:
    """What the outlines are worth."""
    found = evaluation("chest-anatomy")
    anatomy, marks, measured = found["jsrt"], found["nih"]["marks"]["all"], found["nih"]["measured"]
    return (
        f"Outlines on {anatomy['films']} JSRT films: lung Dice {figure(anatomy['lung_dice'])}, heart Dice "
        + f"{figure(anatomy['heart_dice'])}; cardiothoracic ratio, mean absolute error "
        + f"{figure(anatomy['ratio_mean_absolute_error'])} (the same ratio for everyone: "
        + f"{figure(anatomy['ratio_constant_guess_error'])}). On marked NIH test films {marks['measured']} of {marks['marked']} were "
        + f"measured, with a median absolute error of {figure(marks['median_error'])}; "
        + f"{figure(marks['interval_holds'])} of the 95 % intervals hold the marked ratio. Of all NIH test films a ratio is stated on "
        + f"{figure(measured['test PA'])} of the PA films and {figure(measured['test AP'])} of the AP films; on the rest the draft "
        + "says why not.\n"
    )


def said_md(found: dict[str, Any]) -> str:
    """How right a draft is about test films."""
    labels, drafts = found["labels"], found["drafts"]
    rows = {n.replace("_", " "): r for n, r in labels.items()}
    never = sorted(n for n, r in rows.items() if r["rule_out"] is None)
    right = {n: r["positive_predictive_value"]["value"] for n, r in rows.items()}
    least, most = min(right, key=lambda n: right[n]), max(right, key=lambda n: right[n])
    specificity = [r["specificity"]["value"] for r in rows.values()]
    worse = sorted(n for n, r in rows.items() if r["brier"] > r["brier_label_prior"])
    promised, openi = (found["promises"][part]["findings"] for part in ("test", "openi"))
    kept, kept_openi = (sum(r["kept"] for r in part.values()) for part in (promised, openi))
    return (
        f'{figure(drafts["no_finding_films_with_a_possible"])} of the films labelled No Finding get at least one "possible" (the promise: '
        + f"at most {found['promises']['alarm']['burden']:.0%}), and {figure(drafts['possible_of_all_labels'])} of all labelled findings are "
        + f'called possible. A "possible" is right in {right[least]:.0%} ({least}) to {right[most]:.0%} ({most}) of the films that get it; '
        + f"the promised share was found for {kept} of {len(promised)} findings that have one, and on Open-i for {kept_openi} of "
        + f"{len(openi)}. Specificities on test films: {min(specificity):.2f} to {max(specificity):.2f}. Never denied: "
        + f"{', '.join(never) or 'none'}. "
        + f"Probabilities worse than the label prior by their Brier score: {', '.join(worse) or 'none'}."
    )


def elsewhere_md(external: dict[str, Any]) -> str:
    """Other hospitals' films."""
    openi, children = external["openi"], external["guangzhou"]
    return (
        f"Other hospitals: Open-i (Indiana, {openi['films']} films), macro AUROC {figure(openi['macro_auroc'])}; Guangzhou "
        + f"({children['films']} films of children, whom it is not for), Pneumonia {figure(children['pneumonia_auroc'])}"
        + f"{beside_chance(children['pneumonia_auroc'])}."
    )


def _row(part: str, macro: dict[str, Any], base: dict[str, Any]) -> list[str]:
    return [
        f"**{figure(macro[part])}**",
        figure(macro[f"{part}_without_pneumonia"]),
        figure(base["frozen features, all training films"][part]),
        figure(base["age, sex and view"][part]),
        figure(base["label prior"][part]),
    ]


def report_figures_md() -> str:
    """What drafted report text is worth, from the kept result of `python -m pipelines.evaluate reports`."""
    return summary(json.loads((DOCS / "report-evaluation.json").read_text(encoding="utf-8")))


def outside_md() -> str:
    """The keys of `reading-model.yaml`, and the rules of intensities with theirs."""
    keys = [[f"`{r.place}`", "yes" if r.needed else "", r.about] for r in schema_rows()]
    rules = [
        [
            f"`{get_args(rule.model_fields['rule'].annotation)[0]}`",
            ", ".join(f"`{name}`" for name in rule.model_fields if name != "rule"),
            (rule.__doc__ or "").rstrip("."),
        ]
        for rule in RULES
    ]
    return (
        "`[]` stands for each of several; of `output.channels` it is the number of the channel.\n\n"
        + table(["key", "required", "meaning"], keys)
        + "\nThe steps of `intensity`, each of one channel by itself:\n\n"
        + table(["`rule`", "parameters", "what it does"], rules)
    )


def acceptance_md() -> str:
    """The columns of a label table, and what so many studies can bear out."""
    columns = [
        [f"`{name}`", "yes" if name in REQUIRED else "", about] for name, about in COLUMNS.items()
    ]
    columns += [
        ["a finding", "", "1 with it, 0 without it, empty if nobody looked for it"],
        [
            "a quantity",
            "",
            "its reference value in the unit of the vocabulary; `NAME:left` of a side",
        ],
    ]
    return (
        table(["column", "required", "meaning"], columns)
        + "\nOf a site half of whose studies show no finding, and a tenth one of its findings:\n\n"
        + table(
            [
                "studies labelled",
                "without any, calibrated on",
                "of them may reach the alarm point",
                "burden of 10 % is known as",
                "sensitivity of 50 % is known as",
                "AUROC of 0.85 is known as",
            ],
            [_borne_out(studies) for studies in (60, 120, 200, 400, 1000, 2000)],
        )
    )


def _borne_out(studies: int) -> list[str]:
    """What a site's studies can bear out, by the bounds that acceptance uses."""
    half = studies // 2
    bare, with_it = half // 2, half // 10
    allowed = [hits for hits in range(bare + 1) if upper(hits, bare) <= ALARM_BURDEN]
    return [
        str(studies),
        str(bare),
        f"{max(allowed)} at most"
        if allowed
        else f"refused: {least_studies(ALARM_BURDEN)} are needed",
        _share(round(0.1 * bare), bare),
        _share(round(0.5 * with_it), with_it),
        _auroc(0.85, with_it, half - with_it),
    ]


def _share(hits: int, of: int) -> str:
    found = share(np.arange(of) < hits, [str(n) for n in range(of)])
    return f"{100 * (found['low'] or 0):.0f} to {100 * (found['high'] or 0):.0f} %"


def _auroc(area: float, with_it: int, without: int) -> str:
    """The 95 % interval by Hanley and McNeil, Radiology 1982;143:29-36."""
    if min(with_it, without) < LEAST_CASES:
        return f"none: {LEAST_CASES} of each are needed"
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (with_it - 1) * (q1 - area**2) + (without - 1) * (q2 - area**2)
    half = 1.96 * (spread / (with_it * without)) ** 0.5
    return f"{area - half:.2f} to {min(area + half, 1):.2f}"


def viewer_keys_md() -> str:
    """The keys of the viewer, from the table that its help sheet shows."""
    keys = json.loads((ROOT / "viewer" / "src" / "keys.json").read_text(encoding="utf-8"))
    rows = [[row["group"], f"`{row['shown']}`", row["does"]] for row in keys]
    return table(["", "key", "what it does"], rows)


def page_keys_md() -> str:
    """The keys of the reading page, from the table that it shows."""
    return table(["key", "what it does"], [[f"`{one.keys}`", one.does] for one in PAGE_KEYS])


WITH_FIGURES: dict[str, Callable[[], str]] = {
    "README.md": headline_md,
    "docs/limitations.md": figures_md,
    "docs/report-evaluation.md": report_figures_md,
    "docs/mr.md": mr_page_md,
    "docs/outside-models.md": outside_md,
    "docs/site-acceptance.md": acceptance_md,
    "docs/viewer.md": viewer_keys_md,
    "docs/reading-room.md": page_keys_md,
}


def with_figures(name: str) -> str:
    """A page with its figures made anew."""
    return FIGURES.sub(
        lambda m: m[1] + WITH_FIGURES[name]() + m[2], (ROOT / name).read_text(encoding="utf-8")
    )


def main() -> None:
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
    for name in WITH_FIGURES:
        (ROOT / name).write_text(with_figures(name), encoding="utf-8")


if __name__ == "__main__":
    main()
