"""How much a crop is worth as evidence, from geometry alone: size, wholeness, occlusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.overlaps import Overlaps

Doubles = NDArray[np.float64]
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


def crop_qualities(
    boxes: NDArray[np.float32],
    confidences: NDArray[np.float32],
    frame_sizes: NDArray[np.int64],
    frame_of: NDArray[np.int64],
    overlaps: Overlaps,
) -> Doubles:
    """(n,) qualities for the boxes of several frames; frame_sizes: (f, 2) width and height; frame_of: (n,) into these.

    The product of the detector's confidence, size, shape, and the share of the box that nobody nearer covers.
    """
    width, height = boxes[:, 2].astype(np.float64), boxes[:, 3].astype(np.float64)
    size = np.clip((height - MIN_HEIGHT_PX) / (FULL_HEIGHT_PX - MIN_HEIGHT_PX), 0.0, 1.0) * 0.6 + 0.4
    size[height < MIN_HEIGHT_PX] = 0.0
    aspect = height / np.maximum(width, 1.0)
    shape = np.where((aspect >= MIN_ASPECT) & (aspect <= MAX_ASPECT), 1.0, 0.3)
    shape[touches_border(boxes, frame_sizes[frame_of, 0])] *= 0.3
    nearer, further = shared_with(boxes, overlaps)
    visible = np.clip(1.0 - (COVER_WEIGHT * nearer + CROWD_WEIGHT * further), 0.0, 1.0)
    return np.asarray(np.clip(confidences, 0.0, 1.0) * size * shape * visible)


def touches_border(boxes: NDArray[np.float32], frame_width: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) True where the person is probably cut by the frame's left, right or upper border.

    The lower border does not count: in steep views feet are cut while the rest is seen best.
    """
    left, top, width, _ = boxes.T
    return np.asarray((left <= BORDER_PX) | (top <= BORDER_PX) | (left + width >= frame_width - BORDER_PX))


def crossing(overlaps: Overlaps, share: float) -> NDArray[np.bool_]:
    """(n,) True for those who share more than `share` of their box, or of the other's, with somebody else."""
    near = np.maximum(*overlaps.shares()) > share
    crosses = np.zeros(len(overlaps.areas), bool)
    crosses[overlaps.first[near]] = crosses[overlaps.second[near]] = True
    return crosses


def shared_with(boxes: NDArray[np.float32], overlaps: Overlaps) -> tuple[Doubles, Doubles]:
    """(n,) and (n,): the largest share of each box that somebody nearer covers (whose feet are lower), and the largest
    that lies in the box of somebody further away."""
    feet = boxes[:, 1] + boxes[:, 3]
    nearer, further = np.zeros(len(boxes)), np.zeros(len(boxes))
    share_of_first, share_of_second = overlaps.shares()
    for row, other, share in (
        (overlaps.first, overlaps.second, share_of_first),
        (overlaps.second, overlaps.first, share_of_second),
    ):
        behind, before = feet[other] > feet[row], feet[other] < feet[row]
        np.maximum.at(nearer, row[behind], share[behind])
        np.maximum.at(further, row[before], share[before])
    return nearer, further
