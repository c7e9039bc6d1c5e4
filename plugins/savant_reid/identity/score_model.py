"""From a similarity to a likelihood ratio, learned from the site's own unlabelled video.

Two samples cost nothing: a track compared with itself later on is one person (positives), and tracks visible at the
same moment, in one camera or in cameras that share no view, are different people (negatives). Both are kept as running
normal distributions with a forgetful memory. The log-likelihood ratio is that of two normals with a pooled variance:
linear in the similarity, so a higher similarity never counts against a match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Real cross-camera statistics of OSNet (same person in one camera .84 +- .05, across cameras .77 +- .08, different
# people .58 +- .09): the way from "different" to "same" shrinks to 0.73 of its length, the spread grows 1.6 times.
CROSS_CAMERA_SHRINK = 0.73
CROSS_CAMERA_SPREAD = 1.6
# No single comparison may be worth more than this many nats: embeddings are never that independent.
MOST_NATS = 12.0


@dataclass
class RunningNormal:
    """Mean and variance of a stream; older samples fade once `memory` of them have been seen."""

    mean: float
    variance: float
    count: float
    memory: float = 400.0

    def add(self, value: float) -> None:
        """West (1979), with the count capped so that the memory fades."""
        self.count = min(self.count + 1.0, self.memory)
        delta = value - self.mean
        self.mean += delta / self.count
        self.variance += (delta * (value - self.mean) - self.variance) / self.count


class ScoreModel:
    """Starts from a weak prior (worth a few samples) and follows the site."""

    PRIOR_WEIGHT = 6.0
    # A spread below this would make the ratio absurdly steep after a few lucky samples.
    LEAST_STD = 0.04

    def __init__(self, same_mean: float = 0.8, different_mean: float = 0.4, std: float = 0.1) -> None:
        self.same = RunningNormal(same_mean, std**2, self.PRIOR_WEIGHT)
        self.different = RunningNormal(different_mean, std**2, self.PRIOR_WEIGHT)

    def log_ratios(self, similarities: NDArray[np.float32], same_camera: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n,) log p(similarity | same person) / p(similarity | different people), clipped to +-MOST_NATS.

        similarities: (n,); -inf says "nothing to compare with" and stays -inf. same_camera: (n,) bool.
        """
        shrink = np.where(same_camera, 1.0, CROSS_CAMERA_SHRINK)
        spread = np.where(same_camera, 1.0, CROSS_CAMERA_SPREAD**2)
        different = self.different.mean
        same = different + shrink * (self.same.mean - different)
        variance = np.maximum(0.5 * (self.same.variance * spread + self.different.variance), self.LEAST_STD**2)
        nats = (same - different) / variance * (similarities - 0.5 * (same + different))
        return np.where(np.isneginf(similarities), -np.inf, np.clip(nats, -MOST_NATS, MOST_NATS))


def top_two_mean(cosines: NDArray[np.float32]) -> float:
    """The statistic that all comparisons use: the mean of the two largest of (n,) cosines."""
    return float(np.sort(cosines)[-2:].mean())
