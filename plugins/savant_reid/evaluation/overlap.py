"""Truth and result side by side: who is in which frame, and every pair of boxes that overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from savant_reid.evaluation.tracks import NONE, Tracks, repeated

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
Identity = Literal["global_id", "track"]


@dataclass(frozen=True)
class Rows:
    """One side.

    frame: (n,) int64, ascending, index of the moment in the joint sequence. identity: (n,) int64 from 0 without gaps.
    """

    frame: Int64s
    identity: Int64s

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def identities(self) -> int:
        return int(self.identity.max(initial=-1)) + 1


@dataclass(frozen=True)
class Overlaps:
    """Both sides as one sequence, and the k pairs of a truth row and a result row that overlap in a frame.

    truth_row, result_row: (k,) int64, sorted by frame. iou: (k,) float64 > 0.
    """

    truth: Rows
    result: Rows
    frames: int
    truth_row: Int64s
    result_row: Int64s
    iou: Float64s


def find_overlaps(truth: Tracks, result: Tracks, identity: Identity, camera: str | None = None) -> Overlaps:
    """All cameras one after the other as one sequence, or one camera alone."""
    names = tuple(dict.fromkeys(truth.cameras + result.cameras)) if camera is None else (camera,)
    truth_rows, truth_moments = _moments(truth, names)
    result_rows, result_moments = _moments(result, names)
    moments, frame = np.unique(np.concatenate([truth_moments, result_moments]), axis=0, return_inverse=True)
    frame = frame.ravel()
    order_truth = np.argsort(frame[: len(truth_rows)], kind="stable")
    order_result = np.argsort(frame[len(truth_rows) :], kind="stable")
    truth_rows, result_rows = truth_rows[order_truth], result_rows[order_result]
    truth_side = Rows(frame[: len(order_truth)][order_truth], _compact(_identities(truth, "global_id")[truth_rows]))
    result_side = Rows(frame[len(order_truth) :][order_result], _compact(_identities(result, identity)[result_rows]))
    a, b = _pairs(truth_side.frame, result_side.frame)
    iou = _iou(truth.boxes[truth_rows[a]], result.boxes[result_rows[b]])
    some = iou > 0
    return Overlaps(truth_side, result_side, len(moments), a[some], b[some], iou[some])


def _moments(tracks: Tracks, names: tuple[str, ...]) -> tuple[Int64s, Int64s]:
    """The rows of these cameras, and (n, 2) of camera (index in `names`) and frame for each."""
    place = {name: index for index, name in enumerate(names)}
    index_of = np.array([place.get(name, -1) for name in tracks.cameras], np.int64)
    camera = index_of[tracks.camera] if len(tracks) else np.zeros(0, np.int64)
    rows = np.flatnonzero(camera >= 0)
    return rows, np.stack([camera[rows], tracks.frame[rows]], axis=1)


def _identities(tracks: Tracks, by: Identity) -> Int64s:
    """A code per row, (n,) int64.

    Where there is no global id, the track is an identity of its own; where there is no track id either, the row is.
    So is a global id that its frame has already: nobody is in two places at once, and the first row has it.
    """
    known = tracks.global_id != NONE if by == "global_id" else np.zeros(len(tracks), bool)
    known[repeated(tracks, tracks.global_id)[:, 0]] = False
    tracked = ~known & (tracks.track_id != NONE)
    alone = ~known & ~tracked
    kind = np.select([known, tracked], [0, 1], 2)
    camera = np.where(tracked, tracks.camera, 0)
    number = np.select([known, tracked], [tracks.global_id, tracks.track_id], np.arange(len(tracks)) * alone)
    return _compact(np.stack([kind, camera, number], axis=1))


def _compact(codes: Int64s) -> Int64s:
    return np.unique(codes, axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def _pairs(truth_frame: Int64s, result_frame: Int64s) -> tuple[Int64s, Int64s]:
    """Every truth row with every result row of the same frame; both (sorted) sides in, two (k,) index arrays out."""
    first = np.searchsorted(result_frame, truth_frame, "left")
    count = np.searchsorted(result_frame, truth_frame, "right") - first
    a = np.repeat(np.arange(len(truth_frame)), count)
    start_of_run = np.repeat(np.cumsum(count) - count, count)
    return a, np.repeat(first, count) + np.arange(len(a)) - start_of_run


def _iou(a: Float64s, b: Float64s) -> Float64s:
    """Intersection over union of ltwh boxes, row by row: (k, 4), (k, 4) -> (k,)."""
    shared = np.prod(
        np.clip(np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None), axis=1
    )
    union = np.prod(a[:, 2:], axis=1) + np.prod(b[:, 2:], axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1e-12), np.float64)
