"""All cameras in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local.video_writer import letterbox

DEFAULT_WIDTH_PX = 1280
_LABEL_PX = 24
_BACKGROUND = (32, 32, 32)
_TEXT = (235, 235, 235)


class Mosaic:
    """A grid of the cameras' latest pictures under their names, in the order given; cameras without one stay grey.

    size: (width, height) of the whole, even numbers.
    """

    def __init__(self, cameras: Sequence[str], size: tuple[int, int] | None = None, *, aspect: float = 16 / 9) -> None:
        """size: (width, height) in pixels; by default 1280 wide, tiles of the given aspect (width / height)."""
        if not cameras:
            raise ValueError("expected at least one camera, found none")
        self._columns = math.ceil(math.sqrt(len(cameras)))
        rows = math.ceil(len(cameras) / self._columns)
        if size is None:
            tile_width = DEFAULT_WIDTH_PX // self._columns
            size = (DEFAULT_WIDTH_PX, rows * (round(tile_width / aspect) + _LABEL_PX))
        self.size = (size[0] // 2 * 2, size[1] // 2 * 2)
        self._tile = (self.size[0] // self._columns, self.size[1] // rows)
        self._places = {camera: divmod(order, self._columns) for order, camera in enumerate(cameras)}
        self._latest: dict[str, NDArray[np.uint8]] = {}
        self._drawn: dict[str, NDArray[np.uint8]] = {}
        self._canvas = np.full((self.size[1], self.size[0], 3), _BACKGROUND, np.uint8)
        for camera in cameras:
            self._draw_label(camera)

    def update(self, camera: str, image: NDArray[np.uint8]) -> None:
        """image: (h, w, 3) uint8 BGR of any size; kept, not copied: it must not be drawn on afterwards."""
        if camera not in self._places:
            raise KeyError(f"expected one of {sorted(self._places)}, found camera {camera!r}")
        self._latest[camera] = image

    def render(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 BGR, valid until the next call. Only tiles with a new picture are scaled again."""
        for camera, image in self._latest.items():
            if self._drawn.get(camera) is not image:
                self._area(camera)[_LABEL_PX:] = letterbox(image, (self._tile[0], self._tile[1] - _LABEL_PX))
                self._drawn[camera] = image
        return self._canvas

    def _area(self, camera: str) -> NDArray[np.uint8]:
        row, column = self._places[camera]
        width, height = self._tile
        return self._canvas[row * height : (row + 1) * height, column * width : (column + 1) * width]

    def _draw_label(self, camera: str) -> None:
        # putText knows ASCII only; and a name longer than the tile is cut by the tile's edge.
        text = camera.encode("ascii", "replace").decode()
        label = np.ascontiguousarray(self._area(camera)[:_LABEL_PX])
        cv2.putText(label, text, (8, _LABEL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _TEXT, 1, cv2.LINE_AA)
        self._area(camera)[:_LABEL_PX] = label
