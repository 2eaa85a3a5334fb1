"""Runs a network of others in a process of its own: it may crash, hang or swell.

Run by path (`python -I worker.py MEMORY_BYTES THREADS`), so that it imports nothing of medmm (but
for the builder of a network of medmm's own training). Takes
lines of JSON, each followed by the raw bytes of the arrays that it names, and answers in the same
way; no pickle passes. The first line says what to open. It ends at the first failure, which it
answers with `{"error": …}` if it still can: what a failure left in its memory must reach nothing.

Arrays are {"name", "shape", "dtype"}, in C order. The libraries are loaded before memory is
limited: the limit is the network's own.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]
Run = Callable[[Arrays], Array]


def limit_memory(memory_bytes: int) -> None:
    """Limit what the process may use beyond its libraries.

    It writes no file and leaves no core.
    """
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + memory_bytes, held + memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def opened_onnx(recipe: Mapping[str, Any], threads: int, limited: Callable[[], None]) -> Run:
    """Open an ONNX network; it takes arrays by the names of its inputs."""
    import onnxruntime

    limited()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        recipe["model"], options, providers=["CPUExecutionProvider"]
    )
    types = {one.name: one.type for one in session.get_inputs()}
    dtypes = {"tensor(double)": np.float64, "tensor(float16)": np.float16}

    def run(arrays: Arrays) -> Array:
        fed = {
            name: array.astype(dtypes.get(types[name], np.float32))
            for name, array in arrays.items()
        }
        return np.asarray(session.run([recipe["output"]], fed)[0])

    return run


def opened_torch(recipe: Mapping[str, Any], threads: int, limited: Callable[[], None]) -> Run:
    """Open a network of PyTorch layers; its one input is the only array."""
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    if recipe["kind"] == "medmm":
        sys.path.append(recipe["root"])
        importlib.import_module(recipe["builder"])
    if recipe["kind"] == "monai":
        from monai.inferers import sliding_window_inference
        from monai.networks import nets
    limited()
    network: Any
    if recipe["kind"] == "monai":
        network = getattr(nets, recipe["class"])(**recipe["arguments"])
    elif recipe["kind"] == "medmm":
        network = importlib.import_module(recipe["builder"]).build(recipe["config"])
    else:
        network = meshnet(recipe)
    missing, extra = network.load_state_dict(load_file(recipe["weights"]), strict=False)
    if extra or [name for name in missing if not name.endswith("num_batches_tracked")]:
        raise ValueError("the parameters are not those of the network")
    network.eval()
    window = recipe.get("window")

    def run(arrays: Arrays) -> Array:
        (array,) = arrays.values()
        with torch.inference_mode():
            image = torch.from_numpy(array)
            if window is None:
                out = network(image)
            else:
                out = sliding_window_inference(
                    image,
                    window["roi_size"],
                    1,
                    network,
                    overlap=window["overlap"],
                    mode=window["mode"],
                )
        out = out[0] if isinstance(out, tuple | list) else out
        return np.asarray(out.float().numpy())

    return run


def meshnet(recipe: Mapping[str, Any]) -> Any:
    """Build a MeshNet: dilated 3D convolutions of one width (Fedorov et al., IJCNN 2017)."""
    from torch import nn

    kinds = {"relu": nn.ReLU, "elu": nn.ELU, "gelu": nn.GELU}
    layers: list[nn.Module] = []
    for number, row in enumerate(recipe["layers"]):
        layers.append(
            nn.Conv3d(
                row["in"], row["out"], row["kernel"], row["stride"], row["padding"],
                row["dilation"], bias=row["bias"],
            )
        )  # fmt: skip
        if number == len(recipe["layers"]) - 1:
            break
        if recipe["norm_groups"]:
            layers.append(nn.GroupNorm(recipe["norm_groups"], row["out"], affine=False))
        activation = kinds[recipe["activation"]]()
        if hasattr(activation, "inplace"):
            activation.inplace = True
        layers.append(activation)
    return nn.Sequential(*layers)


def state_of(path: str) -> Arrays:
    """Load the tensors of a state dict that torch saved, without a pickle.

    Raises: ValueError if it holds anything else than named tensors.
    """
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise ValueError("not a state dict: something else than named tensors is in it")
    floats = {name: value for name, value in state.items() if value.is_floating_point()}
    kept = {name: value for name, value in state.items() if name not in floats}
    arrays = {name: value.float().contiguous().numpy() for name, value in floats.items()}
    return arrays | {name: value.contiguous().numpy() for name, value in kept.items()}


def read_arrays(described: Sequence[Mapping[str, Any]]) -> Arrays:
    """Read the bytes of arrays that a line named."""
    arrays = {}
    for one in described:
        shape, dtype = tuple(one["shape"]), np.dtype(one["dtype"])
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        data = sys.stdin.buffer.read(size)
        arrays[one["name"]] = np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)
    return arrays


def answer(line: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write an answer: its line, then the bytes of its arrays."""
    described = [{"name": n, "shape": a.shape, "dtype": a.dtype.str} for n, a in arrays.items()]
    out = sys.stdout.buffer
    out.write(json.dumps({**line, "arrays": described}).encode() + b"\n")
    for array in arrays.values():
        out.write(np.ascontiguousarray(array).data)
    out.flush()


