"""What a multimodal model is built of, as transformers keeps it in config.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PretrainedConfig

from medmm.domain.errors import ConfigError
from medmm.models.report_model.measurement_tokens import checked_typical

KIND = "volume-network"
# What a `VolumeEncoder` is built of
BUILT_OF = ("sequences", "channels", "kernels", "strides", "norm")
NORMS = ("batch", "instance")
CONNECTORS = ("pooled", "perceiver")
ENCODER_DEFAULTS: dict[str, Any] = {
    "layers": [2, 2, 2, 2],
    "widths": [64, 128, 256, 512],
    "stages": 3,
}
SPATIAL_DIMS = (2, 3)


class MedMMConfig(PretrainedConfig):
    """Encoders, connector, record tokens, finding heads and the language model.

    Args:
        encoders: name -> {"spatial_dims": 2 or 3, "size": pixels or voxels a side, "layers",
            "widths", "stages"}: a MONAI ResNet cut after `stages` stages; or {"kind":
            "volume-network", ...}: the trunk of a `VolumeNetwork`, see `VolumeEncoder`. At most one
            encoder for each number of spatial dimensions.
        text_config: the configuration of any causal language model of transformers, as an object or
            a mapping.
        connector: "pooled" (a grid of means) or "perceiver" (learned queries; Jaegle et al., ICML
            2021).
        connector_size: cells a side of the pooled grid, or the number of queries.
        record_codes: code keys ("system|code") that have an embedding of their own; all others
            share one a kind.
        record_units: UCUM units that have an embedding of their own.
        findings: names of the finding heads, in order.
        image_token_id, record_token_id: placeholders in the text that image and record tokens take
            the place of.
        measurements: quantity of the vocabulary -> its typical value, in its unit; those that can
            enter. None: none can.
        measurement_token_id: the placeholder that measurement tokens take the place of; None if
            none can enter.
        finding_loss_weight: of the heads' loss beside the text's.
    Raises: ConfigError for what no model can be built of.
    """

    model_type = "medmm"
    sub_configs = {"text_config": AutoConfig}  # noqa: RUF012 - transformers reads a class attribute

    def __init__(
        self,
        *,
        encoders: Mapping[str, Mapping[str, Any]] | None = None,
        text_config: Any = None,
        connector: str = "pooled",
        connector_size: int = 3,
        record_codes: Sequence[str] = (),
        record_units: Sequence[str] = (),
        findings: Sequence[str] = (),
        image_token_id: int = 0,
        record_token_id: int = 1,
        finding_loss_weight: float = 1.0,
        measurements: Mapping[str, float] | None = None,
        measurement_token_id: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.encoders = {name: _encoder(row) for name, row in (encoders or {}).items()}
        self.text_config = _text_config(text_config)
        self.connector, self.connector_size = connector, connector_size
        self.record_codes, self.record_units = list(record_codes), list(record_units)
        self.findings = list(findings)
        self.image_token_id, self.record_token_id = image_token_id, record_token_id
        self.finding_loss_weight = finding_loss_weight
        self.measurements, self.measurement_token_id = (
            checked_typical(measurements or {}),
            measurement_token_id,
        )
        self._check()
        kwargs.setdefault(
            "tie_word_embeddings", getattr(self.text_config, "tie_word_embeddings", False)
        )
        super().__init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Read a configuration as transformers does.

        Raises: ConfigError for the configuration of another architecture.
        """
        if config_dict.get("model_type") != cls.model_type:
            raise ConfigError(
                f"a configuration of model_type {config_dict.get('model_type')!r} is not a "
                "multimodal model's",
                remedy="give the folder of a multimodal model, or load this one with AutoConfig",
            )
        return super().from_dict(config_dict, **kwargs)

    def _check(self) -> None:
        if self.connector not in CONNECTORS:
            raise _wrong(f"connector {self.connector!r}", f"use {' or '.join(CONNECTORS)}")
        if self.connector_size < 1:
            raise _wrong(f"connector_size {self.connector_size}", "give 1 or more")
        dims = [row.get("spatial_dims") for row in self.encoders.values()]
        if any(d not in SPATIAL_DIMS for d in dims) or len(set(dims)) != len(dims):
            raise _wrong(
                f"encoders with spatial_dims {dims}", "give each encoder 2 or 3, each at most once"
            )
        for name, row in self.encoders.items():
            if row.get("kind") == KIND:
                _check_volume_network(name, row, self.findings)
            else:
                _check_resnet(name, row)
        if self.image_token_id == self.record_token_id:
            raise _wrong("image and record placeholders are the same token", "give two tokens")
        if (self.measurement_token_id is None) == bool(self.measurements):
            raise _wrong(
                "measurements without their placeholder, or the reverse", "give both or neither"
            )
        if self.measurement_token_id in (self.image_token_id, self.record_token_id):
            raise _wrong(
                "the measurement placeholder is another's token", "give it a token of its own"
            )
        for name in ("record_codes", "record_units", "findings"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise _wrong(f"{name} names something twice", "name each once")

    @property
    def placeholders(self) -> list[int]:
        """The tokens that others take the place of."""
        more = [] if self.measurement_token_id is None else [self.measurement_token_id]
        return [self.image_token_id, self.record_token_id, *more]

    def image_tokens(self, spatial_dims: int) -> int:
        """Count the tokens of an image of so many dimensions: the connector's and the heads'.

        There is one for each finding head.
        """
        connected = (
            self.connector_size
            if self.connector == "perceiver"
            else self.connector_size**spatial_dims + 1
        )
        return int(connected) + len(self.findings)

    def encoder_for(self, spatial_dims: int) -> str:
        """Name the encoder for 2D or 3D images.

        Raises: ConfigError if there is none.
        """
        for name, row in self.encoders.items():
            if row["spatial_dims"] == spatial_dims:
                return name
        raise _wrong(
            f"no encoder for {spatial_dims}D images",
            "give one in `encoders`, or leave the image out",
        )


def _encoder(row: Mapping[str, Any]) -> dict[str, Any]:
    """Complete an encoder's row by defaults, in what JSON has: equal after a round trip."""
    if row.get("kind") is None:
        return {**ENCODER_DEFAULTS, **row}
    if row["kind"] != KIND:
        raise _wrong(
            f"an encoder of kind {row['kind']!r}", f"use {KIND!r}, or no kind for a ResNet"
        )
    lists = {
        key: [list(v) if isinstance(v, tuple) else v for v in row[key]]
        for key in BUILT_OF[:-1]
        if key in row
    }
    return {"spatial_dims": 3, "presence": None, **row, **lists}


def _check_resnet(name: str, row: Mapping[str, Any]) -> None:
    counts = [*row["layers"], *row["widths"], row["stages"]]
    whole = all(isinstance(count, int) and count > 0 for count in counts)
    if not whole or not row["stages"] <= len(row["widths"]) == len(row["layers"]) == 4:
        raise _wrong(f"encoder {name!r}", "give four layers, four widths and 1 to 4 stages")


def _check_volume_network(name: str, row: Mapping[str, Any], findings: Sequence[str]) -> None:
    if missing := [key for key in BUILT_OF if key not in row]:
        raise _wrong(
            f"encoder {name!r} without {', '.join(missing)}", "build the row with `encoder_row`"
        )
    triples = [*row["kernels"], *row["strides"]]
    levels = {len(row[key]) for key in ("channels", "kernels", "strides")}
    whole = all(isinstance(triple, list) and len(triple) == 3 for triple in triples)
    counts = (
        [*row["channels"], *(count for triple in triples for count in triple)] if whole else [0]
    )
    if (
        row["spatial_dims"] != 3
        or len(levels) != 1
        or not all(isinstance(n, int) and n > 0 for n in counts)
    ):
        raise _wrong(
            f"encoder {name!r}",
            "give channels, and kernels and strides (z, y, x), of as many levels, and 3D",
        )
    if (
        row["norm"] not in NORMS
        or not row["sequences"]
        or len(set(row["sequences"])) != len(row["sequences"])
    ):
        raise _wrong(
            f"encoder {name!r}", f"name its sequences, each once, and a norm: {' or '.join(NORMS)}"
        )
    if row["presence"] is not None and (
        row["presence"] not in findings or any(stride[0] != 1 for stride in row["strides"])
    ):
        raise _wrong(
            f"encoder {name!r} with presence of {row['presence']!r}",
            "name a finding, and give no stride along z",
        )


def _text_config(given: Any) -> PretrainedConfig:
    if given is None:
        return AutoConfig.for_model("llama")
    if isinstance(given, PretrainedConfig):
        return given
    if not isinstance(given, Mapping) or "model_type" not in given:
        raise _wrong(
            "text_config names no model_type", "name one, as in a config.json of transformers"
        )
    try:
        return AutoConfig.for_model(**given)
    except (ValueError, StrictDataclassError) as error:
        raise _wrong(
            f"text_config of {given['model_type']!r}",
            "give what a causal language model of transformers is built of",
        ) from error


def _wrong(what: str, remedy: str) -> ConfigError:
    return ConfigError(f"no multimodal model can be built: {what}", remedy=remedy)
