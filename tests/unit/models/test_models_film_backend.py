"""The film networks run by ONNX Runtime and OpenVINO: what torch says, said by another, or an error that says why not."""

from __future__ import annotations

import ctypes
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medmm.domain.errors import ConfigError
from medmm.models import Networks, film_backends
from medmm.models.film import chest_anatomy, compiled, runtimes
from medmm.models.film.chest_anatomy import for_outlines
from medmm.models.film.chest_findings import ChestFindingsNetwork
from medmm.models.film.compiled import MOST_AWAY, CompiledTrunk, run_by
from medmm.models.film.onnx_graph import onnx_graph
from medmm.models.film.runtimes import OPENERS
from medmm.models.film_backends import film_backend, film_backend_words, refuse_lacking_runtime
from medmm.models.image_encoder import for_reading
from tests.opened_networks import NONE_ADDED

CPU = torch.device("cpu")
RUNTIMES = ("onnxruntime", "openvino")
ANATOMY = {"channels": [4, 8, 12], "residual_units": 2}


@pytest.fixture(autouse=True)
def _installed() -> None:
    pytest.importorskip("onnx")
    compiled._say_once.cache_clear()


def random_network(kind: str) -> tuple[nn.Module, str]:
    """A network of films with parameters and statistics away from their start, and the part that is run."""
    torch.manual_seed(3)
    network = ChestFindingsNetwork(3) if kind == "findings" else chest_anatomy.build(ANATOMY)
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.1)
    if kind == "findings":
        return for_reading(network), "trunk"
    return for_outlines(network), "model"


def films(count: int = 2, size_px: int = 64, seed: int = 0) -> Tensor:
    return torch.randn(count, 1, size_px, size_px, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", ["findings", "outlines"])
@torch.inference_mode()
def test_another_library_gives_the_map_of_torch_for_any_batch_and_size(
    runtime: str, kind: str
) -> None:
    pytest.importorskip(runtime)
    network, part = random_network(kind)
    given = [films(1), films(3), films(2, 96).contiguous(memory_format=torch.channels_last)]
    expected = [network(one).clone() for one in given]
    network = run_by(runtime, network, part, CPU)
    assert isinstance(getattr(network, part), CompiledTrunk)
    for one, wanted in zip(given, expected, strict=True):
        found = network(one)
        assert found.shape == wanted.shape
        assert float((found - wanted).abs().max() / wanted.abs().max()) < MOST_AWAY / 10
    assert not torch.equal(network(films(1, seed=1)), network(films(1, seed=2)))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_packaged_networks_say_the_same_of_a_film(runtime: str) -> None:
    """The demo's film: probabilities, claims, regions, outlines and kind, by each library and by torch."""
    pytest.importorskip(runtime)
    from pydicom import dcmread

    from medmm.doors.demo import CHEST, films_dir
    from medmm.models.film.preprocessing import FilmToPrepare

    pixels = dcmread(films_dir() / CHEST).pixel_array.astype(np.float32)
    grey = (pixels - pixels.min()) / np.ptp(pixels)
    said = []
    for backend in ("torch", runtime):
        networks = Networks(None, threads=1, adopted=NONE_ADDED, film_backend=backend)
        reader: Any = networks.reading_models[0].opened()
        film = FilmToPrepare(grey)
        chest = reader.anatomy.read(film)
        found = reader.findings.read(film, "right", chest)
        names = frozenset(finding.name for finding in found)
        heads = reader.report_heads.read(film, chest.midline, chest.cells, names)
        kinds: Any = networks.picture_kinds
        said.append(
            (chest, [*found, *heads], kinds.kind_of(grey), kinds._opened().probability(grey))
        )
        assert isinstance(reader.findings.network.trunk, CompiledTrunk) == (backend != "torch")
    (chest, findings, kind, kind_p), (other_chest, others, other_kind, other_p) = said
    assert kind == other_kind
    assert max(abs(other_p[name] - p) for name, p in kind_p.items()) < 0.001
    for one, other in zip(findings, others, strict=True):
        assert (one.name, one.suspected, one.withheld) == (
            other.name,
            other.suspected,
            other.withheld,
        )
        assert abs(one.probability - other.probability) < 0.001
        if one.region is not None:
            assert (one.region.box_xyxy, one.region.side) == (
                other.region.box_xyxy,
                other.region.side,
            )
    for mask, other_mask in zip(chest.masks, other_chest.masks, strict=True):
        assert float((mask.array() != other_mask.array()).mean()) < 1e-4


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_opening_and_releasing_leaves_the_stack_for_signals_as_it_was(runtime: str) -> None:
    """OpenVINO leaves a freed one in the thread that compiles; the next signal would end the process."""
    pytest.importorskip(runtime)
    network, part = random_network("findings")
    graph, before = onnx_graph(getattr(network, part)), signal_stack()
    made = [OPENERS[runtime](graph, 1)]
    assert signal_stack() == before
    thread = threading.Thread(target=made.clear)
    thread.start()
    thread.join()
    assert signal_stack() == before


class SignalStack(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


def signal_stack() -> int | None:
    """Where this thread's alternate stack for signals stands."""
    found = SignalStack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found)) == 0
    return found.address


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_threads_share_one_network_and_each_gets_its_own_film(runtime: str) -> None:
    pytest.importorskip(runtime)
    network = run_by(runtime, *random_network("findings"), CPU)

    @torch.inference_mode()
    def read(seed: int) -> Tensor:
        found: Tensor = network.encode(films(1, seed=seed))  # type: ignore[operator]
        return found

    alone = [read(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read, list(range(8)) * 4))
    for seed, found in enumerate(together):
        torch.testing.assert_close(found, alone[seed % 8], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1], rtol=1e-3, atol=1e-3)


