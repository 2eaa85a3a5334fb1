"""What the chest film language model is worth: heads, text, and whether it looks.

The text's figures stand beside those of drafts that see no film; see `report_text`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from medmm.acceptance import metrics
from medmm.domain.draft import Assertion, Case
from medmm.domain.errors import InputError
from medmm.domain.reading import Reading
from medmm.domain.reading_model import read_by
from medmm.domain.record import ClinicalContext, Fact, FactKind
from medmm.domain.vocabulary import finding_terms
from medmm.drafting.record_influence import changes, said_of_image
from medmm.evaluation.film.draft_rates import claims_by_group
from medmm.evaluation.predictions import Json
from medmm.evaluation.reports import report_text
from medmm.evaluation.reports.batch_drafting import AT_ONCE, drafts
from medmm.evaluation.reports.drafters import case_of, wording
from medmm.evaluation.reports.head_scores import heads
from medmm.models.film.film_kind import FilmKindModel
from medmm.models.film.reading_model import AnatomyModel, ChestReader, FindingsModel
from medmm.models.report_model.chest_report import ChestReportModel
from medmm.models.report_model.finding_heads import ReportHeads
from medmm.models.weights.catalogue import WeightsFolder, open_weights, row_named
from medmm.training.data.films import NIH_TABLE, Film, chosen, greys, read_table
from medmm.training.reports.corpus import FilmReport, read_reports

Grey = NDArray[np.float32]
SWAPPED, PAIRED, PAIRS = 200, 304, 1000
BRIGHTER = 0.01
SEED = 0
# All, all without removed words, R2Gen's; the others stand in the evaluation of reports
MAIN_SUBSETS = 3


def evaluate(folder: Path, data_dir: Path, *, quiet: bool = False) -> Json:
    """Compute all figures of one weights folder as JSON values.

    Cost: some forty-five minutes on two CPU cores.
    """
    drafting = Drafting(folder)
    reader, model = drafting.reader, drafting.model
    written = report_text.drafts_of_the_writers(data_dir, reader, model, quiet=quiet)
    val = [r for r in read_reports(data_dir, {"val"}) if r.scored]
    wordings = {"val": wording(data_dir, val, reader, model, quiet=quiet), "test": written.wording}
    text = report_text.evaluate(data_dir, written, quiet=quiet)
    config = WeightsFolder(row=row_named("chest-report"), folder=folder)
    return {
        "training": {
            "reports": config.json("training.json")["reports"],
            "record_codes": len(config.json("config.json")["record_codes"]),
        },
        "heads": heads(folder, data_dir, quiet=quiet),
        "looks": looks(drafting, data_dir, quiet=quiet),
        "wording": {split: its.json() for split, its in wordings.items() if its is not None},
        "text": {**text, "subsets": text["subsets"][:MAIN_SUBSETS], "published": []},
    }


# ---- does it look at the picture?
# -------------------------------------------------------------------------


class Drafting:
    """Drafts films as live use does: reading, language model, writer."""

    def __init__(self, folder: Path) -> None:
        weights, cpu = (
            WeightsFolder(row=row_named("chest-report"), folder=folder),
            torch.device("cpu"),
        )
        findings, anatomy = (
            open_weights(row_named(name)) for name in ("chest-findings", "chest-anatomy")
        )
        self.reader = ChestReader(
            findings=FindingsModel.open(findings, cpu) if findings else None,
            anatomy=AnatomyModel.open(anatomy, cpu) if anatomy else None,
            report_heads=ReportHeads.open(weights, cpu),
        )
        self.model = ChestReportModel.open(weights, cpu)

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings that the reading has of the films' own labels."""
        return self.reader.findings.names if self.reader.findings else ()

    def said(
        self, films: Sequence[tuple[str, Grey, ClinicalContext | None]]
    ) -> list[dict[str, Assertion] | None]:
        """Say what is said of each finding of films with their records.

        A film's entry is None if its picture is refused.
        """
        found: list[dict[str, Assertion] | None] = [None] * len(films)
        cases: dict[int, tuple[Case, Reading]] = {}
        for place, (name, grey, context) in enumerate(films):
            case = replace(self.case(grey, name), context=context)
            try:
                cases[place] = case, read_by([self.reader], case.study)
            except InputError:
                continue
        for place, draft in zip(cases, drafts(self.model, list(cases.values())), strict=True):
            found[place] = said_of_image(draft)
        return found

    @staticmethod
    def case(grey: Grey, name: str) -> Case:
        """Build a case of a film, without tags or record."""
        report = FilmReport(
            uid=name,
            split="",
            split_source="",
            findings="",
            impression="",
            exam="",
            film=("", name),
        )
        return case_of(report, grey)


