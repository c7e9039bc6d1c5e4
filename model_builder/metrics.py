"""Average precision and recall of detections. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FrameResult:
    """One frame: detections (n, 4) ltrb with scores (n,), truth (m, 4) ltrb, and which truths are left out (m,)."""

    boxes: np.ndarray
    scores: np.ndarray
    truth: np.ndarray
    ignored: np.ndarray


def box_iou(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) and (m, 4) ltrb to overlaps (n, m)."""
    sides = np.minimum(left[:, None, 2:], right[None, :, 2:]) - np.maximum(left[:, None, :2], right[None, :, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=2)
    areas = np.prod(left[:, 2:] - left[:, :2], axis=1)[:, None] + np.prod(right[:, 2:] - right[:, :2], axis=1)[None]
    return shared / np.maximum(areas - shared, 1e-9)


def suppressed(boxes: np.ndarray, scores: np.ndarray, iou: float) -> np.ndarray:
    """Indices that greedy non-maximum suppression keeps, best score first."""
    order = np.argsort(-scores, kind="stable")
    overlaps = box_iou(boxes[order], boxes[order])
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= overlaps[i, i + 1 :] <= iou
    return order[alive]


def matched(result: FrameResult, least_iou: float) -> np.ndarray:
    """Per detection, best score first: 1 a person found, 0 a false alarm, -1 not judged (on an ignored person).

    PASCAL VOC's rule: a detection belongs to the truth that it overlaps most; a second one on the same is false.
    """
    order = np.argsort(-result.scores, kind="stable")
    verdicts = np.zeros(len(order), np.int64)
    if not len(result.truth):
        return verdicts
    overlaps = box_iou(result.boxes[order], result.truth)
    free = ~result.ignored
    for i, row in enumerate(overlaps):
        fitting = row >= least_iou
        if (fitting & free).any():
            free[np.where(fitting & free, row, -1).argmax()] = False
            verdicts[i] = 1
        elif (fitting & result.ignored).any():
            verdicts[i] = -1
    return verdicts


def average_precision(results: Sequence[FrameResult], least_iou: float = 0.5) -> float:
    """Area under the precision-recall curve over all frames, every point used (VOC 2010)."""
    verdicts = np.concatenate([matched(result, least_iou) for result in results])
    scores = np.concatenate([-np.sort(-result.scores, kind="stable") for result in results])
    people = sum(int((~result.ignored).sum()) for result in results)
    judged = verdicts >= 0
    hits = verdicts[judged][np.argsort(-scores[judged], kind="stable")]
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * hits).sum() / max(people, 1))


def recall_and_alarms(results: Sequence[FrameResult], confidence: float, least_iou: float = 0.5) -> tuple[float, float]:
    """Share of the people found and false alarms per frame, counting detections of at least ``confidence``."""
    found = alarms = people = 0
    for result in results:
        sure = result.scores >= confidence
        verdicts = matched(
            FrameResult(result.boxes[sure], result.scores[sure], result.truth, result.ignored), least_iou
        )
        found += int((verdicts == 1).sum())
        alarms += int((verdicts == 0).sum())
        people += int((~result.ignored).sum())
    return found / max(people, 1), alarms / max(len(results), 1)
