"""The re-ID model of the module: people in, embeddings out."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import ModelError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.model_stage import ModelStage
from savant_reid.hosts.local.module_schema import AttributeModelElement, LocalHost


class Embedder(ModelStage):
    """Makes embeddings of the people that the gate wants to know more about.

    dimension: D of the embeddings, which are handed on as the model gives them. Raises ModelError where the model
    does not fit its entry in the module.
    """

    def __init__(self, element: AttributeModelElement, settings: LocalHost | None = None) -> None:
        self._input = element.model.input
        layer = element.model.output.layer_names[0]
        super().__init__(element.name, element.model, layer, settings)
        if len(self._model.outputs) != 1:
            # Not for this host's sake: Savant 0.5 hands on a wrong tensor where a model has more.
            found = ", ".join(self._model.outputs)
            raise ModelError(
                f"{self.name}: {element.model.model_file}: expected one output, the embedding; found {found}"
            )
        shape = self._model.output_shape
        # nvinfer hands on [D, 1, 1] as readily as [D].
        self.dimension = int(np.prod(shape))
        if not shape or self.dimension != max(shape) or self.dimension < 2:
            raise ModelError(f"{self.name}: output {layer!r}: expected one vector per person, found {list(shape)}")

    def embed(self, frames: Sequence[Frame]) -> int:
        """Give each frame the embeddings of those people who are due and of a size that the model takes.

        Returns how many there are. All frames share batches of the model's size; what the tracker has asked for
        already is not made again.
        """
        begin = time.perf_counter()
        rows_of = [np.flatnonzero(frame.due & self._takes(frame.boxes)) for frame in frames]
        new_of = [rows if frame.looks is None else rows[:0] for frame, rows in zip(frames, rows_of, strict=True)]
        self._around_seconds += time.perf_counter() - begin
        made_of = self._made(frames, new_of)
        for frame, rows, made in zip(frames, rows_of, made_of, strict=True):
            frame.set_embeddings(rows, made if frame.looks is None else frame.looks[rows])
        return sum(map(len, rows_of))

    def look(self, frames: Sequence[Frame], confidence: float) -> list[NDArray[np.float32]]:
        """For the tracker: embeddings of each frame's boxes of at least this confidence, (n, D), NaN for all others."""
        rows_of = [np.flatnonzero(self._takes(frame.boxes) & (frame.confidences >= confidence)) for frame in frames]
        looks = [np.full((len(frame.boxes), self.dimension), np.nan, np.float32) for frame in frames]
        for look, rows, made in zip(looks, rows_of, self._made(frames, rows_of), strict=True):
            look[rows] = made
        return looks

    def _made(self, frames: Sequence[Frame], rows_of: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        """The embeddings of these rows of each frame, (m, D) each, in batches over all frames."""
        begin = time.perf_counter()
        crops = [
            _crop(frame.image, frame.boxes[row]) for frame, rows in zip(frames, rows_of, strict=True) for row in rows
        ]
        self._around_seconds += time.perf_counter() - begin
        outputs = list(self._model.run(crops))
        begin = time.perf_counter()
        embeddings = np.concatenate(outputs) if outputs else np.zeros((0, self.dimension), np.float32)
        ends = np.cumsum([len(rows) for rows in rows_of])
        made = np.split(embeddings.reshape(-1, self.dimension), ends[:-1]) if len(ends) else []
        self._around_seconds += time.perf_counter() - begin
        return made

    def _takes(self, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which boxes lie within model.input.object_min/max_*, and are not empty."""
        spec, width, height = self._input, boxes[:, 2], boxes[:, 3]
        takes = (width >= max(spec.object_min_width or 0, 1)) & (height >= max(spec.object_min_height or 0, 1))
        if spec.object_max_width:
            takes &= width <= spec.object_max_width
        if spec.object_max_height:
            takes &= height <= spec.object_max_height
        return takes


def _crop(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The part of the picture within an ltwh box; at least one pixel of it, for boxes that a tracker moved outside."""
    height, width = image.shape[:2]
    left = min(max(int(box[0]), 0), width - 1)
    top = min(max(int(box[1]), 0), height - 1)
    right = min(max(round(float(box[0] + box[2])), left + 1), width)
    bottom = min(max(round(float(box[1] + box[3])), top + 1), height)
    return image[top:bottom, left:right]
