"""Search over rows on a device, in three operations: one product, the best of each part, the best of each block.

With `half` the rows lie there as float16: half the memory, half of what a search reads. That finds candidates; those
that may be among the best, given the most that rounding can have changed, are compared again in float32 with the host's
copy. So the answer is exact either way.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search import pages as paging
from savant_reid.identity.search.best import NO_KEY, Device, Keys, Parts, parts_of, places_of, scores_of
from savant_reid.identity.search.pages import Layout, Pages
from savant_reid.identity.search.placed import PlacedSearch
from savant_reid.identity.search.protocol import NOBODY, Float32s, Int64s, Nearest, as_rows
from savant_reid.identity.search.ranking import Found, ranked

# The most by which a score of unit vectors in float16 can be wrong. Each number is rounded by 2^-11 of itself at most,
# so the product of two rounded unit vectors is off by 2^-10 (Cauchy-Schwarz); rounding the result adds 2^-12. The rest
# is for cuBLAS, which may add partial sums in the type of the result.
HALF_ERROR = 2.0**-9
# Candidates beyond the k best: rows that tie with the k-th, or are so near it that float16 cannot tell.
_EXTRA, _EXTRA_HALF = 4, 16
# When those do not do, so many times more.
_MORE = 4
# Scores held at a time, 256 MB of float32.
_SCORES = 1 << 26
# Multiplying only some pages copies them first: three times the traffic of multiplying them in place.
_COPYING = 3


class DeviceSearch(PlacedSearch):
    """Search by brute force on `device`; exact, with rows in float32 or (half) in float16."""

    def __init__(self, dimension: int, capacity_rows: int, device: Device, half: bool = False) -> None:
        self._device = device
        self._type = np.float16 if half else np.float32
        self._error = HALF_ERROR if half else 0.0
        self._extra = _EXTRA_HALF if half else _EXTRA
        self._pages = Pages(device.xp, dimension, capacity_rows, self._type)
        super().__init__(self._pages, capacity_rows)

    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int, least: Float32s | None = None) -> Nearest:
        probes = as_rows(probes, self.dimension)
        layout = self._pages.layout(blocks)
        owners = np.full((len(probes), len(blocks) * k), NOBODY, np.int64)
        similarities = np.full(owners.shape, -np.inf, np.float32)
        if len(layout.pages):
            matrix, bias = self._pages.on_device()
            rows, at = self._rows(matrix, layout)
            work = parts_of(layout, at, paging.PAGE_ROWS)
            step = max(1, _SCORES // len(rows))
            for start in range(0, len(probes), step):
                some = slice(start, start + step)
                bounds = None if least is None else least[some]
                keys = self._keys(self._device.product(probes[some], rows), bias, work, k, bounds)
                owners[some], similarities[some] = self._answer(probes[some], keys, k, bounds)
        return Nearest(owners, similarities)

    def _rows(self, matrix: Float32s, layout: Layout) -> tuple[Float32s, Int64s]:
        """What to multiply the probes with, only the pages asked for unless that is most; where these lie in it."""
        used = self._pages.used_pages
        if _COPYING * len(layout.pages) >= used:
            return matrix, layout.pages
        some = matrix.reshape(used, -1, self.dimension)[self._device.xp.asarray(layout.pages)]
        return some.reshape(-1, self.dimension), np.arange(len(layout.pages))

    def _keys(self, scores: Float32s, bias: Float32s, work: Parts, k: int, least: Float32s | None) -> Keys:
        """(b, blocks, more than k) keys with all that may be among the k best, and all that tie with the k-th."""
        keep = k + self._extra
        while True:
            keys = self._device.best(scores, bias, work, keep)
            cut = keys[:, :, -1]  # none left out where a block had no more than that
            if not ((cut != NO_KEY) & (scores_of(cut, self._type) >= self._bound(keys, k, least))).any():
                return keys
            keep *= _MORE

    def _bound(self, keys: Keys, k: int, least: Float32s | None) -> Float32s:
        """(b, blocks) what a score in the type of the rows must reach to be of use."""
        bound: Float32s = scores_of(keys[:, :, k - 1], self._type) - np.float32(2 * self._error)
        return bound if least is None else np.maximum(bound, least - np.float32(self._error))

    def _answer(self, probes: Float32s, keys: Keys, k: int, least: Float32s | None) -> tuple[Int64s, Float32s]:
        """The rows of Nearest for these probes."""
        scores = scores_of(keys, self._type)
        probe, block, rank = np.nonzero((keys != NO_KEY) & (scores >= self._bound(keys, k, least)[:, :, None]))
        places = places_of(keys[probe, block, rank])
        alike = self._compared(probes, probe, places) if self._error else scores[probe, block, rank]
        found = Found(probe, block, self._pages.owners.reshape(-1)[places], alike)
        owners, similarities = ranked([found], keys.shape[:2], k)
        return owners, similarities

    def _compared(self, probes: Float32s, probe: NDArray[np.intp], places: Int64s) -> Float32s:
        """(n,) float32 products of probes, by number (n,) ascending, and the rows at places (n,)."""
        alike = np.empty(len(places), np.float32)
        ends = np.searchsorted(probe, np.arange(len(probes) + 1)).tolist()
        for at, (start, end) in enumerate(itertools.pairwise(ends)):  # one probe's rows fit in the cache
            # Not BLAS, whose last bits depend on what else it multiplies.
            np.einsum("nd,d->n", self._pages.vectors[places[start:end]], probes[at], out=alike[start:end])
        return alike
