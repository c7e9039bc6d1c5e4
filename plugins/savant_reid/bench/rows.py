"""A recording as arrays: every detection with its track, its embedding and its true person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Floats = NDArray[np.floating]
NOBODY = -1


@dataclass(frozen=True)
class Rows:
    """All detections of a recording in the order of time.

    frame: (n,) int64, which frame (of one camera and moment), ascending. camera: (n,) int64, index into `cameras`.
    time_ns: (n,) int64. track: (n,) int64, tracks of all cameras counted from 0 in the order of appearance.
    person: (n,) int64, people counted from 0, -1 for false detections. track_ids: (tracks,) int64, the tracker's own.
    embedding_of: (n,) int64, row in `embeddings` or -1. embeddings: (m, D), L2-normalised. quality: (m,) in [0, 1].
    truth_size: (people,) int64, boxes of each person in the truth, detected or not.
    """

    cameras: tuple[str, ...]
    frame: Int64s
    camera: Int64s
    time_ns: Int64s
    track: Int64s
    person: Int64s
    track_ids: Int64s
    embedding_of: Int64s
    embeddings: Floats
    quality: Floats
    truth_size: Int64s

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def tracks(self) -> int:
        return len(self.track_ids)

    @property
    def people(self) -> int:
        return len(self.truth_size)

    @property
    def duration_s(self) -> float:
        return float(self.time_ns[-1] - self.time_ns[0]) * 1e-9 if len(self) else 0.0

    @property
    def person_seconds(self) -> float:
        """Seconds that people were tracked, all tracks together."""
        order = np.argsort(self.track, kind="stable")
        first = np.searchsorted(self.track[order], np.arange(self.tracks))
        last = np.append(first[1:], len(self)) - 1
        return float(np.sum(self.time_ns[order[last]] - self.time_ns[order[first]])) * 1e-9

    def until(self, end: int) -> Rows:
        """The first `end` rows, for sweeps. Truth boxes are shared out by the share of rows."""
        seen = np.bincount(self.person[:end][self.person[:end] >= 0], minlength=self.people)
        whole = np.bincount(self.person[self.person >= 0], minlength=self.people)
        size = np.where(whole > 0, self.truth_size * seen // np.maximum(whole, 1), 0)
        people = np.flatnonzero(seen)
        compact = np.full(self.people + 1, NOBODY, np.int64)
        compact[people] = np.arange(len(people))
        tracks = int(self.track[:end].max(initial=-1)) + 1
        count = int(self.embedding_of[:end].max(initial=-1)) + 1
        return Rows(
            self.cameras,
            self.frame[:end],
            self.camera[:end],
            self.time_ns[:end],
            self.track[:end],
            compact[self.person[:end]],
            self.track_ids[:tracks],
            self.embedding_of[:end],
            self.embeddings[:count],
            self.quality[:count],
            np.maximum(size[people], seen[people]).astype(np.int64),
        )
