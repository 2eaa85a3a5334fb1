"""What drafted report text is worth, beside baselines that see no film.

Words alone do not show that a drafter looks at the film: a constant normal report reaches the BLEU
and ROUGE of published networks. So the findings decide, and what was invented stands beside what
was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import track

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.evaluation.reports import scores as scores
from medmm.evaluation.reports.baselines import PRIOR_DRAWS, Candidate, baselines
from medmm.evaluation.reports.batch_drafting import Wording
from medmm.evaluation.reports.drafters import IMAGE_ONLY, LANGUAGE_MODEL, RULE_WRITER, drafted
from medmm.evaluation.reports.groups import grouped
from medmm.evaluation.reports.scores import (
    ALL,
    CALLS,
    LEAST_REPORTS,
    OWN,
    R2GEN,
    SHARED,
    Array,
    Figures,
    calls,
    figure_key,
    interval_of,
    weights_by_patient,
    words,
)
from medmm.language.report_labeller import FIVE, LABELS, Labels, labeller
from medmm.models.film.reading_model import ChestReader
from medmm.models.report_model.chest_report import ChestReportModel
from medmm.models.weights.catalogue import open_weights, row_named
from medmm.training.reports.corpus import (
    FilmReport,
    Label,
    manual_labels,
    other_labeller,
    read_drafts,
    read_published,
    read_reports,
)

Json = dict[str, Any]
SEED = 0
# Of a drafter with many versions, as many are scored by their words: that is the slow part
WORD_VERSIONS = 20
NOTES = (
    "The drafts are findings text alone, compared with the findings section alone.",
    (
        "XXXX (a removed word) stays in the references as a word, as in the published figures; a "
        "row without it stands apart."
    ),
    (
        "Train holds all 2,752 train reports; R2Gen learned from 2,069 of them, so baselines drawn "
        "from train are a little richer."
    ),
    (
        "Published figures are those of published.md, on R2Gen's 590 test reports, of which 340 "
        "are here."
    ),
    "METEOR is a figure of all reports without an interval.",
    f"The label prior is the mean of {PRIOR_DRAWS} draws ({WORD_VERSIONS} for words and habits).",
    "A finding is present at 1; 'present or possible' counts -1 too, in reference and draft alike.",
    f"5 labels: {', '.join(FIVE)}.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """Reports that are scored together, and what is done to their references first."""

    name: str
    index: list[int]
    without_removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """Test reports and a drafter's text for each, by name; `also` are other drafters.

    `wording` says in whose words a language model's drafts came out.
    """

    drafter: str
    reports: list[FilmReport]
    texts: tuple[str, ...]
    also: tuple[Candidate, ...] = ()
    wording: Wording | None = None


def drafts_of_the_writers(
    data_dir: Path, reader: ChestReader, model: ChestReportModel | None, *, quiet: bool = False
) -> Drafts:
    """Draft by the writers over a reading model, some minutes on two CPU cores.

    With a language model: its drafts from film and record, beside those from the film alone and
    those by rules.
    """
    test = [r for r in read_reports(data_dir, {"test"}) if r.scored]
    by = drafted(data_dir, test, reader, model, quiet=quiet)
    first, *others = [name for name in (LANGUAGE_MODEL, IMAGE_ONLY, RULE_WRITER) if name in by]
    also = tuple(Candidate(name=name, versions=(by[name].texts,)) for name in others)
    return Drafts(
        drafter=first, reports=test, texts=by[first].texts, also=also, wording=by[first].wording
    )


def drafts_of_file(data_dir: Path, path: Path) -> Drafts:
    """Read drafts from JSON lines, for all test reports or for R2Gen's part of them.

    Raises: InputError if they cover neither: a drafter does not choose which reports it is scored
        on.
    """
    test = [r for r in read_reports(data_dir, {"test"}) if r.scored]
    given = read_drafts(path)
    for part in (test, [r for r in test if r.split_source == "r2gen"]):
        if all(r.uid in given for r in part):
            return Drafts(drafter=path.stem, reports=part, texts=tuple(given[r.uid] for r in part))
    lacking = sum(r.uid not in given for r in test)
    raise InputError(
        f"{lacking} of {len(test)} test reports have no draft",
        remedy="draft all test reports that have a frontal film and a findings text, or R2Gen's "
        "part of them",
        path=str(path),
    )


def evaluate(data_dir: Path, drafts: Drafts, *, draws: int = 500, quiet: bool = False) -> Json:
    """Compute all figures as JSON values; no text of the corpus is among them.

    Cost: some ten minutes on two CPU cores.

    Raises: InputError if tables or the weights of chest-findings (for the nearest films) are
        missing.
    """
    test, train = drafts.reports, read_reports(data_dir, {"train"})
    weights = open_weights(row_named("chest-findings"))
    if weights is None:
        raise InputError(
            "chest-findings is not installed", remedy="install the package with its weights"
        )
    ours = Candidate(name=drafts.drafter, versions=(drafts.texts,))
    others = baselines(data_dir, train, test, weights, quiet=quiet)
    known = frozenset(words(r.findings) for r in train if r.findings.strip())
    bench = Bench(
        data_dir=data_dir,
        test=test,
        candidates=[ours, *drafts.also, *others],
        train_texts=known,
        draws=draws,
    )
    return {
        "drafter": ours.name,
        "seed": SEED,
        "draws": draws,
        "notes": list(NOTES),
        "tools": {
            **scores.text_tools(),
            SHARED: "ready" if SHARED in bench.labellers else "not in the data folder",
        },
        "labeller": {split: agreement(data_dir, split, draws) for split in ("val", "test")},
        "subsets": [
            bench.scored(s) for s in track(subsets(test), description="subsets", disable=quiet)
        ],
        "groups": grouped(
            test, {c.name: c.versions[0] for c in (ours, *drafts.also)}, bench.labels, draws, SEED
        ),
        "published": [{"method": name, **row} for name, row in read_published(data_dir).rows],
    }


def subsets(test: Sequence[FilmReport]) -> list[Subset]:
    """List the subsets: all, without removed words, R2Gen's, and by stated view.

    The view is that which the exam's title names.
    """

    def where(keep: Callable[[FilmReport], bool]) -> list[int]:
        return [i for i, report in enumerate(test) if keep(report)]

    every = where(lambda r: True)
    found = [
        Subset(name=ALL, index=every),
        Subset(name=f"{ALL}, XXXX dropped", index=every, without_removed=True),
        Subset(name=R2GEN, index=where(lambda r: r.split_source == "r2gen")),
        Subset(name="view PA", index=where(lambda r: r.view is View.PA)),
        Subset(name="view AP", index=where(lambda r: r.view is View.AP)),
        Subset(name="view not named", index=where(lambda r: r.view is View.UNKNOWN)),
    ]
    return [s for s in found if s.index]


class Bench:
    """Test reports, drafts of several candidates, and what both are labelled as."""

    def __init__(
        self,
        *,
        data_dir: Path,
        test: Sequence[FilmReport],
        candidates: Sequence[Candidate],
        train_texts: frozenset[str],
        draws: int,
    ) -> None:
        self.test, self.candidates, self.train_texts, self.draws = (
            test,
            candidates,
            train_texts,
            draws,
        )
        self.labellers: dict[str, Label] = {
            OWN: lambda findings, impression: labeller().label(findings, impression)
        }
        if (other := other_labeller(data_dir)) is not None:
            self.labellers[SHARED] = other
        texts = {r.findings for r in test} | {
            t for c in candidates for version in c.versions for t in version
        }
        self.labels = {
            name: {text: label(text, "") for text in texts}
            for name, label in self.labellers.items()
        }

    def scored(self, subset: Subset) -> Json:
        """Compute all figures of one subset."""
        reports = [self.test[i] for i in subset.index]
        out: Json = {
            "subset": subset.name,
            "reports": len(reports),
            "positives": {
                labels: {call: self._positives(reports, labels, call) for call in CALLS}
                for labels in self.labellers
            },
            "reference": scores.text_habits([[r.findings for r in reports]], self.train_texts),
        }
        if len(reports) < LEAST_REPORTS:
            return {**out, "candidates": [], "why_empty": f"fewer than {LEAST_REPORTS} reports"}
        weights = weights_by_patient([r.uid for r in reports], self.draws, SEED)
        figures = [self._figures(subset, reports, c, weights) for c in self.candidates]
        with_meteor = scores.text_tools()[scores.METEOR] == "ready" and subset.name in (ALL, R2GEN)
        rows = []
        for candidate, its in zip(self.candidates, figures, strict=True):
            versions = [
                [version[i] for i in subset.index] for version in candidate.versions[:WORD_VERSIONS]
            ]
            row: Json = {
                "name": candidate.name,
                "figures": _stated(its),
                "habits": scores.text_habits(versions, self.train_texts),
            }
            if with_meteor:
                row["figures"][scores.METEOR] = {
                    "value": round(self._meteor(reports, versions[0]), 4)
                }
            if candidate is not self.candidates[0]:
                row["drafter_minus_this"] = _stated(
                    {name: figures[0][name] - its[name] for name in its}
                )
            rows.append(row)
        return {**out, "candidates": rows}

    def _meteor(self, reports: Sequence[FilmReport], drafts: Sequence[str]) -> float:
        return scores.meteor([r.findings for r in reports], drafts)

    def _calls(self, texts: Sequence[str], labels: str, call: str) -> Any:
        return calls([self.labels[labels][text] for text in texts], CALLS[call])

    def _positives(self, reports: Sequence[FilmReport], labels: str, call: str) -> dict[str, int]:
        counts = self._calls([r.findings for r in reports], labels, call).sum(0)
        return {name: int(n) for name, n in zip(LABELS, counts, strict=True)}

    def _figures(
        self, subset: Subset, reports: Sequence[FilmReport], candidate: Candidate, weights: Array
    ) -> Figures:
        versions = [[version[i] for i in subset.index] for version in candidate.versions]
        worded = [[r.findings for r in reports], *versions[:WORD_VERSIONS]]
        if subset.without_removed:
            worded = [[text.replace("XXXX", " ") for text in texts] for texts in worded]
        figures = dict(scores.text_figures(worded[0], worded[1:], weights))
        for labels in self.labellers:
            for call in CALLS:
                truth = self._calls([r.findings for r in reports], labels, call)
                said = [self._calls(version, labels, call) for version in versions]
                found = scores.label_figures(truth, said, weights)
                figures |= {figure_key(labels, call, name): value for name, value in found.items()}
        return figures


def _stated(figures: Figures) -> Json:
    return {name: interval_of(value).json() for name, value in figures.items()}


def agreement(data_dir: Path, split: str, draws: int) -> Json:
    """Compute how far the labellers agree with the manual labels of one split.

    Findings and impression count together.
    """
    manual = manual_labels(data_dir, {split})
    reports = [r for r in read_reports(data_dir, {split}) if r.uid in manual]
    truth = calls([manual[r.uid] for r in reports], CALLS["present"])
    weights = weights_by_patient([r.uid for r in reports], draws, SEED)
    label_with: dict[str, Label] = {
        OWN: lambda findings, impression: labeller().label(findings, impression)
    }
    if (other := other_labeller(data_dir)) is not None:
        label_with[SHARED] = other
    out: Json = {"reports": len(reports), "labellers": {}}
    for name, label in label_with.items():
        said = [label(r.findings, r.impression) for r in reports]
        out["labellers"][name] = {call: _agreement(truth, said, call, weights) for call in CALLS}
    return out


def _agreement(truth: Any, said: Sequence[Labels], call: str, weights: Array) -> Json:
    called = calls(said, CALLS[call])
    figures = scores.label_figures(truth, [called], weights)
    by_finding = {}
    for j, name in enumerate(LABELS):
        hit, cases, claimed = (int(part[:, j].sum()) for part in (truth & called, truth, called))
        by_finding[name] = {
            "manual": cases,
            "called": claimed,
            "both": hit,
            "precision": round(hit / claimed, 4) if claimed else None,
            "recall": round(hit / cases, 4) if cases else None,
            "f1": round(2 * hit / (cases + claimed), 4) if cases + claimed else None,
        }
    wanted = (
        scores.MICRO,
        "macro F1, 13 findings",
        scores.MACRO,
        "micro F1, 14 labels",
        "macro F1, 14 labels",
    )
    return {
        "figures": _stated({n: figures[n] for n in wanted if n in figures}),
        "findings": by_finding,
    }
