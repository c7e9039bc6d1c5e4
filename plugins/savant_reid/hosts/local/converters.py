"""From a YOLO's raw output to boxes: what Savant's converters and selectors do, on arrays of one picture.

Boxes are (n, 4) float32 of centre x, centre y, width, height. Savant reads these as left, top, width, height when it
compares boxes for suppression (savant/utils/nms.py), which moves boxes of different sizes against each other. It is
done here in the same way, so that one threshold in the module means the same on both hosts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import ModelError
from savant_reid.hosts.local.model_schema import BoxLimits, BoxSelector, SizeLimits, SizeSelector, YoloArguments

Floats = NDArray[np.float32]
STRIDES = (8, 16, 32)  # of YOLOX's three heads


class Boxes(NamedTuple):
    """centres: (n, 4) float32 centre x, centre y, width, height. confidences: (n,) float32. classes: (n,) int64."""

    centres: Floats
    confidences: Floats
    classes: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Boxes:
        return Boxes(self.centres[rows], self.confidences[rows], self.classes[rows])


def decode_yolo(output: Floats, classes: int, arguments: YoloArguments) -> Boxes:
    """Raw output of one picture to boxes in pixels of the model's input, thresholded and suppressed over all classes.

    output: (4 + classes, anchors), as YOLOv8 and later give, or (anchors, 5 + classes), as YOLOv5 to v7 and YOLOX do.
    Raises ModelError on another shape.
    """
    if output.ndim == 2 and output.shape[0] == classes + 4:
        # Look at the scores before turning anything: few anchors survive the threshold.
        scores = output[4:]
        rows = np.flatnonzero(scores.max(axis=0) > arguments.confidence_threshold)
        centres, scores = output[:4, rows].T, scores[:, rows].T
    elif output.ndim == 2 and output.shape[1] == classes + 5:
        # A class score is at most 1, so whoever fails on objectness alone fails anyway.
        rows = np.flatnonzero(output[:, 4] > arguments.confidence_threshold)
        centres, scores = output[rows, :4], output[rows, 5:] * output[rows, 4:5]
    else:
        raise ModelError(yolo_shape_message(output.shape, classes))
    best = scores.argmax(axis=1) if len(scores) else np.zeros(0, np.int64)
    boxes = Boxes(np.ascontiguousarray(centres), scores[np.arange(len(best)), best], best)
    boxes = boxes.take(boxes.confidences > arguments.confidence_threshold)
    if arguments.nms_iou_threshold > 0:
        return boxes.take(suppress(boxes, arguments.nms_iou_threshold, arguments.top_k))
    return boxes.take(np.argsort(-boxes.confidences, kind="stable")[: arguments.top_k])


def yolo_shape_message(found: tuple[int, ...], classes: int) -> str:
    text = (
        f"expected an output of [{classes + 4}, anchors] or [anchors, {classes + 5}] per picture"
        f" (num_detected_classes is {classes}), found {list(found)}"
    )
    if len(found) == 2 and found[1] == 6:
        # Savant reads such a tensor as objectness times class: people, label 0, would have confidence 0.
        text += "; is it DeepStream-Yolo's (corners, score, label)? Export the raw output instead"
    return text


class YoloXGrid:
    """Where YOLOX's cells lie, for graphs that were exported without decoding."""

    def __init__(self, width: int, height: int) -> None:
        grids, strides = [], []
        for stride in STRIDES:
            rows, columns = np.mgrid[: height // stride, : width // stride]
            grids.append(np.stack((columns.ravel(), rows.ravel()), axis=1))
            strides.append(np.full((rows.size, 1), stride))
        self._corners = np.concatenate(grids).astype(np.float32)
        self._strides = np.concatenate(strides).astype(np.float32)

    def __len__(self) -> int:
        return len(self._corners)

    def decode(self, output: Floats) -> Floats:
        """output: (cells, 5 + classes) with offsets in cells and logarithms of sizes; returns a copy in pixels."""
        if output.shape[0] != len(self):
            raise ModelError(f"expected {len(self)} cells of a YOLOX at strides {STRIDES}, found {output.shape[0]}")
        decoded: Floats = output.copy()
        decoded[:, :2] = (output[:, :2] + self._corners) * self._strides
        decoded[:, 2:4] = np.exp(output[:, 2:4]) * self._strides
        return decoded


def suppress(boxes: Boxes, overlap: float, most: int) -> NDArray[np.int64]:
    """Rows that greedy suppression keeps, best first, at most `most` of them; classes are not told apart."""
    corners, sizes = boxes.centres[:, :2], boxes.centres[:, 2:]
    ends, areas = corners + sizes, sizes[:, 0] * sizes[:, 1]
    order = np.argsort(-boxes.confidences, kind="stable")
    kept: list[int] = []
    while len(order) and len(kept) < most:
        best, others = order[0], order[1:]
        kept.append(int(best))
        shared = np.minimum(ends[best], ends[others]) - np.maximum(corners[best], corners[others])
        shared = np.clip(shared, 0, None).prod(axis=1)
        union = areas[best] + areas[others] - shared
        # Not a division, so that two empty boxes are no trouble; Savant keeps a box at exactly the threshold.
        order = others[shared <= np.float32(overlap) * union]
    return np.array(kept, np.int64)


def select(boxes: Boxes, selector: BoxSelector | SizeSelector) -> Boxes:
    """Savant's selector on the boxes of one class, in pixels of the frame; all its bounds are exclusive."""
    limits: SizeLimits = selector.kwargs
    width, height = boxes.centres[:, 2], boxes.centres[:, 3]
    keep = np.ones(len(width), bool)
    for size, least, most in (
        (width, limits.min_width, limits.max_width),
        (height, limits.min_height, limits.max_height),
    ):
        if least:
            keep &= size > least
        if most:
            keep &= size < most
    if not isinstance(limits, BoxLimits):
        return boxes.take(keep)
    boxes = boxes.take(keep & (boxes.confidences > limits.confidence_threshold))
    if not limits.nms_iou_threshold:
        return boxes  # Savant applies top_k within suppression only
    return boxes.take(suppress(boxes, limits.nms_iou_threshold, limits.top_k or len(boxes.confidences)))
