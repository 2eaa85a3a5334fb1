"""Which library runs the film networks here, by the setting `film_backend`."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

from medmm.domain.errors import ConfigError

AUTO, TORCH, ONNXRUNTIME, OPENVINO = "auto", "torch", "onnxruntime", "openvino"
# By the extra that brings it; `auto` takes the first that is here (proof F16)
EXTRAS = {ONNXRUNTIME: "export", OPENVINO: "openvino"}
GRAPH = "onnx"  # the networks are handed over in its format


def refuse_lacking_runtime(wanted: str) -> None:
    """Refuse a `film_backend` whose packages are not installed.

    Raises: ConfigError that names the extra.
    """
    if wanted in EXTRAS and (missing := lacking(wanted)):
        raise ConfigError(
            f"film_backend: {wanted} needs {' and '.join(missing)}, which is not installed",
            remedy=f"pip install 'medmm[{EXTRAS[wanted]}]', or set film_backend: auto",
        )


def film_backend(wanted: str, device: str) -> str:
    """Return the library that runs the film networks on a device (cpu, cuda, cuda:0).

    Raises: ConfigError if the setting insists on one that is not installed, or that would leave the
        GPU to which `device` leads.
    """
    if not device.startswith("cpu"):
        if wanted in EXTRAS:
            raise ConfigError(
                f"film_backend: {wanted} runs on the processor, and the device is {device}",
                remedy="set device: cpu, or film_backend: auto",
            )
        return TORCH
    refuse_lacking_runtime(wanted)
    if wanted != AUTO:
        return wanted
    return next((name for name in EXTRAS if not lacking(name)), TORCH)


def film_backend_words(wanted: str, device: str) -> str:
    """Name that library with its version. Raises: ConfigError as `film_backend`."""
    name = film_backend(wanted, device)
    return f"{name} {version(name)}"


def lacking(runtime: str) -> list[str]:
    """List the packages that a library needs and that are not installed."""
    return [name for name in (runtime, GRAPH) if find_spec(name) is None]
