"""PyTorch models to the ONNX files of ``models/``."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

OPSET = 17
# What the two runtimes may differ by on the same input; float32 sums in another order.
TOLERANCE = 1e-4


def export_onnx(model: nn.Module, example: Tensor, output: str, file: Path, metadata: dict[str, str]) -> None:
    """Writes ``file`` with input ``images`` and one ``output`` of any batch size, and checks it against PyTorch."""
    model = model.eval().to(memory_format=torch.contiguous_format)
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The tracing exporter is deprecated; the new one needs onnxscript and brings nothing to plain convolutions.
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
    _finish(file, metadata)
    difference = largest_difference(model, file, example)
    if difference > TOLERANCE:
        raise RuntimeError(f"{file} differs from PyTorch by {difference:.2g}; expected at most {TOLERANCE:.0e}")


def _finish(file: Path, metadata: dict[str, str]) -> None:
    graph = onnx.load(file)
    onnx.helper.set_model_props(graph, metadata)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, file)


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
