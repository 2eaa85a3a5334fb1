"""The language model for chest films: one sentence a finding, from the film and the record together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LogitsProcessorList

from medmm.domain.draft import Assertion, Case, Generation, Written
from medmm.domain.reading import Finding, Reading
from medmm.domain.record import ClinicalContext
from medmm.domain.vocabulary import finding_term
from medmm.models.catalogue import WeightsFolder
from medmm.models.multimodal import MedMMForConditionalGeneration, MedMMProcessor
from medmm.models.multimodal.grammar import MOST_WORD_TOKENS, Decider, Grammar, GrammarProcessor, Spoken
from medmm.models.regions import region_of

Grey = NDArray[np.float32]
Permitted = Mapping[str, frozenset[Assertion]]
UNSEEN = -10.0  # a head's logit where there is no image


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRule:
    """From what head and language model think of a finding to one probability, and from which it is claimed.

    p = sigmoid(head * head's logit + language * the language model's logit + intercept), learned on films that neither saw.
    From `threshold` a finding is claimed as possible, from `present` as present.
    """

    head: float
    language: float
    intercept: float
    threshold: float
    present: float

    def probability(self, head_logit: float, claim_logit: float) -> float:
        """The calibrated probability that the finding is there."""
        z = self.head * head_logit + self.language * claim_logit + self.intercept
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))

    def said(self, probability: float, likelier_denied: bool, permitted: frozenset[Assertion]) -> Assertion | None:
        """What is said of a finding; nothing that is not permitted."""
        if probability >= self.threshold:
            claim = Assertion.PRESENT if probability >= self.present else Assertion.POSSIBLE
            return claim if claim in permitted else None
        return Assertion.ABSENT if likelier_denied and Assertion.ABSENT in permitted else None


def claim_logit(scores: Mapping[Assertion | None, float]) -> float:
    """The language model's log-odds that a finding is claimed, from its scores of the four assertions."""
    claimed = np.logaddexp(scores[Assertion.PRESENT], scores[Assertion.POSSIBLE])
    return float(claimed - np.logaddexp(scores[Assertion.ABSENT], scores[None]))


