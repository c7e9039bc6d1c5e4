"""Draws on a BGR picture with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
FONT = cv2.FONT_HERSHEY_SIMPLEX
DASH_PX = 8


class ImageCanvas:
    """A canvas on `image` (h, w, 3) uint8 BGR; sizes follow its height, so that labels read alike at any resolution."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._image = image
        self._scale = max(0.4, image.shape[0] / 900)
        self._line = max(1, round(image.shape[0] / 360))

    def box(self, ltwh: tuple[float, float, float, float], colour: Colour, dashed: bool) -> None:
        """ltwh: pixels. colour: RGB, 0 to 255."""
        left, top, width, height = (round(v) for v in ltwh)
        right, bottom = left + width, top + height
        if not dashed:
            cv2.rectangle(self._image, (left, top), (right, bottom), colour[::-1], self._line)
            return
        for x in range(left, right, 2 * DASH_PX):
            for y in (top, bottom):
                self._stroke((x, y), (min(x + DASH_PX, right), y), colour)
        for y in range(top, bottom, 2 * DASH_PX):
            for x in (left, right):
                self._stroke((x, y), (x, min(y + DASH_PX, bottom)), colour)

    def label(self, text: str, left: float, bottom: float, colour: Colour) -> None:
        """Text on a filled plate whose lower left corner is at (left, bottom), moved inside the picture."""
        (width, height), below = cv2.getTextSize(text, FONT, self._scale, 1)
        pad = 3
        x = int(np.clip(left, 0, max(0, self._image.shape[1] - width - 2 * pad)))
        y = int(max(bottom, height + below + 2 * pad))
        cv2.rectangle(self._image, (x, y - height - below - 2 * pad), (x + width + 2 * pad, y), colour[::-1], -1)
        dark = sum(colour) > 3 * 110
        ink = (0, 0, 0) if dark else (255, 255, 255)
        cv2.putText(self._image, text, (x + pad, y - below - pad + 1), FONT, self._scale, ink, 1, cv2.LINE_AA)

    def _stroke(self, start: tuple[int, int], end: tuple[int, int], colour: Colour) -> None:
        cv2.line(self._image, start, end, colour[::-1], self._line)
