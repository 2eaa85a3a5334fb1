"""Where bf16 pays: the one place that decides."""

from __future__ import annotations

import logging
from functools import cache

import torch

from medmm.domain.errors import ConfigError

log = logging.getLogger(__name__)


@cache
def bf16_here() -> bool:
    """Tell whether this processor multiplies bf16 itself.

    Without that, bf16 on a CPU is many times slower than fp32.
    """
    here = any(
        there for name, there in torch.cpu.get_capabilities().items() if name.endswith("bf16")
    )
    log.info("mixed precision: %s", "bf16" if here else "fp32, this processor has no bf16")
    return here


def quick(wanted: bool = True) -> torch.autocast:
    """Choose bf16 if it pays and is wanted, else fp32, for steps and looks.

    It is never used for calibration, figures or live use.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted and bf16_here())


def name() -> str:
    """Name what `quick` runs in on this processor."""
    return "bf16" if bf16_here() else "fp32"


def chosen(asked: str, device: torch.device) -> str:
    """Choose "fp32" or "bf16" for a step on this device, for "auto", "fp32" or "bf16".

    Raises: ConfigError for a GPU without bf16.
    """
    supported = torch.cuda.is_bf16_supported() if device.type == "cuda" else device.type == "cpu"
    if asked == "auto":
        pays = bf16_here() if device.type == "cpu" else supported
        return "bf16" if pays else "fp32"
    if asked == "bf16" and not supported:
        raise ConfigError(f"bf16 is not supported on {device.type}", remedy="set precision: fp32")
    return asked


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Run steps on this device in "fp32" or "bf16"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
