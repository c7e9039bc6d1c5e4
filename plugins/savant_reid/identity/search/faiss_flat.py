"""Search with flat FAISS indexes, one for each block: for indexes that can take rows in but never give one up, as those
on a GPU are.

A row that goes or changes leaves a tombstone in its index; when there are too many of them, the index is made anew.
FAISS's scores find candidates. These are compared again in float32 with the host's copy, so the answer is exact even
where an index holds float16. What a tombstone stood for stays in its index until that is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.placed import PlacedSearch
from savant_reid.identity.search.protocol import NOBODY, Float32s, Int64s, Nearest, as_rows
from savant_reid.identity.search.ranking import LOWEST, Found, kth_best, ranked

# An empty index for vectors of this length: it has add(vectors), search(probes, k) and ntotal.
MakeIndex = Callable[[int], Any]
# An index may have one tombstone for so many rows, and some in any case, before it is made anew: each changed row then
# costs four rows sent, and a search reads a quarter too much at most.
_ROWS_A_TOMBSTONE = 4
_FEW_TOMBSTONES = 128
_SMALLEST = 16
# Candidates beyond the k best, and how many times more if those do not do.
_EXTRA, _MORE = 16, 4
# FAISS does not look for more neighbours than this on a GPU (gpu/utils/DeviceDefs.cuh, getMaxKSelection).
MOST_NEIGHBOURS = 2048


class _Block:
    """The rows of one block. vectors (room, D) and owners (room,): as the index has them, NOBODY where a tombstone is.

    places: of its rows, in the order of their positions.
    """

    def __init__(self, dimension: int) -> None:
        self.vectors: Float32s = np.zeros((_SMALLEST, dimension), np.float32)
        self.owners: Int64s = np.zeros(_SMALLEST, np.int64)
        self.size = 0
        self.places: list[int] = []
        self.index: Any = None

    def put(self, owner: int, vector: Float32s) -> int:
        """One more row; returns its place."""
        if self.size == len(self.owners):
            self.vectors = np.concatenate([self.vectors, np.zeros_like(self.vectors)])
            self.owners = np.concatenate([self.owners, np.zeros_like(self.owners)])
        self.vectors[self.size], self.owners[self.size] = vector, owner
        self.size += 1
        return self.size - 1

    def bury(self, place: int) -> None:
        self.owners[place], self.vectors[place] = NOBODY, 0

    def is_new(self, place: int) -> bool:
        """Not yet in the index."""
        return self.index is None or place >= self.index.ntotal

    def up_to_date(self, make_index: MakeIndex) -> Any:
        """Its index, with all rows; made anew if it has too many tombstones."""
        if self.size - len(self.places) > max(_FEW_TOMBSTONES, len(self.places) // _ROWS_A_TOMBSTONE):
            self.compact()
        if self.index is None:
            self.index = make_index(self.vectors.shape[1])
        if self.index.ntotal < self.size:
            self.index.add(self.vectors[self.index.ntotal : self.size])
        return self.index

    def compact(self) -> None:
        """Without tombstones and without an index."""
        self.vectors, self.owners = self.vectors[self.places], self.owners[self.places]
        self.size, self.places, self.index = len(self.places), list(range(len(self.places))), None


class _Blocks:
    """A Store."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.of: dict[int, _Block] = {}

    def append(self, block: int, owner: int, vector: Float32s) -> int:
        rows = self.of.get(block) or self.of.setdefault(block, _Block(self.dimension))
        rows.places.append(rows.put(owner, vector))
        return len(rows.places) - 1

    def overwrite(self, block: int, position: int, vector: Float32s) -> None:
        rows = self.of[block]
        place = rows.places[position]
        if rows.is_new(place):
            rows.vectors[place] = vector
        else:
            rows.places[position] = rows.put(int(rows.owners[place]), vector)
            rows.bury(place)

    def fill_from_last(self, block: int, hole: int) -> tuple[int, int]:
        rows = self.of[block]
        gone, last = rows.places[hole], rows.places.pop()
        owner = int(rows.owners[last])
        if hole < len(rows.places):
            rows.places[hole] = last
        rows.bury(gone)
        if not rows.places:
            del self.of[block]
        return owner, len(rows.places)

    def load(self, parts: dict[int, tuple[Int64s, Float32s]]) -> None:
        self.of = {}
        for block, (owners, vectors) in parts.items():
            rows = self.of[block] = _Block(self.dimension)
            rows.vectors, rows.owners = vectors.copy(), owners.copy()
            rows.size, rows.places = len(owners), list(range(len(owners)))


class FlatSearch(PlacedSearch):
    """Search in the indexes that `make_index` makes. error: the most by which their scores can be wrong."""

    def __init__(
        self,
        dimension: int,
        capacity_rows: int,
        make_index: MakeIndex,
        error: float = 1e-5,
        most: int = MOST_NEIGHBOURS,
    ) -> None:
        """most: neighbours that an index can be asked for."""
        self._make_index = make_index
        self._error = error
        self._most = most
        self._blocks = _Blocks(dimension)
        super().__init__(self._blocks, capacity_rows)

    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int, least: Float32s | None = None) -> Nearest:
        probes = as_rows(probes, self.dimension)
        found = list(self._candidates(probes, blocks, k, least)) if len(probes) else []
        return ranked(found, (len(probes), len(blocks)), k)

    def _candidates(self, probes: Float32s, blocks: Sequence[int], k: int, least: Float32s | None) -> Iterator[Found]:
        for at, block in enumerate(blocks):
            rows = self._blocks.of.get(block)
            if rows is not None:
                probe, places = self._near(rows, probes, k, None if least is None else least[:, at] - self._error)
                alike = np.einsum("nd,nd->n", rows.vectors[places], probes[probe])
                yield Found(probe, np.full(len(probe), at), rows.owners[places], alike)

    def _near(self, rows: _Block, probes: Float32s, k: int, least: Float32s | None) -> tuple[NDArray[np.intp], Int64s]:
        """(n,) each, number of the probe and place: all rows that may be among the k best, or tie with the k-th."""
        wanted = k + _EXTRA
        while True:
            scores, places = self._best(rows, probes, wanted)
            last = scores[:, -1]
            scores = np.where(rows.owners[places] == NOBODY, -np.inf, scores)
            bound = kth_best(scores, k) - np.float32(2 * self._error)
            bound = bound if least is None else np.maximum(bound, least)
            if scores.shape[1] == rows.size or (last < bound).all():
                probe, column = np.nonzero(scores >= np.maximum(bound, LOWEST)[:, None])
                return probe, places[probe, column]
            wanted *= _MORE

    def _best(self, rows: _Block, probes: Float32s, wanted: int) -> tuple[Float32s, Int64s]:
        """(b, `wanted` or all) scores and places, best first; tombstones are among them."""
        index = rows.up_to_date(self._make_index)
        if wanted > self._most < rows.size:
            # Thousands that no search tells apart: all of them, by the host.
            everything = np.broadcast_to(np.arange(rows.size), (len(probes), rows.size))
            return probes @ rows.vectors[: rows.size].T, everything
        scores, places = index.search(probes, min(wanted, rows.size))
        return scores, places
