"""Pairs of tracks whose truth is known without labels: strangers seen at once, and the same person met again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.calibration.folds import FOLDS, FRAGMENT_NS, Folds
from savant_reid.calibration.tracks import Track
from savant_reid.identity.metric import Metric
from savant_reid.identity.topology import Topology

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Similarities kept of each pair of cameras.
MOST_SIMILARITIES = 65_536
# In two cameras, tracks are of one moment when both were on screen for so long: clocks differ a little.
TOGETHER_NS = 500_000_000
# Tracks compared with others at a time, to bound memory.
_CHUNK = 1024


@dataclass(frozen=True)
class CameraPair:
    """What is known of two cameras (indices, a <= b; a = b is one camera).

    strangers: similarities of people seen at once, ascending. met: of people met again by the engine's word, and
    weights: how sure it was. halves: of tracks with themselves (one camera only). stranger_count: of all that there
    were, of which `strangers` is a sample.
    """

    a: int
    b: int
    strangers: Doubles
    stranger_count: int
    met: Doubles
    weights: Doubles
    halves: Doubles


def camera_pairs(tracks: Sequence[Track], topology: Topology, seed: int = 0) -> list[CameraPair]:
    """Every pair of cameras once. Nobody is compared in a metric that was learned from them (see folds)."""
    cameras = len(topology.cameras)
    if not tracks:
        return []
    found = _Found(tracks, topology)
    for one in range(FOLDS):
        for other in range(one, FOLDS):
            found.compare(one, other)
    strangers, met, halves = found.strangers.by_pair(), found.met.by_pair(), found.halves.by_pair()
    pairs = []
    for a in range(cameras):
        for b in range(a, cameras):
            dice, code = np.random.default_rng([seed, a, b]), a * cameras + b
            alike, _ = strangers.get(code, _NONE)
            again, weights = met.get(code, _NONE)
            kept, some = _sample(len(alike), dice), _sample(len(again), dice)
            own = halves.get(code, _NONE)[0]
            pairs.append(CameraPair(a, b, np.sort(alike[kept]), len(alike), again[some], weights[some], own))
    return pairs


class _Heap:
    """Similarities with a weight and the code of their pair of cameras."""

    def __init__(self) -> None:
        self._parts: list[tuple[Rows, Doubles, Doubles]] = []

    def add(self, code: Rows, similarity: np.ndarray, weight: np.ndarray | None = None) -> None:
        values = similarity.astype(np.float64)
        self._parts.append((code, values, np.ones(len(code)) if weight is None else weight))

    def by_pair(self) -> dict[int, tuple[Doubles, Doubles]]:
        """code to similarities and weights."""
        parts = [(np.zeros(0, np.int64), *_NONE), *self._parts]
        code, similarity, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(code, kind="stable")
        codes, starts = np.unique(code[order], return_index=True)
        split = zip(np.split(similarity[order], starts[1:]), np.split(weight[order], starts[1:]), strict=True)
        return dict(zip(codes.tolist(), split, strict=bool(len(codes))))


class _Found:
    def __init__(self, tracks: Sequence[Track], topology: Topology) -> None:
        self._tracks, self._topology = tracks, topology
        self._cameras = len(topology.cameras)
        self._folds = Folds(tracks, self._cameras, len(tracks[0].mean))
        self._first_ns = np.array([t.first_ns for t in tracks], np.int64)
        self._last_ns = np.array([t.last_ns for t in tracks], np.int64)
        self._ids = np.array([t.global_id for t in tracks], np.int64)
        self._sure = np.array([t.probability for t in tracks])
        self.strangers, self.met, self.halves = _Heap(), _Heap(), _Heap()

    def compare(self, one: int, other: int) -> None:
        """The people of one fold with those of another (or with each other)."""
        metric = self._folds.metric(one, other)
        first, second = np.flatnonzero(self._folds.of == one), np.flatnonzero(self._folds.of == other)
        looks = self._looks(metric, second)
        for start in range(0, len(first), _CHUNK):
            rows = first[start : start + _CHUNK]
            similarity = self._looks(metric, rows) @ looks.T
            valid = rows[:, None] < second if one == other else np.ones(similarity.shape, bool)
            self._sort_out(rows, second, similarity, valid)
        if one == other:
            self._compare_halves(metric, first)

    def _looks(self, metric: Metric, rows: Rows) -> Floats:
        return metric.look(metric.centred(self._folds.camera[rows], self._folds.raw[rows]))

    def _sort_out(self, rows: Rows, columns: Rows, similarity: Floats, valid: Bools) -> None:
        """Which of these pairs are strangers, and which one person. All but rows and columns: (rows, columns)."""
        camera = self._folds.camera
        one, other = camera[rows][:, None], camera[columns]
        code = np.minimum(one, other) * self._cameras + np.maximum(one, other)
        gap_ns = np.maximum(
            self._first_ns[rows][:, None] - self._last_ns[columns],
            self._first_ns[columns] - self._last_ns[rows][:, None],
        )
        same_camera = one == other
        same_id = (self._ids[rows][:, None] == self._ids[columns]) & (self._ids[columns] > 0)
        at_once = gap_ns <= np.where(same_camera, 0, -TOGETHER_NS)
        strangers = valid & at_once & ~same_id & ~self._topology.overlap[one, other]
        self._drop_touched(rows, columns, strangers & same_camera, strangers)
        self.strangers.add(code[strangers], similarity[strangers])
        met = valid & same_id & (gap_ns > np.where(same_camera, FRAGMENT_NS, 0))
        sure = self._sure[rows][:, None] * self._sure[columns]
        self.met.add(code[met], similarity[met], sure[met])

    def _drop_touched(self, rows: Rows, columns: Rows, asked: Bools, strangers: Bools) -> None:
        """Two boxes that lay over one another may be one person detected twice."""
        for i, j in np.argwhere(asked).tolist():
            one, other = self._tracks[rows[i]], self._tracks[columns[j]]
            if other.track_id in one.touched or one.track_id in other.touched:
                strangers[i, j] = False

    def _compare_halves(self, metric: Metric, rows: Rows) -> None:
        having = [at for at in rows.tolist() if self._tracks[at].halves is not None]
        camera = self._folds.camera[having]
        if not having:
            return
        both = np.array([self._tracks[at].halves for at in having], np.float32)
        early, late = (metric.look(metric.centred(camera, both[:, side])) for side in (0, 1))
        self.halves.add(camera * (self._cameras + 1), np.einsum("nd,nd->n", early, late))


_NONE = (np.zeros(0), np.zeros(0))


def _sample(n: int, dice: np.random.Generator) -> Rows:
    if n <= MOST_SIMILARITIES:
        return np.arange(n)
    return np.sort(dice.choice(n, MOST_SIMILARITIES, replace=False))
