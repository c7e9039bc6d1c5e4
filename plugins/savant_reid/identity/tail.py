"""How alike a share of strangers is at most: the upper tail of their similarities, told beyond what was seen of it.

Within the sample the share is counted. Beyond it, what lies above the upper decile is taken for a generalised Pareto
tail (Pickands 1975), fitted by probability-weighted moments (Hosking and Wallis, Technometrics 1987): three hundred
pairs give about thirty values to fit, where the maximum likelihood fit often fails.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
# The tail begins above this share of the sample.
BODY = 0.9
# With fewer pairs than this the tail is that of a normal distribution around what is believed of them.
LEAST_PAIRS = 100
# Hosking's k: 0 is an exponential tail, above it the tail ends somewhere, below it is heavier. A few dozen values may
# claim anything; similarities of embeddings fall off about exponentially or faster, and no end is believed that is
# nearer than a normal distribution's tail would have it (0.15 fits that one from its upper decile down to 1e-4).
SHAPES = (-0.1, 0.15)


def least_similarity(strangers: Doubles, moments: tuple[float, float], share: float) -> float:
    """The similarity that `share` of strangers reach.

    strangers: (n,) similarities of people known to be different; moments: believed mean and standard deviation, for
    small samples; share: in (0, 1).
    """
    mean, std = moments
    believed = NormalDist(mean, std).inv_cdf(1.0 - max(min(share, 1.0 - 1e-12), 1e-12))
    n = len(strangers)
    if n < LEAST_PAIRS:
        return believed
    values = np.sort(np.asarray(strangers, np.float64))
    if share >= 1.0 - BODY:
        return float(np.quantile(values, 1.0 - share))
    return _beyond(values, share)


def _beyond(values: Doubles, share: float) -> float:
    """The quantile of a generalised Pareto tail above the upper decile."""
    begin = float(np.quantile(values, BODY))
    excess = values[values > begin] - begin
    n = len(excess)
    if n < 2 or float(excess.mean()) <= 0.0:
        return begin
    first = float(excess.mean())
    # E[X (1 - F(X))]: smaller values weigh more.
    second = float(excess @ (np.arange(n)[::-1] / (n - 1)) / n)
    shape = float(np.clip(first / max(first - 2.0 * second, 1e-9) - 2.0, *SHAPES))
    scale = first * (1.0 + shape)  # keeps the mean excess, whatever the shape was clipped to
    left = share / (1.0 - BODY)
    if abs(shape) < 1e-6:
        return begin - scale * float(np.log(left))
    return begin + scale / shape * (1.0 - left**shape)
