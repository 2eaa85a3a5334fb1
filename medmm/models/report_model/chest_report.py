"""The language model for chest films: one sentence a finding, from film and record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LogitsProcessorList

from medmm.domain.draft import Assertion, Case, Generation, Opinion, Proposal
from medmm.domain.errors import InputError
from medmm.domain.reading import Measurement
from medmm.domain.record import ClinicalContext
from medmm.models.film.compiled import run_by
from medmm.models.film_backends import TORCH
from medmm.models.image_encoder import for_reading
from medmm.models.report_model.encoded_films import EncodedFilms
from medmm.models.report_model.multimodal import MedMMForConditionalGeneration, MedMMProcessor
from medmm.models.report_model.multimodal.grammar import (
    MOST_WORD_TOKENS,
    Decider,
    Grammar,
    GrammarProcessor,
    Spoken,
)
from medmm.models.report_model.quiet_transformers import quiet
from medmm.models.report_model.record_tokens import record_tokens
from medmm.models.weights.catalogue import WeightsFolder

Grey = NDArray[np.float32]
Permitted = Mapping[str, frozenset[Assertion]]
MOST_AT_ONCE = 8
UNSEEN = -10.0  # a head's logit where there is no image


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRule:
    """From what head and language model think of a finding to a probability and a claim.

    p = sigmoid(head * head's logit + language * the language model's logit + intercept), learned on
    films that neither saw. From `threshold` a finding is claimed as possible, from `present` as
    present.
    """

    head: float
    language: float
    intercept: float
    threshold: float
    present: float

    def probability(self, head_logit: float, claim_logit: float) -> float:
        """Compute the calibrated probability that the finding is there."""
        z = self.head * head_logit + self.language * claim_logit + self.intercept
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))

    def said(
        self, probability: float, likelier_denied: bool, permitted: frozenset[Assertion]
    ) -> Assertion | None:
        """Decide what is said of a finding; nothing that is not permitted."""
        if probability >= self.threshold:
            claim = Assertion.PRESENT if probability >= self.present else Assertion.POSSIBLE
            return claim if claim in permitted else None
        return Assertion.ABSENT if likelier_denied and Assertion.ABSENT in permitted else None


def claim_logit(scores: Mapping[Assertion | None, float]) -> float:
    """Compute the language model's log-odds that a finding is claimed.

    They come from its scores of the four assertions.
    """
    claimed = np.logaddexp(scores[Assertion.PRESENT], scores[Assertion.POSSIBLE])
    return float(claimed - np.logaddexp(scores[Assertion.ABSENT], scores[None]))


class RuledDecider:
    """Decides by the claim rule among what is permitted, and remembers probabilities."""

    def __init__(
        self,
        rule: ClaimRule,
        findings: Sequence[str],
        heads: Tensor | None,
        permits: Sequence[Permitted],
    ) -> None:
        self.rule, self.permits = rule, permits
        self.heads = (
            None
            if heads is None
            else [dict(zip(findings, row, strict=True)) for row in heads.tolist()]
        )
        self.probability: dict[tuple[int, str], float] = {}
        self.claim_logits: dict[tuple[int, str], float] = {}

    def said(
        self, row: int, finding: str, scores: Mapping[Assertion | None, float]
    ) -> Assertion | None:
        """Decide as `Decider.said` describes."""
        head = self.heads[row][finding] if self.heads is not None else UNSEEN
        claim = self.claim_logits[row, finding] = claim_logit(scores)
        probability = self.rule.probability(head, claim)
        self.probability[row, finding] = probability
        denied = scores[Assertion.ABSENT] >= scores[None]
        return self.rule.said(probability, denied, self.permits[row].get(finding, frozenset()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One draft to write: an image or None, a record or None, measurements, what may be said."""

    grey: Grey | None
    context: ClinicalContext | None
    measurements: tuple[Measurement, ...] = ()
    permitted: Permitted = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestReportModel:
    """The multimodal model of a weights folder with its processor, grammar and calibration."""

    weights: WeightsFolder
    network: MedMMForConditionalGeneration
    processor: MedMMProcessor
    grammar: Grammar
    rule: ClaimRule
    films: EncodedFilms = field(default_factory=EncodedFilms)

    @classmethod
    def open(
        cls,
        weights: WeightsFolder,
        device: torch.device,
        films: EncodedFilms | None = None,
        backend: str = TORCH,
    ) -> ChestReportModel:
        """Load a checked weights folder; other readers of the same weights share `films`.

        `backend` is the setting `film_backend`. Raises: ConfigError as `run_by`.
        """
        with quiet():
            network = MedMMForConditionalGeneration.from_pretrained(
                weights.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
            )
            processor = MedMMProcessor.from_pretrained(weights.folder, local_files_only=True)
        for_reading(network.encoder(2))
        network = network.to(device).eval()
        run_by(backend, network.encoder(2), "trunk", device)
        return cls(
            weights=weights,
            network=network,
            processor=processor,
            grammar=Grammar.of(processor.tokenizer, network.config.findings),
            rule=ClaimRule(**weights.json("calibration.json")["claim"]),
            films=films or EncodedFilms(),
        )

    @property
    def name(self) -> str:
        """The catalogue's name."""
        return self.weights.row.name

    def opinions(
        self,
        cases: Sequence[Case],
        permitted: Permitted,
        measurements: Sequence[Measurement] = (),
        *,
        said: Callable[[int, Proposal], None] | None = None,
    ) -> list[Opinion] | None:
        """Say what is said of the frontal film of each case; None if there is none.

        Greedy: the same case gives the same.

        Args:
            said: told of each sentence as soon as it is written, with the place of its case.
        """
        if not cases or any(case.study.frontal is None for case in cases):
            return None
        measured = tuple(measurements)
        jobs = [
            Job(
                grey=frontal_grey(case),
                context=case.context,
                measurements=measured,
                permitted=permitted,
            )
            for case in cases
        ]
        found: list[Opinion] = []
        for at in range(0, len(jobs), MOST_AT_ONCE):
            heard = None if said is None else partial(_placed, said, at)
            found += self.opinions_on(jobs[at : at + MOST_AT_ONCE], on_sentence=heard)
        return found

    def facts_read(self, case: Case) -> frozenset[str]:
        """Return the ids of the facts that become record tokens."""
        return frozenset(
            record_tokens(
                case.context, self.processor.record_codes, self.processor.record_units
            ).fact_ids
        )

    @torch.inference_mode()
    def opinions_on(
        self,
        jobs: Sequence[Job],
        *,
        on_sentence: Callable[[int, Proposal], None] | None = None,
        use_cache: bool = True,
    ) -> list[Opinion]:
        """Say what is said of several films in one batch, all with an image or all without.

        `on_sentence` is called with a film's place in the batch and each sentence as soon as it is
        written.
        """
        inputs, decider = self._prepared(jobs)
        proposals: list[list[Proposal]] = [[] for _ in jobs]

        def take(spoken: Spoken) -> None:
            sentence = self._sentence(spoken, decider.probability[spoken.row, spoken.finding])
            proposals[spoken.row].append(sentence)
            if on_sentence is not None:
                on_sentence(spoken.row, sentence)

        most = len(self.grammar.findings) * (MOST_WORD_TOKENS + 3) + 2
        self._generate(inputs, decider, take, most, use_cache)
        return [
            Opinion(
                proposals=tuple(sentences),
                probability={
                    name: round(decider.probability[row, name], 4) for name in self.grammar.findings
                },
            )
            for row, sentences in enumerate(proposals)
        ]

    @torch.inference_mode()
    def opinion(self, job: Job) -> tuple[list[float], list[float]]:
        """Compute log-odds of each finding by the heads and by the language model, of one case.

        Nothing is written.
        """
        inputs, decider = self._prepared([replace(job, permitted={})])
        self._generate(
            inputs, decider, lambda spoken: None, 2 * len(self.grammar.findings) + 2, True
        )
        heads = decider.heads[0] if decider.heads is not None else {}
        names = self.grammar.findings
        return [heads.get(name, UNSEEN) for name in names], [
            decider.claim_logits[0, name] for name in names
        ]

    def _generate(
        self,
        inputs: Mapping[str, Tensor],
        decider: Decider,
        on_sentence: Callable[[Spoken], None],
        most_tokens: int,
        use_cache: bool,
    ) -> None:
        grammar = GrammarProcessor(self.grammar, decider, inputs["input_ids"].shape[1], on_sentence)
        self.network.generate(
            **inputs,
            logits_processor=LogitsProcessorList([grammar]),
            max_new_tokens=most_tokens,
            do_sample=False,
            use_cache=use_cache,
        )

    def _prepared(self, jobs: Sequence[Job]) -> tuple[dict[str, Tensor], RuledDecider]:
        inputs = self.processor(
            [""] * len(jobs),
            images=[j.grey for j in jobs],
            records=[j.context for j in jobs],
            measurements=[j.measurements for j in jobs] if self.processor.measurements else None,
        ).to(self.network.device)
        heads = None
        if "pixel_values" in inputs:
            encoder = self.network.encoder(2)
            inputs["encoded_values"] = self._encoded(inputs.pop("pixel_values"))
            heads = encoder.finding_logits(inputs["encoded_values"])
        decider = RuledDecider(self.rule, self.grammar.findings, heads, [j.permitted for j in jobs])
        return dict(inputs), decider

    def _encoded(self, films: Tensor) -> Tensor:
        """Encode a batch of prepared films; a film that stands there twice is encoded once."""
        encoder = self.network.encoder(2)
        if any(not torch.equal(film, films[0]) for film in films[1:]):
            encoded: Tensor = encoder(films)
            return encoded
        one = self.films.encoded(self.weights.row.manifest_sha256, films[:1], encoder)
        return one.expand(len(films), *one.shape[1:]).contiguous(memory_format=torch.channels_last)

    def _sentence(self, spoken: Spoken, probability: float) -> Proposal:
        decode = self.processor.tokenizer.decode
        return Proposal(
            finding=spoken.finding,
            assertion=spoken.said,
            text=" ".join(decode(list(spoken.ids)).split()),
            generation=Generation(
                model=self.name,
                tokens=tuple(decode([token]) for token in spoken.ids),
                log_probabilities=tuple(round(p, 4) for p in spoken.log_probabilities),
                probability=round(probability, 4),
                threshold=self.rule.threshold,
            ),
        )


def _placed(
    said: Callable[[int, Proposal], None], first: int, place: int, proposal: Proposal
) -> None:
    """Tell of a sentence with the place of its case among all, of which a batch holds some."""
    said(first + place, proposal)


def frontal_grey(case: Case) -> Grey:
    """Return the pixels of a case's frontal film.

    Returns: float32 (rows, columns), 0 black to 1 white.
    Raises: InputError if it has none.
    """
    film = case.study.frontal
    if film is None:
        raise InputError(
            "a case without a frontal film can't be worded",
            remedy="draft cases of chest films",
            case=case.id,
        )
    return film.pixels()[0]
