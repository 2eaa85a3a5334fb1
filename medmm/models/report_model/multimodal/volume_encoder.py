"""The trunk of the volume family as an encoder of the multimodal model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from medmm.domain.errors import ConfigError
from medmm.domain.study import SequenceRole
from medmm.models.mr.preprocessing import batched, of_one_shape, padded_to_multiple
from medmm.models.mr.volume_network import presence_logits, trunk_of
from medmm.models.report_model.multimodal.config import BUILT_OF, KIND
from medmm.models.weights.catalogue import WeightsFolder
from medmm.models.weights.loading import fill


class VolumeEncoder(nn.Module):
    """The trunk of a `VolumeNetwork`: volumes to its deepest map, and a logit a finding.

    Volumes are (b, sequences, z, y, x).

    Volumes may differ in shape: NaN stands beyond the end of each (`mr.preprocessing.batched`),
    each is encoded by itself, whole, and the maps are batched alike. A finding's logit is the mean
    of its map, as in `ImageEncoder`; that of the finding which `presence` names is the surest
    slice's, by the network's head for presence in a slice.

    Args:
        config: "sequences", "channels", "kernels", "strides", "norm" as in a weights folder;
            "presence": a finding or None.
        findings: names of the finding heads, in order.
    """

    spatial_dims = 3

    def __init__(self, config: Mapping[str, Any], findings: Sequence[str]) -> None:
        super().__init__()
        self.built_of = {key: config[key] for key in BUILT_OF}
        self.inputs, self.channels = len(config["sequences"]), int(config["channels"][-1])
        self.trunk = trunk_of(inputs=self.inputs, **{key: config[key] for key in BUILT_OF[1:]})
        self.multiple_zyx = [
            math.prod(stride[axis] for stride in config["strides"]) for axis in range(3)
        ]
        self.findings = len(findings)
        self.head = nn.Conv3d(self.channels, max(self.findings, 1), 1)
        named = config["presence"]
        self.speaks_for = None if named is None else list(findings).index(named)
        self.presence = None if named is None else nn.Linear(2 * self.channels, 1)

    def forward(self, volumes: Tensor) -> Tensor:
        """Compute the deepest maps (b, channels, z, y, x) of prepared volumes.

        Volumes are (b, sequences, z, y, x).
        """
        maps = [self._encoded(part) for part in of_one_shape(volumes)]
        return maps[0] if len(maps) == 1 else batched([one[0] for one in maps])

    def parts(self, encoded: Tensor) -> list[Tensor]:
        """Split encoded volumes into batches of one shape, without margins."""
        return of_one_shape(encoded)

    def finding_logits(self, encoded: Tensor) -> Tensor:
        """Compute logits (b, findings) of encoded volumes of one shape."""
        logits = self.head(encoded).flatten(2).mean(2)[:, : self.findings]
        if self.presence is None or self.speaks_for is None:
            return logits
        surest, place = (
            presence_logits(self.presence, encoded).amax(1, keepdim=True),
            self.speaks_for,
        )
        return torch.cat([logits[:, :place], surest, logits[:, place + 1 :]], 1)

    def _encoded(self, volumes: Tensor) -> Tensor:
        volumes = padded_to_multiple(volumes, self.multiple_zyx)
        for block in self.trunk:
            volumes = block(volumes)
        return volumes


def encoder_row(weights: WeightsFolder, *, presence: str | None = None) -> dict[str, Any]:
    """Build the row of `MedMMConfig.encoders` for the trunk of a weights folder.

    `presence` names the finding that the folder's head for presence in a slice speaks for.
    """
    config = weights.json("config.json")
    return {"kind": KIND, "presence": presence, **{key: config[key] for key in BUILT_OF}}


def preparation_of(weights: WeightsFolder) -> dict[str, Any]:
    """Return what `MedMMImageProcessor` needs to prepare MR images as a folder's live use.

    Where a network knows FLAIR, it stands in for sequences that are missing.
    """
    sequences, grid = weights.json("config.json")["sequences"], weights.json("preprocessing.json")
    flair = SequenceRole.FLAIR.value
    return {
        "sequences": sequences,
        "stand_in": flair if flair in sequences else None,
        "spacing_zyx_mm": grid["spacing_zyx_mm"],
        "side_px": grid["side_px"],
    }


def put_in(encoder: VolumeEncoder, weights: WeightsFolder) -> VolumeEncoder:
    """Give an encoder the trunk of a weights folder, and its head for presence if it has one.

    `encoder.trunk.requires_grad_(False)` keeps it as it is; the finding heads are new in any case.

    Raises: ConfigError if the encoder is built otherwise, IntegrityError if the folder's parameters
        do not fit it.
    """
    config = weights.json("config.json")
    other = [key for key, value in encoder.built_of.items() if config.get(key) != value]
    if encoder.presence is not None and not config.get("presence"):
        other.append("presence")
    if other:
        raise ConfigError(
            f"the encoder differs from {weights.row.name} in {', '.join(other)}",
            remedy="build it of `encoder_row` of this folder",
        )
    fill(encoder.trunk, weights, "trunk.")
    if encoder.presence is not None:
        fill(encoder.presence, weights, "presence.")
    return encoder
