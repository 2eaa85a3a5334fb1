"""Any local image-text-to-text model of transformers, as a model that proposes."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from medmm.domain.draft import Case, Generation, Proposal
from medmm.domain.errors import ConfigError
from medmm.domain.instruction import Instruction, Pictures
from medmm.domain.reading import Reading
from medmm.language.proposed import proposals_of
from medmm.models.installed_model_checks import MALFORMED
from medmm.models.report_model.hugging_face_folder import checked_files, lacks_torchvision
from medmm.models.report_model.quiet_transformers import quiet

MOST_TOKENS = 512
MOST_SECONDS = 300.0
_SENTENCE = re.compile(r"\S.*?(?:[.!?]+(?=\s|$)|\n|$)", re.DOTALL)
_HEADING = re.compile(r"^(?:[-*•\d.)\s]+)")  # the bullet or number of an item


class HuggingFaceModel:
    """Asks a model of a local folder for sentences; see drafting's `ProposingModel`.

    Greedy: the same picture gives the same sentences. Each carries its tokens with their
    log-probabilities, from the log-softmax of the network's own logits.
    """

    pictures = Pictures.ALL  # it runs on this machine

    def __init__(self, folder: Path, processor: Any, network: Any, device: torch.device) -> None:
        self.folder, self.processor, self.network, self.device = folder, processor, network, device

    @classmethod
    def open(cls, folder: Path, device: torch.device) -> HuggingFaceModel:
        """Open the model of a folder: local files, safetensors and transformers' own code alone.

        Raises: ConfigError if the folder can't be taken, holds no image-text-to-text model that
            transformers knows, lacks parameters, or needs a package that is not installed.
        """
        checked_files(folder)
        local = {"local_files_only": True, "trust_remote_code": False}
        with quiet(), _of_folder(folder):
            kind = AutoConfig.from_pretrained(folder, **local).model_type
        if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
            raise ConfigError(
                f"a {kind} model is no image-text-to-text model of transformers",
                remedy="name the folder of one as writer_path",
                writer_path=str(folder),
            )
        with quiet(), _of_folder(folder, kind):
            processor = AutoProcessor.from_pretrained(folder, **local)
            network, found = AutoModelForImageTextToText.from_pretrained(
                folder, use_safetensors=True, dtype="auto", output_loading_info=True, **local
            )
        if found["missing_keys"] or found["mismatched_keys"]:
            raise ConfigError(
                "parameters of the model are missing in its files",
                remedy="copy the whole folder again",
                writer_path=str(folder),
            )
        return cls(folder, processor, _greedy(network).eval().to(device), device)

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    def propose(self, case: Case, reading: Reading, instruction: Instruction) -> Iterator[Proposal]:
        """Yield what it proposes; see `ProposingModel.propose`."""
        with quiet(), _of_answer(self.name):
            inputs = self._inputs(instruction)
            self._refuse_too_long(inputs)
            heard = _Heard()
            with torch.inference_mode():
                ids = self.network.generate(
                    **inputs,
                    max_new_tokens=MOST_TOKENS,
                    max_time=MOST_SECONDS,
                    logits_processor=LogitsProcessorList([heard]),
                )
            written = ids[0, inputs["input_ids"].shape[1] :].tolist()
            pieces = list(self._sentences(written, heard.log_probabilities))
        for text, generation in pieces:
            yield from proposals_of(text, generation)
        if not written or written[-1] not in _ends(self.network.generation_config):
            raise ConfigError(
                f"its answer does not end within {MOST_TOKENS} tokens and {MOST_SECONDS:g} s",
                remedy="choose a model that answers briefly, or a quicker device",
                model=self.name,
            )

    def _inputs(self, instruction: Instruction) -> dict[str, Tensor]:
        """Put the instruction into the form that the model learned from."""
        if instruction.picture is None:
            raise ConfigError(
                "it is asked without a picture", remedy="write by rules", model=self.name
            )
        image = Image.open(io.BytesIO(instruction.picture.png)).convert("RGB")
        facts = [
            {k: v for k, v in asdict(one).items() if v is not None} for one in instruction.facts
        ]
        data = f"The record, as data: {json.dumps(facts, ensure_ascii=False)}"
        if getattr(self.processor, "chat_template", None):
            content = [
                {"type": "image", "image": image},
                {"type": "text", "text": instruction.task},
                {"type": "text", "text": f"\n{data}"},
            ]
            made = self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        else:
            token = getattr(self.processor, "image_token", "")
            text = f"{token}\n{instruction.task}\n{data}\n"
            made = self.processor(images=image, text=text, return_tensors="pt")
        dtype = self.network.dtype
        return {
            name: value.to(self.device, dtype if value.is_floating_point() else None)
            for name, value in made.items()
            if isinstance(value, Tensor)
        }

    def _refuse_too_long(self, inputs: dict[str, Tensor]) -> None:
        text = self.network.config.get_text_config()
        most = getattr(text, "max_position_embeddings", None)
        length = inputs["input_ids"].shape[1]
        if most is not None and length + MOST_TOKENS > most:
            raise ConfigError(
                f"the question takes {length} tokens and the answer up to {MOST_TOKENS}, more than "
                f"the {most} places that the model knows",
                remedy="choose a model with a longer context",
                model=self.name,
            )

    def _sentences(
        self, written: list[int], log_probabilities: list[float]
    ) -> Iterator[tuple[str, Generation]]:
        """Split an answer into sentences, each with its tokens; ends and marks are left out."""
        tokenizer = self.processor.tokenizer
        decode = tokenizer.decode
        until = range(1, len(written) + 1)
        ends = [len(decode(written[:n], skip_special_tokens=True)) for n in until]
        spans = list(itertools.pairwise([0, *ends]))
        for match in _SENTENCE.finditer(decode(written, skip_special_tokens=True)):
            text = " ".join(_HEADING.sub("", match.group()).split())
            own = [n for n, (a, b) in enumerate(spans) if a < match.end() and match.start() < b]
            if text and own:
                yield (
                    text,
                    Generation(
                        model=self.name,
                        tokens=tuple(decode([written[n]]) for n in own),
                        log_probabilities=tuple(log_probabilities[n] for n in own),
                    ),
                )


class _Heard(LogitsProcessor):
    """Notes the log-probability of the likeliest token at each step, and changes nothing.

    It stands alone: nothing has processed the logits before it.
    """

    def __init__(self) -> None:
        self.log_probabilities: list[float] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.log_probabilities.append(float(scores.float().log_softmax(-1).max()))
        return scores


def _greedy(network: Any) -> Any:
    """Leave of a model's own way to generate its end and padding alone."""
    own = network.generation_config
    padding = own.pad_token_id
    if padding is None:
        padding = next(iter(_ends(own)), None)
    network.generation_config = GenerationConfig(
        eos_token_id=own.eos_token_id, bos_token_id=own.bos_token_id, pad_token_id=padding
    )
    return network


def _ends(generation: Any) -> frozenset[int]:
    ends = generation.eos_token_id
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])


@contextmanager
def _of_folder(folder: Path, kind: str = "") -> Iterator[None]:
    """Translate what transformers raises for a folder that it can't open."""
    try:
        yield
    except MALFORMED as error:
        if "torchvision" in str(error).lower():
            raise lacks_torchvision(folder, kind) from error
        raise ConfigError(
            f"the model can't be opened: {type(error).__name__}",
            remedy="copy the whole folder again, or name that of another model as writer_path",
            writer_path=str(folder),
        ) from error


@contextmanager
def _of_answer(name: str) -> Iterator[None]:
    """Translate what a model raises while it answers."""
    try:
        yield
    except ConfigError:
        raise
    except MALFORMED as error:
        raise ConfigError(
            f"it can't answer: {type(error).__name__}",
            remedy="try it in transformers by itself, or choose another",
            model=name,
        ) from error
