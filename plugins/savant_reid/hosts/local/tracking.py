"""What the trackers of this host have in common: what they are, give and need, apart from how they decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]


class TrackerOutput(NamedTuple):
    """The detections of one frame that belong to a confirmed track, in the order of the detections.

    boxes: (m, 4) float32 ltwh, as detected. confidences: (m,) float32. track_ids: (m,) int64. rows: (m,) int64, which
    of the detections these are.
    """

    boxes: Float32s
    confidences: Float32s
    track_ids: Int64s
    rows: Int64s


class Tracker(Protocol):
    """Follows the people of one camera. refused: detections so far that were no boxes."""

    refused: int

    def update(
        self, boxes: Float32s, confidences: Float32s, time_ns: int | None = None, looks: Float32s | None = None
    ) -> TrackerOutput:
        """One frame: boxes (n, 4) float32 ltwh pixels, confidences (n,) float32.

        time_ns: of the frame; where frames were dropped since the last one, tracks move on by as many frames.
        Without it frames follow each other. looks: (n, D) float32, an embedding of each detection; rows of NaN where
        there is none. Raises ValueError if the shapes do not fit.
        """
        ...


class FrameClock:
    """Counts frames by their times, so that dropped ones count too. most: frames a gap counts for at most."""

    def __init__(self, frame_rate: float, most: int) -> None:
        self._frame_rate, self._most = frame_rate, most
        self._time_ns: int | None = None

    def elapsed(self, time_ns: int | None) -> int:
        """Frames since the last call, at least one."""
        last, self._time_ns = self._time_ns, time_ns
        if time_ns is None or last is None:
            return 1
        return int(np.clip(round((time_ns - last) * self._frame_rate / 1e9), 1, self._most))


def good_boxes(boxes: Float32s, confidences: Float32s, looks: Float32s | None) -> NDArray[np.bool_]:
    """Which rows are boxes: finite, with a width and a height, the confidence finite too. (n,) bool.

    ValueError for arrays that do not fit one another.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or confidences.shape != (len(boxes),):
        raise ValueError(f"expected boxes (n, 4) and confidences (n,), found {boxes.shape} and {confidences.shape}")
    if looks is not None and len(looks) != len(boxes):
        raise ValueError(f"expected {len(boxes)} looks, one per box, found {len(looks)}")
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1) & np.isfinite(confidences)
    return np.asarray(good, np.bool_)


def iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> Float64s:
    """Intersection over union of (n, 4) and (m, 4) ltwh boxes: (n, m) float64."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    a_end, b_end = a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]
    sides = np.minimum(a_end[:, None], b_end[None]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=2)
    union = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-12), np.float64)


def assign(costs: Float64s, limit: float) -> tuple[Int64s, Int64s]:
    """The cheapest one-to-one assignment in which leaving a pair unmatched costs `limit`: rows, columns."""
    gain = np.minimum(costs - limit, 0)
    rows, columns = linear_sum_assignment(gain)
    good = gain[rows, columns] < 0
    return rows[good], columns[good]


def name_tracks(ids: Int64s, shown: Int64s, new_ids: Iterator[int]) -> None:
    """Give tracks their ids when they are shown first, so that ids count people rather than doubts.

    ids: (tracks,) int64, 0 for none yet; changed. shown: which tracks are shown now. new_ids: where ids come from.
    """
    for track in shown[ids[shown] == 0]:
        ids[track] = next(new_ids)
