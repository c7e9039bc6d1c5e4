"""Where a track went over to somebody else: the place in its crops before and after which it looks most different.

A count of strangers in a row misses a change that a poor crop interrupts, and one that has already drawn the track's
mean to the new person. Both halves are compared instead, at every place there is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.metric import unit

Floats = NDArray[np.float32]
# Crops on either side.
BEFORE, AFTER = 2, 2


class Break(NamedTuple):
    """place: the first crop after it. Similarities: across, of each later crop to the mean of the earlier ones, (k,);
    earlier, later: of each crop to the mean of the others on its side."""

    place: int
    across: Floats
    earlier: Floats
    later: Floats


def most_different(looks: Floats, quality: Floats) -> Break | None:
    """The place with the least similarity of the two sides' means; None where there are too few crops.

    looks: (n, D) unit length, in order of time; quality: (n,) above 0.
    """
    n = len(looks)
    if n < BEFORE + AFTER:
        return None
    sums = np.cumsum(looks * quality[:, None], axis=0)
    places = np.arange(BEFORE, n - AFTER + 1)
    before, after = unit(sums[places - 1]), unit(sums[-1] - sums[places - 1])
    at = int(np.argmin(np.einsum("kd,kd->k", before, after)))
    place = int(places[at])
    sides = slice(None, place), slice(place, None)
    earlier, later = (_to_the_others(looks[side], quality[side]) for side in sides)
    return Break(place, looks[place:] @ before[at], earlier, later)


def _to_the_others(looks: Floats, quality: Floats) -> Floats:
    """(n,) similarity of each to the weighted mean of the others."""
    weighted = looks * quality[:, None]
    others = unit(weighted.sum(axis=0) - weighted)
    return np.asarray(np.einsum("nd,nd->n", looks, others), np.float32)
