"""From a film network of torch to its ONNX graph, in memory.

It knows the layers of the film networks alone, since torch's own exporter takes seconds of CPU time
for each of them (docs/decisions/0041).
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, fx, nn

from medmm.domain.errors import ConfigError

OPSET, IR = 18, 10  # versions of the operators and of the file's form
INPUT = "film"


def onnx_graph(network: nn.Module) -> bytes:
    """Translate a network from films (b, 1, h, w) to one map, of any b, h and w.

    Raises: ConfigError for a layer that none of the film networks has.
    """
    graph = Graph(network)
    for step in fx.symbolic_trace(network).graph.nodes:
        graph.take(step)
    described = helper.make_tensor_value_info
    made = helper.make_graph(
        graph.nodes,
        "film network",
        [described(INPUT, TensorProto.FLOAT, ["b", 1, "h", "w"])],
        [described(graph.last, TensorProto.FLOAT, ["b", "channels", "y", "x"])],
        graph.parameters,
    )
    operators = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=operators, ir_version=IR)
    return bytes(model.SerializeToString())


class Graph:
    """The ONNX nodes and parameters of a traced network, as far as its steps were taken."""

    def __init__(self, network: nn.Module) -> None:
        self.nodes: list[NodeProto] = []
        self.parameters: list[TensorProto] = []
        self.last = ""  # name of the network's output
        self._layers = dict(network.named_modules())
        self._names: dict[Any, str] = {}  # of what each step gives

    def take(self, step: fx.Node) -> None:
        """Take the next step of the trace. Raises: ConfigError for one that is not known."""
        if step.op == "placeholder":
            self._names[step] = INPUT
        elif step.op == "output":
            self.last = self._names[step.args[0]]
        elif step.op == "call_module":
            layer = self._layers[str(step.target)]
            self._names[step] = self._layer(step.name, layer, self._names[step.args[0]])
        elif step.op == "call_function":
            self._names[step] = self._function(step)
        else:
            raise _unknown(str(step.target))

    def _layer(self, name: str, layer: nn.Module, source: str) -> str:
        """Add a layer. Returns: the name of what it gives."""
        match layer:
            case nn.Identity() | nn.Dropout():  # in a network that reads
                return source
            case nn.ReLU():
                return self._add("Relu", name, [source])
            case nn.PReLU(num_parameters=1):
                # What ONNX Runtime fuses into the convolution before it, unlike a PRelu
                return self._add("LeakyRelu", name, [source], alpha=layer.weight.item())
            case nn.MaxPool2d(dilation=1, ceil_mode=False):
                return self._add(
                    "MaxPool",
                    name,
                    [source],
                    kernel_shape=_pair(layer.kernel_size),
                    strides=_pair(layer.stride),
                    pads=2 * _pair(layer.padding),
                )
            case nn.Conv2d(padding_mode="zeros", padding=tuple()):
                return self._convolution("Conv", name, layer, source)
            case nn.ConvTranspose2d(padding_mode="zeros"):
                added = list(layer.output_padding)
                return self._convolution("ConvTranspose", name, layer, source, output_padding=added)
        raise _unknown(type(layer).__name__)

    def _convolution(
        self, operation: str, name: str, layer: Any, source: str, **attributes: Any
    ) -> str:
        inputs = [source, self._parameter(f"{name}.weight", layer.weight)]
        if layer.bias is not None:
            inputs.append(self._parameter(f"{name}.bias", layer.bias))
        return self._add(
            operation,
            name,
            inputs,
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=2 * list(layer.padding),
            dilations=list(layer.dilation),
            group=layer.groups,
            **attributes,
        )

    def _function(self, step: fx.Node) -> str:
        arguments: Any = step.args
        if step.target is torch.cat:
            axis = step.kwargs.get("dim", (*arguments, 0)[1])
            joined = [self._names[one] for one in arguments[0]]
            return self._add("Concat", step.name, joined, axis=axis)
        if step.target is operator.add and all(one in self._names for one in arguments):
            return self._add("Add", step.name, [self._names[one] for one in arguments])
        raise _unknown(str(step.target))

    def _add(self, operation: str, name: str, inputs: list[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    def _parameter(self, name: str, value: Tensor) -> str:
        self.parameters.append(numpy_helper.from_array(value.detach().contiguous().numpy(), name))
        return name


def _pair(size: int | tuple[int, int]) -> list[int]:
    return [size, size] if isinstance(size, int) else list(size)


def _unknown(what: str) -> ConfigError:
    return ConfigError(
        f"a film network has a part that torch alone runs: {what}",
        remedy="set film_backend: torch, or auto",
    )
