"""Search on a device through an array module: CuPy on an NVIDIA GPU, NumPy to try it without one.

The vectors lie on the device; what goes there are probes and changed rows, what comes back are the candidates: about k
for each probe and block. Only few large operations are issued, however many blocks are asked for, since each costs some
ten microseconds to start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.pages import PAGE_ROWS, Layout, Pages
from savant_reid.identity.search.placement import Placement
from savant_reid.identity.search.protocol import NOBODY, Float32s, Int64s, Nearest, as_rows
from savant_reid.identity.search.ranking import LOWEST, Found, ranked

# Every GROUPS-th row of a page together is a group; a group is looked into only if its best is good enough.
_GROUPS = 8
# Scores held at a time, 256 MB.
_SCORES = 1 << 26
# Multiplying only some pages copies them first: three times the traffic of multiplying them in place.
_COPYING = 3


class _Table(NamedTuple):
    """For each block, padded to the longest: where its pages are among the scores, and which are pages."""

    places: Any
    is_page: Any


class ArraySearch:
    """Search by brute force on the device of the array module `xp` (cupy, or numpy); float32 throughout."""

    def __init__(self, dimension: int, capacity_rows: int, xp: Any) -> None:
        self._xp = xp
        self._pages = Pages(xp, dimension, capacity_rows)
        self._placement = Placement(self._pages, capacity_rows)

    @property
    def dimension(self) -> int:
        return self._pages.dimension

    @property
    def capacity_rows(self) -> int:
        return self._placement.capacity_rows

    def __len__(self) -> int:
        return self._placement.size

    def replace(self, owner: int, block: int, vectors: Float32s) -> None:
        self._placement.replace(owner, block, as_rows(vectors, self.dimension))

    def remove(self, owner: int) -> None:
        self._placement.remove(owner)

    def rebuild(self, owners: Int64s, blocks: Int64s, vectors: Float32s) -> None:
        self._placement.rebuild(owners, blocks, as_rows(vectors, self.dimension))

    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int) -> Nearest:
        probes = as_rows(probes, self.dimension)
        layout = self._pages.layout(blocks)
        found = list(self._candidates(probes, layout, k)) if len(layout.pages) else []
        return ranked(found, (len(probes), len(blocks)), k)

    def _candidates(self, probes: Float32s, layout: Layout, k: int) -> Iterator[Found]:
        vectors, scored, places = self._vectors(layout)
        table = self._table(layout, places)
        partly = np.flatnonzero((self._pages.owners[scored] == NOBODY).any(axis=1))
        empty = self._xp.asarray(self._pages.owners[scored[partly]] == NOBODY)
        partly = self._xp.asarray(partly)
        step = max(1, _SCORES // len(vectors))
        for at in range(0, len(probes), step):
            scores = self._xp.asarray(probes[at : at + step]) @ vectors.T
            scores = scores.reshape(-1, len(scored), PAGE_ROWS)
            if len(partly):
                scores[:, partly] = self._xp.where(empty, -np.inf, scores[:, partly])
            probe, block, page, row, score = (_to_host(part) for part in self._best(scores, table, k))
            yield Found(probe + at, block, self._pages.owners[scored[page], row], score)

    def _vectors(self, layout: Layout) -> tuple[Any, Int64s, Int64s]:
        """What to multiply the probes with, which pages that is, and where among them those of the layout are."""
        matrix, used = self._pages.matrix(), self._pages.used_pages
        if _COPYING * len(layout.pages) >= used:
            return matrix, np.arange(used), layout.pages
        by_page = matrix.reshape(used, PAGE_ROWS, self.dimension)
        some = by_page[self._xp.asarray(layout.pages)].reshape(-1, self.dimension)
        return some, layout.pages, np.arange(len(layout.pages))

    def _table(self, layout: Layout, places: Int64s) -> _Table:
        of_block = np.diff(layout.starts)
        is_page = np.arange(of_block.max()) < of_block[:, None]
        padded = np.zeros(is_page.shape, np.int64)
        padded[is_page] = places
        return _Table(self._xp.asarray(padded), self._xp.asarray(is_page))

    def _best(self, scores: Any, table: _Table, k: int) -> tuple[Any, Any, Any, Any, Any]:
        """Candidates among scores (b, pages, PAGE_ROWS): probe, block, place of the page, row in the page, score."""
        xp = self._xp
        best = scores
        while best.shape[2] > _GROUPS:
            half = best.shape[2] // 2
            best = xp.maximum(best[:, :, :half], best[:, :, half:])
        best = xp.where(table.is_page[:, :, None], best[:, table.places], -np.inf)
        best = best.reshape(len(scores), len(table.places), -1)
        least = _kth_distinct(xp, best, k)
        probe, block, group = xp.nonzero(best >= least[:, :, None])
        place, group = table.places[block, group // _GROUPS], group % _GROUPS
        groups = scores.reshape(len(scores), -1, PAGE_ROWS // _GROUPS, _GROUPS)
        looked_at = groups[probe, place, :, group]
        hit, at = xp.nonzero(looked_at >= least[probe, block][:, None])
        return probe[hit], block[hit], place[hit], at * _GROUPS + group[hit], looked_at[hit, at]


def _kth_distinct(xp: Any, scores: Any, k: int) -> Any:
    """The k-th of the distinct greatest over the last axis, no greater than the k-th; the lowest number if fewer."""
    least = scores.max(axis=2)
    for _ in range(k - 1):
        scores = xp.where(scores >= least[:, :, None], -np.inf, scores)
        least = scores.max(axis=2)
    return xp.maximum(least, LOWEST)


def _to_host(array: Any) -> NDArray[Any]:
    return array if isinstance(array, np.ndarray) else array.get()
