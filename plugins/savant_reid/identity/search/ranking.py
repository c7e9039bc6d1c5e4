"""From similarities to the best few, without sorting what cannot be among them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.protocol import NOBODY, Float32s, Int64s, Nearest

Indices = NDArray[np.intp]
# Rows of a group, at most. A group is looked into only if its best is good enough.
_GROUP = 32
# Groups for each of the k places: with fewer, too many of them are looked into; with more, there is more to compare.
_GROUPS_PER_PLACE = 4
LOWEST = np.finfo(np.float32).min


class Found(NamedTuple):
    """Rows that may be among the best: numbers of probe and block as asked for, owner, similarity; (n,) each."""

    probes: Indices
    blocks: Indices
    owners: Int64s
    scores: Float32s


def group_rows(width: int, k: int) -> int:
    """How many rows `candidates` takes together in scores of about `width`: its scores' width is a multiple of it."""
    return max(1, min(_GROUP, width // (_GROUPS_PER_PLACE * k)))


def candidates(
    scores: Float32s, group: int, k: int, least: Float32s | None = None
) -> tuple[Indices, Indices, Indices, Float32s]:
    """All that can be among the k best of each row of `scores` (b, s, w): ties at the edge all included.

    least: (b, s), what is below is not asked for.
    Places without a row hold -inf. Returns (n,) each: first index, second index, position in the row, score.
    """
    probes, segments, width = scores.shape
    # A group is every (w / group)-th row, so that the maxima run along memory whichever way the scores lie.
    groups = scores.reshape(probes, segments, group, width // group)
    best = np.ascontiguousarray(groups.max(axis=2))
    # The k-th best of the groups' maxima is no greater than the k-th best of all.
    least = kth_best(best, k) if least is None else _raised(least, best, k)
    first, second, of = np.unravel_index(np.flatnonzero(best >= least[..., None]), best.shape)
    looked_at = groups[first, second, :, of]
    hit, at = np.nonzero(looked_at >= least[first, second, None])
    return first[hit], second[hit], at * (width // group) + of[hit], looked_at[hit, at]


def _raised(least: Float32s, best: Float32s, k: int) -> Float32s:
    """`least` (b, s), raised to the k-th of the groups' maxima `best` (b, s, g) where more than k of these reach it."""
    raised: Float32s = np.maximum(least, LOWEST)
    crowded = np.count_nonzero(best >= raised[..., None], axis=2) > k
    raised[crowded] = np.maximum(raised[crowded], kth_best(best[crowded], k))
    return raised


def kth_best(scores: Float32s, k: int) -> Float32s:
    """The k-th best over the last axis; the lowest finite number where there are fewer."""
    width = scores.shape[-1]
    if k == 1:
        least = scores.max(axis=-1)
    elif k < width:
        least = np.partition(scores, width - k, axis=-1)[..., width - k]
    else:
        least = np.full(scores.shape[:-1], LOWEST, np.float32)
    found: Float32s = np.maximum(least, LOWEST)
    return found


def ranked(found: list[Found], shape: tuple[int, int], k: int) -> Nearest:
    """The k best of each of `shape` (probes, blocks), ties in the order of the owners."""
    probes, blocks = shape
    best_owners = np.full(probes * blocks * k, NOBODY, np.int64)
    best_scores = np.full(probes * blocks * k, -np.inf, np.float32)
    if found:
        probe, block, owners, scores = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
        chosen, cell, rank = _best(probe * blocks + block, owners, scores, k)
        place = cell * k + rank
        best_owners[place], best_scores[place] = owners[chosen], scores[chosen]
    return Nearest(best_owners.reshape(probes, blocks * k), best_scores.reshape(probes, blocks * k))


def _best(cells: Int64s, owners: Int64s, scores: Float32s, k: int) -> tuple[Indices, Int64s, Indices]:
    """Which of the (n,) given are among the k best of their cell, and the cell and the rank of each of those."""
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
    of_cell = np.bincount(cell)
    rank = np.arange(len(cell)) - np.repeat(np.cumsum(of_cell) - of_cell, of_cell)
    among = rank < k
    return order[among], cell[among], rank[among]
