"""The embeddings that tracklets keep: a small ring of good crops for each, and what they say together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.weighting import weighted_means

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
# The share of a tracklet's crops left out of its mean: the ones least like the others (occluders, blur, swaps).
WORST_SHARE = 1 / 3
FIRST_ROWS = 256


class Crops:
    """A table of tracklets x `per` crops, in order of time; the poorest crop makes room for a new one.

    vectors: (rows, per, D) unit length, as the model gave them. quality, times_ns: (rows, per). count: (rows,) kept.
    The table doubles when more tracklets are alive than ever before.
    """

    def __init__(self, dimension: int, per: int) -> None:
        self.per, self.dimension = per, dimension
        self.vectors = np.zeros((FIRST_ROWS, per, dimension), np.float32)
        self.quality = np.zeros((FIRST_ROWS, per), np.float32)
        self.times_ns = np.zeros((FIRST_ROWS, per), np.int64)
        self.count = np.zeros(FIRST_ROWS, np.int64)
        self._free = list(range(FIRST_ROWS))[::-1]

    def take_row(self) -> int:
        """An empty row."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self.count[row] = 0
        self.quality[row] = 0.0
        return row

    def give_back(self, row: int) -> None:
        self.vectors[row] = 0.0  # nothing of a person stays behind
        self._free.append(row)

    def add(
        self, rows: Rows, vectors: Floats, quality: Floats, at_ns: Rows, keep_latest: NDArray[np.bool_] | None = None
    ) -> None:
        """rows: (b,) distinct; vectors: (b, D) unit length; quality: (b,) above 0; at_ns: (b,). keep_latest: (b,)
        whose latest crop stays, however poor."""
        full = self.count[rows] == self.per
        if full.any():
            self._drop_poorest(rows[full], None if keep_latest is None else keep_latest[full])
        at = self.count[rows]
        self.vectors[rows, at], self.quality[rows, at], self.times_ns[rows, at] = vectors, quality, at_ns
        self.count[rows] = at + 1

    def robust_means(self, rows: Rows, camera_means: Floats) -> Floats:
        """(b, D) quality-weighted mean of each row's crops, the worst third left out once there are three.

        Not of unit length, the camera's mean (b, D) still in it; that mean only serves to tell which crops are alike.
        """
        vectors, quality = self.vectors[rows], self.quality[rows]
        count = self.count[rows]
        weights = np.where(np.arange(self.per) < count[:, None], np.maximum(quality, 1e-3), 0.0).astype(np.float32)
        means = weighted_means(weights, vectors)
        trim = count >= 3
        if trim.any():
            alike = (vectors @ (means - camera_means)[:, :, None])[:, :, 0]
            alike[weights == 0.0] = np.inf
            worst = np.sort(alike, axis=1)[np.arange(len(rows)), (count * WORST_SHARE).astype(np.int64)]
            kept = np.where((alike >= worst[:, None]) | ~trim[:, None], weights, 0.0).astype(np.float32)
            means = weighted_means(kept, vectors)
        return means

    def between(self, rows: Rows, since_ns: Rows | int, until_ns: Rows | int) -> NDArray[np.bool_]:
        """(…, per) which crops of each row (…) are kept and have since < time <= until; none for the row -1."""
        times = self.times_ns[rows]
        kept = np.arange(self.per) < np.where(rows >= 0, self.count[rows], 0)[..., None]
        since_ns, until_ns = np.asarray(since_ns), np.asarray(until_ns)
        return np.asarray(kept & (times > since_ns[..., None]) & (times <= until_ns[..., None]))

    def means_of(self, rows: Rows, which: NDArray[np.bool_]) -> Floats:
        """(…, k, D) quality-weighted means of k choices (…, k, per) of crops of each row (…); zero for none."""
        weights = np.where(which, self.quality[rows][..., None, :], np.float32(0.0))
        total = np.maximum(weights.sum(axis=-1, keepdims=True), 1e-9)
        return np.asarray(weights @ self.vectors[rows] / total, np.float32)

    def exchange_later(self, a: int, b: int, since_ns: int) -> None:
        """Two rows exchange their crops later than `since_ns`."""
        aside = self.take_row()
        self.move_later(a, aside, since_ns)
        self.move_later(b, a, since_ns)
        self.move_later(aside, b, since_ns)
        self.give_back(aside)

    def move_later(self, source: int, target: int, since_ns: int) -> None:
        """Take the crops later than `since_ns` out of one row and put them behind those of another."""
        n = int(self.count[source])
        later = np.flatnonzero(self.times_ns[source, :n] > since_ns)
        for at in later.tolist():
            self.add(
                np.array([target]),
                self.vectors[source, at : at + 1],
                self.quality[source, at : at + 1],
                self.times_ns[source, at : at + 1],
            )
        self.count[source] = n - len(later)

    def _drop_poorest(self, rows: Rows, keep_latest: NDArray[np.bool_] | None) -> None:
        quality = self.quality[rows]
        if keep_latest is not None:
            quality[keep_latest, -1] = np.inf
        poorest = quality.argmin(axis=1)
        places = np.arange(self.per - 1)
        order = places + (places >= poorest[:, None])
        for table in (self.vectors, self.quality, self.times_ns):
            table[rows, : self.per - 1] = table[rows[:, None], order]
        self.count[rows] = self.per - 1

    def _grow(self) -> None:
        n = len(self.count)
        self._free = list(range(n, 2 * n))[::-1]
        for name in ("vectors", "quality", "times_ns", "count"):
            table = getattr(self, name)
            setattr(self, name, np.concatenate([table, np.zeros_like(table)]))
