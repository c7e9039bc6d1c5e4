"""Metrics that have not seen the people whom they compare.

A metric fits the tracks that it was learned from: it takes their mean away and weighs down the directions in which they
differ. In it, those very tracks are less alike than strangers who come tomorrow (on simulated sites of 100 people a
threshold for 1 % let 5 to 7 % of tomorrow's strangers pass). So people are dealt into folds, and two of them are
compared in a metric learned from all folds but theirs (cross-fitting).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.calibration.tracks import Track
from savant_reid.identity.learned import MetricLessons
from savant_reid.identity.metric import Metric

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
# Two tenths of the people are left out at most; 55 metrics are worked out.
FOLDS = 10
# A gap this short in one camera is the tracker's doing: no meeting again.
FRAGMENT_NS = 4_000_000_000


@dataclass
class _Sums:
    """What one fold adds to a metric's lessons."""

    sums: Doubles
    counts: Doubles
    within: Doubles
    total: Doubles
    matches: float = 0.0
    people: int = 0


class Folds:
    """tracks: their folds are in `of`, (n,) int64. raw: (n, D) their means; camera: (n,)."""

    def __init__(self, tracks: Sequence[Track], cameras: int, dimension: int) -> None:
        self._cameras, self._dimension = cameras, dimension
        self.raw: Floats = np.array([t.mean for t in tracks], np.float32).reshape(-1, dimension)
        self.camera: Rows = np.array([t.camera for t in tracks], np.int64)
        people = _people(tracks)
        self.of: Rows = np.zeros(len(tracks), np.int64)
        sizes = [0] * FOLDS
        self._sums = [_Sums(*self._zeros()) for _ in range(FOLDS)]
        for person in sorted(people, key=lambda one: (-len(one), one[0])):
            fold = sizes.index(min(sizes))
            sizes[fold] += len(person)
            self.of[person] = fold
            self._sums[fold].people += 1
        centred = self._centred()
        for fold, sums in enumerate(self._sums):
            self._fill(sums, self.of == fold, centred)
        for person in people:
            self._learn_person(person, tracks, centred)

    def metric(self, *left_out: int) -> Metric:
        """Learned from all folds but these."""
        kept = [sums for fold, sums in enumerate(self._sums) if fold not in left_out]
        sums, counts, within, total = (
            np.sum([getattr(one, name) for one in kept], axis=0) for name in ("sums", "counts", "within", "total")
        )
        lessons = MetricLessons(
            sums,
            counts,
            np.asarray(within, np.float32),
            sum(one.matches for one in kept),
            np.asarray(total / max(float(counts.sum()), 1.0), np.float32),
            float(sum(one.people for one in kept)),
        )
        metric = Metric(self._cameras, self._dimension)
        metric.start_from(lessons)
        return metric

    def _zeros(self) -> tuple[Doubles, Doubles, Doubles, Doubles]:
        c, d = self._cameras, self._dimension
        return np.zeros((c, d)), np.zeros(c), np.zeros((d, d)), np.zeros((d, d))

    def _centred(self) -> Floats:
        """(n, D) without the cameras' means, each worked out without the track itself."""
        sums, counts = np.zeros((self._cameras, self._dimension)), np.bincount(self.camera, minlength=self._cameras)
        np.add.at(sums, self.camera, self.raw)
        others = (sums[self.camera] - self.raw) / np.maximum(counts[self.camera] - 1, 1)[:, None]
        return np.asarray(self.raw - others, np.float32)

    def _fill(self, sums: _Sums, rows: NDArray[np.bool_], centred: Floats) -> None:
        np.add.at(sums.sums, self.camera[rows], self.raw[rows])
        sums.counts += np.bincount(self.camera[rows], minlength=self._cameras)
        sums.total += centred[rows].T @ centred[rows]

    def _learn_person(self, person: Sequence[int], tracks: Sequence[Track], centred: Floats) -> None:
        """As identity.lessons does: each meeting against the mean of those before it."""
        sums = self._sums[int(self.of[person[0]])]
        for n, at in enumerate(person[1:], start=1):
            before, now = tracks[person[n - 1]], tracks[at]
            if before.camera == now.camera and now.first_ns - before.last_ns < FRAGMENT_NS:
                continue
            difference = centred[at] - centred[list(person[:n])].mean(axis=0)
            sums.within += np.outer(difference, difference) * (now.probability / (1.0 + 1.0 / n))
            sums.matches += now.probability


def _people(tracks: Sequence[Track]) -> list[list[int]]:
    """Tracks (indices) by identity, each in the order of time; who has none is a person alone."""
    found: dict[int, list[int]] = defaultdict(list)
    for at, track in enumerate(tracks):
        found[track.global_id or -1 - at].append(at)
    return [sorted(person, key=lambda at: (tracks[at].first_ns, tracks[at].serial)) for person in found.values()]
