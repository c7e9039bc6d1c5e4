"""What each track has looked like lately: all looks for DeepSORT's cosine distance, their mean for ByteTrack's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]


def unit_rows(looks: Float32s) -> Float32s:
    """Each (n, D) row with length 1; what cannot have one becomes NaN, which stands for no look."""
    lengths = np.linalg.norm(looks, axis=1, keepdims=True)
    return np.asarray(looks / np.where(lengths > 0, lengths, np.nan), np.float32)


class TrackLooks:
    """The last `budget` embeddings of each of n tracks. Looks come in as unit rows or rows of NaN."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._rings: list[Float32s] = []  # (budget, D) each, rows taken in turn; empty before the first look
        self._seen: list[int] = []  # looks that ever came in

    def __len__(self) -> int:
        return len(self._rings)

    def start(self, looks: Float32s) -> None:
        """New tracks, with a first look each."""
        for look in looks:
            self._rings.append(np.empty((0, 0), np.float32))
            self._seen.append(0)
            self._add(len(self._rings) - 1, look)

    def add(self, tracks: Int64s, looks: Float32s) -> None:
        """looks: (m, D), one more of each of the (m,) tracks. The oldest look beyond the budget is forgotten."""
        for track, look in zip(tracks, looks, strict=True):
            self._add(int(track), look)

    def distances(self, tracks: Int64s, looks: Float32s, wanted: NDArray[np.bool_] | None = None) -> Float64s:
        """(len(tracks), m) float64: 1 - the cosine to the most alike look of the track; inf where either has none.

        wanted: bool of that shape, which pairs are asked for; the others are inf.
        """
        costs = np.full((len(tracks), len(looks)), np.inf)
        known = np.broadcast_to(np.isfinite(looks).all(axis=1), costs.shape)
        known = known if wanted is None else known & wanted
        for row, track in enumerate(tracks):
            ring, columns = self._rings[track][: self._seen[track]], np.flatnonzero(known[row])
            if len(ring) and len(columns):
                costs[row, columns] = 1.0 - (ring @ looks[columns].T).max(axis=0)
        return costs

    def keep(self, tracks: NDArray[np.bool_]) -> None:
        """tracks: (n,) bool, which ones stay."""
        rows = np.flatnonzero(tracks)
        self._rings, self._seen = [self._rings[row] for row in rows], [self._seen[row] for row in rows]

    def _add(self, track: int, look: Float32s) -> None:
        if np.isfinite(look).all():
            if not self._seen[track]:
                self._rings[track] = np.empty((self._budget, len(look)), np.float32)
            self._rings[track][self._seen[track] % self._budget] = look
            self._seen[track] += 1


class MeanLooks:
    """The running mean of each of n tracks' looks, as unit rows; `keep_share` of it stays with each new look."""

    def __init__(self, keep_share: float = 0.9) -> None:
        self._keep_share = keep_share
        self._means = np.zeros((0, 1), np.float32)  # (n, D), rows of NaN before the first look

    def start(self, count: int) -> None:
        """New tracks, without a look yet."""
        self._means = np.append(self._means, np.full((count, self._means.shape[1]), np.nan, np.float32), axis=0)

    def add(self, tracks: Int64s, looks: Float32s) -> None:
        """looks: (m, D), one more of each of the (m,) tracks; rows of NaN change nothing."""
        if looks.shape[1] != self._means.shape[1]:
            self._means = np.full((len(self._means), looks.shape[1]), np.nan, np.float32)
        seen = np.isfinite(looks).all(axis=1)
        tracks, looks = tracks[seen], unit_rows(looks[seen])
        old = self._means[tracks]
        mixed = self._keep_share * old + (1 - self._keep_share) * looks
        self._means[tracks] = unit_rows(np.where(np.isnan(old), looks, mixed))

    def distances(self, looks: Float32s) -> Float64s:
        """(n, m) float64: 1 - the cosine of each track's mean to each of the (m, D) looks; NaN where one has none."""
        if looks.shape[1] != self._means.shape[1]:
            return np.full((len(self._means), len(looks)), np.nan)
        return np.asarray(1.0 - self._means @ unit_rows(looks).T, np.float64)

    def keep(self, tracks: NDArray[np.bool_]) -> None:
        """tracks: (n,) bool, which ones stay."""
        self._means = self._means[tracks]
