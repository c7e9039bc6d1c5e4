"""Weights back out of an exported graph into the module that it came from, for going on with training.

An export folds each batch norm into the convolution before it, so that the graph has convolutions with other weights
and a bias. The module gets these weights, and its batch norms become the identity plus that bias: the numbers are the
same, and the norms' scales can still be trained. What keeps its name in the graph is taken by name. Graphs that were
simplified further (parallel convolutions made one) are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from savant_reid.errors import ModelError

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def load_weights(module: nn.Module, file: Path, example: Tensor) -> None:
    """Fills ``module`` from the graph in ``file``; ``example`` is any input, to see in which order its layers work.

    Raises ModelError naming the layer where the two do not fit.
    """
    graph = onnx.load(file).graph
    stored = {item.name: torch.from_numpy(np.array(onnx.numpy_helper.to_array(item))) for item in graph.initializer}
    module.eval()
    by_name = {name: value for name, value in module.state_dict().items() if name in stored}
    for name, value in by_name.items():
        _fill(value, stored[name], file, name)
    convolutions = [[stored[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    calls = _calls(module, example)
    if sum(isinstance(layer, nn.Conv2d) for _, layer in calls) != len(convolutions):
        raise ModelError(f"{file}: expected the convolutions of {type(module).__name__}, found {len(convolutions)}")
    names = {layer: name for name, layer in module.named_modules()}
    filled: set[nn.Module] = set()
    for i, (_, layer) in enumerate(calls):
        if isinstance(layer, nn.Conv2d):
            weight, *bias = convolutions.pop(0)
            _fill(layer.weight, weight, file, names[layer])
            following = calls[i + 1][1] if i + 1 < len(calls) else None
            if layer.bias is not None:
                _fill(layer.bias, bias[0] if bias else torch.zeros_like(layer.bias), file, names[layer])
            elif bias:
                _become_bias(following, bias[0], file, names[layer])
            filled |= {layer} | ({following} if bias and following is not None else set())
    left = [name for name, layer in module.named_modules() if _empty(layer, name, filled, by_name)]
    if left:
        raise ModelError(f"{file}: expected weights for all layers, found none for {', '.join(left[:5])}")


def _calls(module: nn.Module, example: Tensor) -> list[tuple[str, nn.Module]]:
    """The layers with weights in the order in which they work; a shared one several times."""
    calls: list[tuple[str, nn.Module]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, *_, name=name: calls.append((name, layer)))
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear, *_NORMS))
    ]
    try:
        module(example)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _fill(target: Tensor, value: Tensor, file: Path, name: str) -> None:
    if target.shape != value.shape:
        raise ModelError(f"{file}: {name}: expected a shape {list(target.shape)}, found {list(value.shape)}")
    target.copy_(value)


def _become_bias(layer: nn.Module | None, bias: Tensor, file: Path, name: str) -> None:
    if not isinstance(layer, _NORMS) or layer.running_mean is None or layer.running_var is None:
        raise ModelError(f"{file}: {name}: expected a batch norm behind a folded convolution, found {layer}")
    layer.running_mean.zero_()
    layer.running_var.fill_(1.0 - layer.eps)
    layer.weight.fill_(1.0)
    _fill(layer.bias, bias, file, name)


def _empty(layer: nn.Module, name: str, filled: set[nn.Module], by_name: dict[str, Tensor]) -> bool:
    own = [f"{name}.{key}" for key, _ in layer.named_parameters(recurse=False)]
    return bool(own) and layer not in filled and not all(key in by_name for key in own)
