"""The mistakes of a detector and a tracker: misses, broken tracks, exchanged tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.testing.boxes import Covering
from savant_reid.testing.settings import RecordingSettings

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_TRACK = -1
HIDDEN_COVERED = 0.75  # who is covered more than this is not detected
GIVEN_UP_S = 2.0  # a track that is not seen for so long is given up
BREAK_S = (0.2, 2.0)
CROSS_IOU, CROSS_SHARE = 0.2, 0.5  # one box lies on the other, or swallows half of it
CROSS_ENDS = 0.5  # of the level at which a crossing begins
PAST_PEAK = 0.85  # of a crossing's greatest overlap: from then on the people part


@dataclass
class Tracks:
    """The tracker's state of each person in view, (n,) each.

    track_id: -1 for none. breaks_s: when the track will break next. hidden_s: not detected before. seen_s: last
    detection.
    """

    track_id: Int64s
    breaks_s: Float64s
    hidden_s: Float64s
    seen_s: Float64s

    def rows(self, index: Int64s | Bools) -> Tracks:
        return Tracks(self.track_id[index], self.breaks_s[index], self.hidden_s[index], self.seen_s[index])

    def __add__(self, other: Tracks) -> Tracks:
        return Tracks(
            np.concatenate([self.track_id, other.track_id]),
            np.concatenate([self.breaks_s, other.breaks_s]),
            np.concatenate([self.hidden_s, other.hidden_s]),
            np.concatenate([self.seen_s, other.seen_s]),
        )


class Tracker:
    """One per recording, with its own numbers per camera."""

    def __init__(self, settings: RecordingSettings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._rng = rng
        self._next_id = np.ones(settings.cameras, np.int64)
        self._crossings: dict[tuple[int, int], _Crossing] = {}

    def start(self, start_s: Float64s) -> Tracks:
        """State for people who come into view at `start_s` (n,)."""
        count = len(start_s)
        breaks_s = start_s + self._rng.exponential(self._settings.break_every_s, count)
        never = np.full(count, -np.inf)
        return Tracks(np.full(count, NO_TRACK), breaks_s, never, never.copy())

    def detect(self, tracks: Tracks, camera: Int64s, covered: Float64s, time_s: Float64s, visible: Bools) -> Bools:
        """(n,) who is detected now; gives those a track who have none. camera: (n,) ascending."""
        rng, count = self._rng, len(camera)
        breaks = time_s >= tracks.breaks_s
        gone = np.flatnonzero(breaks)
        # Mostly a moment, seldom two seconds: the eighth power of an even draw.
        tracks.hidden_s[gone] = time_s[gone] + BREAK_S[0] + (BREAK_S[1] - BREAK_S[0]) * rng.random(len(gone)) ** 8
        tracks.breaks_s[gone] = tracks.hidden_s[gone] + rng.exponential(self._settings.break_every_s, len(gone))
        tracks.track_id[gone] = NO_TRACK
        found = visible & (time_s >= tracks.hidden_s) & (covered <= HIDDEN_COVERED)
        found &= rng.random(count) >= self._settings.miss_probability
        tracks.track_id[found & (time_s - tracks.seen_s > GIVEN_UP_S)] = NO_TRACK
        new = np.flatnonzero(found & (tracks.track_id == NO_TRACK))
        tracks.track_id[new] = self.new_ids(camera[new])
        tracks.seen_s[found] = time_s[found]
        return found

    def new_ids(self, camera: Int64s) -> Int64s:
        """(n,) unused track numbers for cameras (n,), ascending."""
        first = np.searchsorted(camera, camera, "left")
        ids = self._next_id[camera] + np.arange(len(camera)) - first
        np.add.at(self._next_id, camera, 1)
        return ids

    def cross(self, tracks: Tracks, visit: Int64s, pairs: Covering) -> None:
        """Follow who crosses whom, and exchange the tracks of some when they part. visit: (n,) names the rows."""
        level = np.maximum(pairs.iou / CROSS_IOU, np.maximum(pairs.of_behind, pairs.of_before) / CROSS_SHARE)
        going_on: dict[tuple[int, int], _Crossing] = {}
        for row in np.flatnonzero(level >= CROSS_ENDS).tolist():
            a, b = int(pairs.behind[row]), int(pairs.before[row])
            first, second = int(visit[a]), int(visit[b])
            key = (min(first, second), max(first, second))
            crossing = self._crossings.pop(key, None)
            if crossing is None:
                if level[row] < 1.0:
                    continue
                crossing = _Crossing(float(self._rng.random()) < self._settings.swap_probability)
            going_on[key] = crossing
            crossing.peak = max(crossing.peak, float(level[row]))
            if crossing.swaps and level[row] < PAST_PEAK * crossing.peak:
                crossing.swaps = not _exchange(tracks, a, b)
        self._swap_late(tracks, visit)
        self._crossings = going_on

    def _swap_late(self, tracks: Tracks, visit: Int64s) -> None:
        """Crossings that ended between two frames: what is left in `_crossings`."""
        for (first, second), crossing in self._crossings.items():
            if crossing.swaps:
                a, b = np.flatnonzero(visit == first), np.flatnonzero(visit == second)
                if len(a) and len(b):
                    _exchange(tracks, int(a[0]), int(b[0]))


@dataclass
class _Crossing:
    """swaps: the tracks will be exchanged when the people part. peak: the greatest overlap so far."""

    swaps: bool
    peak: float = 0.0


def _exchange(tracks: Tracks, a: int, b: int) -> bool:
    """True if both had a track."""
    ids = tracks.track_id
    if ids[a] == NO_TRACK or ids[b] == NO_TRACK:
        return False
    ids[a], ids[b] = ids[b], ids[a]
    return True