def test_a_map_that_a_caller_keeps_is_not_written_over_by_the_next_film() -> None:
    for runtime in RUNTIMES:
        pytest.importorskip(runtime)
        run = runtimes.OPENERS[runtime](onnx_graph(random_network("findings")[0].trunk), 1)  # type: ignore[arg-type]
        first = run(films(1, seed=1).numpy())
        kept = first.copy()
        run(films(1, seed=2).numpy())
        np.testing.assert_array_equal(first, kept)


def broken(after: int) -> Callable[[bytes, int], runtimes.Run]:
    """A library that answers so many films, the first of them the probe, and then fails."""

    def opened(graph: bytes, threads: int) -> runtimes.Run:
        run, asked = runtimes.onnxruntime_run(graph, threads), []

        def answer(given: runtimes.Array) -> runtimes.Array:
            asked.append(given)
            if len(asked) > after:
                raise ConfigError("it broke", remedy="set film_backend: torch")
            return run(given)

        return answer

    return opened


@pytest.mark.parametrize("after", [0, 2], ids=["when it opens", "at the second film"])
def test_a_library_that_fails_stops_a_reading_unless_the_choice_was_left_to_medmm(
    after: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(compiled, "OPENERS", {"onnxruntime": broken(after)})
    network, part = random_network("findings")
    with torch.inference_mode():
        expected = network(films()).clone()

        def read_twice() -> None:
            stopped = run_by("onnxruntime", network, part, CPU)
            for _ in range(2):
                stopped(films())

        with pytest.raises(ConfigError, match="it broke"):
            read_twice()
        network, part = random_network("findings")
        with caplog.at_level(logging.WARNING, logger="medmm"):
            going_on = run_by("auto", network, part, CPU)
            for _ in range(4):
                torch.testing.assert_close(going_on(films()), expected, rtol=1e-4, atol=1e-4)
    assert [record.getMessage() for record in caplog.records] == [
        "it broke; torch runs the film networks (film_backend: auto)"
    ]


def test_a_library_that_computes_otherwise_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("onnxruntime")

    def rough(graph: bytes, threads: int) -> runtimes.Run:
        run = runtimes.onnxruntime_run(graph, threads)
        return lambda given: torch.from_numpy(run(given)).bfloat16().float().numpy()

    def no_number(graph: bytes, threads: int) -> runtimes.Run:
        run = runtimes.onnxruntime_run(graph, threads)
        return lambda given: run(given) * np.float32("nan")

    for opener in (rough, no_number):
        monkeypatch.setattr(compiled, "OPENERS", {"onnxruntime": opener})
        with pytest.raises(ConfigError, match="gives other maps than torch"):
            run_by("onnxruntime", *random_network("findings"), CPU)
    network, part = random_network("findings")
    assert not isinstance(getattr(run_by("auto", network, part, CPU), part), CompiledTrunk)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_a_library_raises_becomes_an_error_with_a_remedy(runtime: str) -> None:
    pytest.importorskip(runtime)
    with pytest.raises(ConfigError, match=rf"{runtime} can't run a film network.*film_backend"):
        runtimes.OPENERS[runtime](b"no graph", 1)
    run = runtimes.OPENERS[runtime](onnx_graph(random_network("findings")[0].trunk), 1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=rf"{runtime} can't run a film network"):
        run(np.zeros((1, 5, 64, 64), np.float32))


class Unknown(nn.Module):
    def __init__(self, layer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, film: Tensor) -> Tensor:
        return self.layer(film)


@pytest.mark.parametrize(
    "layer",
    [
        nn.GELU(),
        nn.PReLU(3),
        nn.BatchNorm2d(1),
        nn.Conv2d(1, 1, 3, padding="same"),
        nn.Conv2d(1, 1, 3, padding_mode="reflect"),
        nn.MaxPool2d(2, ceil_mode=True),
        lambda film: film + 1,
        lambda film: film.relu(),
        torch.sigmoid,
    ],
    ids=lambda layer: getattr(layer, "__name__", "") or str(layer),
)
def test_a_layer_that_is_not_translated_is_named(layer: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ConfigError, match="a part that torch alone runs"):
        onnx_graph(Unknown(layer).eval())


def without(*names: str) -> Callable[[str], object]:
    return lambda name: None if name in names else object()


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_backends, "find_spec", without("onnxruntime", "onnx"))
    with pytest.raises(ConfigError, match=r"onnxruntime and onnx.*medmm\[export\]"):
        refuse_lacking_runtime("onnxruntime")
    with pytest.raises(ConfigError, match=r"needs onnx, .*medmm\[openvino\]"):
        film_backend("openvino", "cpu")
    for wanted in ("auto", "torch"):
        refuse_lacking_runtime(wanted)
        assert film_backend(wanted, "cpu") == "torch"


@pytest.mark.parametrize(
    ("missing", "taken"),
    [
        ((), "onnxruntime"),
        (("onnxruntime",), "openvino"),
        (("openvino",), "onnxruntime"),
        (("onnx",), "torch"),
        (("onnxruntime", "openvino"), "torch"),
    ],
)
def test_auto_takes_what_is_there(
    missing: tuple[str, ...], taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_backends, "find_spec", without(*missing))
    assert film_backend("auto", "cpu") == taken
    assert film_backend("torch", "cpu") == "torch"
    assert film_backend_words("torch", "cpu") == f"torch {torch.__version__}"


def test_a_gpu_runs_the_networks_itself() -> None:
    for device in ("cuda", "cuda:1"):
        assert film_backend("auto", device) == film_backend("torch", device) == "torch"
    with pytest.raises(ConfigError, match=r"runs on the processor.*device: cpu"):
        film_backend("openvino", "cuda:0")


def test_choosing_loads_no_library() -> None:
    asked = (
        "import sys; from medmm.models.film_backends import film_backend_words as w; w('auto', 'cpu');"
        "print([n for n in ('torch', 'onnx', 'onnxruntime', 'openvino') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