class RuledDecider(Decider):
    """Decides by the claim rule among what is permitted, and remembers each finding's probability."""

    def __init__(
        self, rule: ClaimRule, findings: Sequence[str], heads: Tensor | None, permits: Sequence[Permitted]
    ) -> None:
        self.rule, self.permits = rule, permits
        self.heads = None if heads is None else [dict(zip(findings, row, strict=True)) for row in heads.tolist()]
        self.probability: dict[tuple[int, str], float] = {}
        self.claim_logits: dict[tuple[int, str], float] = {}

    def said(self, row: int, finding: str, scores: Mapping[Assertion | None, float]) -> Assertion | None:
        """See `Decider.said`."""
        head = self.heads[row][finding] if self.heads is not None else UNSEEN
        claim = self.claim_logits[row, finding] = claim_logit(scores)
        probability = self.rule.probability(head, claim)
        self.probability[row, finding] = probability
        denied = scores[Assertion.ABSENT] >= scores[None]
        return self.rule.said(probability, denied, self.permits[row].get(finding, frozenset()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One draft to write: an image or None, a record or None, and what may be said."""

    grey: Grey | None
    context: ClinicalContext | None
    permitted: Permitted = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestReportModel:
    """The multimodal model of a weights folder with its processor, grammar and calibration."""

    weights: WeightsFolder
    network: MedMMForConditionalGeneration
    processor: MedMMProcessor
    grammar: Grammar
    rule: ClaimRule
    calibration: Mapping[str, Mapping[str, Any]]

    @classmethod
    def open(cls, weights: WeightsFolder, device: torch.device) -> ChestReportModel:
        """Load a checked weights folder."""
        network = MedMMForConditionalGeneration.from_pretrained(
            weights.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        processor = MedMMProcessor.from_pretrained(weights.folder, local_files_only=True)
        calibration = weights.json("calibration.json")
        return cls(
            weights=weights,
            network=network.to(device).eval(),
            processor=processor,
            grammar=Grammar.of(processor.tokenizer, network.config.findings),
            rule=ClaimRule(**calibration["claim"]),
            calibration=calibration["heads"],
        )

    @property
    def name(self) -> str:
        """The catalogue's name."""
        return self.weights.row.name

    # ---- what the heads see ----------------------------------------------------------------------------

    @torch.inference_mode()
    def heads(self, grey: Grey) -> tuple[Grey, Grey]:
        """Logits (findings,) and maps (findings, rows, columns) of a film, by the heads alone."""
        pixels = self.processor.image_processor([grey])["pixel_values"].to(self.network.device)
        encoder = self.network.encoder(2)
        maps = encoder.head(encoder(pixels))[0]
        return maps.mean((1, 2)).cpu().numpy(), maps.cpu().numpy()

    def findings(
        self, grey: Grey, chest: NDArray[np.bool_] | None, midline: float, others: frozenset[str]
    ) -> Iterator[Finding]:
        """What the heads see of the findings that no other network reads, each with the region that speaks for it."""
        logits, maps = self.heads(grey)
        for name, logit, heat in zip(self.network.config.findings, logits, maps, strict=True):
            row = self.calibration.get(name)
            if row is None or name in others:
                continue
            z = row["slope"] * float(logit) + row["intercept"]
            yield Finding(
                name=name,
                probability=round(1 / (1 + math.exp(-z)), 4),
                threshold=round(row["threshold"], 4),
                rule_out=row["rule_out"],
                codings=finding_term(name).codings,
                region=region_of(heat, None, midline, chest),
                model=self.name,
            )

    # ---- what the language model says ------------------------------------------------------------------

    def write(self, case: Case, reading: Reading, permitted: Permitted) -> tuple[Written, ...] | None:
        """Sentences for the frontal film of a case; None where there is none. Greedy, so the same case gives the same."""
        film = case.study.frontal
        if film is None:
            return None
        return self.write_all([Job(grey=film.pixels()[0], context=case.context, permitted=permitted)])[0]

    @torch.inference_mode()
    def write_all(
        self,
        jobs: Sequence[Job],
        *,
        on_sentence: Callable[[int, Written], None] | None = None,
        use_cache: bool = True,
    ) -> list[tuple[Written, ...]]:
        """Sentences of several drafts in one batch, all with an image or all without.

        `on_sentence` is called with a draft's place in the batch and each sentence as soon as it is written.
        """
        inputs, decider = self._prepared(jobs)
        written: list[list[Written]] = [[] for _ in jobs]

        def take(spoken: Spoken) -> None:
            sentence = self._sentence(spoken, decider.probability[spoken.row, spoken.finding])
            written[spoken.row].append(sentence)
            if on_sentence is not None:
                on_sentence(spoken.row, sentence)

        most = len(self.grammar.findings) * (MOST_WORD_TOKENS + 3) + 2
        self._generate(inputs, decider, take, most, use_cache)
        return [tuple(sentences) for sentences in written]

    @torch.inference_mode()
    def opinion(self, job: Job) -> tuple[list[float], list[float]]:
        """Log-odds of each finding by the heads alone and by the language model, of one case; nothing is written."""
        inputs, decider = self._prepared([Job(grey=job.grey, context=job.context)])
        self._generate(inputs, decider, lambda spoken: None, 2 * len(self.grammar.findings) + 2, True)
        heads = decider.heads[0] if decider.heads is not None else {}
        names = self.grammar.findings
        return [heads.get(name, UNSEEN) for name in names], [decider.claim_logits[0, name] for name in names]

    def claims(self, job: Job) -> dict[str, float]:
        """The calibrated probability of each finding of one case, as the claim rule sees it."""
        heads, claims = self.opinion(job)
        pairs = zip(self.grammar.findings, heads, claims, strict=True)
        return {name: self.rule.probability(head, claim) for name, head, claim in pairs}

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
        inputs = self.processor([""] * len(jobs), images=[j.grey for j in jobs], records=[j.context for j in jobs]).to(
            self.network.device
        )
        heads = None
        if "pixel_values" in inputs:
            encoder = self.network.encoder(2)
            inputs["encoded_values"] = encoder(inputs.pop("pixel_values"))
            heads = encoder.finding_logits(inputs["encoded_values"])
        decider = RuledDecider(self.rule, self.grammar.findings, heads, [j.permitted for j in jobs])
        return dict(inputs), decider

    def _sentence(self, spoken: Spoken, probability: float) -> Written:
        decode = self.processor.tokenizer.decode
        return Written(
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