def reduced(batches: Iterator[Array], wish: Mapping[str, Any]) -> tuple[Arrays, Mapping[str, Any]]:
    """Reduce outputs to what is asked for.

    Args:
        batches: outputs, a batch each, with the axis of channels where `wish["axis"]` says.
        wish: "form": "values", "labels" (of exclusive channels) or "masks" (of overlapping ones);
            "channels": how many there must be; "activated"; "threshold" of masks; "peaks": channels
            whose greatest logit over all batches is asked for.
    """
    kept, peaks = [], dict.fromkeys(wish["peaks"], -np.inf)
    for batch in batches:
        values = np.moveaxis(batch, wish["axis"], 1).astype(np.float32, copy=False)
        if values.shape[1] != wish["channels"] or values.ndim != wish["rank"]:
            raise ValueError(
                f"an output of {batch.shape}: {wish['channels']} channels are declared"
            )
        if not np.isfinite(values).all():
            raise ValueError("an output with values that are not finite")
        if wish["activated"] and not (values.min() >= -1e-4 and values.max() <= 1 + 1e-4):
            raise ValueError("an output beyond 0 to 1, which is declared to be probabilities")
        for channel in peaks:
            peaks[channel] = max(peaks[channel], peak(values, channel, wish))
        if wish["form"] == "labels":
            kept.append(values.argmax(1).astype(np.uint8))
        elif wish["form"] == "masks":
            threshold = wish["threshold"]
            cut = threshold if wish["activated"] else np.log(threshold / (1 - threshold))
            kept.append((values >= cut).astype(np.uint8))
        else:
            kept.append(values)
    return {"out": np.concatenate(kept)}, {"peaks": [float(peaks[c]) for c in wish["peaks"]]}


def peak(values: Array, channel: int, wish: Mapping[str, Any]) -> float:
    """Compute the greatest logit of a channel; of exclusive ones that of its softmax."""
    if wish["activated"]:
        return float(logit(float(values[:, channel].max())))
    if wish["form"] != "labels":
        return float(values[:, channel].max())
    rest = np.delete(values, channel, 1)
    top = rest.max(1, keepdims=True)
    others = np.log(np.exp(rest - top).sum(1)) + top[:, 0]
    return float((values[:, channel] - others).max())


def logit(probability: float) -> float:
    """Compute the logit of a probability, of at most 16 in size."""
    inside = min(max(probability, 1e-7), 1 - 1e-7)
    return float(np.log(inside / (1 - inside)))


def outputs(run: Run, line: Mapping[str, Any], arrays: Arrays) -> Iterator[Array]:
    """Run the network on `line["batch"]` images at a time."""
    count = next(iter(arrays.values())).shape[0]
    for start in range(0, count, line["batch"]):
        yield run({name: array[start : start + line["batch"]] for name, array in arrays.items()})


def say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Answer what ends the process."""
    answer({"error": f"{kind.__name__}: {' '.join(str(error).split())[:300]}"}, {})


def main(memory_bytes: int, threads: int) -> None:
    """Open what the first line says, then answer until stdin ends."""
    sys.excepthook = say
    run: Run | None = None
    for text in sys.stdin.buffer:
        line = json.loads(text)
        if "convert" in line:
            import torch  # noqa: F401 - before memory is limited

            limit_memory(memory_bytes)
            answer({}, state_of(line["convert"]))
        elif run is None:
            opener = opened_onnx if line["kind"] == "onnx" else opened_torch
            run = opener(line, threads, lambda: limit_memory(memory_bytes))
            answer({}, {})
        else:
            given = read_arrays(line["arrays"])
            arrays, more = reduced(outputs(run, line, given), line["reduce"])
            peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer({**more, "peak_bytes": peak_bytes}, arrays)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
