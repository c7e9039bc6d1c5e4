"""Boxes computed by hand, in the layouts that Savant's converters read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from savant_reid.errors import ModelError
from savant_reid.hosts.local.converters import Boxes, YoloXGrid, decode_yolo, select, suppress
from savant_reid.hosts.local.model_schema import BoxLimits, BoxSelector, SizeLimits, SizeSelector, YoloArguments

# centre x, centre y, width, height
LEFT, LEFT_AGAIN, RIGHT = (50, 60, 20, 40), (52, 60, 20, 40), (150, 60, 20, 40)


def v8(rows: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> np.ndarray:
    return np.array([[*box, *scores] for box, scores in rows], np.float32).T.copy()


def boxes(*rows: tuple[tuple[float, ...], float]) -> Boxes:
    centres = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return Boxes(centres, np.array([row[1] for row in rows], np.float32), np.zeros(len(rows), np.int64))


def test_yolov8_layout_is_thresholded_classified_and_suppressed() -> None:
    output = v8([(LEFT, (0.8, 0.1)), (LEFT_AGAIN, (0.1, 0.9)), (RIGHT, (0.3, 0.6)), (RIGHT, (0.2, 0.1))])
    found = decode_yolo(output, 2, YoloArguments(confidence_threshold=0.25, nms_iou_threshold=0.5))
    # The overlap of LEFT and LEFT_AGAIN is 18 / 22: the weaker goes, although its class is another one.
    np.testing.assert_array_equal(found.centres, np.array([LEFT_AGAIN, RIGHT], np.float32))
    np.testing.assert_array_equal(found.classes, [1, 1])
    np.testing.assert_allclose(found.confidences, [0.9, 0.6])


def test_without_an_overlap_threshold_nothing_is_suppressed() -> None:
    output = v8([(LEFT, (0.8, 0.0)), (LEFT_AGAIN, (0.0, 0.9))] + [(RIGHT, (0.0, 0.0))] * 8)
    found = decode_yolo(output, 2, YoloArguments(confidence_threshold=0.25))
    np.testing.assert_allclose(found.confidences, [0.9, 0.8])
    assert len(decode_yolo(output, 2, YoloArguments(confidence_threshold=0.25, top_k=1)).classes) == 1


def test_yolov5_layout_multiplies_objectness_and_class() -> None:
    output = np.array([[*LEFT, 0.9, 0.5, 0.2], [*RIGHT, 0.5, 0.4, 0.9], [*RIGHT, 0.2, 0.9, 0.9]] * 3, np.float32)[:8]
    found = decode_yolo(
        output[:3].repeat(3, axis=0), 2, YoloArguments(confidence_threshold=0.25, nms_iou_threshold=0.5)
    )
    np.testing.assert_allclose(found.confidences, [0.45, 0.45], rtol=1e-6)
    assert sorted(found.classes) == [0, 1]


def test_a_shape_of_neither_layout_is_refused() -> None:
    with pytest.raises(ModelError, match=r"expected an output of \[6, anchors\] or \[anchors, 7\].*found \[300, 6\]"):
        decode_yolo(np.zeros((300, 6), np.float32), 2, YoloArguments())


def test_nothing_found_is_an_empty_array() -> None:
    found = decode_yolo(np.zeros((5, 100), np.float32), 1, YoloArguments(nms_iou_threshold=0.5))
    assert found.centres.shape == (0, 4)
    assert len(found.confidences) == len(found.classes) == 0


def test_yolox_cells_by_hand() -> None:
    grid = YoloXGrid(64, 32)
    assert len(grid) == 8 * 4 + 4 * 2 + 2 * 1
    output = np.zeros((len(grid), 6), np.float32)
    output[10, :4] = (0.5, 0.25, np.log(3), 0)  # stride 8, row 1, column 2
    output[32 + 5, :4] = (0, 0, 0, np.log(2))  # stride 16, row 1, column 1
    output[41, :4] = (0.5, 0.5, 0, 0)  # stride 32, row 0, column 1
    decoded = grid.decode(output)
    np.testing.assert_allclose(decoded[10, :4], (20, 10, 24, 8), rtol=1e-6)
    np.testing.assert_allclose(decoded[37, :4], (16, 16, 16, 32), rtol=1e-6)
    np.testing.assert_allclose(decoded[41, :4], (48, 16, 32, 32), rtol=1e-6)
    with pytest.raises(ModelError, match="expected 42 cells"):
        grid.decode(output[:40])


def test_suppression_compares_as_savant_does() -> None:
    # A tall box and its upper half overlap by 1/2; with centres taken for corners it is 1/5.
    tall, upper = (100, 100, 50, 200), (100, 50, 50, 100)
    assert list(suppress(boxes((tall, 0.9), (upper, 0.8)), 0.21, 10)) == [0, 1]
    assert list(suppress(boxes((tall, 0.9), (upper, 0.8)), 0.19, 10)) == [0]


@given(
    st.lists(
        st.tuples(*[st.floats(0, 100, width=32)] * 2, *[st.floats(1, 50, width=32)] * 2, st.floats(0, 1, width=32)),
        max_size=12,
    ),
    st.floats(0.1, 0.9),
)
def test_suppression_keeps_the_best_and_nothing_that_overlaps(rows: list[tuple[float, ...]], overlap: float) -> None:
    found = boxes(*((row[:4], row[4]) for row in rows))
    kept = suppress(found, overlap, 100)
    assert bool(len(kept)) == bool(rows)
    assert list(found.confidences[kept]) == sorted(found.confidences[kept], reverse=True)
    assert not rows or found.confidences[kept[0]] == found.confidences.max()
    left = found.centres[kept].astype(float)
    for i in range(len(left)):
        for j in range(i):
            ends = np.minimum(left[i, :2] + left[i, 2:], left[j, :2] + left[j, 2:])
            shared = np.clip(ends - np.maximum(left[i, :2], left[j, :2]), 0, None).prod()
            assert shared <= overlap * (left[i, 2:].prod() + left[j, 2:].prod() - shared) + 1e-3


def test_selectors() -> None:
    found = boxes((LEFT, 0.9), (LEFT_AGAIN, 0.8), (RIGHT, 0.4), ((300, 60, 10, 20), 0.7))
    default = select(found, BoxSelector())
    np.testing.assert_allclose(default.confidences, [0.9, 0.7])
    wide = select(found, BoxSelector(kwargs=BoxLimits(confidence_threshold=0.1, nms_iou_threshold=0, min_width=10)))
    np.testing.assert_allclose(wide.confidences, [0.9, 0.8, 0.4])
    only_size = SizeSelector(class_name="MinMaxSizeBBoxSelector", kwargs=SizeLimits(max_height=40))
    np.testing.assert_allclose(select(found, only_size).confidences, [0.7])
    best = select(found, BoxSelector(kwargs=BoxLimits(confidence_threshold=0.1, top_k=1)))
    np.testing.assert_allclose(best.confidences, [0.9])
