"""How many planted errors the checks flag, and how many true statements, with intervals."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medmm.acceptance.metrics import share
from medmm.domain.claim import Assertion
from medmm.domain.draft import (
    Author,
    AuthorKind,
    Case,
    Draft,
    Section,
    Severity,
    Statement,
    Verdict,
)
from medmm.domain.reading import Reading
from medmm.drafting import RuleWriter
from medmm.drafting.image_statements import evidence_of
from medmm.evaluation.reports.labelled_cases import LabelledReport, case_and_reading, labelled
from medmm.evaluation.reports.planted_errors import (
    SEED,
    TRUE,
    Half,
    Planted,
    kinds,
    planted,
    templates,
    true_statements,
)
from medmm.grounding import CHECKS, check
from medmm.language.claims import claims_of
from medmm.training.reports.corpus import read_reports

FLAGS = frozenset({Severity.BLOCKS, Severity.WARNS})
OUTSIDE = Author(kind=AuthorKind.WRITER, id="planted")
TIMED_DRAFTS = 100


def evaluate(data_dir: Path, *, halves: Sequence[Half] = (Half.REPORTING,)) -> dict[str, Any]:
    """Measure the checks on planted errors and true statements of the shared reports.

    Raises: InputError if the reports are not there.
    """
    found: dict[str, Any] = {"seed": SEED, "checks": [one.number for one in CHECKS]}
    for half in halves:
        reports = labelled(read_reports(data_dir, half.splits), SEED)
        statements = [*planted(reports, half), *true_statements(reports)]
        found[half.value] = _measured(statements, half)
        if half is Half.REPORTING:
            found["milliseconds_a_draft"] = _cost(reports)
    return found


def flagged(one: Planted) -> tuple[Verdict, ...]:
    """Return the failed verdicts that block or warn on one statement as a draft of its own."""
    case, reading = case_and_reading(one.about)
    statement = candidate(one.text, case, reading)
    draft = Draft(
        id="planted",
        case_id=case.id,
        writer=OUTSIDE.id,
        author=OUTSIDE,
        statements=(statement,),
        not_evaluated=(),
    )
    checked = check(draft, case, reading)
    return tuple(v for v in checked.failed(statement.id) if v.severity in FLAGS)


def candidate(text: str, case: Case, reading: Reading) -> Statement:
    """Code a sentence as its first claim says, with the evidence of all its findings.

    A sentence without a finding of the reading rests on the score that came nearest to its
    operating point, as the impression of the rule-written draft does.
    """
    claims = claims_of(text)
    first = next((c for c in claims if c.finding and reading.finding(c.finding)), None)
    names = dict.fromkeys(c.finding for c in claims if c.finding is not None)
    read = [f for f in map(reading.finding, names) if f is not None]
    evidence = tuple(e for found in read for e in evidence_of(found, case.study, reading))
    if not read:
        nearest = max(reading.findings, key=lambda f: f.probability / f.threshold)
        evidence = evidence_of(nearest, case.study, reading)[:1]
    said = first or next(iter(claims), None)
    return Statement(
        id="s1",
        section=Section.FINDINGS,
        text=text,
        assertion=said.assertion if said else Assertion.PRESENT,
        evidence=evidence,
        finding=first.finding if first else None,
        side=said.side if said else None,
    )


def _measured(statements: Sequence[Planted], half: Half) -> dict[str, Any]:
    verdicts = [flagged(one) for one in statements]
    return {
        "templates": {
            kind: sum(t.kind == kind and t.half is half for t in templates()) for kind in kinds()
        },
        "kinds": {kind: _share(statements, verdicts, {kind}) for kind in (*kinds(), TRUE)},
        "errors": _share(statements, verdicts, set(kinds())),
        "by_check": {
            c.number: {
                kind: sum(
                    any(v.check == c.number for v in of)
                    for one, of in zip(statements, verdicts, strict=True)
                    if one.kind == kind
                )
                for kind in (*kinds(), TRUE)
            }
            for c in CHECKS
        },
    }


def _share(
    statements: Sequence[Planted],
    verdicts: Sequence[tuple[Verdict, ...]],
    of_kinds: set[str],
) -> dict[str, Any]:
    rows = [(one, of) for one, of in zip(statements, verdicts, strict=True) if one.kind in of_kinds]
    hits = np.array([bool(of) for _, of in rows], dtype=bool)
    return share(hits, [one.about.report.uid for one, _ in rows])


def _cost(reports: Sequence[LabelledReport]) -> dict[str, float]:
    """Time the checks of rule-written drafts, in ms of processor time a draft.

    The tables are read before; what was parsed of the draft before is forgotten.
    """
    taken: list[float] = []
    for one in [reports[0], *reports[:TIMED_DRAFTS]]:
        case, reading = case_and_reading(one)
        draft = RuleWriter().write(case, reading)
        claims_of.cache_clear()
        start = time.process_time()
        check(draft, case, reading)
        taken.append(1000 * (time.process_time() - start))
    taken = taken[1:]
    return {"median": float(np.median(taken)), "most": float(np.max(taken)), "drafts": len(taken)}
