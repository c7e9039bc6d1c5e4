"""From a similarity to a likelihood ratio, learned from the site's own unlabelled video.

Two samples cost nothing: a track compared with itself later on is one person (positives), and tracks visible at the
same moment, in one camera or in cameras that share no view, are different people (negatives). Both are kept as running
normal distributions with a forgetful memory. The log-likelihood ratio is that of two normals with a pooled variance:
linear in the similarity, so a higher similarity never counts against a match.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# A track compared with itself is easier than a person met again. In real cross-camera statistics of OSNet (same person
# in one camera .84 +- .05, across cameras .77 +- .08, different people .58 +- .09) the way from "different" to "same"
# shrinks to 0.73 of its length and the spread grows 1.6 times; taking the cameras' means away mends about half of that.
CROSS_CAMERA_SHRINK = 0.9
CROSS_CAMERA_SPREAD = 1.3
# No single comparison may be worth more than this many nats: embeddings are never that independent.
MOST_NATS = 20.0
# Standard deviations beyond which a normal tail is no longer told apart.
FAR = 12.0


class RunningNormal:
    """Mean and variance of a stream beside a prior worth `prior_weight` samples.

    Older samples fade once `MEMORY` of them have been seen. Prior and data are blended by weight; the distance between
    their means is not counted as spread, or the first real samples would look like noise. Samples further out than
    `REACH` standard deviations count as if they were there (winsorised): a track that swaps persons is no proof that
    people look unlike themselves.
    """

    MEMORY = 400.0
    REACH = 2.0

    def __init__(self, mean: float, std: float, prior_weight: float) -> None:
        self._prior = mean, std**2, prior_weight
        self._mean = 0.0
        self._variance = 0.0
        self.count = 0.0

    def add(self, value: float) -> None:
        """West (1979), with the count capped so that the memory fades."""
        reach = self.REACH * self.variance**0.5
        value = min(max(value, self.mean - reach), self.mean + reach)
        self.count = min(self.count + 1.0, self.MEMORY)
        delta = value - self._mean
        self._mean += delta / self.count
        self._variance += (delta * (value - self._mean) - self._variance) / self.count

    @property
    def mean(self) -> float:
        mean, _, weight = self._prior
        return (weight * mean + self.count * self._mean) / (weight + self.count)

    @property
    def variance(self) -> float:
        _, variance, weight = self._prior
        return (weight * variance + self.count * self._variance) / (weight + self.count)


class ScoreModel:
    """Starts from a prior worth a few samples and follows the site.

    The prior is the spread of a typical embedder; a model card may bring its own figures.
    """

    # A spread below this would make the ratio absurdly steep after a few lucky samples.
    LEAST_STD = 0.04

    def __init__(
        self, same_mean: float = 0.75, different_mean: float = 0.2, std: float = 0.15, prior_weight: float = 6.0
    ) -> None:
        self.same = RunningNormal(same_mean, std, prior_weight)
        self.different = RunningNormal(different_mean, std, prior_weight)

    def summary(self) -> dict[str, dict[str, float]]:
        """What has been learned: mean, standard deviation and number of samples of both kinds of pairs."""
        kinds = {"same": self.same, "different": self.different}
        return {k: {"mean": n.mean, "std": n.variance**0.5, "samples": n.count} for k, n in kinds.items()}

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

    def surprises(self, similarities: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) -log P(two different people are at least this alike), in nats; 0 where there is nothing to compare."""
        std = max(self.different.variance**0.5, self.LEAST_STD)
        scores = np.nan_to_num((similarities - self.different.mean) / std, neginf=-FAR)
        tails = [0.5 * math.erfc(z / math.sqrt(2.0)) for z in np.clip(scores, -FAR, FAR).tolist()]
        return np.asarray(-np.log(np.array(tails)))


def top_two_mean(cosines: NDArray[np.float32]) -> float:
    """The statistic that all comparisons use: the mean of the two largest of (n,) cosines."""
    return float(np.sort(cosines)[-2:].mean())
