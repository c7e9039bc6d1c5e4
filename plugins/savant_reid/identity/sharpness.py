"""How much more alike one person is to a mean of several visits than to a single one.

Let a visit show the person plus something of its own (side, light, pose) with `spread` times the person's variance. The
mean of n visits has spread / n of it, so the cosine of the means of n and of m visits of one person is expected to be

    1 / sqrt((1 + spread / n) * (1 + spread / m)),

and that of strangers nothing, with the same deviation whatever n and m are. Measured on all presets, this is what the
similarities of one person do; a model that does not know n takes somebody met once before for a stranger.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
# What single visits' similarity may tell of the spread.
SPREADS = (0.2, 2.5)
# Tables are kept for so many steps of this ratio: up to (1 + 2.5) from one visit each to very many.
RATIO = 1.1
STEPS = 14
# Means of more visits than this are no sharper, by a step.
MOST_VISITS = 32
VISITS = np.arange(MOST_VISITS + 1)


def spread_of(similarity: float) -> float:
    """The spread at which two visits of one person are expected to be this similar."""
    return float(np.clip(1.0 / max(similarity, 1e-3) - 1.0, *SPREADS))


def gain(visits_a: Rows | int, visits_b: Rows | int, spread: float) -> Doubles:
    """How many times more alike means of so many visits are than single visits; of any shape, 1 for one and one."""
    a, b = np.maximum(visits_a, 1), np.maximum(visits_b, 1)
    return np.asarray((1.0 + spread) / np.sqrt((1.0 + spread / a) * (1.0 + spread / b)))


def step_of(gains: Doubles) -> Rows:
    """The table for these gains."""
    return np.asarray(np.clip(np.rint(np.log(gains) / np.log(RATIO)), 0, STEPS - 1), np.int64)
