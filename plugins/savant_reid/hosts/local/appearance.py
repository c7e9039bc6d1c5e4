"""What each track has looked like lately, for DeepSORT's cosine distance."""

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
