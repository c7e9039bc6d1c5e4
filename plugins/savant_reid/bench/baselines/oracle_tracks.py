"""Every track gets its true person, broken and swapped as it is: what one answer per track can reach at most."""

from __future__ import annotations

import numpy as np

from savant_reid.bench.answers import Answers, answers_of_tracks
from savant_reid.bench.rows import Int64s, Rows


def oracle_tracks(rows: Rows) -> Answers:
    """Tracks of mostly false detections get nobody."""
    return answers_of_tracks(rows, majority(rows))


def majority(rows: Rows) -> Int64s:
    """(tracks,) int64: whom most rows of a track show; -1 where that is nobody."""
    keys, count = np.unique(rows.track * (rows.people + 1) + rows.person + 1, return_counts=True)
    order = np.lexsort((-count, keys // (rows.people + 1)))
    best = np.unique(keys[order] // (rows.people + 1), return_index=True)[1]
    return np.asarray(keys[order][best] % (rows.people + 1) - 1, np.int64)
