"""Turns pictures into a model's input tensor as nvinfer does: letterbox or squash, colour order, offsets, scale."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local.model_schema import ModelInput


class Layout(Enum):
    """The order of a model's input axes."""

    NCHW = "NCHW"
    NHWC = "NHWC"


class ModelInputTensor:
    """A preallocated batch tensor and the way pictures get into it.

    Letterboxed pictures lie at the top left, as nvinfer puts them without symmetric-padding. Resizing is bilinear,
    nvinfer's default. padding: grey value of the rest, 0 to 255, before offsets and scale.
    """

    def __init__(self, spec: ModelInput, layout: Layout, rows: int, padding: int = 0) -> None:
        self._spec, self._layout = spec, layout
        height, width = spec.height, spec.width
        shape = (rows, 3, height, width) if layout is Layout.NCHW else (rows, height, width, 3)
        self._tensor: NDArray[np.float32] = np.zeros(shape, np.float32)
        self._canvas: NDArray[np.uint8] = np.full((height, width, 3), padding, np.uint8)
        self._padding = padding

    def fill(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """images: at most `rows` pictures, (height, width, 3) uint8 BGR, of any sizes.

        Returns a view of the tensor's first len(images) rows, valid until the next call.
        """
        for row, image in enumerate(images):
            self._write(self._tensor[row], self._resized(image))
        return self._tensor[: len(images)]

    @property
    def all_rows(self) -> NDArray[np.float32]:
        """The whole tensor, for graphs with a fixed batch; rows that were not filled hold old pictures."""
        return self._tensor

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        spec = self._spec
        if not spec.maintain_aspect_ratio:
            return np.asarray(cv2.resize(image, (spec.width, spec.height)), np.uint8)
        height, width = image.shape[:2]
        scale = letterbox_scale(spec, width, height)
        size = (min(max(round(width * scale), 1), spec.width), min(max(round(height * scale), 1), spec.height))
        self._canvas.fill(self._padding)
        self._canvas[: size[1], : size[0]] = cv2.resize(image, size)
        return self._canvas

    def _write(self, target: NDArray[np.float32], image: NDArray[np.uint8]) -> None:
        order = (2, 1, 0) if self._spec.color_format == "rgb" else (0, 1, 2)
        for channel, source in enumerate(order):
            plane = target[channel] if self._layout is Layout.NCHW else target[:, :, channel]
            plane[...] = image[:, :, source]
            if self._spec.offsets[channel]:
                plane -= np.float32(self._spec.offsets[channel])
            if self._spec.scale_factor != 1.0:
                plane *= np.float32(self._spec.scale_factor)


def letterbox_scale(spec: ModelInput, width: int, height: int) -> float:
    """Model pixels per source pixel of a letterboxed picture."""
    return min(spec.width / width, spec.height / height)


def model_scale(spec: ModelInput, width: int, height: int) -> tuple[float, float]:
    """Model pixels per source pixel, across and down."""
    if spec.maintain_aspect_ratio:
        scale = letterbox_scale(spec, width, height)
        return scale, scale
    return spec.width / width, spec.height / height
