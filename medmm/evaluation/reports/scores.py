"""Scores of drafted report text, words and findings, on bootstrap draws by patient.

Words are scored by pycocoevalcap, findings by a labeller.

Every figure is an array of 1 + draws values: first that of all reports, then one a bootstrap draw,
so that a difference of two figures on the same draws is paired.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.acceptance.metrics import BOOTSTRAPS, Interval, patient_draws
from medmm.language.report_labeller import ABNORMAL, FIVE, LABELS, PRESENT, UNCERTAIN, Labels

Array = NDArray[np.float64]
Figures = dict[str, Array]
TOOL = "pycocoevalcap"
TEXT_FIGURES = tuple(
    f"{name} ({TOOL})" for name in ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")
)
METEOR = f"METEOR ({TOOL})"
# What counts as a finding that is there, in the reference and in the draft alike.
CALLS: dict[str, frozenset[int]] = {
    "present": frozenset({PRESENT}),
    "present or possible": frozenset({PRESENT, UNCERTAIN}),
}
OWN, SHARED = "medmm's labeller", "rule_labels.py"
ALL, R2GEN = "test reports with film and findings text", "of these, R2Gen's test split"
LEAST_REPORTS = 20  # of a subset or group that is scored
ENOUGH = 20  # positives that a finding needs for a place in the macro F1
MICRO, MACRO = "micro F1, 13 findings", f"macro F1, findings with {ENOUGH} or more"
RECALL, INVENTED = "recall, 13 findings", "invented findings a report"
_R2GEN_OFF = re.compile(r"[^a-z0-9 .<=>@-]")  # what R2Gen's cleaning leaves of a lower-case text


def figure_key(labels: str, call: str, name: str) -> str:
    """Build the key of a figure of findings: whose labels, what is called, which figure."""
    return f"{labels} / {call} / {name}"


def weights_by_patient(patients: Sequence[str], draws: int = BOOTSTRAPS, seed: int = 0) -> Array:
    """Draw how often each report counts, (1 + draws, reports).

    It is once in the first row, then as bootstrap draws fall.
    """
    count = len(patients)
    drawn = [np.bincount(draw, minlength=count) for draw in patient_draws(patients, draws, seed)]
    return np.stack([np.ones(count), *drawn]).astype(np.float64)


def interval_of(figure: Array) -> Interval:
    """Return a figure with its 95 % interval."""
    low, high = np.percentile(figure[1:], [2.5, 97.5]) if len(figure) > 1 else (None, None)
    return Interval(value=float(figure[0]), low=low, high=high)


def words(text: str) -> str:
    """Normalise a text as R2Gen scored it.

    That is lower case, punctuation off, " . " after a sentence (Chen et al., EMNLP 2020).

    PTBTokenizer of pycocoevalcap is not used: it needs Java, and the published figures did without.
    `XXXX` stays a word, as there. Not done: the cut at 60 words and `unk` for words seen less than
    three times.
    """
    numbered = re.sub(r"(?:^|(?<=\s))\d\.\s", "", re.sub(r"\.{2,}", ".", text.lower()))
    parts = (
        _R2GEN_OFF.sub("", part).replace(".", "")
        for part in re.split(r"\.(?=\s|$)", " ".join(numbered.split()))
    )
    return " ".join([f"{' '.join(part.split())} ." for part in parts if part.strip()]) or "."


def text_tools() -> dict[str, str]:
    """Say what scores words here, and what is not installed."""
    if find_spec(TOOL) is None:
        missing = 'not installed: pip install "medmm[eval]"'
        return dict.fromkeys((*TEXT_FIGURES, METEOR), missing)
    java = "ready" if shutil.which("java") else "not run: it needs a Java runtime"
    return {**dict.fromkeys(TEXT_FIGURES, "ready"), METEOR: java}


def text_figures(
    references: Sequence[str], versions: Sequence[Sequence[str]], weights: Array
) -> Figures:
    """Compute BLEU-1 to -4, ROUGE-L and CIDEr; the mean over versions of the drafts.

    CIDEr takes its document frequencies from these references, in every draw.

    Returns: nothing without pycocoevalcap.
    """
    if find_spec(TOOL) is None:
        return {}
    wanted = [words(r) for r in references]
    return _mean(
        [_text_figures(wanted, [words(d) for d in drafts], weights) for drafts in versions]
    )


def _text_figures(references: list[str], drafts: list[str], weights: Array) -> Figures:
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    bleu = BleuScorer(n=4)
    for draft, reference in zip(drafts, references, strict=True):
        bleu += (draft, [reference])
    wanted = {i: [text] for i, text in enumerate(references)}
    got = {i: [text] for i, text in enumerate(drafts)}
    figures = dict(zip(TEXT_FIGURES, bleu_of(bleu.ctest, weights), strict=False))
    for name, scorer in zip(TEXT_FIGURES[4:], (Rouge(), Cider()), strict=True):
        figures[name] = weights @ np.asarray(scorer.compute_score(wanted, got)[1]) / weights.sum(1)
    return figures


def bleu_of(counted: Sequence[dict[str, Any]], weights: Array) -> list[Array]:
    """Compute BLEU-1 to -4 from the counts that pycocoevalcap keeps for each report.

    The formula is that of `BleuScorer.compute_score`.
    """
    correct, guess = (
        weights @ np.asarray([row[key] for row in counted], float) for key in ("correct", "guess")
    )
    draft = weights @ np.asarray([row["testlen"] for row in counted], float)
    reference = weights @ np.asarray([row["reflen"][0] for row in counted], float)
    precision = np.cumprod((correct + 1e-15) / (guess + 1e-9), axis=1)
    ratio = (draft + 1e-15) / (reference + 1e-9)
    brevity = np.where(ratio < 1, np.exp(1 - 1 / ratio), 1.0)
    return [precision[:, k] ** (1 / (k + 1)) * brevity for k in range(4)]


def meteor(references: Sequence[str], drafts: Sequence[str]) -> float:
    """Compute METEOR 1.5 over all reports (pycocoevalcap; starts Java)."""
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    wanted = {i: [words(text)] for i, text in enumerate(references)}
    try:
        score = float(
            scorer.compute_score(wanted, {i: [words(text)] for i, text in enumerate(drafts)})[0]
        )
    finally:
        for pipe in (scorer.meteor_p.stdout, scorer.meteor_p.stderr):
            pipe.close()
    return score


def calls(labels: Sequence[Labels], counted: frozenset[int]) -> NDArray[np.bool_]:
    """Tell which of the 14 are called, (reports, 14)."""
    return np.asarray([[row[name] in counted for name in LABELS] for row in labels], dtype=bool)


def label_figures(
    truth: NDArray[np.bool_], versions: Sequence[NDArray[np.bool_]], weights: Array
) -> Figures:
    """Compute F1 and its parts of calls (reports, 14), the mean over versions of drafts.

    The truth is the reference's calls.
    """
    return _mean([_label_figures(truth, called, weights) for called in versions])


def _label_figures(truth: NDArray[np.bool_], called: NDArray[np.bool_], weights: Array) -> Figures:
    hit, invented, missed = (
        weights @ part for part in (truth & called, ~truth & called, truth & ~called)
    )
    macro = _share(2 * hit, 2 * hit + invented + missed)

    def micro(names: Sequence[str]) -> Array:
        at = _at(names)
        right = 2 * hit[:, at].sum(1)
        return _share(right, right + invented[:, at].sum(1) + missed[:, at].sum(1))

    at = _at(ABNORMAL)
    enough = [LABELS.index(name) for name in enough_positives(truth)]
    figures = {
        MICRO: micro(ABNORMAL),
        RECALL: _share(hit[:, at].sum(1), (hit + missed)[:, at].sum(1)),
        "precision, 13 findings": _share(hit[:, at].sum(1), (hit + invented)[:, at].sum(1)),
        INVENTED: invented[:, at].sum(1) / weights.sum(1),
        "macro F1, 13 findings": macro[:, at].mean(1),
        "micro F1, 14 labels": micro(LABELS),
        "macro F1, 14 labels": macro.mean(1),
        "micro F1, 5 labels": micro(FIVE),
        "macro F1, 5 labels": macro[:, _at(FIVE)].mean(1),
    }
    return {**figures, MACRO: macro[:, enough].mean(1)} if enough else figures


def enough_positives(truth: NDArray[np.bool_]) -> list[str]:
    """List the abnormal findings with enough positives in the references."""
    return [name for name in ABNORMAL if truth[:, LABELS.index(name)].sum() >= ENOUGH]


def text_habits(versions: Sequence[Sequence[str]], train: frozenset[str]) -> dict[str, float]:
    """Describe how a drafter writes: distinct texts, repeated ones, words a draft.

    A text may repeat another draft or a train text.
    """
    rows: list[tuple[float, ...]] = []
    for drafts in versions:
        plain = [words(text) for text in drafts]
        times = Counter(plain)
        rows.append(
            (
                len(times),
                float(np.mean([times[text] > 1 for text in plain])),
                float(np.mean([text in train for text in plain])),
                float(np.mean([len(text.replace(".", " ").split()) for text in plain])),
            )
        )
    names = ("distinct", "share_repeated", "share_word_for_word_in_train", "mean_words")
    return {
        name: round(float(value), 4)
        for name, value in zip(names, np.mean(rows, axis=0), strict=True)
    }


def _at(names: Sequence[str]) -> list[int]:
    return [LABELS.index(name) for name in names]


def _share(part: Array, whole: Array) -> Array:
    """Divide part by whole; 0 if there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mean(figures: Sequence[Figures]) -> Figures:
    return {name: np.mean([row[name] for row in figures], axis=0) for name in figures[0]}
