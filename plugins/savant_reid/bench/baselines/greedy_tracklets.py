"""Greedy clustering of whole tracks by appearance alone: mean embedding, one threshold, nothing else."""

from __future__ import annotations

import numpy as np

from savant_reid.bench.answers import answers_of_tracks
from savant_reid.bench.baselines.clustering import cluster
from savant_reid.bench.baselines.sweep import Tuned, best_value, sample_of, steps
from savant_reid.bench.rows import Int64s, Rows
from savant_reid.bench.scores import idf1
from savant_reid.bench.tracklets import Float32s, Tracklets, tracklets_of, unit


def greedy_tracklets(rows: Rows) -> Tuned:
    """Best threshold in hindsight."""
    sample = sample_of(rows)
    labels = _Labels(sample)
    threshold, _ = best_value(labels.score, steps(0.5, 0.95, 0.05))
    if sample is not rows:
        labels = _Labels(rows)
        threshold, _ = best_value(labels.score, [threshold - 0.02, threshold, threshold + 0.02], rounds=0)
    return Tuned(answers_of_tracks(rows, labels.at(threshold)), {"threshold": threshold})


class _Labels:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        tracklets = tracklets_of(rows)
        self._means, has = _means(tracklets)
        self._order = tracklets.by_start[has[tracklets.by_start]]

    def at(self, threshold: float) -> Int64s:
        return cluster(self._order, self._means, threshold)

    def score(self, threshold: float) -> float:
        return idf1(self._rows, answers_of_tracks(self._rows, self.at(threshold)))


def _means(tracklets: Tracklets) -> tuple[Float32s, np.ndarray]:
    """(T, D) mean directions, and (T,) bool which tracks have one."""
    means = np.zeros((len(tracklets), tracklets.embeddings.shape[1]), np.float32)
    for track in range(len(tracklets)):
        start, end = tracklets.at[track], tracklets.at[track + 1]
        if end > start:
            means[track] = tracklets.vectors(slice(start, end)).mean(axis=0)
    return unit(means), np.diff(tracklets.at) > 0
