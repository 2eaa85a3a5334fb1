"""From images, records and text to the model's inputs; every number comes from `models/prepare.py` or `record_tokens`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BaseImageProcessor, BatchFeature, PreTrainedTokenizerFast, ProcessorMixin

from medmm.domain.errors import InputError
from medmm.domain.record import ClinicalContext
from medmm.models.prepare import prepare_film, prepare_volume
from medmm.models.record_tokens import record_tokens, stacked

IMAGE, RECORD = "<image>", "<record>"


class MedMMImageProcessor(BaseImageProcessor):
    """Films (rows, columns) and volumes (slices, rows, columns) to `pixel_values`, by `models/prepare.py` alone."""

    model_input_names = ["pixel_values"]  # noqa: RUF012 - transformers reads a class attribute

    def __init__(self, *, size_px: int = 288, size_voxels: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size_px, self.size_voxels = size_px, size_voxels

    def preprocess(self, images: Sequence[NDArray[np.float32]], **kwargs: Any) -> BatchFeature:
        """`pixel_values` (images, 1, *spatial). Raises: InputError for what is no image, or films mixed with volumes."""
        dims = {np.ndim(image) for image in images}
        if len(dims) != 1 or not dims <= {2, 3}:
            raise InputError(
                f"images of {sorted(dims)} dimensions in one batch",
                remedy="give films (rows, columns) or volumes (slices, rows, columns), not both",
            )
        if dims == {2}:
            prepared = [prepare_film(np.asarray(image), self.size_px) for image in images]
        else:
            prepared = [prepare_volume(np.asarray(image), self.size_voxels) for image in images]
        return BatchFeature({"pixel_values": torch.from_numpy(np.stack(prepared))})


class MedMMProcessor(ProcessorMixin):
    """Builds whole inputs: text with its placeholders, `pixel_values`, `record_ids` and `record_values`."""

    attributes = ["image_processor", "tokenizer"]  # noqa: RUF012 - transformers reads a class attribute

    def __init__(
        self,
        image_processor: MedMMImageProcessor | None = None,
        tokenizer: PreTrainedTokenizerFast | None = None,
        # transformers does not load what is keyword-only
        record_codes: Sequence[str] = (),
        record_units: Sequence[str] = (),
        film_tokens: int = 0,
        volume_tokens: int = 0,
        **kwargs: Any,
    ) -> None:
        self.record_codes, self.record_units = list(record_codes), list(record_units)
        self.film_tokens, self.volume_tokens = film_tokens, volume_tokens
        super().__init__(image_processor, tokenizer, **kwargs)

    def __call__(
        self,
        text: Sequence[str],
        images: Sequence[NDArray[np.float32] | None] | None = None,
        records: Sequence[ClinicalContext | None] | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Inputs of a batch: one text, one image or None and one record or None a case.

        Raises: InputError if the lists differ in length, a text holds a placeholder or an image cannot be prepared.
        """
        images = [None] * len(text) if images is None else images
        records = [None] * len(text) if records is None else records
        if isinstance(text, str) or any(IMAGE in words or RECORD in words for words in text):
            raise InputError(
                f"texts that are one string or hold {IMAGE} or {RECORD}",
                remedy="give a list of texts; the processor puts the placeholders in",
            )
        if not len(text) == len(images) == len(records):
            raise InputError("texts, images and records differ in number", remedy="give one of each a case, or None")
        facts = [record_tokens(r, self.record_codes, self.record_units) for r in records]
        prompts = [
            self.prompt(image, len(row.ids)) + words for words, image, row in zip(text, images, facts, strict=True)
        ]
        encoded = self.tokenizer(prompts, padding=True, return_tensors="pt", add_special_tokens=False, **kwargs)
        record_ids, record_values = stacked(facts)
        inputs = {
            "input_ids": encoded["input_ids"],
            "attention_mask": encoded["attention_mask"],
            "record_ids": torch.from_numpy(record_ids),
            "record_values": torch.from_numpy(record_values),
        }
        if shown := [image for image in images if image is not None]:
            inputs["pixel_values"] = self.image_processor(shown)["pixel_values"]
        return BatchFeature(inputs)

    def prompt(self, image: NDArray[np.float32] | None, facts: int) -> str:
        """Begin of sequence, image placeholders and one placeholder a fact."""
        shown = 0 if image is None else self.film_tokens if image.ndim == 2 else self.volume_tokens
        return (self.tokenizer.bos_token or "") + IMAGE * shown + RECORD * facts
