"""MICRO-TRACK's policy (Cunico and Cristani, arXiv 2409.03879).

A track is provisional until it has a crop of good quality. That crop is compared with the centroids of all identities,
each the mean of a ring of its last embeddings; below the threshold it founds an identity. Further good crops of the
track go into its identity's ring. The paper judges quality by a network; here it is the detector's confidence times
the share of the box that nobody else covers.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.answers import Answers, answers_since
from savant_reid.bench.baselines.sweep import Tuned, best_value, sample_of, steps
from savant_reid.bench.rows import Int64s, Rows
from savant_reid.bench.scores import idf1
from savant_reid.bench.tracklets import Float32s, Tracklets, tracklets_of

RINGS = (4, 16)
POOR_SHARES = (0.0, 0.3, 0.6)
# Crops that one track puts into a ring.
CROPS = 8
_BLOCK = 64


def micro_track(rows: Rows) -> Tuned:
    """Best threshold, ring and least quality in hindsight.

    Also tried: an identity that a track of the same camera wears now is no candidate. The paper does not say so.
    """
    sample = sample_of(rows)
    policy = _Policy(sample)
    found: dict[tuple[float, int, bool], tuple[float, float]] = {}
    for poor, ring, exclusive in product(POOR_SHARES, RINGS, (False, True)):
        values = steps(0.5, 0.95, 0.05)
        if found:
            near = max(found.values(), key=lambda item: item[1])[0]
            values = [near - 0.05, near - 0.025, near, near + 0.025, near + 0.05]
        measure = partial(policy.score, poor=poor, ring=ring, exclusive=exclusive)
        found[poor, ring, exclusive] = best_value(measure, values, rounds=0)
    (poor, ring, exclusive), (threshold, _) = max(found.items(), key=lambda item: item[1][1])
    whole = policy if sample is rows else _Policy(rows)
    near_values = [threshold - 0.02, threshold, threshold + 0.02]
    measure = partial(whole.score, poor=poor, ring=ring, exclusive=exclusive)
    threshold, _ = best_value(measure, near_values, rounds=1)
    answers = whole.answers(threshold, poor, ring, exclusive)
    return Tuned(answers, {"threshold": threshold, "poor_share": poor, "ring": ring, "exclusive": float(exclusive)})


class _Rings:
    """The last `size` embeddings of each identity, and the unit vector of their mean."""

    def __init__(self, capacity: int, size: int, dimension: int) -> None:
        self.count = 0
        self.units = np.zeros((capacity, dimension), np.float32)
        self._sums = np.zeros((capacity, dimension), np.float32)
        self._ring = [np.zeros((0, dimension), np.float32)] * capacity
        self._size, self._pushed = size, [0] * capacity

    def push(self, identity: int, vector: Float32s) -> None:
        at, pushed = self._pushed[identity] % self._size, self._pushed[identity]
        if not pushed:
            self._ring[identity] = np.zeros((self._size, len(vector)), np.float32)
        total = self._sums[identity]
        total += vector - self._ring[identity][at]
        self._ring[identity][at] = vector
        self._pushed[identity] = pushed + 1
        self.units[identity] = total / max(float(np.sqrt(total @ total)), 1e-12)


class _Policy:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._tracklets = tracklets_of(rows, CROPS)

    def score(self, threshold: float, poor: float, ring: int, exclusive: bool) -> float:
        return idf1(self._rows, self.answers(threshold, poor, ring, exclusive))

    def answers(self, threshold: float, poor: float, ring: int, exclusive: bool) -> Answers:
        tracklets = self._tracklets
        least = float(np.quantile(tracklets.quality, poor)) if len(tracklets.quality) else 0.0
        good = np.flatnonzero(tracklets.quality >= least)
        good = good[np.argsort(tracklets.crop_ns[good], kind="stable")]
        label = np.full(len(tracklets), -1, np.int64)
        rings = _Rings(len(tracklets), ring, tracklets.embeddings.shape[1])
        worn = _Worn(tracklets, len(self._rows.cameras))
        for start in range(0, len(good), _BLOCK):
            self._walk(good[start : start + _BLOCK], label, rings, worn if exclusive else None, threshold)
        decided_ns = np.full(len(tracklets), np.iinfo(np.int64).max)
        tracks, first = np.unique(tracklets.crop_track[good], return_index=True)
        decided_ns[tracks] = tracklets.crop_ns[good[first]]
        return answers_since(self._rows, label, decided_ns)

    def _walk(self, crops: Int64s, label: Int64s, rings: _Rings, worn: _Worn | None, threshold: float) -> None:
        """A block of crops in the order of time: probes are compared at once, what changed since then again."""
        tracklets = self._tracklets
        vectors = tracklets.vectors(crops)
        tracks = tracklets.crop_track[crops].tolist()
        known = rings.count
        asking = [i for i, track in enumerate(tracks) if label[track] < 0]
        similar = dict(zip(asking, vectors[asking] @ rings.units[:known].T, strict=True))
        changed: set[int] = set()
        for index, track in enumerate(tracks):
            if label[track] < 0:
                scores = np.empty(rings.count, np.float32)
                scores[:known] = similar[index]
                again = np.fromiter(changed, np.int64, len(changed))
                scores[again] = rings.units[again] @ vectors[index]
                if worn is not None:
                    worn.exclude(track, int(tracklets.crop_ns[crops[index]]), scores)
                label[track] = self._choose(scores, rings, threshold)
                if worn is not None:
                    worn.wear(track, int(label[track]))
            rings.push(int(label[track]), vectors[index])
            changed.add(int(label[track]))

    @staticmethod
    def _choose(scores: NDArray[np.float32], rings: _Rings, threshold: float) -> int:
        best = int(scores.argmax()) if len(scores) else -1
        if best >= 0 and scores[best] >= threshold:
            return best
        rings.count += 1
        return rings.count - 1


class _Worn:
    """Which identities the tracks of each camera have now."""

    def __init__(self, tracklets: Tracklets, cameras: int) -> None:
        self._tracklets = tracklets
        self._present: list[list[tuple[int, int]]] = [[] for _ in range(cameras)]

    def exclude(self, track: int, now_ns: int, scores: NDArray[np.float32]) -> None:
        camera = int(self._tracklets.camera[track])
        present = self._present[camera] = [(end, i) for end, i in self._present[camera] if end >= now_ns]
        for _, identity in present:
            scores[identity] = -np.inf

    def wear(self, track: int, identity: int) -> None:
        camera = int(self._tracklets.camera[track])
        self._present[camera].append((int(self._tracklets.end_ns[track]), identity))
