"""How large a camera's picture is, where the recording does not say: guessed from the boxes.

The core lowers its opinion of people who are cut by the border, and so must know where the border is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from savant_reid.replay.columns import Float32s, Int64s

# What cameras and recorders give, by area.
STANDARD_PX = (
    (320, 240), (352, 288), (640, 360), (640, 480), (704, 480), (704, 576), (800, 600), (960, 540), (1024, 768),
    (1280, 720), (1280, 960), (1280, 1024), (1600, 1200), (1920, 1080), (2048, 1536), (2560, 1440), (2592, 1944),
    (3072, 2048), (3840, 2160), (4096, 2160), (7680, 4320),
)  # fmt: skip
# Trackers let a box hang over the border a little, and now and then one flies away.
_OVERHANG_PX = 4.0
_HELD_SHARE = 0.999
_NOTHING: Mapping[str, int] = MappingProxyType({})


class SizeEstimate:
    """Counts, by camera, the boxes that each standard size would hold."""

    def __init__(self, cameras: int) -> None:
        self._held = np.zeros((len(STANDARD_PX), cameras), np.int64)
        self._count = np.zeros(cameras, np.int64)
        self._extent = np.zeros((cameras, 2))

    def add(self, camera: Int64s, boxes: Float32s) -> None:
        """camera (n,), boxes (n, 4) ltwh, finite."""
        n = len(self._count)
        right, bottom = boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]
        self._count += np.bincount(camera, minlength=n)
        for row, (width, height) in enumerate(STANDARD_PX):
            held = (right <= width + _OVERHANG_PX) & (bottom <= height + _OVERHANG_PX)
            self._held[row] += np.bincount(camera[held], minlength=n)
        np.maximum.at(self._extent, camera, np.stack([right, bottom], axis=1))

    def sizes(self, known: Mapping[int, Mapping[str, int]]) -> list[tuple[int, int]]:
        """By camera: as known (width, height), else the smallest standard size that holds all but one in 1000 boxes,
        else as far as the boxes go."""
        return [self._size(camera, known.get(camera, _NOTHING)) for camera in range(len(self._count))]

    def _size(self, camera: int, known: Mapping[str, int]) -> tuple[int, int]:
        width, height = known.get("width", 0), known.get("height", 0)
        if width > 0 and height > 0:
            return width, height
        for row, size in enumerate(STANDARD_PX):
            if self._held[row, camera] >= _HELD_SHARE * self._count[camera]:
                return size
        right, bottom = np.ceil(np.clip(self._extent[camera], 1, 2**31)).astype(int).tolist()
        return right, bottom
