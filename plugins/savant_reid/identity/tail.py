"""How alike a share of strangers is at most: the upper tail of their similarities, told beyond what was seen of it.

Look-alikes make that tail heavier than any normal distribution, and they are rare: a thousand pairs may well hold none.
So many more pairs are remembered than elsewhere, as one number each: in standard deviations from the mean of strangers
at that time, which means the same when the metric changes.

Within the sample the share is counted. Beyond it, the highest values are taken for a generalised Pareto tail (Pickands
1975), fitted by probability-weighted moments (Hosking and Wallis, Technometrics 1987), which are sound for a few dozen
values, where the maximum likelihood fit often fails.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
# Pairs remembered, the oldest go first: 256 kB.
PAIRS = 32_768
# A share is counted if so many of the pairs reach it.
LEAST_COUNTED = 10
# The tail is fitted to a tenth of the pairs, between so many of them.
FITTED = (10, 300)
# Hosking's k: 0 is an exponential tail, above it the tail ends somewhere, below it is heavier. No end is believed that
# is nearer than a normal distribution's tail would have it (0.15 fits that one from its upper decile down to 1e-4).
SHAPES = (-0.5, 0.15)


class StrangerTail:
    """The latest PAIRS pairs of people known to be different."""

    def __init__(self) -> None:
        self._deviations = np.zeros(PAIRS)
        self._learned = 0

    def __len__(self) -> int:
        return min(self._learned, PAIRS)

    def learn(self, similarities: Doubles, moments: tuple[float, float]) -> None:
        """More pairs (n,); moments: mean and standard deviation of strangers as they are believed to be now."""
        at = (self._learned + np.arange(len(similarities))) % PAIRS
        self._deviations[at] = (similarities - moments[0]) / moments[1]
        self._learned += len(similarities)

    def least_similarity(self, moments: tuple[float, float], share: float) -> float:
        """The similarity that `share` of strangers reach, in (0, 1)."""
        return moments[0] + moments[1] * reached_by(self._deviations[: len(self)], share)


def reached_by(deviations: Doubles, share: float) -> float:
    """What `share` of all reach; deviations: (n,) a sample of them, standard normal while there are few."""
    n = len(deviations)
    believed = NormalDist().inv_cdf(1.0 - min(max(share, 1e-12), 1.0 - 1e-12))
    if n < 10 * FITTED[0]:
        return believed
    values = np.sort(np.asarray(deviations, np.float64))
    if share * n >= LEAST_COUNTED:
        return float(np.quantile(values, 1.0 - share))
    fitted = int(np.clip(n // 10, *FITTED))
    begin = float(values[-fitted - 1])
    excess = values[-fitted:] - begin
    first = float(excess.mean())
    if first <= 0.0:
        return max(begin, believed)
    # E[X (1 - F(X))]: smaller values weigh more.
    second = float(excess @ (np.arange(fitted)[::-1] / (fitted - 1)) / fitted)
    shape = float(np.clip(first / max(first - 2.0 * second, 1e-9) - 2.0, *SHAPES))
    scale = first * (1.0 + shape)  # keeps the mean excess, whatever the shape was clipped to
    left = share * n / fitted
    beyond = -np.log(left) if abs(shape) < 1e-6 else (1.0 - left**shape) / shape
    return begin + scale * float(beyond)
