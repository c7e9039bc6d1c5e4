"""PyTorch models to ONNX files: dynamic batch, one FP32 output, preprocessing and L2 inside, simplified and checked."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import onnxslim
import torch
from torch import Tensor, nn

from model_builder.cards import Card
from model_builder.files import written_whole
from model_builder.graph import CAMERAS, Deployed, GraphSpec
from model_builder.half import to_half
from savant_reid.errors import ModelError

OPSET = 17
# What the two runtimes may differ by on the same input; float32 sums in another order.
TOLERANCE = 1e-4
Precision = Literal["fp32", "fp16"]
# The file's own word on which nodes (beginnings of their names) must not be computed in less than FP32.
SINGLE_PRECISION = "single_precision"


def export(
    module: nn.Module,
    card: Card | GraphSpec,
    path: Path,
    precision: Precision = "fp32",
    *,
    extra: Sequence[tuple[str, Tensor]] = (),
    metadata: dict[str, str] | None = None,
) -> Path:
    """Writes ``path`` from a network in eval mode, as ``card`` describes its outside.

    fp16: weights and compute in half precision, input and output stay FP32. extra: further inputs of the network, by
    name, each with an example of batch 2 (the cameras of a TransReID). Writes beside the path and renames, so that a
    failure leaves no half-written file. Raises ModelError where the result breaks the contract, OutputError where it
    cannot be written.
    """
    spec = card if isinstance(card, GraphSpec) else GraphSpec.of(card)
    deployed = Deployed(module, spec).eval()
    with written_whole(path) as temporary:
        _trace(deployed, spec, temporary, extra)
        graph = onnxslim.slim(onnx.load(temporary))
        if precision == "fp16":
            graph = to_half(graph, keep=_single(module))
        facts = {"precision": precision, SINGLE_PRECISION: " ".join(_single(module))}
        onnx.helper.set_model_props(graph, facts | (metadata or {}))
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(graph, temporary)
        check_file(temporary, spec)
    return path


def _single(module: nn.Module) -> tuple[str, ...]:
    """Beginnings of the names of nodes that stay FP32: what is around the network, and what the network says itself."""
    own: tuple[str, ...] = getattr(module, "keep_single_precision", ())
    return ("/before/", "/after/", *(f"/network/{part}/" for part in own))


def _trace(deployed: nn.Module, spec: GraphSpec, file: Path, extra: Sequence[tuple[str, Tensor]]) -> None:
    names = [spec.input, *(name for name, _ in extra)]
    with warnings.catch_warnings(), torch.no_grad():
        # The tracing exporter is deprecated; the new one needs onnxscript and brings nothing to these networks.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            deployed,
            (spec.example(2), *(example for _, example in extra)),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=[spec.output],
            dynamic_axes={name: {0: "batch"} for name in (*names, spec.output)},
        )


def check_file(file: Path, spec: GraphSpec) -> None:
    """Holds an ONNX file against the contract: input, dynamic batch, one FP32 output, opset; runs it at 1 and 3.

    Raises ModelError that names what was expected and what was found.
    """
    graph = onnx.load(file)
    opset = max(entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx"))
    if opset != OPSET:
        raise ModelError(f"{file.name}: expected opset {OPSET}, found {opset}")
    session = open_session(file)
    require_dynamic_batch(session, file)
    given, made = session.get_inputs()[0], session.get_outputs()
    if len(made) != 1 or made[0].type != "tensor(float)" or made[0].name != spec.output:
        found = ", ".join(f"{output.name} {output.type}" for output in made)
        raise ModelError(f"{file.name}: expected one output {spec.output!r} in FP32, found {found}")
    if given.name != spec.input or list(given.shape[1:]) != list(spec.shape):
        raise ModelError(
            f"{file.name}: expected an input {spec.input!r} of {list(spec.shape)} per picture,"
            f" found {given.name!r} of {list(given.shape[1:])}"
        )
    for batch in (1, 3):
        output = session.run(None, inputs_for(session, spec.example(batch).numpy()))[0]
        if output.shape[0] != batch:
            raise ModelError(f"{file.name}: expected {batch} rows for {batch} pictures, found {output.shape[0]}")


def open_session(file: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread that does not spin. Raises ModelError where the file is not a model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base.
        raise ModelError(f"{file}: expected an ONNX model, found {str(error).splitlines()[0]}") from error


def require_dynamic_batch(session: onnxruntime.InferenceSession, file: Path) -> None:
    """Raises ModelError where an input or the output has a batch fixed in the file."""
    for tensor in (*session.get_inputs(), *session.get_outputs()):
        if not tensor.shape or isinstance(tensor.shape[0], int):
            raise ModelError(
                f"{file.name}: expected a dynamic batch, found {tensor.name!r} of {list(tensor.shape)}:"
                " a batch fixed in the file; export it again with a dynamic first axis, or set batch_size to it"
            )


def inputs_for(session: onnxruntime.InferenceSession, images: Any) -> dict[str, Any]:
    """Feed of a session; cameras, where the graph asks for them, are all 0."""
    feed = {session.get_inputs()[0].name: images}
    if any(entry.name == CAMERAS for entry in session.get_inputs()):
        feed[CAMERAS] = np.zeros(len(images), np.int64)
    return feed


def export_onnx(model: nn.Module, example: Tensor, output: str, file: Path, metadata: dict[str, str]) -> None:
    """Writes a demo model: ``file`` with input ``images`` and one ``output``, and checks it against PyTorch."""
    model = model.eval().to(memory_format=torch.contiguous_format)
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example,),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=[output],
            dynamic_axes={"images": {0: "batch"}, output: {0: "batch"}},
        )
    graph = onnx.load(file)
    onnx.helper.set_model_props(graph, metadata)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, file)
    difference = largest_difference(model, file, example)
    if difference > TOLERANCE:
        raise RuntimeError(f"{file} differs from PyTorch by {difference:.2g}; expected at most {TOLERANCE:.0e}")


@torch.no_grad()
def largest_difference(model: nn.Module, file: Path, example: Tensor) -> float:
    """Largest difference of any output, relative where outputs are above 1, at the batch of the example and at 3."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in (example, torch.cat([example[:1] * factor for factor in (1.0, 0.5, 0.25)])):
        expected = model(batch).numpy()
        found = session.run(None, {"images": batch.numpy()})[0]
        worst = max(worst, float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1.0))))
    return worst
