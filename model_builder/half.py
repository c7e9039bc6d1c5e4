"""FP32 graphs to half precision: FP16 weights and compute, FP32 input and output."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import onnx
from onnxruntime.transformers import float16
from onnxruntime.transformers.onnx_model import OnnxModel


def to_half(graph: onnx.ModelProto, keep: Sequence[str] = ()) -> onnx.ModelProto:
    """A copy in FP16. Nodes whose name starts with one of ``keep`` (the exporter's scopes) stay FP32.

    The input is cast once and the output cast back, so that hosts feed and read FP32 as before.
    """
    blocked = [node.name for node in graph.graph.node if node.name.startswith(tuple(keep))]
    # Resize in FP16 is refused by some runtimes' CPU kernels.
    operators = [*float16.DEFAULT_OP_BLOCK_LIST, "Resize", "NonMaxSuppression", "RoiAlign"]
    with warnings.catch_warnings():
        # It tells of every weight below FP16's smallest number that becomes that number.
        warnings.simplefilter("ignore")
        half = float16.convert_float_to_float16(
            graph, keep_io_types=True, op_block_list=operators, node_block_list=blocked
        )
    _drop_round_trips(half.graph)
    ordered = OnnxModel(half)
    ordered.topological_sort()
    return ordered.model


def _drop_round_trips(graph: onnx.GraphProto) -> None:
    """FP32 to FP16 and at once back to FP32: the reader gets the FP32 itself, which is cheaper and not rounded."""
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast"}
    made = {output.name for output in graph.output}
    for node in list(graph.node):
        if node.op_type != "Cast" or node.attribute[0].i != onnx.TensorProto.FLOAT:
            continue
        down = casts.get(node.input[0])
        if down is None or down.attribute[0].i != onnx.TensorProto.FLOAT16:
            continue
        graph.node.remove(node)
        original, replaced = down.input[0], node.output[0]
        if replaced in made:
            _rename(graph, original, replaced)
            down.input[0] = replaced
        else:
            _rename_inputs(graph, replaced, original)
    _drop_unread_casts(graph, made)


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == old:
                node.output[index] = new
    _rename_inputs(graph, old, new)


def _rename_inputs(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new


def _drop_unread_casts(graph: onnx.GraphProto, made: set[str]) -> None:
    read = {name for node in graph.node for name in node.input} | made
    for node in list(graph.node):
        if node.op_type == "Cast" and node.output[0] not in read:
            graph.node.remove(node)
