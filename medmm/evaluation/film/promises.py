"""Whether promises are kept on other patients, and which films are found unfamiliar."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medmm.acceptance.metrics import share
from medmm.domain.promise import Promise
from medmm.evaluation.film.draft_rates import Flags, Points, bare_films
from medmm.evaluation.predictions import LEAST_CASES, Json, Scored
from medmm.models.film.chest_findings import ChestFindingsNetwork
from medmm.models.film.familiarity import Familiarity
from medmm.models.film.preprocessing import prepare_film
from medmm.training.data.films import member_bytes
from medmm.training.film.familiarity import features_of

OUT_OF_SCOPE = ("cxr/outofscope.csv", "cxr/outofscope-00.tar")
FLAGGED = 0.05  # of the test films, for the comparison of kinds
Films = NDArray[np.float32]


def kept(scored: Scored, points: Points, rows: dict[str, Json]) -> Json:
    """Hold promised shares of right claims against labels, at their prevalence.

    A promise is broken where even the upper end of the share's 95 % interval lies below it.
    """
    called, there = points.suspected(scored), scored.truth > 0
    findings = {
        name: _of_finding(scored, called[:, j], there[:, j], rows[name])
        for j, name in enumerate(scored.names)
        if rows[name].get("promise") and there[:, j].sum() >= LEAST_CASES
    }
    return {
        "alarm_burden": scored.share(np.asarray(called.any(1)), bare_films(scored)),
        "claimed_of_all_labels": scored.share(called, there),
        "findings": findings,
    }


def _of_finding(scored: Scored, called: Flags, there: Flags, row: Json) -> Json:
    prevalence = float(there.mean())
    promise = Promise(**row["promise"], prevalence=row["prevalence"])
    right, promised = scored.share(there, called), round(promise.right_at(prevalence), 4)
    return {
        "promised": promised,
        "prevalence": round(prevalence, 4),
        "right": right,
        "kept": right["high"] is None or right["high"] >= promised,
        "claimed": scored.share(called, there),
        "claimed_promised": row["promise"]["claimed"],
        "false_claims": scored.share(called, ~there),
        "false_claims_promised": row["promise"]["false_claim_rate"],
    }


def unfamiliar(
    network: ChestFindingsNetwork,
    familiarity: Familiarity,
    data_dir: Path,
    size_px: int,
    films: dict[str, tuple[Films, list[str]]],
    *,
    quiet: bool,
) -> Json:
    """Count the films that are found unfamiliar: those of `films`, and what is out of scope.

    Args:
        films: prepared films and their patients by the name of the set; "test" sets the point at
            which `FLAGGED` of them are flagged.
    Returns: by set the share at the point in use, and at that of `FLAGGED` test films.
    """
    sets = films | _out_of_scope(data_dir, size_px)
    away = {
        name: np.asarray(
            [
                familiarity.distance(one.astype(np.float32))
                for one in features_of(network, part, quiet=quiet, name=name)
            ]
        )
        for name, (part, _) in sets.items()
    }
    beside = float(np.quantile(away["test"], 1 - FLAGGED, method="higher"))

    def flagged(name: str) -> Json:
        of, patients = away[name], sets[name][1]
        return {
            "films": len(of),
            "in_use": share(of >= familiarity.point, patients),
            "at_5_percent_of_test": share(of >= beside, patients),
        }

    return {"point": familiarity.point, "sets": {name: flagged(name) for name in sets}}


def _out_of_scope(data_dir: Path, size_px: int) -> dict[str, tuple[Films, list[str]]]:
    """Prepare what no film network should read, by kind; each picture is a patient of its own."""
    table, shard = (data_dir / name for name in OUT_OF_SCOPE)
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    found: dict[str, list[NDArray[np.float32]]] = {}
    with tarfile.open(shard) as archive:
        for row in rows:
            with Image.open(io.BytesIO(member_bytes(archive, row["file"]))) as picture:
                grey = np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)
            found.setdefault(row["kind"], []).append(prepare_film(grey, size_px)[0])
    return {
        kind: (np.stack(parts), [f"{kind} {n}" for n in range(len(parts))])
        for kind, parts in sorted(found.items())
    }
