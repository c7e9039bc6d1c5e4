"""Where a track went over to somebody else: the place in its crops before and after which it looks most different.

A count of strangers in a row misses a change that a poor crop interrupts, and one that has already drawn the track's
mean to the new person. Both halves are compared instead, at every place there is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.metric import unit

Floats = NDArray[np.float32]
# Crops on either side.
LEAST_CROPS = 2


def most_different(looks: Floats, quality: Floats) -> tuple[int, float, float] | None:
    """The place with the least similarity of the two sides' means, and how alike the crops after it are.

    looks: (n, D) unit length, in order of time; quality: (n,) above 0. Returns (k, similarity of looks[:k] to
    looks[k:], least similarity of a crop after k to the mean of these); None where there are too few crops.
    """
    n = len(looks)
    if n < 2 * LEAST_CROPS:
        return None
    sums = np.cumsum(looks * quality[:, None], axis=0)
    places = np.arange(LEAST_CROPS, n - LEAST_CROPS + 1)
    before, after = unit(sums[places - 1]), unit(sums[-1] - sums[places - 1])
    alike = np.einsum("kd,kd->k", before, after)
    at = int(np.argmin(alike))
    place = int(places[at])
    return place, float(alike[at]), float((looks[place:] @ after[at]).min())
