"""Which boxes of a frame lie over one another: a sweep over all frames of a batch at once.

Rows are sorted by frame and left edge; a box can only meet those that follow it and begin before it ends. So a crowd of
2,000 costs what its overlaps cost, not 2,000 squared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDEST_PX = 2.0**18


@dataclass(frozen=True)
class Overlaps:
    """Pairs of boxes that share pixels.

    first, second: (p,) rows; area: (p,) shared pixels; areas: (n,) of all boxes.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    area: NDArray[np.float64]
    areas: NDArray[np.float64]

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p,) and (p,): what share of the first box, and of the second, lies inside the other."""
        areas = np.maximum(self.areas, 1e-9)
        return self.area / areas[self.first], self.area / areas[self.second]

    def iou(self) -> NDArray[np.float64]:
        """(p,) intersection over union."""
        both = self.areas[self.first] + self.areas[self.second]
        return np.asarray(self.area / np.maximum(both - self.area, 1e-9))


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes, ltwh pixels: for a few pairs, where arrays would cost more."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    area = max(across, 0.0) * max(down, 0.0)
    return area / max(a[2] * a[3] + b[2] * b[3] - area, 1e-9)


def find_overlaps(boxes: NDArray[np.float32], frame_of: NDArray[np.int64]) -> Overlaps:
    """boxes: (n, 4) ltwh pixels; frame_of: (n,) boxes of different frames never meet."""
    left, top, width, height = boxes.astype(np.float64).T
    right, bottom = left + width, top + height
    # One key to sort by: in frames of any size that there is, left edges are less than WIDEST_PX from one another.
    order = np.argsort(frame_of * (2.0 * WIDEST_PX) + np.clip(left, -WIDEST_PX, WIDEST_PX), kind="stable")
    frame, begin, end = frame_of[order], left[order], right[order]
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    active = np.arange(len(order))
    step = 0
    while True:
        step += 1
        active = active[active + step < len(order)]
        other = active + step
        meets = (frame[active] == frame[other]) & (begin[other] < end[active])
        active, other = active[meets], other[meets]
        if not len(active):
            break
        found.append((order[active], order[other]))
    first = np.concatenate([a for a, _ in found]) if found else np.zeros(0, np.int64)
    second = np.concatenate([b for _, b in found]) if found else np.zeros(0, np.int64)
    across = np.minimum(right[first], right[second]) - np.maximum(left[first], left[second])
    down = np.minimum(bottom[first], bottom[second]) - np.maximum(top[first], top[second])
    area = np.clip(across, 0.0, None) * np.clip(down, 0.0, None)
    real = area > 0.0
    return Overlaps(first[real], second[real], area[real], width * height)
