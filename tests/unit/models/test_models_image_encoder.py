"""The encoders as live use runs them: the same figures, in fewer steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medmm.models.film.chest_findings import ChestFindingsNetwork
from medmm.models.image_encoder import ImageEncoder, for_reading

LAYERS = {"spatial_dims": 2, "stages": 3, "layers": [1, 2, 1, 1], "widths": [8, 8, 16, 16]}


def moved(network: nn.Module) -> nn.Module:
    """Every parameter and every statistic of a norm away from its start, so that folding has something to fold."""
    torch.manual_seed(3)
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.2)
    return network.eval()


@pytest.mark.parametrize(
    "network", [ChestFindingsNetwork(3), ImageEncoder(LAYERS, 3)], ids=["findings", "encoder"]
)
@torch.inference_mode()
def test_folding_keeps_what_a_network_says_and_leaves_no_norm(network: nn.Module) -> None:
    film = torch.randn(2, 1, 64, 64)
    wanted = moved(network)(film).clone()
    read = for_reading(network)
    got = read(film)
    assert torch.allclose(got, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    assert not any(isinstance(part, nn.BatchNorm2d) for part in read.modules())
    convolutions = [
        part
        for part in read.modules()
        if isinstance(part, nn.Conv2d) and part.kernel_size != (1, 1)
    ]
    assert all(
        part.weight.is_contiguous(memory_format=torch.channels_last) for part in convolutions
    )
    assert len(convolutions) > 5
