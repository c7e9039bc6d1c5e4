"""The sweep over boxes against plain loops over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.overlaps import find_overlaps, iou


def brute_force(boxes: np.ndarray, frame_of: np.ndarray) -> dict[tuple[int, int], float]:
    """Shared pixels of every pair of boxes of one frame that shares any."""
    found = {}
    for i in range(len(boxes)):
        for j in range(i):
            (left, top, width, height), (x, y, w, h) = boxes[i].tolist(), boxes[j].tolist()
            across = min(left + width, x + w) - max(left, x)
            down = min(top + height, y + h) - max(top, y)
            if frame_of[i] == frame_of[j] and across > 0 and down > 0:
                found[j, i] = across * down
    return found


def swept(boxes: np.ndarray, frame_of: np.ndarray) -> dict[tuple[int, int], float]:
    overlaps = find_overlaps(boxes, frame_of)
    pairs = [(min(a, b), max(a, b)) for a, b in zip(overlaps.first.tolist(), overlaps.second.tolist(), strict=True)]
    assert len(set(pairs)) == len(pairs), "a pair is found once"
    return dict(zip(pairs, overlaps.area.tolist(), strict=True))


def some_boxes(seed: int, n: int, frames: int, *, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers bring about equal edges and boxes that only touch."""
    rng = np.random.default_rng(seed)
    boxes = np.concatenate([rng.uniform(-5, 40, (n, 2)), rng.uniform(0, 20, (n, 2))], axis=1)
    return (np.round(boxes) if whole else boxes).astype(np.float32), rng.integers(0, frames, n)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 40), frames=st.integers(1, 4), whole=st.booleans())
def test_the_sweep_finds_what_all_pairs_have(seed, n, frames, whole):
    boxes, frame_of = some_boxes(seed, n, frames, whole=whole)
    assert swept(boxes, frame_of) == pytest.approx(brute_force(boxes, frame_of))


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), broken=st.integers(0, 3), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_box_that_is_no_number_disturbs_no_other(seed, broken, value):
    boxes, frame_of = some_boxes(seed, 20, 2, whole=False)
    sound = {pair: area for pair, area in swept(boxes, frame_of).items() if not {3, 7} & set(pair)}
    boxes[[3, 7], broken] = value
    with np.errstate(invalid="ignore"):
        found = swept(boxes, frame_of)
    assert {pair: area for pair, area in found.items() if not {3, 7} & set(pair)} == sound
    if np.isnan(value):
        assert len(found) == len(sound)


def test_shares_and_intersection_over_union_by_hand():
    boxes = np.array([[0, 0, 10, 20], [5, 10, 20, 20], [50, 50, 4, 4]], np.float32)
    overlaps = find_overlaps(boxes, np.zeros(3, np.int64))
    assert (overlaps.first.tolist(), overlaps.second.tolist(), overlaps.area.tolist()) == ([0], [1], [50.0])
    assert overlaps.areas.tolist() == [200.0, 400.0, 16.0]
    assert [share.tolist() for share in overlaps.shares()] == [[0.25], [0.125]]
    assert overlaps.iou().tolist() == [50 / 550]
    assert [iou(boxes[a].tolist(), boxes[b].tolist()) for a, b in ((0, 1), (1, 0), (0, 2))] == [50 / 550, 50 / 550, 0.0]


def test_a_crowd_of_two_thousand_in_one_frame():
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(0, 4000, (2000, 2)), np.full((2000, 2), (40.0, 120.0))], axis=1)
    overlaps = find_overlaps(boxes.astype(np.float32), np.zeros(2000, np.int64))
    left, top = boxes.astype(np.float32).astype(np.float64)[:, :2].T
    meets = (np.abs(left[:, None] - left) < 40) & (np.abs(top[:, None] - top) < 120)
    assert len(overlaps.first) == np.triu(meets, 1).sum()
