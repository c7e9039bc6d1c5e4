"""The strong simple engine: means of whole tracks, camera biases taken off, windows, one person in one place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.answers import answers_of_tracks
from savant_reid.bench.baselines.clustering import cluster
from savant_reid.bench.baselines.sweep import Tuned, best_value, climb, sample_of, steps
from savant_reid.bench.rows import Int64s, Rows
from savant_reid.bench.scores import idf1
from savant_reid.bench.tracklets import Float32s, Tracklets, tracklets_of, unit

Windows = Mapping[tuple[str, str], tuple[float, float]]
BONUSES = (0.0, 0.05, 0.1, 0.2)
PENALTIES = (0.0, 0.05, 0.1, 0.2, 0.4)
# Swept: where a person whom the same camera lost so recently gets the bonus too (a broken track); 0 for never.
SAME_CAMERA_S = (0.0, 10.0)
# The last, fine search over the whole recording: strides of threshold, bonus and penalty, and how often it looks.
STRIDES, LOOKS = (0.04, 0.04, 0.04), 14


def strong(rows: Rows, windows: Windows) -> Tuned:
    """Best threshold, bonus and penalty in hindsight. windows: (from, to) to seconds, as declared in site.yml."""
    sample = sample_of(rows)
    engine = _Engine(sample, windows)
    found: dict[tuple[float, float, float], tuple[float, float]] = {}
    for bonus, penalty, same_s in product(BONUSES, PENALTIES, SAME_CAMERA_S):
        near = [threshold for _, threshold in sorted(((s, t) for t, s in found.values()), reverse=True)[:1]]
        values = [near[0] + d for d in (-0.1, 0.0, 0.1)] if near else steps(0.1, 0.7, 0.1)
        measure = partial(engine.score, bonus=bonus, penalty=penalty, same_s=same_s)
        found[bonus, penalty, same_s] = best_value(measure, values, rounds=0)
    (bonus, penalty, same_s), (threshold, _) = max(found.items(), key=lambda item: item[1][1])
    whole = engine if sample is rows else _Engine(rows, windows)
    (threshold, bonus, penalty), _ = climb(
        lambda values: whole.score(values[0], values[1], values[2], same_s), (threshold, bonus, penalty), STRIDES, LOOKS
    )
    parameters = {"threshold": threshold, "bonus": bonus, "penalty": penalty, "same_camera_s": same_s}
    return Tuned(answers_of_tracks(rows, whole.labels(threshold, bonus, penalty, same_s)), parameters)


class _Engine:
    def __init__(self, rows: Rows, windows: Windows) -> None:
        self._rows = rows
        self._tracklets = tracklets = tracklets_of(rows)
        self._means = trimmed_means(tracklets)
        has = np.diff(tracklets.at) > 0
        self._order = tracklets.by_start[has[tracklets.by_start]]
        n = len(rows.cameras)
        self._earliest, self._latest = np.full((n, n), np.inf), np.full((n, n), -np.inf)
        index = {name: i for i, name in enumerate(rows.cameras)}
        for (start, end), seconds in windows.items():
            self._earliest[index[start], index[end]], self._latest[index[start], index[end]] = seconds

    def score(self, threshold: float, bonus: float, penalty: float, same_s: float) -> float:
        return idf1(self._rows, answers_of_tracks(self._rows, self.labels(threshold, bonus, penalty, same_s)))

    def labels(self, threshold: float, bonus: float, penalty: float, same_s: float) -> Int64s:
        tracklets, count = self._tracklets, len(self._order)
        last_camera, last_s = np.zeros(count, np.int64), np.full(count, -np.inf)
        present: list[list[tuple[int, int]]] = [[] for _ in self._rows.cameras]  # (end_ns, identity) by camera
        start_s, end_s = tracklets.start_ns * 1e-9, tracklets.end_ns * 1e-9

        def adjust(track: int, scores: NDArray[np.float32]) -> None:
            camera = int(tracklets.camera[track])
            before = last_camera[: len(scores)]
            gap_s = start_s[track] - last_s[: len(scores)]
            fits = (gap_s >= self._earliest[before, camera]) & (gap_s <= self._latest[before, camera])
            same = before == camera
            scores += np.where(fits | (same & (gap_s <= same_s)), bonus, np.where(same, 0.0, -penalty))
            present[camera] = [(end, i) for end, i in present[camera] if end >= tracklets.start_ns[track]]
            for _, identity in present[camera]:
                scores[identity] = -np.inf

        def tell(track: int, identity: int) -> None:
            present[int(tracklets.camera[track])].append((int(tracklets.end_ns[track]), identity))
            if end_s[track] >= last_s[identity]:
                last_camera[identity], last_s[identity] = tracklets.camera[track], end_s[track]

        return cluster(self._order, self._means, threshold, adjust, tell)


def trimmed_means(tracklets: Tracklets) -> Float32s:
    """(T, D) unit vectors: camera mean taken off every crop, the third that is farthest from the mean left out."""
    means = np.zeros((len(tracklets), tracklets.embeddings.shape[1]), np.float32)
    for track in range(len(tracklets)):
        start, end = tracklets.at[track], tracklets.at[track + 1]
        if end > start:
            crops = unit(tracklets.vectors(slice(start, end)) - tracklets.camera_means[tracklets.camera[track]])
            near = crops @ crops.mean(axis=0)
            kept = np.argsort(-near, kind="stable")[: max(1, len(crops) - len(crops) // 3)]
            means[track] = crops[kept].mean(axis=0)
    return unit(means)
