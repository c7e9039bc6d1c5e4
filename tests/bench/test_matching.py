from __future__ import annotations

import numpy as np

from savant_reid.bench.matching import match_boxes


def boxes(*lefts: float) -> np.ndarray:
    return np.array([[left, 0, 100, 100] for left in lefts], np.float64).reshape(-1, 4)


def test_one_to_one_by_overlap() -> None:
    """The second detection overlaps the first person more than the first one does; nobody is matched twice."""
    match = match_boxes(np.zeros(2, np.int64), boxes(0, 40), np.zeros(3, np.int64), boxes(20, 5, 300))
    assert match.tolist() == [1, 0, -1]


def test_frames_are_kept_apart() -> None:
    match = match_boxes(np.array([0, 2, 2]), boxes(0, 0, 200), np.array([1, 2, 2, 3]), boxes(0, 205, 5, 0))
    assert match.tolist() == [-1, 2, 1, -1]


def test_half_an_overlap_is_enough_and_less_is_not() -> None:
    """IoU of two boxes of 100 px shifted by d is (100 - d) / (100 + d)."""
    rows = np.arange(2)
    assert match_boxes(rows, boxes(0, 0), rows, boxes(33, 34)).tolist() == [0, -1]


def test_nothing_to_match() -> None:
    assert match_boxes(np.zeros(0, np.int64), boxes(), np.zeros(1, np.int64), boxes(0)).tolist() == [-1]
