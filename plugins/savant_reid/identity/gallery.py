"""All identities and their prototypes, in arrays whose size is fixed at the start.

A prototype is what one tracklet of the person looked like (its robust mean). An identity is compared by the weighted
mean of its prototypes: on real statistics that beats the most alike prototype and the two most alike ones at every
false positive rate (docs/accuracy.md). Rows are kept dense (the last row moves into a hole). The arrays are allocated
zeroed: the system gives memory only for the rows that are ever used.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.metric import Metric
from savant_reid.identity.search import Nearest, Search
from savant_reid.identity.visits import VISITS, latest
from savant_reid.identity.weighting import half_for, weighted_means

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
# A prototype weighs as much as the crops behind it, up to so many: more tell little new about one visit.
MOST_WEIGHT = 4.0
# What many merged visits weigh at most, so that the latest ones still count.
MOST_MERGED = 16.0
# Identities looked at together: what that takes stays in the cache (4 MB at 8 prototypes of 512 numbers).
LOOKED_AT = 256


class GalleryFull(Exception):
    """No row is free."""


class Gallery:
    """capacity identities x `prototypes` embeddings.

    Columns, by row: global_ids, created_ns, last_seen_ns, last_camera (of tracklets that have left), crops_seen: int64;
    birth_camera: where the first one began; confirmed: bool; count: prototypes kept. A prototype's source is the serial
    of the tracklet that gave it, 0 where several were merged to make room. Prototypes that somebody was enrolled with
    come first, stay, and are at least half of the look. Places without a prototype are zero.
    """

    def __init__(self, capacity: int, prototypes: int, metric: Metric, search: Search) -> None:
        self.capacity, self.prototypes = capacity, prototypes
        self.size = 0
        self.global_ids = np.zeros(capacity, np.int64)
        self.created_ns = np.zeros(capacity, np.int64)
        self.last_seen_ns = np.zeros(capacity, np.int64)
        self.last_camera = np.zeros(capacity, np.int64)
        self.crops_seen = np.zeros(capacity, np.int64)
        self.confirmed = np.zeros(capacity, bool)
        self.count = np.zeros(capacity, np.int64)
        self.birth_camera = np.zeros(capacity, np.int64)
        # (source, camera, first_ns, last_ns, track_id) of the latest visits, in order; zeros before the first.
        self.visits = np.zeros((capacity, VISITS, 5), np.int64)
        self._metric = metric
        self._search = search
        self._vectors = np.zeros((capacity, prototypes, metric.dimension), np.float32)
        self._weight = np.zeros((capacity, prototypes), np.float32)
        self._camera = np.zeros((capacity, prototypes), np.int64)
        self._source = np.zeros((capacity, prototypes), np.int64)
        self._enrolled = np.zeros(capacity, np.int64)  # how many of the prototypes
        self._row_of: dict[int, int] = {}
        self._unshown: dict[int, None] = {}  # identities that searches do not know as they are now

    def row_of(self, global_id: int) -> int | None:
        """The row of an identity, or None if it is not (or no longer) here."""
        return self._row_of.get(global_id)

    def rows_of(self, global_ids: Collection[int]) -> Rows:
        """(n,) rows of identities, -1 for those that are not here."""
        return np.fromiter(map(self._row_of.get, global_ids, [-1] * len(global_ids)), np.int64, len(global_ids))

    def create(self, global_id: int, camera: int, now_ns: int) -> int:
        """A new identity without prototypes; raises GalleryFull."""
        if self.size == self.capacity:
            raise GalleryFull
        row = self.size
        self.size += 1
        self.global_ids[row], self.created_ns[row] = global_id, now_ns
        self.last_seen_ns[row], self.last_camera[row] = now_ns, camera
        self.crops_seen[row], self.confirmed[row], self.count[row] = 0, False, 0
        self.birth_camera[row], self.visits[row], self._enrolled[row] = camera, 0, 0
        self._row_of[global_id] = row
        return row

    def enrol(self, row: int, raw: Floats, cameras: Sequence[int], weights: Sequence[float]) -> None:
        """Give a new identity its lasting prototypes: raw (n, D), at most half of all that there is room for."""
        n = len(raw)
        self._vectors[row, :n], self._camera[row, :n] = raw, cameras
        self._weight[row, :n] = np.minimum(weights, MOST_WEIGHT)
        # Unlike any serial, and unlike those of whoever else is enrolled.
        self._source[row, :n] = -(2**61) - 16 * self.global_ids[row] - np.arange(n)
        self.count[row] = self._enrolled[row] = n

    def remove(self, row: int) -> None:
        """Forget the identity in `row`; the last row moves into its place."""
        global_id = int(self.global_ids[row])
        del self._row_of[global_id]
        self._search.remove(global_id)
        self._unshown.pop(global_id, None)
        last = self.size = self.size - 1
        if row != last:
            for column in self._columns():
                column[row] = column[last]
            self._row_of[int(self.global_ids[row])] = row
        for table in (self._vectors, self._weight, self._camera, self._source, self.visits):
            table[last] = 0  # nothing of a person stays behind

    def put(self, row: int, source: int, camera: int, raw: Floats, weight: float) -> None:
        """Keep what tracklet `source` looks like; raw: (D,) its robust mean, the camera's mean still in it."""
        sources = self._source[row, : self.count[row]].tolist()
        at = sources.index(source) if source in sources else len(sources)
        if at == self.prototypes:
            at = self._merge_most_alike(row)
        self._vectors[row, at], self._weight[row, at] = raw, min(weight, MOST_WEIGHT)
        self._camera[row, at], self._source[row, at] = camera, source
        if at == len(sources):
            self.count[row] = at + 1

    def drop(self, row: int, source: int) -> None:
        """Remove what tracklet `source` gave (it goes on, or turned out to be somebody else)."""
        sources = self._source[row, : self.count[row]].tolist()
        if source not in sources:
            return
        at, last = sources.index(source), len(sources) - 1
        for table in (self._vectors, self._weight, self._camera, self._source):
            table[row, at:last] = table[row, at + 1 : last + 1]
            table[row, last] = 0
        self.count[row] = last

    def take_from(self, row: int, other: int) -> None:
        """Fold the prototypes of `other` into `row` (a merge)."""
        for at in range(int(self.count[other])):
            self.put(
                row,
                int(self._source[other, at]) or -int(self.global_ids[other]) - at,
                int(self._camera[other, at]),
                self._vectors[other, at].copy(),
                float(self._weight[other, at]),
            )
        self.crops_seen[row] += self.crops_seen[other]
        self.confirmed[row] |= self.confirmed[other]
        if self.created_ns[other] < self.created_ns[row]:
            self.created_ns[row], self.birth_camera[row] = self.created_ns[other], self.birth_camera[other]
        self.visits[row] = latest([*self.visits[row], *self.visits[other]])
        if self.last_seen_ns[other] > self.last_seen_ns[row]:
            self.last_seen_ns[row], self.last_camera[row] = self.last_seen_ns[other], self.last_camera[other]

    def note_visit(self, row: int, source: int, camera: int, first_ns: int, last_ns: int, track_id: int = -1) -> None:
        """Remember that a tracklet of this identity was seen there and then; its latest word counts."""
        visits = self.visits[row]
        if visits[-1, 0] != source:
            visits[:-1] = visits[1:]
        visits[-1] = source, camera, first_ns, last_ns, track_id

    def forget_visit(self, row: int, source: int) -> None:
        """That tracklet turned out to be somebody else."""
        visits = self.visits[row]
        kept = visits[visits[:, 0] != source]
        self.visits[row] = latest([*np.zeros_like(visits), *kept])

    def looks_of(self, row: int) -> tuple[Rows, Rows, Floats, Floats]:
        """source, camera and weight (n,) of an identity's prototypes, and these, raw (n, D)."""
        kept = row, slice(int(self.count[row]))
        return self._source[kept], self._camera[kept], self._weight[kept], self._vectors[kept]

    def centroids(self, rows: Rows) -> Floats:
        """(n, D) centred weighted means of the prototypes; zero where there are none."""
        most = int(self.count[rows].max(initial=0))  # most identities have few of the prototypes that there is room for
        vectors = self._vectors[rows, :most]
        vectors -= self._metric.means[self._camera[rows, :most]]
        weight = self._weight[rows]
        enrolled = self._enrolled[rows]
        if enrolled.any():
            weight = half_for(weight, np.arange(weight.shape[1]) < enrolled[:, None])
        return weighted_means(weight, vectors)

    def enrolled_centroids(self, rows: Rows) -> Floats:
        """(n, D) centred weighted means of what they were enrolled with alone; zero for who was not."""
        vectors = self._vectors[rows] - self._metric.means[self._camera[rows]]
        weight = self._weight[rows] * (np.arange(self._vectors.shape[1]) < self._enrolled[rows][:, None])
        return weighted_means(weight, vectors)

    def show(self, row: int) -> None:
        """Let searches find the identity as it is now, where it was last seen."""
        self._unshown[int(self.global_ids[row])] = None

    def nearest(self, probes: Floats, blocks: Sequence[int], k: int, least: Floats | None = None) -> Nearest:
        """See Search.nearest, among identities as they are now."""
        self._show_all()
        return self._search.nearest(probes, blocks, k, least)

    def _show_all(self) -> None:
        """Bring the search up to date, by one product for all: some change several times before they are looked for."""
        rows = self.rows_of(self._unshown)
        shown = self.count[rows] > 0
        for global_id in self.global_ids[rows[~shown]].tolist():
            self._search.remove(global_id)
        rows = rows[shown]
        if len(rows):
            looks = self._metric.look(self.centroids(rows))
            owners, blocks = self.global_ids[rows].tolist(), self.last_camera[rows].tolist()
            for owner, block, look in zip(owners, blocks, looks, strict=True):
                self._search.replace(owner, block, look[None])
        self._unshown.clear()

    def look_again(self) -> None:
        """The metric has changed: everything is shown anew."""
        rows = np.flatnonzero(self.count[: self.size] > 0)
        looks = np.zeros((len(rows), self._metric.dimension), np.float32)
        for start in range(0, len(rows), LOOKED_AT):
            part = rows[start : start + LOOKED_AT]
            looks[start : start + LOOKED_AT] = self._metric.look(self.centroids(part))
        self._unshown.clear()
        self._search.rebuild(self.global_ids[rows], self.last_camera[rows], looks)

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        return (
            self.global_ids,
            self.created_ns,
            self.last_seen_ns,
            self.last_camera,
            self.crops_seen,
            self.confirmed,
            self.count,
            self.birth_camera,
            self.visits,
            self._vectors,
            self._weight,
            self._camera,
            self._source,
            self._enrolled,
        )

    def _merge_most_alike(self, row: int) -> int:
        """Make room: the two most alike prototypes (of one camera, if there are two) become one; returns the hole."""
        vectors = self._vectors[row] - self._metric.means[self._camera[row]]
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
        alike = (vectors @ vectors.T) / np.outer(lengths, lengths)
        alike[self._camera[row][:, None] != self._camera[row]] -= 2.0
        np.fill_diagonal(alike, -np.inf)
        stays = int(self._enrolled[row])
        alike[:stays] = alike[:, :stays] = -np.inf
        a, b = divmod(int(np.argmax(alike)), len(vectors))
        weights = self._weight[row, [a, b]]
        # The mean is kept as if seen by the camera of the first.
        mixed = (weights[0] * vectors[a] + weights[1] * vectors[b]) / weights.sum()
        self._vectors[row, a] = mixed + self._metric.means[self._camera[row, a]]
        self._weight[row, a], self._source[row, a] = min(float(weights.sum()), MOST_MERGED), 0
        return b
