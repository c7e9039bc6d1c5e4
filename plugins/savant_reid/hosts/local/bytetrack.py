"""ByteTrack (Zhang et al., ECCV 2022, arXiv 2110.06864) in NumPy: every detection box takes part, the sure ones first.

Not the paper's: where a match is contested, looks may have a say, so that people who cross keep their tracks; and a
very sure detection may start a track at once. Both are off by default.

Written for this host because the well-kept library brings a GUI build of OpenCV (docs/tracker.md); tests hold it
against that library and against the decisions of the paper's own code.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local.appearance import MeanLooks
from savant_reid.hosts.local.kalman import HEIGHT, KalmanTracks
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

Bools = NDArray[np.bool_]

# The paper's code fixes these; only the first match has a setting.
_SECOND_MATCH_COST = 0.5
_TENTATIVE_MATCH_COST = 0.7
_DUPLICATE_COST = 0.15

# IoU from which a track and a detection may be one. A match is contested where either may be with several.
_NEAR = 0.1
# The distance of two looks that speaks neither for nor against one person. Colours of one person half a second apart
# lie below 0.15 and three seconds apart below 0.3, those of two people above 0.2 (95 % each, simulated people).
_NEUTRAL_DISTANCE = 0.3
# A box that shares more (IoU) than this shows too much of somebody else to learn its look.
_CLEAN = 0.3


class Life(IntEnum):
    """The states of a track."""

    TENTATIVE = 0
    TRACKED = 1
    LOST = 2
    REMOVED = 3


class Event(IntEnum):
    """What a frame can mean for a track."""

    SEEN = 0
    MISSED = 1
    EXPIRED = 2


# A track is born TENTATIVE; TRACKED where its detection is very sure, or in the first frame, where nothing older could
# claim it.
LIFECYCLE = np.array(
    [
        # SEEN           MISSED         EXPIRED
        [Life.TRACKED, Life.REMOVED, Life.REMOVED],  # TENTATIVE
        [Life.TRACKED, Life.LOST, Life.REMOVED],  # TRACKED
        [Life.TRACKED, Life.LOST, Life.REMOVED],  # LOST
        [Life.REMOVED, Life.REMOVED, Life.REMOVED],  # REMOVED
    ],
    np.int8,
)


class ByteTrack:
    """The tracker of one camera.

    frame_rate: of the stream, per second. high_confidence: detections from here on are matched first.
    track_activation_threshold: confidence from which a detection nobody claims starts a track. low_confidence: below it
    a detection is ignored. match_threshold: the largest cost, 1 - IoU * confidence, of a first match. lost_seconds: how
    long an unseen track waits. look_weight: what the distance of looks, 1 - cosine, counts beside the cost of a
    contested match; 0 leaves looks alone. sure_confidence: a detection nobody claims that is surer than this is shown
    at once. ids: where new track ids come from; the owner passes one counter on to keep ids unique.

    refused: detections so far that were no boxes (not finite, no width or height, confidence not finite).
    """

    def __init__(
        self,
        frame_rate: float,
        *,
        high_confidence: float = 0.5,
        track_activation_threshold: float = 0.6,
        low_confidence: float = 0.1,
        match_threshold: float = 0.8,
        lost_seconds: float = 1.0,
        look_weight: float = 0.0,
        sure_confidence: float = 1.0,
        ids: Iterator[int] | None = None,
    ) -> None:
        self.refused = 0
        self._high, self._start, self._low = high_confidence, track_activation_threshold, low_confidence
        self._match_threshold = match_threshold
        self._look_weight, self._sure = look_weight, sure_confidence
        self._lost_frames = round(lost_seconds * frame_rate)
        self._next_id = itertools.count(1) if ids is None else ids
        self._clock = 0
        # A gap need not count for more than what expires every track anyway.
        self._frames = FrameClock(frame_rate, self._lost_frames + 2)
        self._filters = KalmanTracks.start(np.zeros((0, 4), np.float32))
        self._looks = MeanLooks()
        self._life = np.zeros(0, np.int8)
        self._born = np.zeros(0, np.int64)
        self._seen = np.zeros(0, np.int64)
        self._ids = np.zeros(0, np.int64)

    def update(
        self,
        boxes: Float32s,
        confidences: Float32s,
        time_ns: int | None = None,
        looks: Float32s | None = None,
    ) -> TrackerOutput:
        """One frame; see Tracker. Without looks people are followed by their boxes alone."""
        boxes, confidences = np.asarray(boxes, np.float32), np.asarray(confidences, np.float32)
        good = good_boxes(boxes, confidences, looks)
        self.refused += int(len(good) - good.sum())
        boxes, confidences = boxes[good], confidences[good]
        looks = looks[good] if looks is not None and self._look_weight else None
        self._advance(self._frames.elapsed(time_ns))
        owner = self._associate(boxes, confidences, looks)
        self._start_tracks(boxes, confidences, owner)
        if looks is not None:
            self._learn(boxes, confidences, looks, owner)
        self._remove_duplicates()
        shown = np.flatnonzero(owner >= 0)
        shown = shown[self._life[owner[shown]] == Life.TRACKED]
        name_tracks(self._ids, owner[shown], self._next_id)
        rows = np.flatnonzero(good)[shown]
        output = TrackerOutput(boxes[shown], confidences[shown], self._ids[owner[shown]], rows)
        self._keep(self._life != Life.REMOVED)
        return output

    def _advance(self, frames: int) -> None:
        self._clock += frames
        # The paper's code looks for expired tracks after matching, so a track may still be matched one frame later.
        self._happen(Event.EXPIRED, self._clock - self._seen > self._lost_frames + 1)
        self._keep(self._life != Life.REMOVED)
        self._filters.velocity[self._life == Life.LOST, HEIGHT] = 0  # an unseen box must not grow or shrink for ever
        self._filters.predict(self._life != Life.TENTATIVE, frames)

    def _associate(self, boxes: Float32s, confidences: Float32s, looks: Float32s | None) -> Int64s:
        """Which track each detection belongs to, or -1: (n,) int64. Filters and lives follow."""
        owner = np.full(len(boxes), -1, np.int64)
        seen = np.zeros(len(self._life), bool)
        cost = 1 - iou(self._filters.boxes(), boxes)
        fused = 1 - (1 - cost) * confidences
        surcharge = 0.0 if looks is None else self._surcharge(cost, looks)
        high = confidences >= self._high
        low = ~high & (confidences >= self._low)
        tentative = self._life == Life.TENTATIVE
        tracked = self._life == Life.TRACKED
        for costs, tracks, detections, limit in (
            (fused + surcharge, ~tentative, high, self._match_threshold),
            (cost + surcharge, tracked, low, _SECOND_MATCH_COST),
            (fused, tentative, high, _TENTATIVE_MATCH_COST),
        ):
            free_tracks = np.flatnonzero(tracks & ~seen)
            free_detections = np.flatnonzero(detections & (owner < 0))
            if not len(free_tracks) or not len(free_detections):
                continue
            rows, columns = assign(costs[free_tracks[:, None], free_detections], limit)
            owner[free_detections[columns]] = free_tracks[rows]
            seen[free_tracks[rows]] = True
        matched = np.flatnonzero(owner >= 0)
        self._filters.correct(owner[matched], boxes[matched])
        self._seen[seen] = self._clock
        self._happen(Event.MISSED, ~seen)
        self._happen(Event.SEEN, seen)
        return owner

    def _surcharge(self, cost: Float64s, looks: Float32s) -> Float64s:
        """What looks add to the (tracks, n) costs of contested matches; less than 0 where they speak for a match."""
        near = cost < 1 - _NEAR
        contested = near & ((near.sum(axis=1) > 1)[:, None] | (near.sum(axis=0) > 1))
        if not contested.any():
            return np.zeros_like(cost)
        surcharge = self._look_weight * (self._looks.distances(looks) - _NEUTRAL_DISTANCE)
        return np.where(contested & np.isfinite(surcharge), surcharge, 0.0)

    def _learn(self, boxes: Float32s, confidences: Float32s, looks: Float32s, owner: Int64s) -> None:
        """Tracks take in the looks of sure detections that stand alone."""
        overlap = iou(boxes, boxes)
        np.fill_diagonal(overlap, 0)
        clean = np.flatnonzero((owner >= 0) & (confidences >= self._high) & (overlap.max(axis=1, initial=0) < _CLEAN))
        self._looks.add(owner[clean], looks[clean])

    def _happen(self, event: Event, tracks: Bools) -> None:
        self._life[tracks] = LIFECYCLE[self._life[tracks], event]

    def _start_tracks(self, boxes: Float32s, confidences: Float32s, owner: Int64s) -> None:
        """Unclaimed sure detections become tracks; `owner` learns of them."""
        new = np.flatnonzero((owner < 0) & (confidences >= max(self._start, self._high)))
        if not len(new):
            return
        owner[new] = len(self._life) + np.arange(len(new))
        at_once = (confidences[new] > self._sure) | (self._clock == 1)
        self._filters = self._filters.join(KalmanTracks.start(boxes[new]))
        self._looks.start(len(new))
        self._life = np.append(self._life, np.where(at_once, Life.TRACKED, Life.TENTATIVE).astype(np.int8))
        self._born = np.append(self._born, np.full(len(new), self._clock))
        self._seen = np.append(self._seen, np.full(len(new), self._clock))
        self._ids = np.append(self._ids, np.zeros(len(new), np.int64))

    def _remove_duplicates(self) -> None:
        """Of a live and a lost track in the same place, the one with the longer history stays."""
        tracked, lost = np.flatnonzero(self._life <= Life.TRACKED), np.flatnonzero(self._life == Life.LOST)
        if not len(tracked) or not len(lost):
            return
        boxes = self._filters.boxes()
        a, b = np.nonzero(1 - iou(boxes[tracked], boxes[lost]) < _DUPLICATE_COST)
        history = self._seen - self._born
        older = history[tracked[a]] > history[lost[b]]
        self._life[np.where(older, lost[b], tracked[a])] = Life.REMOVED

    def _keep(self, tracks: Bools) -> None:
        if tracks.all():
            return
        self._filters = self._filters.take(tracks)
        self._looks.keep(tracks)
        self._life, self._born = self._life[tracks], self._born[tracks]
        self._seen, self._ids = self._seen[tracks], self._ids[tracks]
