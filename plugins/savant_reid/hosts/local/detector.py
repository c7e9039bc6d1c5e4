"""The person detector of the module: pictures in, boxes out."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import ModelError
from savant_reid.hosts.local.converters import Boxes, Floats, YoloXGrid, decode_yolo, select, yolo_shape_message
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.model_input import model_scale
from savant_reid.hosts.local.model_schema import YoloXConverter
from savant_reid.hosts.local.model_stage import ModelStage
from savant_reid.hosts.local.module_schema import DetectorElement, LocalHost


class Detector(ModelStage):
    """Finds people in frames of any sizes.

    Raises ModelError where the model does not fit its entry in the module.
    """

    def __init__(self, element: DetectorElement, settings: LocalHost | None = None) -> None:
        self._spec = element.model.input
        self._output = element.model.output
        super().__init__(element.name, element.model, self._output.layer_names[0], settings)
        converter = self._output.converter
        decodes = isinstance(converter, YoloXConverter) and converter.kwargs.decode
        self._grid = YoloXGrid(self._spec.width, self._spec.height) if decodes else None
        self._check_output()

    def detect(self, frames: Sequence[Frame]) -> None:
        """Fill `boxes` and `confidences` of each frame, best first; boxes are clipped to the frame."""
        done = 0
        for outputs in self._model.run([frame.image for frame in frames]):
            begin = time.perf_counter()
            for frame, output in zip(frames[done:], outputs, strict=False):
                frame.boxes, frame.confidences = self._boxes(output, frame.image.shape[1], frame.image.shape[0])
            done += len(outputs)
            self._around_seconds += time.perf_counter() - begin

    def _boxes(self, output: Floats, width: int, height: int) -> tuple[Floats, Floats]:
        if self._grid is not None:
            output = self._grid.decode(output)
        found = decode_yolo(output, self._output.num_detected_classes, self._output.converter.kwargs)
        across, down = model_scale(self._spec, width, height)
        found.centres[:, 0::2] /= np.float32(across)
        found.centres[:, 1::2] /= np.float32(down)
        found = found._replace(centres=_clipped(found.centres, width, height))
        found = found.take(np.flatnonzero((found.centres[:, 2:] > 0).all(axis=1)))
        chosen = [select(found.take(found.classes == item.class_id), item.selector) for item in self._output.objects]
        merged = Boxes(*(np.concatenate(parts) for parts in zip(*chosen, strict=True)))
        merged = merged.take(np.argsort(-merged.confidences, kind="stable"))
        return _left_top(merged.centres), merged.confidences.astype(np.float32)

    def _check_output(self) -> None:
        classes, shape = self._output.num_detected_classes, self._model.output_shape
        if len(shape) != 2 or (shape[0] != classes + 4 and shape[1] != classes + 5):
            layer = self._output.layer_names[0]
            raise ModelError(f"{self.name}: output {layer!r}: {yolo_shape_message(shape, classes)}")
        if self._grid is not None and shape[0] != len(self._grid):
            text = f"expected {len(self._grid)} cells for an input of {self._spec.width} x {self._spec.height}"
            raise ModelError(f"{self.name}: output {self._output.layer_names[0]!r}: {text}, found {shape[0]}")


def _clipped(centres: Floats, width: int, height: int) -> Floats:
    """The parts of the boxes that lie inside the frame; Savant clips before the selector, too."""
    size = np.array([width, height], np.float32)
    start = np.clip(centres[:, :2] - centres[:, 2:] / 2, 0, size)
    end = np.clip(centres[:, :2] + centres[:, 2:] / 2, 0, size)
    return np.concatenate(((start + end) / 2, end - start), axis=1)


def _left_top(centres: Floats) -> NDArray[np.float32]:
    boxes = centres.astype(np.float32)
    boxes[:, :2] -= boxes[:, 2:] / 2
    return boxes
