"""Weighted means of some embeddings each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def weighted_means(weights: Floats, vectors: Floats) -> Floats:
    """(n, D) means of vectors (n, p, D) by weights (n, >= p), those without a vector being 0; zero where all are."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return np.asarray((weights[:, None, : vectors.shape[1]] @ vectors)[:, 0] / total, np.float32)


def half_for(weights: Floats, lasting: NDArray[np.bool_]) -> Floats:
    """(n, p) weights with which those of the `lasting` (n, p) are at least half, where there are any."""
    theirs = (weights * lasting).sum(axis=1, keepdims=True)
    others = weights.sum(axis=1, keepdims=True) - theirs
    share = np.where(theirs > 0.0, np.minimum(1.0, theirs / np.maximum(others, 1e-9)), 1.0)
    return np.asarray(np.where(lasting, weights, weights * share), np.float32)
