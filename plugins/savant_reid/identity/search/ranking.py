"""From similarities to the best few, without sorting what cannot be among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.protocol import NOBODY, Float32s, Int64s, Nearest

Indices = NDArray[np.intp]
# Rows of a group that is looked into only if its best is good enough. With 32, the groups' maxima cost 5 % of a matrix
# product of 64 probes, and few rows are looked at twice.
GROUP = 32
# Up to here a partition over all rows is cheaper than maxima of groups first.
PARTITION_ROWS = 512
_LOWEST = np.finfo(np.float32).min


def padded(rows: int) -> int:
    """The width that `candidates` wants for up to `rows` rows."""
    return rows if rows <= PARTITION_ROWS else -(-rows // GROUP) * GROUP


def candidates(scores: Float32s, k: int) -> tuple[Indices, Indices, Indices, Float32s]:
    """All that can be among the k best of each row of `scores` (b, s, padded(w)): ties at the edge all included.

    Places without a row hold -inf. Returns (n,) each: first index, second index, position in the row, score.
    """
    if scores.shape[2] <= PARTITION_ROWS:
        least = _kth_best(scores, k)
        first, second, at = np.nonzero(scores >= least[..., None])
        return first, second, at, scores[first, second, at]
    groups = scores.reshape(*scores.shape[:2], -1, GROUP)
    best = groups.max(axis=3)
    # The k-th best of the groups' maxima is no greater than the k-th best of all.
    least = _kth_best(best, k)
    first, second, group = np.nonzero(best >= least[..., None])
    looked_at = groups[first, second, group]
    hit, at = np.nonzero(looked_at >= least[first, second, None])
    return first[hit], second[hit], group[hit] * GROUP + at, looked_at[hit, at]


def _kth_best(scores: Float32s, k: int) -> Float32s:
    """The k-th best over the last axis; the lowest finite number where there are fewer."""
    width = scores.shape[2]
    if k == 1:
        least = scores.max(axis=2)
    elif k < width:
        least = np.partition(scores, width - k, axis=2)[..., width - k]
    else:
        least = np.full(scores.shape[:2], _LOWEST, np.float32)
    found: Float32s = np.maximum(least, _LOWEST)
    return found


def ranked(cells: Int64s, owners: Int64s, scores: Float32s, shape: tuple[int, int], k: int) -> Nearest:
    """The k best of each cell (probe * blocks + block) of `shape` (probes, blocks), ties in the order of the owners.

    cells, owners, scores: (n,) each, in any order.
    """
    # One integer to sort by: the cell, then the score downwards. IEEE numbers and the integers with their bits are in
    # the same order if positive, in the opposite one if negative; adding 0 turns -0 into 0.
    bits = (scores + np.float32(0)).view(np.int32)
    downwards = ~(bits ^ ((bits >> 31) & 0x7FFFFFFF))
    key = (cells << 32) | (downwards.astype(np.int64) + 0x80000000)
    order = np.argsort(key)
    in_order = key[order]
    if (in_order[1:] == in_order[:-1]).any():
        order = np.lexsort((owners, key))
    cell = cells[order]
    rank = np.arange(len(cell)) - np.searchsorted(cell, cell)
    order, cell, rank = order[rank < k], cell[rank < k], rank[rank < k]
    probes, blocks = shape
    best_owners = np.full((probes * blocks, k), NOBODY, np.int64)
    best_scores = np.full((probes * blocks, k), -np.inf, np.float32)
    best_owners[cell, rank], best_scores[cell, rank] = owners[order], scores[order]
    return Nearest(best_owners.reshape(probes, blocks * k), best_scores.reshape(probes, blocks * k))
