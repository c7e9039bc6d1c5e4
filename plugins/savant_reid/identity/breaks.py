"""Where a track went over to somebody else: the place in its crops before and after which it looks most different.

A count of strangers in a row misses a change that a poor crop interrupts, and one that has already drawn the track's
mean to the new person. Both halves are compared instead, at every place there is. All that takes are the products of a
track's crops with one another: those of weighted sums of crops are sums of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
# Crops on either side.
BEFORE, AFTER = 2, 2


class Breaks(NamedTuple):
    """place: (n,) the first crop after it. Similarities (n, per) of each crop: across, to the mean of those before the
    break; own, to the mean of the others on its side."""

    place: Rows
    across: Doubles
    own: Doubles


def most_different(looks: Floats, quality: Floats) -> Breaks:
    """The place in each track with the least similarity of the two sides' means.

    looks: (n, per, D) unit length, in order of time; quality: (n, per) above 0, BEFORE + AFTER times at least, then 0.
    """
    weights = quality.astype(np.float64)
    weighted = weights[:, :, None] * (looks @ looks.transpose(0, 2, 1))
    place = _least_alike(weights, weighted)
    later = np.arange(quality.shape[1]) >= place[:, None]
    beside = later[:, :, None] == later[:, None, :]
    # Products of each crop with the sum of the earlier ones, with that of its side, and of these with themselves.
    by_earlier = (weighted * ~later[:, :, None]).sum(axis=1)
    by_side = (weighted * beside).sum(axis=1)
    earlier = (weights * by_earlier * ~later).sum(axis=1, keepdims=True)
    side = (beside @ (weights * by_side)[:, :, None])[:, :, 0]
    others = side - 2.0 * weights * by_side + weights**2
    return Breaks(place, by_earlier / _root(earlier), (by_side - weights) / _root(others))


def _least_alike(weights: Doubles, weighted: Doubles) -> Rows:
    """(n,) places, by products of each crop, weighted, with each (n, per, per)."""
    sums = (weighted * weights[:, None, :]).cumsum(axis=1).cumsum(axis=2)  # of the first i crops and the first j
    before, by_all = sums.diagonal(axis1=1, axis2=2), sums[:, :, -1]
    after = by_all[:, -1:] - 2.0 * by_all + before
    similarity = (by_all - before) / (_root(before) * _root(after))
    places = np.arange(1, weights.shape[1] + 1)
    last = np.count_nonzero(weights, axis=1) - AFTER
    possible = (places >= BEFORE) & (places <= last[:, None])
    return np.asarray(np.where(possible, similarity, np.inf).argmin(axis=1) + 1)


def _root(squares: Doubles) -> Doubles:
    """Lengths of vectors, never quite 0."""
    return np.asarray(np.sqrt(np.maximum(squares, 1e-24)))
