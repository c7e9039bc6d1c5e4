"""Which detection shows which true person, for recordings in files: one to one in each frame, by overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.rows import NOBODY, Int64s

LEAST_IOU = 0.5


def match_boxes(
    truth_frame: Int64s, truth_boxes: NDArray[np.float64], frame: Int64s, boxes: NDArray[np.float64]
) -> Int64s:
    """(n,) int64 truth row of each detection, -1 for none.

    truth_frame: (t,), frame: (n,), the same numbers for the same frames, each ascending. Boxes: ltwh, pixels. Pairs are
    taken in the order of falling IoU from LEAST_IOU on: where people stand apart, that is the best assignment.
    """
    first = np.searchsorted(truth_frame, frame, "left")
    count = np.searchsorted(truth_frame, frame, "right") - first
    row = np.repeat(np.arange(len(frame)), count)
    other = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(len(row))
    iou = _iou(boxes[row], truth_boxes[other])
    near = np.flatnonzero(iou >= LEAST_IOU)
    near = near[np.argsort(-iou[near], kind="stable")]
    match = np.full(len(frame), NOBODY, np.int64)
    taken = np.zeros(len(truth_frame), bool)
    row, other = row[near], other[near]
    alone = (np.bincount(row, minlength=1)[row] == 1) & (np.bincount(other, minlength=1)[other] == 1)
    match[row[alone]] = other[alone]
    for a, b in zip(row[~alone].tolist(), other[~alone].tolist(), strict=True):
        if match[a] == NOBODY and not taken[b]:
            match[a], taken[b] = b, True
    return match


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    union = np.prod(a[:, 2:], axis=1) + np.prod(b[:, 2:], axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1e-12), np.float64)
