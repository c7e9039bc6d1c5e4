"""Small ONNX graphs that stand for real models: their output is known by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Dim = int | str


def write_detector(
    path: Path,
    rows: NDArray[np.float32],
    picture: tuple[int, int, int],
    *,
    batch: Dim = "batch",
    names: tuple[str, str] = ("images", "output0"),
) -> None:
    """A detector that gives `rows` for every picture, each box's fifth value scaled by the picture's first channel.

    rows: (4 + classes, anchors) in YOLOv8's layout, or (anchors, 5 + classes) in YOLOv5's. picture: shape of a picture
    as the graph wants it. The mean of the first channel (0 to 1) tells pictures of a batch apart.
    """
    transposed = rows.shape[0] > rows.shape[1]
    anchor_axis = 0 if transposed else 1
    scale = np.zeros(rows.shape[1 - anchor_axis], np.float32)
    scale[4] = 1.0
    scale = scale.reshape((1, 1, -1) if transposed else (1, -1, 1))
    nodes = [
        helper.make_node("Slice", ["images", "zero", "one", "axis1"], ["channel"]),
        helper.make_node("ReduceMean", ["channel"], ["mean4"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean4", "axis3"], ["mean"]),
        helper.make_node("Mul", ["mean", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "rest"], ["factor"]),
        helper.make_node("Mul", ["rows", "factor"], [names[1]]),
    ]
    constants = {
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "axis1": np.array([1], np.int64),
        "axis3": np.array([3], np.int64),
        "scale": scale,
        "rest": 1 - scale,
        "rows": rows[None],
    }
    for node in nodes:
        node.input[:] = [names[0] if name == "images" else name for name in node.input]
    _write(path, nodes, constants, (names[0], [batch, *picture]), (names[1], [batch, *rows.shape]))


def write_embedder(
    path: Path,
    picture: tuple[int, int, int],
    *,
    batch: Dim = "batch",
    names: tuple[str, str] = ("images", "embedding"),
) -> None:
    """An embedder whose embedding is the mean of each channel of the crop: (3,)."""
    axes = [2, 3] if picture[0] == 3 else [1, 2]
    nodes = [helper.make_node("ReduceMean", [names[0]], [names[1]], axes=axes, keepdims=0)]
    _write(path, nodes, {}, (names[0], [batch, *picture]), (names[1], [batch, 3]))


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, NDArray],
    source: tuple[str, list[Dim]],
    target: tuple[str, list[Dim]],
) -> None:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(source[0], TensorProto.FLOAT, source[1])],
        [helper.make_tensor_value_info(target[0], TensorProto.FLOAT, target[1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
