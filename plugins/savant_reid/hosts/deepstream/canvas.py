"""Draws through Savant's Artist, which draws on the frame where the GPU has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Colour = tuple[int, int, int]
DASH_PX = 8
OPAQUE = 255


class ArtistCanvas:
    """A canvas over an Artist; sizes follow the frame's height, as on the local host.

    box_of: Savant's BBox from left, top, width, height. left_bottom: Savant's Position of that name.
    """

    def __init__(self, artist: Any, box_of: Callable[[float, float, float, float], Any], left_bottom: Any) -> None:
        self._artist = artist
        self._box_of = box_of
        self._left_bottom = left_bottom
        self._width, self._height = artist.frame_wh
        self._scale = max(0.4, self._height / 900)
        self._line = max(1, round(self._height / 360))

    def box(self, ltwh: tuple[float, float, float, float], colour: Colour, dashed: bool) -> None:
        """Parts beyond the picture are cut off; where nothing is left, nothing is drawn."""
        left, top = max(0.0, ltwh[0]), max(0.0, ltwh[1])
        right, bottom = min(self._width - 1.0, ltwh[0] + ltwh[2]), min(self._height - 1.0, ltwh[1] + ltwh[3])
        if right - left < 2 * self._line or bottom - top < 2 * self._line:
            return  # Artist refuses boxes without an extent
        if dashed:
            self._dashes(round(left), round(top), round(right), round(bottom), colour)
        else:
            box = self._box_of(left, top, right - left, bottom - top)
            self._artist.add_bbox(box, self._line, (*colour, OPAQUE), None)

    def label(self, text: str, left: float, bottom: float, colour: Colour) -> None:
        ink = (0, 0, 0, OPAQUE) if sum(colour) > 3 * 110 else (255, 255, 255, OPAQUE)
        plate = (*colour, OPAQUE)
        anchor = (max(0, round(left)), max(round(30 * self._scale), round(bottom)))
        self._artist.add_text(text, anchor, self._scale, 1, ink, 0, plate, plate, (3, 3, 3, 3), self._left_bottom)

    def _dashes(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        line = self._artist.add_line
        for x in range(left, right, 2 * DASH_PX):
            for y in (top, bottom):
                line((x, y), (min(x + DASH_PX, right), y), (*colour, OPAQUE), self._line)
        for y in range(top, bottom, 2 * DASH_PX):
            for x in (left, right):
                line((x, y), (x, min(y + DASH_PX, bottom)), (*colour, OPAQUE), self._line)
