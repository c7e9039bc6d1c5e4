"""How much a crop is worth as evidence, from geometry alone: size, wholeness, occlusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Below MIN_HEIGHT_PX a re-ID model sees mush; from FULL_HEIGHT_PX on nothing is gained (its input is 128 or 256 high).
MIN_HEIGHT_PX = 40.0
FULL_HEIGHT_PX = 128.0
BORDER_PX = 3.0
# Upright people are 2 to 4.5 times as high as wide; a box outside is cut, merged, or somebody sitting.
MIN_ASPECT, MAX_ASPECT = 1.5, 5.5
# A crop covered by this share's inverse shows more of somebody else than of the person.
COVER_WEIGHT = 2.0
# Somebody further away who fills a part of the box is only background, but one in clothes.
CROWD_WEIGHT = 0.5


def qualities(
    boxes: NDArray[np.float32], confidences: NDArray[np.float32], frame_size: tuple[int, int]
) -> NDArray[np.float64]:
    """(n,) quality in [0, 1] for boxes (n, 4) ltwh pixels; 0 means: no evidence at all.

    The product of the detector's confidence, size, shape, and the share of the box that nobody nearer covers.
    """
    if len(boxes) == 0:
        return np.zeros(0)
    width, height = boxes[:, 2].astype(np.float64), boxes[:, 3].astype(np.float64)
    size = np.clip((height - MIN_HEIGHT_PX) / (FULL_HEIGHT_PX - MIN_HEIGHT_PX), 0.0, 1.0) * 0.6 + 0.4
    size[height < MIN_HEIGHT_PX] = 0.0
    aspect = height / np.maximum(width, 1.0)
    shape = np.where((aspect >= MIN_ASPECT) & (aspect <= MAX_ASPECT), 1.0, 0.3)
    shape[touches_border(boxes, frame_size)] *= 0.3
    nearer, further = _neighbours(boxes)
    covered = COVER_WEIGHT * nearer + CROWD_WEIGHT * further
    visible = np.clip(1.0 - covered, 0.0, 1.0)
    return np.asarray(np.clip(confidences, 0.0, 1.0) * size * shape * visible)


def touches_border(boxes: NDArray[np.float32], frame_size: tuple[int, int]) -> NDArray[np.bool_]:
    """(n,) True where the person is probably cut by the frame's left, right or upper border.

    The lower border does not count: in steep views feet are cut while the rest is seen best.
    """
    left, top, width, _ = boxes.T
    return np.asarray((left <= BORDER_PX) | (top <= BORDER_PX) | (left + width >= frame_size[0] - BORDER_PX))


def covered_shares(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) the largest share of each box (ltwh) covered by one box that stands nearer (its feet are lower)."""
    return _neighbours(boxes)[0]


def crowded_shares(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) the largest share of each box (ltwh) that lies in the box of somebody who stands further away."""
    return _neighbours(boxes)[1]


def crossing(boxes: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """(n,) True for those who share more than `share` of their box, or of the other's, with somebody else."""
    shares = _shared_shares(boxes)
    np.fill_diagonal(shares, 0.0)
    return np.asarray((np.maximum(shares, shares.T) > share).any(axis=1))


def _neighbours(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) and (n,): largest shares with somebody nearer, and with somebody further away."""
    bottom = boxes[:, 1] + boxes[:, 3]
    shares = _shared_shares(boxes)
    nearer = np.where(bottom[None, :] > bottom[:, None], shares, 0.0)
    further = np.where(bottom[None, :] < bottom[:, None], shares, 0.0)
    return np.asarray(nearer.max(axis=1)), np.asarray(further.max(axis=1))


def _shared_shares(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, n) share of box i (ltwh) that lies inside box j."""
    left, top, width, height = boxes.astype(np.float64).T
    right, bottom = left + width, top + height
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    down = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    shared = np.clip(across, 0.0, None) * np.clip(down, 0.0, None)
    return np.asarray(shared / np.maximum(width * height, 1e-9)[:, None])
