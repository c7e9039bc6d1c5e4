"""A model file in ONNX Runtime, checked against its entry in the module before the first frame."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from savant_reid.errors import ModelError
from savant_reid.hosts.local.model_input import Layout, ModelInputTensor
from savant_reid.hosts.local.model_schema import Model
from savant_reid.hosts.local.module_schema import LocalHost
from savant_reid.hosts.local.verified_model import check_verified

ONNX_RANK = 4  # batch and a picture of three axes


class OnnxModel:
    """Runs pictures through one model with one input and one output that matters.

    inference_seconds, preparation_seconds: sums over all calls, of ONNX Runtime and of filling the input tensor.
    sha256: hex digest of the model file, which says which model made an embedding.
    Raises ModelError where the file is absent, unreadable, not the one that was verified, or does not fit `model`.
    """

    def __init__(self, name: str, model: Model, output_layer: str, settings: LocalHost) -> None:
        self.name = name
        self.inference_seconds = 0.0
        self.inference_cpu_seconds = 0.0
        self.preparation_seconds = 0.0
        content = _read(name, model.path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        if not settings.accept_unverified_models:
            check_verified(name, model.path, self.sha256)
        self._session = _session(name, model.path, content, settings.inference_threads)
        self._output = output_layer
        self._input, layout, static_batch = self._checked_input(model)
        self._check_output()
        self._pads_batch = static_batch is not None
        self.rows = static_batch or model.batch_size
        self._tensor = ModelInputTensor(model.input, layout, self.rows, settings.letterbox_padding)
        first = np.zeros((model.input.height, model.input.width, 3), np.uint8)
        # The first run settles dynamic shapes, and finds a graph that loads but does not run.
        self.output_shape = next(self.run([first])).shape[1:]
        self.inference_seconds = self.inference_cpu_seconds = self.preparation_seconds = 0.0

    def run(self, images: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """images: (height, width, 3) uint8 BGR. Yields the outputs in chunks (rows, …), in the order of the images."""
        for start in range(0, len(images), self.rows):
            chunk = images[start : start + self.rows]
            begin = time.perf_counter()
            tensor = self._tensor.fill(chunk)
            if self._pads_batch:
                tensor = self._tensor.all_rows
            middle, cpu_middle = time.perf_counter(), time.thread_time()
            output = self._infer(tensor)
            self.inference_cpu_seconds += time.thread_time() - cpu_middle
            self.inference_seconds += time.perf_counter() - middle
            self.preparation_seconds += middle - begin
            yield output[: len(chunk)]

    def _infer(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return np.asarray(self._session.run([self._output], {self._input: tensor})[0], np.float32)
        except Exception as error:  # ONNX Runtime has no common base class for its errors
            raise ModelError(f"{self.name}: the model does not run on an input of {tensor.shape}: {error}") from error

    def _checked_input(self, model: Model) -> tuple[str, Layout, int | None]:
        """Name of the input, its layout, and its batch size where the graph fixes one."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            found = ", ".join(item.name for item in inputs)
            raise ModelError(f"{self.name}: {model.path.name}: expected one input, found {len(inputs)}: {found}")
        item = inputs[0]
        expected_name = model.input.layer_name
        if expected_name is not None and item.name != expected_name:
            text = f"expected input {expected_name!r} (model.input.layer_name), found {item.name!r}"
            raise ModelError(f"{self.name}: {model.path.name}: {text}")
        if item.type != "tensor(float)":
            text = f"input {item.name!r}: expected tensor(float), found {item.type}"
            raise ModelError(f"{self.name}: {model.path.name}: {text}")
        _, height, width = model.input.shape
        for layout, picture in ((Layout.NCHW, (3, height, width)), (Layout.NHWC, (height, width, 3))):
            if len(item.shape) == ONNX_RANK and _fits(item.shape[1:], picture):
                batch = item.shape[0]
                return item.name, layout, batch if isinstance(batch, int) and batch > 0 else None
        expected = f"[batch, 3, {height}, {width}] or [batch, {height}, {width}, 3] (model.input.shape)"
        raise ModelError(
            f"{self.name}: {model.path.name}: input {item.name!r}: expected {expected}, found {item.shape}"
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of all outputs of the graph."""
        return tuple(item.name for item in self._session.get_outputs())

    def _check_output(self) -> None:
        outputs = {item.name: item for item in self._session.get_outputs()}
        if self._output not in outputs:
            found = ", ".join(outputs)
            raise ModelError(
                f"{self.name}: expected an output {self._output!r} (model.output.layer_names), found {found}"
            )
        found_type = outputs[self._output].type
        if found_type != "tensor(float)":
            # FP16 outputs are refused by Savant's converters, too.
            raise ModelError(f"{self.name}: output {self._output!r}: expected tensor(float), found {found_type}")


def _fits(found: Sequence[int | str | None], expected: Sequence[int]) -> bool:
    """Dynamic axes, which have a name or nothing, fit any size."""
    return all(not isinstance(size, int) or size == want for size, want in zip(found, expected, strict=True))


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise ModelError(f"{name}: {path}: {reason} (model.local_path and model.model_file name it)") from error


def _session(name: str, path: Path, content: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads take the cores that decoding and encoding need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # no common base class
        raise ModelError(f"{name}: {path}: ONNX Runtime cannot load it: {error}") from error
