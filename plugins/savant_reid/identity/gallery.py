"""All identities and their prototypes, in arrays whose size is fixed at the start.

Rows are kept dense (the last row moves into a hole), so that a search is one matrix product over a prefix. The arrays
are allocated zeroed: the system gives memory only for the rows that are ever used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.camera_means import CameraMeans

Floats = NDArray[np.float32]
# Two embeddings more alike than this tell nothing new about a person.
REDUNDANT = 0.97


class GalleryFull(Exception):
    """No row is free."""


class Gallery:
    """capacity identities x `prototypes` embeddings, exact search among them without their cameras' means.

    A prototype's source is the serial of the tracklet that gave it, from 1; 0 marks an empty place.
    Columns, by row: global_ids int64; last_seen_ns int64 and last_camera (by tracklets that have ended);
    created_ns; embeddings_seen; confirmed.
    """

    def __init__(self, capacity: int, prototypes: int, means: CameraMeans) -> None:
        dimension = means.means.shape[1]
        self.capacity = capacity
        self.size = 0
        self.global_ids = np.zeros(capacity, np.int64)
        self.last_seen_ns = np.zeros(capacity, np.int64)
        self.last_camera = np.zeros(capacity, np.int64)
        self.created_ns = np.zeros(capacity, np.int64)
        self.embeddings_seen = np.zeros(capacity, np.int64)
        self.confirmed = np.zeros(capacity, bool)
        self._means = means
        self._means_version = means.version
        self._prototypes = np.zeros((capacity, prototypes, dimension), np.float32)
        self._centred = np.zeros((capacity, prototypes, dimension), np.float32)
        self._quality = np.zeros((capacity, prototypes), np.float32)
        self._source = np.zeros((capacity, prototypes), np.int64)
        self._camera = np.zeros((capacity, prototypes), np.int64)
        self._row_of: dict[int, int] = {}

    def row_of(self, global_id: int) -> int | None:
        """The row of an identity, or None if it is not (or no longer) here."""
        return self._row_of.get(global_id)

    def create(self, global_id: int, camera: int, now_ns: int) -> int:
        """A new identity without prototypes; raises GalleryFull."""
        if self.size == self.capacity:
            raise GalleryFull
        row = self.size
        self.size += 1
        self.global_ids[row], self.created_ns[row] = global_id, now_ns
        self.last_seen_ns[row], self.last_camera[row] = now_ns, camera
        self.embeddings_seen[row], self.confirmed[row] = 0, False
        self._source[row], self._camera[row] = 0, 0
        self._row_of[global_id] = row
        return row

    def remove(self, row: int) -> None:
        """Forget the identity in `row`; the last row moves into its place."""
        del self._row_of[int(self.global_ids[row])]
        last = self.size - 1
        self.size -= 1
        columns = (self.global_ids, self.last_seen_ns, self.last_camera, self.created_ns, self.embeddings_seen)
        for column in (
            *columns,
            self.confirmed,
            self._prototypes,
            self._centred,
            self._quality,
            self._source,
            self._camera,
        ):
            column[row] = column[last]
        if row != last:
            self._row_of[int(self.global_ids[row])] = row

    def add(self, row: int, embedding: Floats, quality: float, source: int, camera: int) -> None:
        """Keep `embedding` (D,) if it shows the person as no prototype does yet, or better than the one like it."""
        used = int((self._source[row] > 0).sum())
        if used == 0:
            return self._put(row, 0, embedding, quality, source, camera)
        likeness = self._prototypes[row, :used] @ embedding
        nearest = int(np.argmax(likeness))
        if likeness[nearest] > REDUNDANT:
            # Only its own source may replace it: who turns out to be somebody else must not take it along.
            if source == self._source[row, nearest] and quality > self._quality[row, nearest]:
                self._put(row, nearest, embedding, quality, source, camera)
        elif used < self._source.shape[1]:
            self._put(row, used, embedding, quality, source, camera)
        else:
            self._replace_most_redundant(row, embedding, quality, source, camera)
        return None

    def take_from(self, row: int, other: int) -> None:
        """Fold the prototypes of `other` into `row` (a merge)."""
        for at in np.flatnonzero(self._source[other] > 0):
            source, camera = int(self._source[other, at]), int(self._camera[other, at])
            self.add(row, self._prototypes[other, at].copy(), float(self._quality[other, at]), source, camera)
        self.embeddings_seen[row] += self.embeddings_seen[other]

    def drop_source(self, row: int, source: int) -> None:
        """Remove what tracklet `source` gave to `row` (it turned out to be somebody else)."""
        keep = np.flatnonzero((self._source[row] > 0) & (self._source[row] != source))
        for table in (self._prototypes, self._centred, self._quality, self._source, self._camera):
            kept = table[row, keep].copy()
            table[row] = 0
            table[row, : len(keep)] = kept

    def similarities(self, probe: Floats, exclude_source: int, camera: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Similarity of `probe` (D,), centred, to every identity, leaving out what the probe's own tracklet gave.

        Returns (size,) float32, the mean over the two most alike prototypes, -inf for an identity with none left; and
        (size,) bool, True where the most alike prototype was seen by `camera`.
        """
        n, per, dimension = self.size, self._centred.shape[1], self._centred.shape[2]
        if n == 0:
            return np.zeros(0, np.float32), np.zeros(0, bool)
        self._follow_means()
        cosines = (self._centred[:n].reshape(n * per, dimension) @ probe).reshape(n, per)
        usable = (self._source[:n] > 0) & (self._source[:n] != exclude_source)
        cosines[~usable] = -np.inf
        best = cosines.argmax(axis=1)
        rows = np.arange(n)
        top = cosines[rows, best]
        cosines[rows, best] = -np.inf
        second = cosines.max(axis=1) if per > 1 else np.full(n, -np.inf, np.float32)
        similarity = np.where(np.isfinite(second), 0.5 * (top + second), top)
        return similarity.astype(np.float32), self._camera[rows, best] == camera

    def _follow_means(self) -> None:
        """Centre everything anew after the means in use have changed."""
        if self._means_version != self._means.version:
            self._means_version = self._means.version
            n = self.size
            self._centred[:n] = self._means.centred(self._camera[:n], self._prototypes[:n])

    def _put(self, row: int, at: int, embedding: Floats, quality: float, source: int, camera: int) -> None:
        self._prototypes[row, at], self._quality[row, at] = embedding, quality
        self._centred[row, at] = self._means.centred(camera, embedding)
        self._source[row, at], self._camera[row, at] = source, camera

    def _replace_most_redundant(self, row: int, embedding: Floats, quality: float, source: int, camera: int) -> None:
        """Of the prototypes and the newcomer, drop the poorer one of the two that are most alike."""
        rows = np.concatenate([self._prototypes[row], embedding[None]])
        quality_of = np.append(self._quality[row], quality)
        alike = rows @ rows.T
        np.fill_diagonal(alike, -np.inf)
        a, b = np.unravel_index(int(np.argmax(alike)), alike.shape)
        poorer = int(a if quality_of[a] < quality_of[b] else b)
        if poorer < len(rows) - 1:
            self._put(row, poorer, embedding, quality, source, camera)