def looks(drafting: Drafting, data_dir: Path, *, quiet: bool = False) -> Json:
    """Test with swapped records, pairs of films, a little more light, noise and black.

    Noise and black stand in place of a film.
    """
    films = chosen(read_table(data_dir, NIH_TABLE), lambda f: f.split == "test")
    draw = random.Random(SEED)
    some = draw.sample(films, PAIRED)
    said: list[dict[str, Assertion]] = []
    lit: list[bool] = []
    swaps: list[Json] = []
    pictures = iter(zip(some, greys(data_dir, some), strict=True))
    with Progress(disable=quiet) as bar:
        task = bar.add_task("looks", total=len(some))
        while group := list(islice(pictures, AT_ONCE)):
            before = [
                s or {} for s in drafting.said([(film.file, grey, None) for film, grey in group])
            ]
            said += before
            bar.advance(task, len(group))
            if len(said) > SWAPPED:
                continue
            lighter = [
                (f.file, np.clip(grey + np.float32(BRIGHTER), 0, 1), None) for f, grey in group
            ]
            lit += [
                _claimed(a or {}) == _claimed(b)
                for a, b in zip(drafting.said(lighter), before, strict=True)
            ]
            records = [_other_disease(film, draw) for film, _ in group]
            recorded = [
                (film.file, grey, r) for (film, grey), r in zip(group, records, strict=True)
            ]
            for record, a, b in zip(records, drafting.said(recorded), before, strict=True):
                swaps.append(_swapped(record, b, a or {}))
    return {
        "pairs": _pairs(some, said, draw),
        "brighter": metrics.share(np.asarray(lit), [f.patient for f in some[: len(lit)]]),
        "swapped_records": _summed(swaps),
        "no_film": dict(_no_film(drafting, _kinds())),
        "distinct_drafts": len({tuple(sorted((k, v.value) for k, v in s.items())) for s in said}),
        "films": len(some),
        "findings": len(drafting.findings),
        "groups": claims_by_group(some, [_claimed(s) for s in said], list(drafting.findings)),
    }


def _kinds() -> FilmKindModel | None:
    weights = open_weights(row_named("film-kind"))
    return FilmKindModel.open(weights, torch.device("cpu")) if weights else None


def _claimed(said: dict[str, Assertion]) -> set[str]:
    return {name for name, assertion in said.items() if assertion is not Assertion.ABSENT}


def _other_disease(film: Film, draw: random.Random) -> ClinicalContext:
    """Build a record of a disease that the film's labels lack.

    The fact's id is the finding's name.
    """
    term = draw.choice(
        [t for t in finding_terms().values() if t.codings and t.name not in film.findings]
    )
    fact = Fact(
        id=term.name,
        kind=FactKind.CONDITION,
        label=term.words,
        codings=term.codings,
        source="swapped",
    )
    return ClinicalContext(patient_key="", as_of=None, facts=(fact,))


def _swapped(
    record: ClinicalContext, before: dict[str, Assertion], after: dict[str, Assertion]
) -> Json:
    """Compute what another's record changes in what is said of a film."""
    changed = changes(before, after)
    return {
        "statements": len(after),
        "changed": len(changed),
        "new_claims": sum(change.claims for change in changed),
        "claims_of_the_record": sum(
            change.claims and change.finding == record.facts[0].id for change in changed
        ),
    }


def _summed(rows: Iterable[Json]) -> Json:
    rows = list(rows)
    total = {key: sum(row[key] for row in rows) for key in rows[0]}
    statements = max(total["statements"], 1)
    return {
        "films": len(rows),
        **total,
        "share_changed": round(total["changed"] / statements, 4),
        "share_new_claims": round(total["new_claims"] / statements, 4),
    }


def _pairs(
    films: Sequence[Film], said: Sequence[dict[str, Assertion]], draw: random.Random
) -> Json:
    """Compute how many drafts of random pairs of films with other labels differ."""
    differing = same = 0
    by_claims = 0
    while differing + same < PAIRS:
        a, b = draw.sample(range(len(films)), 2)
        if films[a].findings == films[b].findings:
            continue
        by_claims += _claimed(said[a]) != _claimed(said[b])
        if said[a] != said[b]:
            differing += 1
        else:
            same += 1
    return {"pairs": PAIRS, "different": differing / PAIRS, "different_claims": by_claims / PAIRS}


def _no_film(drafting: Drafting, kinds: FilmKindModel | None) -> Iterator[tuple[str, str]]:
    """Yield what becomes of pictures that are not films.

    That is what the gate's network says of them, and what is claimed past it.
    """
    random_noise = np.random.default_rng(SEED).random((288, 288), dtype=np.float32)
    pictures = {
        "black": np.zeros((288, 288), np.float32),
        "white": np.ones((288, 288), np.float32),
        "noise": random_noise,
    }
    for name, said in zip(
        pictures, drafting.said([(n, g, None) for n, g in pictures.items()]), strict=True
    ):
        if said is None:
            yield name, "refused, it shows a single tone"
            continue
        held = (
            ""
            if kinds is None
            else f"held by the gate as {kinds.kind_of(pictures[name])!r}; past it, "
        )
        claimed = sorted(_claimed(said))
        yield name, held + (f"claimed: {', '.join(claimed)}" if claimed else "nothing is claimed")
