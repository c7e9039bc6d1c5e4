"""Search on a device through an array module: CuPy on an NVIDIA GPU, NumPy to try it without one.

The vectors lie on the device; what goes there are probes and changed rows, what comes back are the candidates: about k
for each probe and block. Only few large operations are issued, however many blocks are asked for, since each costs some
ten microseconds to start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.pages import Layout, Pages
from savant_reid.identity.search.placed import PlacedSearch
from savant_reid.identity.search.protocol import Float32s, Int64s, Nearest, as_rows
from savant_reid.identity.search.ranking import LOWEST, Found, ranked

# Rows side by side that are a group; a group is looked into only if its best is good enough.
_GROUP = 16
# Scores held at a time, 256 MB.
_SCORES = 1 << 26
# Probes come in multiples of this where they do not fit in at once: 67 took twice as long as 64 on an H100.
_PROBES = 64
# Multiplying only some pages copies them first: three times the traffic of multiplying them in place.
_COPYING = 3
# Up to here sorting costs less than starting two operations for each of the k places.
_SORTED = 1 << 19


class ArraySearch(PlacedSearch):
    """Search by brute force on the device of the array module `xp` (cupy, or numpy); float32 throughout."""

    def __init__(self, dimension: int, capacity_rows: int, xp: Any) -> None:
        self._xp = xp
        self._pages = Pages(xp, dimension, capacity_rows)
        super().__init__(self._pages, capacity_rows)

    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int, least: Float32s | None = None) -> Nearest:
        probes = as_rows(probes, self.dimension)
        layout = self._pages.layout(blocks)
        found = list(self._candidates(probes, layout, k, least)) if len(layout.pages) else []
        return ranked(found, (len(probes), len(blocks)), k)

    def _candidates(self, probes: Float32s, layout: Layout, k: int, least_of: Float32s | None) -> Iterator[Found]:
        vectors, bias, scored, places = self._vectors(layout)
        table = _padded(places, layout.of_block)
        on_device = self._xp.asarray(table)
        step = max(1, _SCORES // len(vectors))
        step -= step % _PROBES if step > _PROBES else 0
        for at in range(0, len(probes), step):
            scores = self._xp.asarray(probes[at : at + step]) @ vectors.T
            scores += bias
            groups = scores.reshape(len(scores), len(scored), -1, _GROUP)
            bounds = None if least_of is None else self._xp.asarray(least_of[at : at + step])
            least, hits = self._hits(groups, on_device, k, bounds)
            probe, block, in_table, group = hits
            place = table[block, in_table]
            flat = np.ravel_multi_index((probe, place, group), groups.shape[:3])
            looked_at = _to_host(groups.reshape(-1, _GROUP)[self._xp.asarray(flat)])
            hit, row = np.nonzero(looked_at >= least[probe, block][:, None])
            owners = self._pages.owners[scored[place[hit]], group[hit] * _GROUP + row]
            yield Found(probe[hit] + at, block[hit], owners, looked_at[hit, row])

    def _vectors(self, layout: Layout) -> tuple[Any, Any, Int64s, Int64s]:
        """What to multiply the probes with: only the pages asked for, unless that is most.

        Returns vectors and bias on the device, which pages that is, and where among them those of the layout are.
        """
        (matrix, bias), used = self._pages.on_device(), self._pages.used_pages
        if _COPYING * len(layout.pages) >= used:
            return matrix, bias, np.arange(used), layout.pages
        pages = self._xp.asarray(layout.pages)
        some = matrix.reshape(used, -1, self.dimension)[pages].reshape(-1, self.dimension)
        return some, bias.reshape(used, -1)[pages].reshape(-1), layout.pages, np.arange(len(layout.pages))

    def _hits(
        self, groups: Any, table: Any, k: int, bounds: Any | None
    ) -> tuple[Float32s, tuple[NDArray[np.intp], ...]]:
        """The groups to look into, on the host: a bound (b, blocks) on the k-th best; probe, block, place, group."""
        xp = self._xp
        best = groups.max(axis=3)[:, table]
        best = xp.where(table[:, :, None] < 0, -np.inf, best)
        by_block = best.reshape(*best.shape[:2], -1)
        least = _kth_best(xp, by_block, k)
        least = least if bounds is None else xp.maximum(least, bounds)
        hits = _to_host(xp.flatnonzero(by_block >= least[:, :, None]))
        return _to_host(least), np.unravel_index(hits, best.shape)


def _padded(places: Int64s, of_block: Int64s) -> Int64s:
    """(blocks, most pages of one) int64: the places block by block, -1 beyond."""
    padded = np.full((len(of_block), of_block.max()), -1, np.int64)
    padded[np.arange(padded.shape[1]) < of_block[:, None]] = places
    return padded


def _kth_best(xp: Any, scores: Any, k: int) -> Any:
    """The k-th best over the last axis, or somewhat less; the lowest number where there are fewer."""
    if scores.size <= _SORTED and k <= scores.shape[2]:
        return xp.maximum(xp.sort(scores, axis=2)[:, :, -k], LOWEST)
    least = scores.max(axis=2)
    for _ in range(k - 1):
        # Equal ones go together: what is left is the k-th of the distinct ones.
        scores = xp.where(scores >= least[:, :, None], -np.inf, scores)
        least = scores.max(axis=2)
    return xp.maximum(least, LOWEST)


def _to_host(array: Any) -> NDArray[Any]:
    return array if isinstance(array, np.ndarray) else array.get()
