"""MedMMForConditionalGeneration: image, record and text, attended to together."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    Cache,
    GenerationMixin,
    PreTrainedModel,
    initialization,
)
from transformers.utils import ModelOutput

from medmm.domain.errors import ConfigError, InputError
from medmm.models.image_encoder import ImageEncoder
from medmm.models.report_model.multimodal.config import KIND, MedMMConfig
from medmm.models.report_model.multimodal.connector import (
    PerceiverConnector,
    PooledConnector,
    connector,
)
from medmm.models.report_model.multimodal.fact_embedding import (
    MeasurementEmbedding,
    RecordEmbedding,
    RowEmbedding,
)
from medmm.models.report_model.multimodal.volume_encoder import VolumeEncoder

# inputs of a prompt that are in the cache once it was read
NO_TEXT = (
    "pixel_values", "encoded_values", "record_ids", "record_values", "measurement_ids",
    "measurement_values",
)  # fmt: skip


@dataclass
class MedMMOutput(ModelOutput):
    """`loss` is the text's plus the weighted heads'; `finding_logits` (images, findings).

    Findings come in the config's order.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    finding_logits: Tensor | None = None
    text_loss: Tensor | None = None
    finding_loss: Tensor | None = None


class MedMMForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Image, record and measurement tokens in front of any causal language model.

    MONAI encoders and a connector make those of images; the language model is of transformers.

    A sequence holds `config.image_tokens(dims)` image placeholders for each image, one record
    placeholder for each fact and one measurement placeholder for each measurement; their embeddings
    are replaced, and the language model attends to all of them alike. An image's tokens are those
    of the connector and one a finding head, which says what the head thinks. The heads stand on the
    encoders alone: they see neither record nor text, so they are an opinion of their own.
    """

    config_class = MedMMConfig
    base_model_prefix = "language_model"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # The loss is a mean over its own batch: a trainer divides by its accumulation steps
    accepts_loss_kwargs = False
    _supports_sdpa = True
    _supports_attention_backend = True
    _keep_in_fp32_modules_strict = ("encoders",)  # batch norms lose their statistics in bf16

    def __init__(self, config: MedMMConfig) -> None:
        super().__init__(config)
        self.language_model = _language_model(config)
        parameters = inspect.signature(self.language_model.forward).parameters
        self._takes_position_ids = "position_ids" in parameters
        width = int(self.language_model.get_input_embeddings().embedding_dim)
        heads = len(config.findings)
        encoders = {name: _encoder(row, config.findings) for name, row in config.encoders.items()}
        self.encoders = nn.ModuleDict(encoders)
        self.connectors = nn.ModuleDict(
            {
                name: connector(
                    config.connector,
                    encoder.channels,
                    width,
                    config.connector_size,
                    encoder.spatial_dims,
                )
                for name, encoder in encoders.items()
            }
        )
        self.finding_tokens = FindingTokens(heads, width)
        self.record = RecordEmbedding.of(config.record_codes, config.record_units, width)
        known = len(config.measurements)
        self.measurement = MeasurementEmbedding.of(known, width) if known else None
        tied = getattr(self.language_model, "_tied_weights_keys", None) or {}
        self._tied_weights_keys = {
            f"language_model.{a}": f"language_model.{b}" for a, b in dict(tied).items()
        }
        self.post_init()
        self.generation_config.suppress_tokens = config.placeholders  # never written

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, PerceiverConnector):
            initialization.normal_(module.queries, std=0.02)
        elif isinstance(module, PooledConnector):
            initialization.zeros_(module.places)

    def get_input_embeddings(self) -> nn.Module:
        """Return the language model's token embeddings."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Put other token embeddings in."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the language model's head."""
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Put another head in."""
        self.language_model.set_output_embeddings(new_embeddings)

    def encode(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Compute image tokens (images, tokens, width) and finding logits of prepared images.

        The logits are (images, findings).

        Args:
            pixel_values: (images, 1, rows, columns) or (images, 1, slices, rows, columns), from
                `models/film/preprocessing.py`; or (images, sequences, slices, rows, columns) for a
                `VolumeEncoder`, NaN beyond the end of smaller ones.
        Raises: ConfigError if there is no encoder for so many dimensions, InputError for another
            shape.
        """
        there = pixel_values.dim() in (4, 5)
        encoder = self.encoder(pixel_values.dim() - 2) if there else None
        if encoder is None or pixel_values.shape[1] != encoder.inputs:
            raise InputError(
                f"images of shape {tuple(pixel_values.shape)}",
                remedy="give (images, 1, rows, columns) or (images, 1 or sequences, slices, rows, "
                "columns)",
            )
        return self.image_tokens(encoder(pixel_values.to(encoder.head.weight.dtype)))

    def _seen(
        self, pixel_values: Tensor | None, encoded_values: Tensor | None
    ) -> tuple[Tensor, Tensor] | None:
        if encoded_values is not None:
            return self.image_tokens(encoded_values)
        return None if pixel_values is None else self.encode(pixel_values)

    def encoder(self, spatial_dims: int) -> Any:
        """Return the `ImageEncoder` or `VolumeEncoder` for 2D or 3D images.

        Raises: ConfigError if there is none.
        """
        return self.encoders[self.config.encoder_for(spatial_dims)]

    def image_tokens(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Compute image tokens and finding logits of encoded images, as `encode` gives them.

        Encoded images are (images, channels, *spatial).
        """
        name = self.config.encoder_for(encoded.dim() - 2)
        encoder, width = self.encoder(encoded.dim() - 2), self.finding_tokens.names.weight.dtype
        parts = encoder.parts(encoded)
        logits = torch.cat(
            [encoder.finding_logits(part.to(encoder.head.weight.dtype)) for part in parts]
        )
        connected = torch.cat([self.connectors[name](part.to(width)) for part in parts])
        return torch.cat([connected, self.finding_tokens(logits.to(width))], 1), logits

    def embedded(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None,
        record_ids: Tensor | None,
        record_values: Tensor | None,
        encoded_values: Tensor | None = None,
        measurement_ids: Tensor | None = None,
        measurement_values: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Put image, record and measurement tokens in their places among token embeddings.

        Returns: the embeddings, and the finding logits.
        Raises: InputError if the placeholders of a sequence do not come to the number of its
            tokens, ConfigError if the placeholders are not tokens of the language model.
        """
        table = self.get_input_embeddings()
        if input_ids.dim() != 2:
            raise InputError(
                f"token ids of shape {tuple(input_ids.shape)}", remedy="give (sequences, tokens)"
            )
        if max(self.config.placeholders) >= table.num_embeddings:
            raise ConfigError(
                f"the placeholders are beyond the {table.num_embeddings} tokens of the language "
                "model",
                remedy="call resize_token_embeddings with the length of the tokenizer",
            )
        embeddings, finding_logits = table(input_ids), None
        images = input_ids == self.config.image_token_id
        seen = self._seen(pixel_values, encoded_values)
        if seen is None:
            _no_placeholders(images, "image")
        else:
            tokens, finding_logits = seen
            whole = images.sum(1) % tokens.shape[1] == 0
            embeddings = _placed(embeddings, images, tokens.flatten(0, 1), whole, "image")
        facts = input_ids == self.config.record_token_id
        embeddings = _rows_placed(embeddings, facts, self.record, record_ids, record_values)
        return self._measured(
            embeddings, input_ids, measurement_ids, measurement_values
        ), finding_logits

    def _measured(
        self, embeddings: Tensor, input_ids: Tensor, ids: Tensor | None, values: Tensor | None
    ) -> Tensor:
        if self.measurement is not None:
            places = input_ids == self.config.measurement_token_id
            return _rows_placed(embeddings, places, self.measurement, ids, values)
        if ids is not None and ids.numel():
            raise ConfigError(
                "this model knows no measurements",
                remedy="name them in `measurements` of its configuration",
            )
        return embeddings

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        record_ids: Tensor | None = None,
        record_values: Tensor | None = None,
        labels: Tensor | None = None,
        finding_labels: Tensor | None = None,
        encoded_values: Tensor | None = None,
        position_ids: Tensor | None = None,
        measurement_ids: Tensor | None = None,
        measurement_values: Tensor | None = None,
        **kwargs: Any,
    ) -> MedMMOutput:
        """Compute logits of every position, and losses if labels are given.

        Args:
            input_ids: (b, n); image and record placeholders in the order of their tokens.
            inputs_embeds: (b, n, width) from `embedded`, instead of `input_ids`.
            pixel_values: see `encode`; only the images of sequences that hold placeholders, in the
                batch's order.
            record_ids, record_values: (b, facts, 3) and (b, facts, 4), padded with rows of zeros.
            labels: (b, n); -100 where no token is learned.
            finding_labels: (images, findings) of 0 to 1; NaN if nobody said.
            encoded_values: the encoder's last maps in place of `pixel_values`, where they are kept
                (a frozen encoder).
            position_ids: (b, n); counted along `attention_mask` if it alone is given.
            measurement_ids, measurement_values: (b, measurements, 2) both, padded with rows of
                zeros.
        Raises: InputError for inputs that do not fit together, ConfigError for what this model has
            no part for.
        """
        begun, finding_logits = _cached(kwargs.get("past_key_values")), None
        shown = any(
            given is not None
            for given in (pixel_values, encoded_values, record_ids, measurement_ids)
        )
        if (inputs_embeds is None) == (input_ids is None) or (inputs_embeds is not None and shown):
            raise InputError(
                "token ids and embeddings, or embeddings and images or records at once, or none "
                "of them",
                remedy="give input_ids with images and records, or inputs_embeds alone",
            )
        if input_ids is not None and begun and not shown:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        elif input_ids is not None:
            inputs_embeds, finding_logits = self.embedded(
                input_ids,
                pixel_values,
                record_ids,
                record_values,
                encoded_values,
                measurement_ids,
                measurement_values,
            )
        if (
            position_ids is None
            and attention_mask is not None
            and attention_mask.dim() == 2
            and not begun
        ):
            position_ids = (attention_mask.long().cumsum(-1) - 1).clamp_min(0)
        if self._takes_position_ids:
            kwargs["position_ids"] = position_ids
        out = self.language_model(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, **kwargs
        )
        return MedMMOutput(
            logits=out.logits,
            past_key_values=out.get("past_key_values"),
            hidden_states=out.get("hidden_states"),
            attentions=out.get("attentions"),
            finding_logits=finding_logits,
            **self._losses(out.logits, labels, finding_logits, finding_labels),
        )

    def _losses(
        self,
        logits: Tensor,
        labels: Tensor | None,
        finding_logits: Tensor | None,
        finding_labels: Tensor | None,
    ) -> dict[str, Tensor | None]:
        text_loss = finding_loss = None
        if labels is not None:
            text_loss = _text_loss(logits, labels)
        if finding_labels is not None and finding_logits is not None:
            finding_loss = masked_finding_loss(finding_logits, finding_labels)
        losses = [
            text_loss,
            None if finding_loss is None else self.config.finding_loss_weight * finding_loss,
        ]
        given = [loss for loss in losses if loss is not None]
        loss = torch.stack(given).sum() if given else None
        return {"loss": loss, "text_loss": text_loss, "finding_loss": finding_loss}

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        is_first_iteration: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Prepare inputs as transformers does; what is not text enters with the prompt.

        Afterwards it is in the cache.
        """
        others = {name: kwargs.pop(name, None) for name in NO_TEXT}
        inputs = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        whole = is_first_iteration or not kwargs.get("use_cache", True)
        return {**inputs, **{name: value if whole else None for name, value in others.items()}}


class FindingTokens(nn.Module):
    """One token a finding head: which finding it is, and its logit."""

    def __init__(self, findings: int, width: int) -> None:
        super().__init__()
        self.names = nn.Embedding(max(findings, 1), width)
        self.opinion = nn.Linear(1, width)

    def forward(self, logits: Tensor) -> Tensor:
        """Turn logits (images, findings) into tokens (images, findings, width)."""
        count = logits.shape[1]
        return self.names.weight[:count] + self.opinion(logits[..., None].clamp(-10, 10) / 3)


def _language_model(config: MedMMConfig) -> Any:
    try:
        return AutoModelForCausalLM.from_config(config.text_config)
    except (ValueError, KeyError) as error:
        raise ConfigError(
            "no causal language model can be built of text_config "
            f"{config.text_config.model_type!r}",
            remedy="give the configuration of a causal language model of transformers",
        ) from error


def _encoder(row: Mapping[str, Any], findings: Sequence[str]) -> Any:
    return (
        VolumeEncoder(row, findings)
        if row.get("kind") == KIND
        else ImageEncoder(row, len(findings))
    )


def _cached(past: Cache | None) -> bool:
    return past is not None and int(past.get_seq_length()) > 0


def _placed(
    embeddings: Tensor, places: Tensor, tokens: Tensor, fitting: Tensor, what: str
) -> Tensor:
    """Put `tokens` in their `places`; every sequence must be `fitting`.

    Otherwise one case would be told of another.
    """
    if int(places.sum()) != len(tokens) or not bool(fitting.all()):
        raise InputError(
            f"{places.sum(1).tolist()} {what} placeholders in the sequences for {len(tokens)} "
            f"{what} tokens",
            remedy="let the processor build text, images and records together",
        )
    return embeddings.masked_scatter(
        places[..., None].expand_as(embeddings), tokens.to(embeddings.dtype)
    )


def _rows_placed(
    embeddings: Tensor,
    places: Tensor,
    embedding: RowEmbedding,
    ids: Tensor | None,
    values: Tensor | None,
) -> Tensor:
    """Put the rows of a record or of measurements in their `places`."""
    if ids is None or values is None or not ids.numel():
        _no_placeholders(places, embedding.what)
        return embeddings
    rows = embedding.checked(ids, values, sequences=len(places))
    each = places.sum(1) == rows.sum(1)
    return _placed(embeddings, places, embedding(ids, values)[rows], each, embedding.what)


def _no_placeholders(places: Tensor, what: str) -> None:
    if bool(places.any()):
        raise InputError(
            f"{places.sum(1).tolist()} {what} placeholders in the sequences and no {what} for them",
            remedy="let the processor build text, images and records together",
        )


def _text_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean cross entropy of each next token; zero if a batch teaches none.

    Raises: InputError for another shape.
    """
    if labels.shape != logits.shape[:2]:
        raise InputError(
            f"labels of shape {tuple(labels.shape)}",
            remedy="give one a token, -100 where none is learned",
        )
    wanted = labels[:, 1:].flatten()
    total = functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), wanted, ignore_index=-100, reduction="sum"
    )
    return total / (wanted != -100).sum().clamp_min(1)


def masked_finding_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean binary cross entropy over given labels; NaN is masked.

    Args:
        logits: (images, findings).
        labels: (images, findings) of 0 to 1; NaN if nobody said.
    Returns: a scalar, 0 if nobody said anything.
    Raises: InputError for another shape.
    """
    if labels.shape != logits.shape:
        raise InputError(
            f"finding labels of shape {tuple(labels.shape)} for logits of {tuple(logits.shape)}",
            remedy="give (images, findings), NaN where nobody said",
        )
    given = ~torch.isnan(labels)
    loss = functional.binary_cross_entropy_with_logits(
        logits.float(), labels.nan_to_num(0.0).float(), reduction="none"
    )
    return (loss * given).sum() / given.sum().clamp_min(1)
