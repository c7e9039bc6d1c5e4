"""DeepSORT (Wojke et al., ICIP 2017, arXiv 1703.07402) in NumPy: looks before boxes, those seen lately first.

Written from the paper; tests hold it against the decisions of the authors' own program. In a frame, confirmed tracks
are matched by what they look like, those that were seen last first (the cascade); a pair whose box lies outside the
track's 95 % gate is out of the question. Those of the last frame that are left over, and tentative tracks, are matched
by overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local.appearance import TrackLooks, unit_rows
from savant_reid.hosts.local.kalman import KalmanTracks
from savant_reid.hosts.local.tracking import (
    Float32s,
    Float64s,
    FrameClock,
    Int64s,
    TrackerOutput,
    assign,
    good_boxes,
    iou,
    name_tracks,
)

# 95 % of the chi-square distribution with four degrees of freedom: centre x, centre y, aspect ratio, height.
GATE = 9.4877


class DeepSort:
    """The tracker of one camera.

    frame_rate: of the stream, per second. min_confidence: below it a detection is ignored. max_cosine_distance: the
    largest 1 - cosine of a match by looks. max_iou_distance: the largest 1 - IoU of a match by overlap. budget: looks
    that a track remembers. frames_to_confirm: frames in a row after which a track is shown. lost_seconds: how long an
    unseen track waits. ids: where new track ids come from; the owner passes one counter on to keep ids unique.

    refused: detections so far that were no boxes (not finite, no width or height, confidence not finite).
    """

    def __init__(
        self,
        frame_rate: float,
        *,
        min_confidence: float = 0.3,
        max_cosine_distance: float = 0.2,
        max_iou_distance: float = 0.7,
        budget: int = 100,
        frames_to_confirm: int = 3,
        lost_seconds: float = 1.0,
        ids: Iterator[int] | None = None,
    ) -> None:
        self.refused = 0
        self._min_confidence = min_confidence
        self._max_cosine, self._max_iou = max_cosine_distance, max_iou_distance
        self._frames_to_confirm = frames_to_confirm
        self._lost_frames = round(lost_seconds * frame_rate)
        self._next_id = itertools.count(1) if ids is None else ids
        # A gap need not count for more than what expires every track anyway.
        self._frames = FrameClock(frame_rate, self._lost_frames + 1)
        self._filters = KalmanTracks.start(np.zeros((0, 4), np.float32))
        self._looks = TrackLooks(budget)
        self._hits = np.zeros(0, np.int64)  # detections so far
        self._missed = np.zeros(0, np.int64)  # updates since the last one
        self._unseen = np.zeros(0, np.int64)  # frames since the last one, dropped ones too
        self._ids = np.zeros(0, np.int64)

    def update(
        self, boxes: Float32s, confidences: Float32s, time_ns: int | None = None, looks: Float32s | None = None
    ) -> TrackerOutput:
        """One frame; see Tracker. Without looks people are followed by overlap alone, from one frame to the next."""
        boxes, confidences = np.asarray(boxes, np.float32), np.asarray(confidences, np.float32)
        good = good_boxes(boxes, confidences, looks)
        self.refused += int(len(good) - good.sum())
        rows = np.flatnonzero(good & (confidences >= self._min_confidence))
        boxes, confidences = boxes[rows], confidences[rows]
        looks = np.full((len(rows), 1), np.nan, np.float32) if looks is None else unit_rows(looks[rows])
        self._advance(self._frames.elapsed(time_ns))
        owner = self._associate(boxes, looks)
        self._take_in(boxes, looks, owner)
        self._start_tracks(boxes, looks, owner)
        shown = np.flatnonzero(self._hits[owner] >= self._frames_to_confirm)
        name_tracks(self._ids, owner[shown], self._next_id)
        output = TrackerOutput(boxes[shown], confidences[shown], self._ids[owner[shown]], rows[shown])
        self._keep((self._hits >= self._frames_to_confirm) | (self._missed == 0))
        return output

    def _advance(self, frames: int) -> None:
        self._filters.predict(np.ones(len(self._hits), bool), frames)
        self._missed += 1
        self._unseen += frames
        self._keep(self._unseen <= self._lost_frames)

    def _associate(self, boxes: Float32s, looks: Float32s) -> Int64s:
        """Which track each detection belongs to, or -1: (n,) int64."""
        owner = np.full(len(boxes), -1, np.int64)
        confirmed = np.flatnonzero(self._hits >= self._frames_to_confirm)
        if not len(boxes):
            return owner
        possible = self._filters.distances(boxes)[confirmed] <= GATE
        costs = self._looks.distances(confirmed, looks, possible)
        for missed in np.unique(self._missed[confirmed]):
            level = np.flatnonzero(self._missed[confirmed] == missed)
            _match(owner, costs[level], confirmed[level], self._max_cosine)
        taken = np.zeros(len(self._hits), bool)
        taken[owner[owner >= 0]] = True
        # Where a track was unseen for longer, its box says too little.
        near = np.flatnonzero(~taken & (self._missed == 1))
        _match(owner, 1 - iou(self._filters.boxes()[near], boxes), near, self._max_iou)
        return owner

    def _take_in(self, boxes: Float32s, looks: Float32s, owner: Int64s) -> None:
        matched = np.flatnonzero(owner >= 0)
        tracks = owner[matched]
        self._filters.correct(tracks, boxes[matched])
        self._looks.add(tracks, looks[matched])
        self._hits[tracks] += 1
        self._missed[tracks] = self._unseen[tracks] = 0

    def _start_tracks(self, boxes: Float32s, looks: Float32s, owner: Int64s) -> None:
        """Unclaimed detections become tracks; `owner` learns of them."""
        new = np.flatnonzero(owner < 0)
        owner[new] = len(self._hits) + np.arange(len(new))
        self._filters = self._filters.join(KalmanTracks.start(boxes[new]))
        self._looks.start(looks[new])
        self._hits = np.append(self._hits, np.ones(len(new), np.int64))
        none = np.zeros(len(new), np.int64)
        self._missed, self._unseen = np.append(self._missed, none), np.append(self._unseen, none)
        self._ids = np.append(self._ids, none)

    def _keep(self, tracks: NDArray[np.bool_]) -> None:
        if tracks.all():
            return
        self._filters = self._filters.take(tracks)
        self._looks.keep(tracks)
        self._hits, self._ids = self._hits[tracks], self._ids[tracks]
        self._missed, self._unseen = self._missed[tracks], self._unseen[tracks]


def _match(owner: Int64s, costs: Float64s, tracks: Int64s, limit: float) -> None:
    """Give detections that are still free to the `tracks`; costs: (len(tracks), n)."""
    free = np.flatnonzero(owner < 0)
    if len(tracks) and len(free):
        rows, columns = assign(costs[:, free], limit)
        owner[free[columns]] = tracks[rows]
