"""Visits of identities: how many are remembered, and what is known of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
# Remembered by identity: enough to tell whether two were ever in two places at once.
VISITS = 16


class Visit(NamedTuple):
    """One tracklet of an identity. source: its serial. weight: of its prototype.

    raw: (D,) the prototype; centred: without its camera's mean; others: (D,) weighted sum of the identity's others.
    """

    source: int
    camera: int
    first_ns: int
    last_ns: int
    track_id: int
    weight: float
    raw: Floats
    centred: Floats
    others: Floats


def latest(visits: Sequence[Rows]) -> Rows:
    """(VISITS, 5) the latest of at least so many rows."""
    table = np.stack(visits)
    return np.asarray(table[np.argsort(table[:, 2], kind="stable")][-VISITS:], np.int64)
