"""Detections of two runtimes side by side: decoded as the local host decodes them, then paired by overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_builder.cards import Card
from savant_reid.hosts.local.converters import Boxes, YoloXGrid, decode_yolo
from savant_reid.hosts.local.model_schema import YoloArguments

Floats = NDArray[np.float32]
MOST = 100  # boxes per picture that are compared, the surest ones
# Where the graph suppresses, rounding can turn a weak box against its rival: then only those count that anybody uses.
SURE = 0.3
# No box may be left out: the counterpart of a box can have a confidence that many others have too.
ALL = YoloArguments(confidence_threshold=0.0, nms_iou_threshold=0.0, top_k=1_000_000)


@dataclass(frozen=True)
class Agreement:
    """The worst of all boxes: least overlap (IoU) with the counterpart, largest difference of confidences."""

    boxes: int
    overlap: float
    score: float


def agreement(card: Card, expected: Floats, found: Floats) -> Agreement:
    """expected, found: (pictures, ...) raw outputs of the same detector on the same pictures."""
    parts = [_of_picture(card, one, other) for one, other in zip(expected, found, strict=True)]
    return Agreement(
        sum(part.boxes for part in parts), min(part.overlap for part in parts), max(part.score for part in parts)
    )


def decoded(card: Card, output: Floats) -> Boxes:
    """All boxes of one picture, in pixels of the model's input, not suppressed."""
    classes = len(card.output.classes or ())
    if output.shape[-1] == classes + 5:
        height, width = card.input.size
        output = YoloXGrid(width, height).decode(output)
    return decode_yolo(output, classes, ALL)


def _of_picture(card: Card, expected: Floats, found: Floats) -> Agreement:
    one, other = decoded(card, expected), decoded(card, found)
    one = one.take(np.argsort(-one.confidences, kind="stable")[:MOST])
    if card.output.suppressed_inside and (one.confidences >= SURE).any():
        one = one.take(one.confidences >= SURE)
    if not len(one.confidences):
        return Agreement(0, 1.0, float(other.confidences.max(initial=0.0)))
    if not len(other.confidences):
        return Agreement(len(one.confidences), 0.0, float(one.confidences.max()))
    overlaps = _overlaps(one.centres, other.centres)
    differences = np.abs(one.confidences[:, None] - other.confidences)
    # The counterpart is the box that lies best and, among those that lie alike, the one that is as sure.
    best = np.argmax(overlaps - differences, axis=1)
    rows = np.arange(len(best))
    return Agreement(len(best), float(overlaps[rows, best].min()), float(differences[rows, best].max()))


def _overlaps(one: Floats, other: Floats) -> NDArray[np.float64]:
    """IoU of each box of one (n, 4) with each of other (m, 4), centre x, centre y, width, height."""
    first, second = one.astype(np.float64)[:, None], other.astype(np.float64)[None]
    starts = np.maximum(first[..., :2] - first[..., 2:] / 2, second[..., :2] - second[..., 2:] / 2)
    ends = np.minimum(first[..., :2] + first[..., 2:] / 2, second[..., :2] + second[..., 2:] / 2)
    shared = np.clip(ends - starts, 0, None).prod(axis=-1)
    union = first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - shared
    # Two empty boxes at one place are the same box.
    return np.where(union > 0, shared / np.maximum(union, 1e-12), (np.abs(first - second).max(axis=-1) < 1e-3) * 1.0)
