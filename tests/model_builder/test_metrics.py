"""Average precision and recall against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from model_builder.metrics import (
    FrameResult,
    average_precision,
    box_iou,
    matched,
    recall_and_alarms,
    suppressed,
)

PEOPLE = np.array([[0, 0, 10, 20], [100, 0, 110, 20], [200, 0, 210, 20]], float)


def result(boxes: np.ndarray, scores: list[float], ignored: tuple[int, ...] = ()) -> FrameResult:
    return FrameResult(boxes, np.array(scores), PEOPLE, np.isin(np.arange(3), ignored))


def test_iou_of_half_overlapping_boxes_is_a_third() -> None:
    assert box_iou(PEOPLE[:1], np.array([[5.0, 0, 15, 20]]))[0, 0] == pytest.approx(1 / 3)


def test_suppression_keeps_the_better_of_two_and_the_distant_one() -> None:
    boxes = np.array([[1.0, 0, 11, 20], [0, 0, 10, 20], [100, 0, 110, 20]])
    assert suppressed(boxes, np.array([0.5, 0.9, 0.3]), 0.5).tolist() == [1, 2]


def test_average_precision_by_hand() -> None:
    # Best first: hit, false, hit; the third person is missed. Precision at the hits: 1 and 2/3, so AP = (1 + 2/3) / 3.
    boxes = np.concatenate((PEOPLE[:1], [[50.0, 50, 60, 70]], PEOPLE[1:2]))
    assert average_precision([result(boxes, [0.9, 0.8, 0.7])]) == pytest.approx((1 + 2 / 3) / 3)


def test_average_precision_ranks_over_all_frames() -> None:
    # Frame one: a hit at 0.6. Frame two: a false alarm at 0.9. One of six people, at precision 1/2.
    hit, alarm = result(PEOPLE[:1], [0.6]), result(PEOPLE[:1] + 50, [0.9])
    assert average_precision([hit, alarm]) == pytest.approx(0.5 / 6)


def test_a_second_detection_of_one_person_is_false() -> None:
    assert matched(result(np.concatenate((PEOPLE[:1], PEOPLE[:1])), [0.4, 0.8]), 0.5).tolist() == [1, 0]


def test_ignored_people_are_neither_found_nor_false() -> None:
    ignoring = result(PEOPLE, [0.9, 0.8, 0.2], ignored=(1,))
    assert matched(ignoring, 0.5).tolist() == [1, -1, 1]
    assert average_precision([ignoring]) == pytest.approx(1.0)
    assert recall_and_alarms([ignoring], confidence=0.3) == (0.5, 0.0)


def test_no_detections_score_nothing() -> None:
    assert average_precision([result(np.empty((0, 4)), [])]) == 0.0
