"""Drafting with the language model: cache and batch against neither (proof F5).

The latter drafts one by one, without cache.

Prints cases a minute and tokens a second, each as a ratio within this run. Films are noise over the
demo's film, so that drafts differ; everything may be said, so that drafts are as long as they get.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from medmm.domain.draft import Assertion, Opinion
from medmm.models.report_model.chest_report import ChestReportModel, Job
from medmm.models.weights.catalogue import open_weights, row_named

CASES = 8


def jobs(model: ChestReportModel) -> list[Job]:
    """Build eight films that are not films, of which anything may be said."""
    draw = np.random.default_rng(0)
    anything = dict.fromkeys(model.grammar.findings, frozenset(Assertion))
    return [
        Job(grey=draw.random((288, 288), dtype=np.float32), context=None, permitted=anything)
        for _ in range(CASES)
    ]


def timed(work: Callable[[], Sequence[Opinion]], repeats: int) -> tuple[float, int]:
    """Measure the best wall time of some runs, and the words' tokens that were written."""
    taken, tokens = [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        opinions = work()
        taken.append(time.perf_counter() - start)
        tokens = sum(len(w.generation.tokens) + 3 for o in opinions for w in o.proposals)
    return min(taken), tokens


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    weights = open_weights(row_named("chest-report"))
    if weights is None:
        sys.stderr.write("chest-report is not installed: nothing to measure\n")
        return 4
    model = ChestReportModel.open(weights, torch.device("cpu"))
    work = jobs(model)
    model.opinions_on(work[:1])  # warm
    few = work[:2]  # without a cache a draft takes many times as long
    ways: dict[str, tuple[int, Callable[[], Sequence[Opinion]]]] = {
        "one by one, no cache": (
            len(few),
            lambda: [o for j in few for o in model.opinions_on([j], use_cache=False)],
        ),
        "one by one": (CASES, lambda: [o for j in work for o in model.opinions_on([j])]),
        f"batch of {CASES}": (CASES, lambda: model.opinions_on(work)),
    }
    rows = {}
    for name, (cases, way) in ways.items():
        seconds, tokens = timed(way, options.repeats)
        rows[name] = {"cases_a_minute": 60 * cases / seconds, "tokens_a_second": tokens / seconds}
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    base = rows["one by one"]["cases_a_minute"]
    for name, row in rows.items():
        sys.stdout.write(
            f"{name:<24}{row['cases_a_minute']:8.1f} cases a "
            f"minute{row['tokens_a_second']:8.0f} tokens a "
            f"second{row['cases_a_minute'] / base:7.2f} x\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
