"""The colours of clothes: a look that costs no model, for trackers that tell people apart in a crossing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]

# Shares of a box: its middle, so that little of the background counts; torso and legs apart.
_ACROSS = (0.2, 0.8)
_DOWN = ((0.12, 0.5), (0.5, 0.9))
# Bins of lightness, a and b (CIELAB) and where they begin and end; the few colours outside count for the last ones.
_BINS = (6, 8, 8)
_RANGES = (0, 256, 64, 192, 64, 192)
_FIRST, _LAST = np.array([0, 64, 64], np.uint8), np.array([255, 191, 191], np.uint8)
_SIZE = 6 * 8 * 8
# Pixels that are looked at along each side of a part at the most.
_MOST_PIXELS = 32


def colours(image: NDArray[np.uint8], boxes: Float32s, wanted: NDArray[np.bool_]) -> Float32s:
    """What the people in (n, 4) ltwh boxes of a BGR picture wear: (n, 768) float32, unit rows, torso before legs.

    The square root of histograms: the cosine of two rows is their Bhattacharyya coefficient. wanted: (n,) bool. Rows
    of NaN for all others and where a box has too few pixels.
    """
    looks = np.full((len(boxes), len(_DOWN) * _SIZE), np.nan, np.float32)
    for row in np.flatnonzero(wanted & np.isfinite(boxes).all(axis=1)):
        parts = [_pixels(image, boxes[row], down) for down in _DOWN]
        if all(part.size for part in parts):
            looks[row] = np.sqrt(np.concatenate([_histogram(part) for part in parts]) / len(_DOWN))
    return looks


def _pixels(image: NDArray[np.uint8], box: Float32s, down: tuple[float, float]) -> NDArray[np.uint8]:
    """The middle of a box between two shares of its height, thinned out where it is large."""
    left, top, width, height = box.tolist()
    across, below = _between(left, width, _ACROSS, image.shape[1]), _between(top, height, down, image.shape[0])
    return image[below, across]


def _between(start: float, length: float, shares: tuple[float, float], most: int) -> slice:
    begin, end = (int(min(max(start + share * length, 0), most)) for share in shares)
    return slice(begin, end, max(1, (end - begin) // _MOST_PIXELS))


def _histogram(pixels: NDArray[np.uint8]) -> Float32s:
    """The shares of the bins."""
    lab = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2LAB)
    np.clip(lab, _FIRST, _LAST, out=lab)
    counts = cv2.calcHist([lab], [0, 1, 2], None, _BINS, _RANGES).ravel()
    return np.asarray(counts / counts.sum(), np.float32)
