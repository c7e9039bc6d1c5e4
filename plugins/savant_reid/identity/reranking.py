"""k-reciprocal re-ranking: who has the same neighbours as the query is more likely to be the same person.

Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding" (CVPR 2017), section 3. It needs all
distances among query and candidates, so it is meant for a handful of queries against some hundred candidates: 300
candidates of 512 numbers take some milliseconds.

As in the authors' own code, the query is one of the points, and N(p, k) holds p itself and its k nearest, but the k2
points that a vector is averaged over include p. The distance is 1 - cosine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
# The paper's values for Market-1501 (section 4.5); the neighbourhood must shrink with the gallery.
K1, K2, WEIGHT = 20, 6, 0.3


def rerank(query: Floats, gallery: Floats, k1: int = K1, k2: int = K2, weight: float = WEIGHT) -> Floats:
    """(n,) float32 distances of the gallery's rows to the query, smaller is more alike; in [0, 1 + weight].

    query: (D,), gallery: (n, D), both of unit length. k1: size of the neighbourhood. k2: neighbours that a point's
    vector is averaged over (1: none but itself). Both are cut to the points there are. weight: of the plain distance
    against the Jaccard distance of the neighbourhoods (lambda of equation 12); 1 leaves the order as it was.
    Raises ValueError for k1 or k2 below 1, or a weight outside [0, 1].
    """
    if k1 < 1 or k2 < 1 or not 0.0 <= weight <= 1.0:
        raise ValueError(f"expected k1 and k2 >= 1 and a weight from 0 to 1, found {k1}, {k2}, {weight}")
    points = np.concatenate([query[None], gallery]).astype(np.float32, copy=False)
    distances = np.maximum(1.0 - points @ points.T, 0.0).astype(np.float32)
    np.fill_diagonal(distances, 0.0)
    ranks = _ranks(distances)
    vectors = np.where(_expanded(ranks, k1), np.exp(-distances), 0.0).astype(np.float32)  # equation 7
    near = ranks < k2
    vectors = near.astype(np.float32) @ vectors / near.sum(axis=1, keepdims=True)  # equation 11
    jaccard = _jaccard(vectors[0], vectors[1:])
    return np.asarray((1.0 - weight) * jaccard + weight * distances[0, 1:], np.float32)


def _ranks(distances: Floats) -> Ints:
    """(m, m): ranks[p, g] is the place of g among the neighbours of p; p itself is at place 0."""
    order_by = distances.copy()
    np.fill_diagonal(order_by, -1.0)
    order = np.argsort(order_by, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(order))[None], axis=1)
    return ranks


def _reciprocal(ranks: Ints, k: int) -> NDArray[np.bool_]:
    """(m, m): g and p are each among the other's k nearest (equation 3)."""
    near: NDArray[np.bool_] = ranks <= k
    return np.asarray(near & near.T, np.bool_)


def _expanded(ranks: Ints, k1: int) -> NDArray[np.bool_]:
    """(m, m): R*(p, k1) of equation 5, in which neighbours bring along theirs where two thirds of these are shared."""
    whole, half = _reciprocal(ranks, k1), _reciprocal(ranks, max(1, round(k1 / 2)))
    halves = half.astype(np.float32)
    shared = whole.astype(np.float32) @ halves.T
    joins = whole & (3.0 * shared >= 2.0 * halves.sum(axis=1)[None])
    return np.asarray(whole | (joins.astype(np.float32) @ halves > 0.5), np.bool_)


def _jaccard(vector: Floats, others: Floats) -> Floats:
    """(n,) distances of equation 10 between (m,) and (n, m); both sides hold at least the point itself."""
    least = np.minimum(vector, others).sum(axis=1)
    most = np.maximum(vector, others).sum(axis=1)
    return np.asarray(1.0 - least / most, np.float32)
