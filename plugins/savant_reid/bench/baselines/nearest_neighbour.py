"""The textbook gallery: a track's first good crop against every stored embedding by raw cosine, one threshold."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.answers import Answers, answers_since
from savant_reid.bench.baselines.sweep import Tuned, best_value, steps
from savant_reid.bench.rows import Int64s, Rows
from savant_reid.bench.scores import idf1
from savant_reid.bench.tracklets import Tracklets, tracklets_of

# Crops that each track leaves in the gallery; fewer in recordings where all against all would take minutes.
STORED_CROPS = 8
MOST_STORED = 100_000
# Swept: which share of a recording's crops is too poor to ask with.
POOR_SHARES = (0.0, 0.3, 0.6)
_BLOCK = 256


class _Nearest(NamedTuple):
    """(T,) each: the most similar earlier track, its cosine, and when the track asked; -1 where it found none."""

    track: Int64s
    cosine: NDArray[np.float32]
    asked_ns: Int64s


def nearest_neighbour(rows: Rows) -> Tuned:
    """Best threshold and least quality in hindsight."""
    stored = int(np.clip(MOST_STORED // max(rows.tracks, 1), 1, STORED_CROPS))
    gallery, tracklets = tracklets_of(rows, stored), tracklets_of(rows)
    found: list[tuple[float, float, float, _Nearest]] = []
    for poor in POOR_SHARES:
        nearest = _find(tracklets, gallery, poor)
        threshold, reached = best_value(partial(_score, rows, nearest), steps(0.4, 1.0, 0.05))
        found.append((reached, threshold, poor, nearest))
    _, threshold, poor, nearest = max(found, key=lambda item: item[0])
    parameters = {"threshold": threshold, "poor_share": poor, "stored_crops": stored}
    return Tuned(_answers(rows, nearest, threshold), parameters)


def _answers(rows: Rows, nearest: _Nearest, threshold: float) -> Answers:
    return answers_since(rows, _labels(nearest, threshold), nearest.asked_ns)


def _score(rows: Rows, nearest: _Nearest, threshold: float) -> float:
    return idf1(rows, _answers(rows, nearest, threshold))


def probes(tracklets: Tracklets, poor: float) -> Int64s:
    """(T,) index of each track's first crop that is not among the `poor` share; its best one where all are; -1."""
    least = float(np.quantile(tracklets.quality, poor)) if len(tracklets.quality) else 0.0
    found = np.full(len(tracklets), -1, np.int64)
    best = np.lexsort((-tracklets.quality, tracklets.crop_track))
    tracks, first = np.unique(tracklets.crop_track[best], return_index=True)
    found[tracks] = best[first]
    good = np.flatnonzero(tracklets.quality >= least)
    tracks, first = np.unique(tracklets.crop_track[good], return_index=True)
    found[tracks] = good[first]
    return found


def _find(tracklets: Tracklets, gallery: Tracklets, poor: float) -> _Nearest:
    """Everybody's nearest neighbour does not depend on the labels, so one search serves all thresholds."""
    probe = probes(tracklets, poor)
    track, cosine = np.full(len(probe), -1), np.full(len(probe), -np.inf, np.float32)
    asked_ns = np.full(len(probe), np.iinfo(np.int64).max)
    asking = np.flatnonzero(probe >= 0)
    asked_ns[asking] = tracklets.crop_ns[probe[asking]]
    asking = asking[np.argsort(asked_ns[asking], kind="stable")]
    by_time = np.argsort(gallery.crop_ns, kind="stable")
    stored = gallery.vectors(by_time)
    stored_ns, stored_track = gallery.crop_ns[by_time], gallery.crop_track[by_time]
    for start in range(0, len(asking), _BLOCK):
        block = asking[start : start + _BLOCK]
        end = int(np.searchsorted(stored_ns, asked_ns[block[-1]]))
        if not end:
            continue
        similar = tracklets.vectors(probe[block]) @ stored[:end].T
        # A gallery entry counts if its track has asked, and so has a name, before this probe.
        known_ns = np.maximum(stored_ns[:end], asked_ns[stored_track[:end]])
        similar[known_ns[None, :] >= asked_ns[block][:, None]] = -np.inf
        best = similar.argmax(axis=1)
        cosine[block] = similar[np.arange(len(block)), best]
        track[block] = stored_track[best]
    return _Nearest(track, cosine, asked_ns)


def _labels(nearest: _Nearest, threshold: float) -> Int64s:
    label = np.full(len(nearest.track), -1, np.int64)
    asked = np.flatnonzero(nearest.asked_ns < np.iinfo(np.int64).max)
    known = nearest.cosine >= threshold
    for track in asked[np.argsort(nearest.asked_ns[asked], kind="stable")].tolist():
        label[track] = label[nearest.track[track]] if known[track] else track
    return label
