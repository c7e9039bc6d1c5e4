"""CLEAR MOT and identity scores, through py-motmetrics."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from savant_reid.evaluation.overlap import Overlaps

_METRICS = ("idf1", "idp", "idr", "mota", "precision", "recall", "num_switches")


class ClearAndIdentity(NamedTuple):
    """None where a score divides nothing by nothing."""

    idf1: float | None
    idp: float | None
    idr: float | None
    mota: float | None
    precision: float | None
    recall: float | None
    id_switches: int


def clear_and_identity(overlaps: Overlaps, iou_threshold: float) -> ClearAndIdentity:
    """Boxes may be matched from `iou_threshold` on; distances are 1 - IoU."""
    import motmetrics  # with pandas it takes a second to import: not at the start of every command

    accumulator = motmetrics.MOTAccumulator()
    near = overlaps.iou >= iou_threshold
    truth_row, result_row, iou = overlaps.truth_row[near], overlaps.result_row[near], overlaps.iou[near]
    ends = np.arange(overlaps.frames + 1)
    truth_at = np.searchsorted(overlaps.truth.frame, ends)
    result_at = np.searchsorted(overlaps.result.frame, ends)
    pair_at = np.searchsorted(overlaps.truth.frame[truth_row], ends)
    for frame in range(overlaps.frames):
        truth, result, pairs = (slice(at[frame], at[frame + 1]) for at in (truth_at, result_at, pair_at))
        distances = np.full((truth.stop - truth.start, result.stop - result.start), np.nan)
        distances[truth_row[pairs] - truth.start, result_row[pairs] - result.start] = 1 - iou[pairs]
        accumulator.update(
            overlaps.truth.identity[truth], overlaps.result.identity[result], distances, frameid=int(frame)
        )
    scores = motmetrics.metrics.create().compute(accumulator, metrics=list(_METRICS), return_dataframe=False)
    idf1, idp, idr, mota, precision, recall = (_finite(scores[name]) for name in _METRICS[:-1])
    return ClearAndIdentity(idf1, idp, idr, mota, precision, recall, int(scores[_METRICS[-1]]))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
