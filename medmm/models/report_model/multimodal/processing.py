"""From images, records, measurements and text to the model's inputs.

Every number comes from `models/film/preprocessing.py`, `models/mr/preprocessing.py`,
`record_tokens` or `measurement_tokens`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BaseImageProcessor, BatchFeature, PreTrainedTokenizerFast, ProcessorMixin

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.reading import Measurement
from medmm.domain.record import ClinicalContext
from medmm.models.film.preprocessing import prepare_film, prepare_volume
from medmm.models.mr.preprocessing import MrImage, Preparation, batched
from medmm.models.report_model import measurement_tokens as measured
from medmm.models.report_model.record_tokens import record_tokens, stacked

IMAGE, RECORD, MEASUREMENT = "<image>", "<record>", "<measurement>"
Image = NDArray[np.float32] | MrImage
OTHER_IMAGES = "give films (rows, columns), volumes (slices, rows, columns) or MR images, not both"


class MedMMImageProcessor(BaseImageProcessor):
    """Films (rows, columns), volumes (slices, rows, columns) and MR images to `pixel_values`.

    Films and volumes are prepared by `models/film/preprocessing.py`, MR images by
    `mr.preprocessing.prepare_sequences`, as in live use; `mr` says how (`preparation_of` a weights
    folder) and is None for a model that takes none.
    """

    model_input_names = ["pixel_values"]  # noqa: RUF012 - transformers reads a class attribute

    def __init__(
        self,
        *,
        size_px: int = 288,
        size_voxels: int = 64,
        mr: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size_px, self.size_voxels = size_px, size_voxels
        self.mr = None if mr is None else dict(mr)

    def preprocess(self, images: Sequence[Image], **kwargs: Any) -> BatchFeature:
        """Prepare `pixel_values` (images, 1, *spatial), or (images, sequences, *spatial) of MR.

        There NaN stands beyond the smaller ones.

        Raises: InputError for what is not an image, or kinds mixed; ConfigError for MR images if
            nothing says how.
        """
        mr = [image for image in images if isinstance(image, MrImage)]
        if mr:
            if len(mr) < len(images):
                raise InputError("MR images among others in one batch", remedy=OTHER_IMAGES)
            if self.mr is None:
                raise ConfigError(
                    "this processor takes no MR images",
                    remedy="give it `preparation_of` weights as `mr`",
                )
            preparation = Preparation.of(self.mr)
            return BatchFeature(
                {"pixel_values": batched([preparation.prepared(image) for image in mr])}
            )
        arrays = [np.asarray(image) for image in images]
        dims = {array.ndim for array in arrays}
        if len(dims) != 1 or not dims <= {2, 3}:
            raise InputError(
                f"images of {sorted(dims)} dimensions in one batch", remedy=OTHER_IMAGES
            )
        if dims == {3} and self.mr is not None:
            raise InputError(
                "an array for a model that takes MR images",
                remedy="give an MrImage: its sequences by role",
            )
        if dims == {2}:
            prepared = [prepare_film(array, self.size_px) for array in arrays]
        else:
            prepared = [prepare_volume(array, self.size_voxels) for array in arrays]
        return BatchFeature({"pixel_values": torch.from_numpy(np.stack(prepared))})


class MedMMProcessor(ProcessorMixin):
    """Builds whole inputs: text with placeholders, `pixel_values`, record ids and values.

    `measurements` are the configuration's; with them come `measurement_ids` and
    `measurement_values` too.
    """

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
        measurements: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        self.measurements = measured.checked_typical(measurements or {})
        self.record_codes, self.record_units = list(record_codes), list(record_units)
        self.film_tokens, self.volume_tokens = film_tokens, volume_tokens
        super().__init__(image_processor, tokenizer, **kwargs)

    def __call__(
        self,
        text: Sequence[str],
        images: Sequence[Image | None] | None = None,
        records: Sequence[ClinicalContext | None] | None = None,
        measurements: Sequence[Sequence[Measurement] | None] | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Build the inputs of a batch: one text a case, and image, record and measurements.

        Each of the latter may be None.

        Raises: InputError if the lists differ in length, a text holds a placeholder or an image
            cannot be prepared; ConfigError for measurements or MR images where the model takes
            none.
        """
        self._check(text, images, records, measurements)
        nothing = [None] * len(text)
        images = nothing if images is None else images
        contexts = nothing if records is None else records
        facts = [
            record_tokens(context, self.record_codes, self.record_units) for context in contexts
        ]
        rows = [
            measured.measurement_tokens(m or (), self.measurements) for m in measurements or nothing
        ]
        prompts = [
            self.prompt(image, len(fact.ids), len(row.ids)) + words
            for words, image, fact, row in zip(text, images, facts, rows, strict=True)
        ]
        encoded = self.tokenizer(
            prompts, padding=True, return_tensors="pt", add_special_tokens=False, **kwargs
        )
        record_ids, record_values = stacked(facts)
        inputs = {
            "input_ids": encoded["input_ids"],
            "attention_mask": encoded["attention_mask"],
            "record_ids": torch.from_numpy(record_ids),
            "record_values": torch.from_numpy(record_values),
        }
        if self.measurements:
            ids, values = measured.stacked(rows)
            inputs |= {
                "measurement_ids": torch.from_numpy(ids),
                "measurement_values": torch.from_numpy(values),
            }
        if shown := [image for image in images if image is not None]:
            inputs["pixel_values"] = self.image_processor(shown)["pixel_values"]
        return BatchFeature(inputs)

    def prompt(self, image: Image | None, facts: int, measurements: int = 0) -> str:
        """Write begin of sequence, image placeholders, and one for each fact and measurement."""
        dims = 0 if image is None else 3 if isinstance(image, MrImage) else image.ndim
        shown = {0: 0, 2: self.film_tokens}.get(dims, self.volume_tokens)
        return (
            (self.tokenizer.bos_token or "")
            + IMAGE * shown
            + RECORD * facts
            + MEASUREMENT * measurements
        )

    def _check(self, text: Any, *others: Any) -> None:
        marks = [IMAGE, RECORD, *([MEASUREMENT] if self.measurements else [])]
        if isinstance(text, str) or any(mark in words for words in text for mark in marks):
            raise InputError(
                f"texts that are one string or hold {' or '.join(marks)}",
                remedy="give a list of texts; the processor puts the placeholders in",
            )
        if others[-1] is not None and not self.measurements:
            raise ConfigError(
                "this processor takes no measurements",
                remedy="give it those of the model's configuration",
            )
        counts = {len(given) for given in (text, *others) if given is not None}
        if len(counts) > 1:
            raise InputError(
                "texts, images, records and measurements differ in number",
                remedy="give one of each a case, or None",
            )
