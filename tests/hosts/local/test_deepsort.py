"""DeepSORT: the same tracks as the authors' own program, and its rules one by one."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from savant_reid.hosts.local import deepsort
from savant_reid.hosts.local.appearance import TrackLooks, unit_rows
from savant_reid.hosts.local.deepsort import DeepSort
from savant_reid.hosts.local.kalman import KalmanTracks

DATA = Path(__file__).parent / "data"
RED, BLUE = np.float32([1, 0]), np.float32([0, 1])


def scene(index: int) -> tuple[np.ndarray, ...]:
    """frame, boxes, confidences, looks, paper_ids; rows over all frames (see data/deepsort_reference.md)."""
    with np.load(DATA / "bytetrack_reference.npz") as walkers, np.load(DATA / "deepsort_reference.npz") as more:
        names = ("frame", "boxes", "confidences")
        return (
            *(walkers[f"scene{index}_{name}"] for name in names),
            more[f"scene{index}_looks"].astype(np.float32),
            more[f"scene{index}_paper_ids"],
        )


def tracks_of(tracker: DeepSort, frame: np.ndarray, boxes: np.ndarray, confidences: np.ndarray, looks: np.ndarray):
    ids = np.full(len(frame), -1)
    for index in range(frame.max() + 1):
        rows = np.flatnonzero(frame == index)
        output = tracker.update(boxes[rows], confidences[rows], looks=looks[rows])
        ids[rows[output.rows]] = output.track_ids
    return ids


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs}) and (-1, -1) in pairs


@pytest.mark.parametrize("index", range(5))
def test_the_authors_own_program_finds_the_same_tracks(index: int) -> None:
    *rows, expected = scene(index)
    assert same_partition(tracks_of(DeepSort(30, budget=20), *rows), expected)


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"budget": 5}, 9.4877),
        ({"max_cosine_distance": 0.4}, 9.4877),
        ({"max_iou_distance": 0.3}, 9.4877),
        ({"frames_to_confirm": 2}, 9.4877),
        ({"lost_seconds": 0.3}, 9.4877),
        ({"min_confidence": 0.1}, 9.4877),
        ({}, 100.0),
    ],
)
def test_the_scenes_tell_every_rule(change: dict[str, float], gate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of the check above: with another rule the tracks are others."""
    monkeypatch.setattr(deepsort, "GATE", gate)
    found = []
    for index in range(5):
        *rows, expected = scene(index)
        found.append(same_partition(tracks_of(DeepSort(30, **{"budget": 20, **change}), *rows), expected))
    assert not all(found)


def at(*lefts: float) -> np.ndarray:
    return np.array([[left, 50, 40, 120] for left in lefts], np.float32).reshape(-1, 4)


def walk(tracker: DeepSort, *steps: tuple[tuple[float, np.ndarray], ...]) -> list[list[int]]:
    """steps: per frame (left, look) of each person; gives the ids per frame."""
    ids = []
    for people in steps:
        looks = np.array([look for _, look in people], np.float32).reshape(-1, 2)
        sure = np.full(len(people), 0.9, np.float32)
        ids.append(tracker.update(at(*(left for left, _ in people)), sure, looks=looks).track_ids.tolist())
    return ids


def test_a_track_is_shown_at_its_third_detection() -> None:
    assert walk(DeepSort(25), *[((100.0, RED),)] * 4) == [[], [], [1], [1]]


def test_looks_tell_two_people_apart_who_swap_places_while_hidden() -> None:
    both = ((100.0, RED), (150.0, BLUE))
    tracker = DeepSort(25)
    assert walk(tracker, both, both, both)[-1] == [1, 2]
    assert walk(tracker, (), (), ((150.0, RED), (100.0, BLUE)))[-1] == [1, 2]


def test_a_box_outside_the_gate_is_nobody_however_alike() -> None:
    tracker = DeepSort(25)
    walk(tracker, *[((100.0, RED),)] * 3)
    assert walk(tracker, ((700.0, RED),)) == [[]]


def test_those_seen_lately_choose_first() -> None:
    tracker, reddish = DeepSort(25), unit_rows(np.float32([[1, 0.5]]))[0]
    walk(tracker, *[((100.0, RED), (130.0, reddish))] * 3, ((130.0, reddish),))
    # Track 1 looks exactly like it, but was hidden for a frame; track 2 was there and is alike enough.
    assert walk(tracker, ((115.0, RED),)) == [[2]]


def test_without_looks_overlap_alone_counts_from_frame_to_frame() -> None:
    tracker = DeepSort(25)
    for _ in range(3):
        output = tracker.update(at(100), np.float32([0.9]))
    assert output.track_ids.tolist() == [1]
    tracker.update(at(), np.zeros(0, np.float32))
    assert tracker.update(at(100), np.float32([0.9])).track_ids.tolist() == []


def test_dropped_frames_age_a_track() -> None:
    for gap, expected in ((10, [1]), (30, [])):
        tracker = DeepSort(25, lost_seconds=1.0)
        for index in range(3):
            tracker.update(at(100), np.float32([0.9]), index * 40_000_000, RED[None])
        tracker.update(at(), np.zeros(0, np.float32), (2 + gap) * 40_000_000, RED[:0, None])
        assert (
            tracker.update(at(100), np.float32([0.9]), (3 + gap) * 40_000_000, RED[None]).track_ids.tolist() == expected
        )


def test_bad_boxes_are_counted_and_rows_name_the_detections() -> None:
    tracker = DeepSort(25, ids=itertools.count(7))
    boxes = at(100, 300, 500)
    boxes[1, 2] = np.nan
    for _ in range(3):
        output = tracker.update(boxes, np.float32([0.9, 0.9, 0.9]), looks=np.stack([RED, BLUE, BLUE]))
    assert output.rows.tolist() == [0, 2]
    assert output.track_ids.tolist() == [7, 8]
    assert tracker.refused == 3
    with pytest.raises(ValueError, match="expected 3 looks, one per box, found 1"):
        tracker.update(boxes, np.float32([0.9, 0.9, 0.9]), looks=RED[None])


def test_looks_are_remembered_up_to_the_budget() -> None:
    looks = TrackLooks(budget=2)
    looks.start(np.stack([RED, np.full(2, np.nan, np.float32)]))
    both = np.array([0, 1])
    np.testing.assert_allclose(looks.distances(both, RED[None]), [[0], [np.inf]])
    looks.add(np.array([0, 0]), np.stack([BLUE, BLUE]))
    np.testing.assert_allclose(looks.distances(both, RED[None]), [[1], [np.inf]])
    looks.add(np.array([1]), RED[None])
    looks.keep(np.array([False, True]))
    np.testing.assert_allclose(looks.distances(np.array([0]), np.stack([RED, BLUE])), [[0, 1]])
    assert np.isnan(unit_rows(np.zeros((1, 2), np.float32))).all()


def test_gate_distances_are_those_of_the_dense_filter() -> None:
    filters = KalmanTracks.start(at(100, 300))
    filters.predict(np.ones(2, bool), 2)
    boxes = at(110, 290, 500)
    found = filters.distances(boxes)
    for row in range(2):
        noise = np.array([6.0, 6.0, 0.1, 6.0]) ** 2  # 1/20 of a height of 120; the aspect ratio's own
        covariance = np.diag(filters.var[row] + noise)
        for column, box in enumerate(boxes):
            seen = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2, box[2] / box[3], box[3]])
            surprise = seen - filters.position[row]
            assert found[row, column] == pytest.approx(surprise @ np.linalg.solve(covariance, surprise))
