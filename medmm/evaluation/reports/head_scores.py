"""The heads of the chest film language model on the test films: by finding and group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from medmm.acceptance import metrics
from medmm.acceptance.calibration import sigmoid
from medmm.acceptance.metrics import interval, patient_draws
from medmm.evaluation.film.draft_rates import Points, groups_said
from medmm.evaluation.predictions import LEAST_CASES, Array, Json, Scored
from medmm.evaluation.reports.groups import sex_of, view_of
from medmm.models.report_model.finding_heads import ReportHeads
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.data.films import Film
from medmm.training.reports.claim_calibration import told
from medmm.training.reports.corpus import FilmReport, film_greys, read_reports


def heads(folder: Path, data_dir: Path, *, quiet: bool = False) -> Json:
    """Evaluate each head on the test reports' films, beside the val prevalence.

    The prevalence stands as a constant.
    """
    weights = WeightsFolder(row=row_named("chest-report"), folder=folder)
    model = ReportHeads.open(weights, torch.device("cpu"))
    reports = [r for r in read_reports(data_dir, {"test"}) if r.film is not None]
    films = track(
        film_greys(data_dir, reports), total=len(reports), description="heads", disable=quiet
    )
    logits = np.asarray([model.logits_and_maps(grey)[0] for grey in films], dtype=np.float64)
    rows = {name: dict(model.calibration.get(name, {})) for name in model.names}
    labelled = [as_film(report, model.names) for report in reports]
    uids = [r.uid for r in reports]
    out = {}
    for j, (name, row) in enumerate(rows.items()):
        truth = np.asarray([float(name in film.findings) for film in labelled])
        out[name] = head(truth, logits[:, j], row, uids)
    return {"reports": len(reports), "findings": out, "groups": groups(labelled, logits, rows)}


def as_film(report: FilmReport, names: Sequence[str]) -> Film:
    """Build a report's film, labelled by the report's own words.

    Ages are masked in the corpus; the sex is the indication's.
    """
    text = f"{report.findings} {report.impression}"
    shard, file = report.film or ("", "")
    return Film(
        folder="reports",
        shard=shard,
        file=file,
        patient=report.uid,
        split=report.split,
        age_years=None,
        findings=frozenset(name for name in names if told(text, name)),
        sex=sex_of(report),
        view=view_of(report),
        source="Open-i",
        official_list=None,
        row={},
    )


def groups(films: list[Film], logits: Array, rows: dict[str, Json]) -> list[Json]:
    """Evaluate the calibrated heads together by sex, view, source and age.

    See `groups_said`.
    """
    names = [name for name, row in rows.items() if row]
    columns = [j for j, row in enumerate(rows.values()) if row]
    slope, bias = (
        np.asarray([rows[name][key] for name in names]) for key in ("slope", "intercept")
    )
    scored = Scored(films, names, sigmoid(logits[:, columns] * slope + bias))
    return groups_said(scored, Points(names, rows))


def head(truth: Array, logit: Array, row: Json, uids: Sequence[str]) -> Json:
    """Compute one head's figures; only the count without calibration or with few cases."""
    cases = int(truth.sum())
    if not row or cases < LEAST_CASES:
        return {"cases": cases, "calibrated": bool(row)}
    draws = patient_draws(uids)
    probability = sigmoid(row["slope"] * logit + row["intercept"])
    called = probability >= row["threshold"]
    prior = np.full_like(truth, row["prevalence"])
    return {
        "cases": cases,
        "calibrated": True,
        "auroc": interval(lambda i: metrics.auroc(truth[i], logit[i]), len(truth), draws).json(),
        "auprc": interval(lambda i: metrics.auprc(truth[i], logit[i]), len(truth), draws).json(),
        "ece": round(metrics.expected_calibration_error(truth, probability), 4),
        "brier": round(metrics.brier(truth, probability), 4),
        "brier_prior": round(metrics.brier(truth, prior), 4),
        "sensitivity": metrics.share(
            called[truth > 0], [u for u, t in zip(uids, truth, strict=True) if t > 0]
        ),
        "specificity": metrics.share(
            ~called[truth == 0], [u for u, t in zip(uids, truth, strict=True) if t == 0]
        ),
        "reliability": metrics.reliability(truth, probability, uids),
    }
