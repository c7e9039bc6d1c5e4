"""From a similarity to a likelihood ratio, learned from the site's own unlabelled video.

Strangers cost nothing: people visible at the same moment, in cameras that share no view, are different people. Same
people come from the engine's own matches, each counted with its probability (expectation maximisation), beside a prior
from tracks compared with themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.learned import Moments
from savant_reid.identity.metric import Metric
from savant_reid.identity.pairs import Look, Pairs
from savant_reid.identity.sharpness import MOST_VISITS, RATIO, STEPS, VISITS, gain, spread_of, step_of

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Int64s = NDArray[np.int64]
# Similarities are looked up on a grid from -1 to 1.
GRID = np.linspace(-1.0, 1.0, 401)
STEP = float(GRID[1] - GRID[0])
# Strangers before anything is learned.
STRANGER_MEAN, STRANGER_STD = 0.0, 0.18
# What the prior is worth for people met again, in pairs: only the surer half of all matches teaches, which makes one
# person look more alike, and more surely so, than is true (.58 +- .06 were learned where .41 +- .17 was the truth; easy
# and real presets).
SAME_PRIOR = 200.0
# Tracks compared with themselves before anything is learned: the earlier half with the later one.
HALVES_MEAN, HALVES_STD = 0.75, 0.12
# ... and one crop of a track with the others of it.
CROP_MEAN, CROP_STD = 0.65, 0.15
# A person met again is less alike than a track is to itself. Of the way from strangers to halves, on real statistics
# (docs/accuracy.md), a single visit met again keeps this share, by crops in the probe (1, 2 to 3, more); and spreads by
# so much. Of more visits see sharpness.py.
MEETS = (0.36, 0.4, 0.44)
SPREADS = 0.16
# However matches turn out, people met again are further from strangers than this (in spreads of the strangers, and as a
# share of that way), and spread by no more than this share of the distance: or a few wrong matches would teach that
# strangers are one person, and bring on more of them.
LEAST_DISTANCE = 2.0
LEAST_MEET = 0.4
MOST_SPREAD = 0.35
# One in so many strangers looks just like somebody else (uniforms, twins): no look is worth more nats than this.
LOOK_ALIKES = 2e-5
# So many looks at the right person show something else (an occluder, a swap).
SPOILT = 0.03
# Not even very many visits make two looks at one person more alike than this.
MOST_ALIKE = 0.9
# Spreads below this would make the ratio absurdly steep after a few lucky samples.
LEAST_STD = 0.05


class ScoreModel:
    """Likelihood ratios by how many crops the probe has: buckets 0 (one), 1 (two or three), 2 (more).

    One more bucket, TRACK, is for one crop against its own track: there, the same person is much more alike.
    """

    TRACK = 3

    def __init__(self, metric: Metric) -> None:
        self.same, self.strangers, self.halves, self.crops = (Pairs(metric) for _ in range(4))
        self.same_moments = [(0.0, 1.0)] * 3
        self.stranger_moments = (0.0, 1.0)
        self._nats = np.zeros((4, STEPS, len(GRID)))
        self._fresh = 0
        self.refit()

    def learned(self) -> dict[str, Moments]:
        """What has been learned, by kind of pair: moments only."""
        return {f"{name}:{'all' if bucket is None else bucket}": p.learned(bucket) for name, bucket, p in self._kinds()}

    def start_from(self, moments: Mapping[str, Moments]) -> None:
        """Begin with what was learned before; kinds that it does not know count as not learned."""
        for name, bucket, pairs in self._kinds():
            before = moments.get(f"{name}:{'all' if bucket is None else bucket}")
            if before is not None:
                pairs.before[bucket] = before
        self.refit()

    def forget_looks(self) -> None:
        """Somebody is to be erased. Pairs bear no names, so all go; what they have taught stays, as moments."""
        buckets: dict[Pairs, list[int | None]] = {}
        for _, bucket, pairs in self._kinds():
            buckets.setdefault(pairs, []).append(bucket)
        for pairs, kinds in buckets.items():
            pairs.condense(kinds)
        self.refit()

    def _kinds(self) -> Iterator[tuple[str, int | None, Pairs]]:
        yield from (("same", bucket, self.same) for bucket in range(len(MEETS)))
        yield from (("strangers", None, self.strangers), ("halves", None, self.halves), ("crops", None, self.crops))

    @staticmethod
    def bucket(crops: int) -> int:
        return 0 if crops <= 1 else 1 if crops <= 3 else 2

    def learn_same(self, a: Look, b: Look, probability: float, crops: int, visits: int = 1) -> None:
        """visits: that b is the mean of."""
        self.same.add(a, b, probability, self.bucket(crops), visits)
        self._fresh += 1

    def learn_strangers(self, a: Look, b: Look) -> None:
        self.strangers.add(a, b, 1.0, 0)
        self._fresh += 1

    def learn_crop(self, a: Look, b: Look) -> None:
        self.crops.add(a, b, 1.0, self.TRACK)
        self._fresh += 1

    def learn_halves(self, a: Look, b: Look) -> None:
        self.halves.add(a, b, 1.0, 0)
        self._fresh += 1

    def follow(self) -> None:
        """The metric has changed: look at all pairs again."""
        for pairs in (self.same, self.strangers, self.halves, self.crops):
            pairs.look_again()
        self.refit()

    def refit_if_due(self) -> None:
        if self._fresh >= max(8, min(200, (self.same.size + self.strangers.size) // 8)):
            self.refit()

    def nats(
        self,
        similarities: Floats | Doubles,
        bucket: Int64s | int,
        visits: Int64s | int = 1,
        others: Int64s | int = 1,
    ) -> Doubles:
        """log p(similarity | same person) / p(similarity | strangers), of any shape; rises with the similarity.

        bucket: of all, or an array that is broadcast with the similarities. visits, others: that the one and the other
        side are means of.
        """
        at = np.minimum(np.maximum((similarities + np.float32(1.0)) / STEP + 0.5, 0), len(GRID) - 1).astype(np.int64)
        step = self._steps[np.minimum(visits, MOST_VISITS), np.minimum(others, MOST_VISITS)]
        return np.asarray(self._nats.take((bucket * STEPS + step) * len(GRID) + at))

    def least_similarities(self, nats: float) -> Floats:
        """(3,) by bucket: no similarity below it says more than `nats`, whatever the sides are means of."""
        first = (self._nats[: self.TRACK] <= nats).sum(axis=2).min(axis=1)
        # One place of the grid to spare, for rounding.
        return np.where(first > 0, (first - 1) * STEP - 1.0, -np.inf).astype(np.float32)

    def refit(self) -> None:
        self._fresh = 0
        mean, std = self.strangers.moments(STRANGER_MEAN, STRANGER_STD)
        # The first people are all part of the means that are taken away, which makes them look less alike than the
        # strangers to come: those are not less alike than nothing.
        mean, std = max(mean, 0.0), max(std, LEAST_STD)
        self.stranger_moments = mean, std
        different = _normal(GRID, mean, std)
        way = max(self.halves.moments(HALVES_MEAN, HALVES_STD)[0] - mean, 2.0 * std)
        self.same.spread = spread_of(self.same_moments[-1][0] or MEETS[-1] * way)
        self._steps = step_of(gain(VISITS[:, None], VISITS, self.same.spread))
        for bucket, share in enumerate(MEETS):
            own, spread = self.same.moments(mean + share * way, SPREADS * way, bucket, SAME_PRIOR)
            own = max(own, mean + max(LEAST_DISTANCE * std, LEAST_MEET * way))
            spread = max(min(spread, MOST_SPREAD * (own - mean)), LEAST_STD)
            self.same_moments[bucket] = own, spread
            means = [min(own * RATIO**step, MOST_ALIKE) for step in range(STEPS)]
            self._nats[bucket] = _tables(means, spread, different)
        own, spread = self.crops.moments(CROP_MEAN, CROP_STD)
        own = max(own, mean + LEAST_DISTANCE * std)
        self._nats[self.TRACK] = _tables([own], max(spread, LEAST_STD), different)

    def summary(self) -> dict[str, dict[str, float]]:
        """What has been learned: mean, standard deviation and number of pairs of both kinds."""
        same, strangers = self.same_moments[2], self.stranger_moments
        return {
            "same": {"mean": same[0], "std": same[1], "samples": float(self.same.weight.sum())},
            "different": {"mean": strangers[0], "std": strangers[1], "samples": float(self.strangers.size)},
        }


def _normal(x: Doubles, mean: float | Doubles, std: float) -> Doubles:
    return np.asarray(np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2.0 * math.pi)) + 1e-300)


def _tables(means: Sequence[float], std: float, different: Doubles) -> Doubles:
    """(n, grid) log-likelihood ratios of normals with these means (n,), flat above them, against the density of
    strangers (grid,)."""
    centres = np.array(means)[:, None]
    same = _normal(np.minimum(GRID, centres), centres, std)
    nats = np.log(((1.0 - SPOILT) * same + SPOILT * different) / (different + LOOK_ALIKES * same))
    # Of two normals the wider one wins far out on both sides; being even less alike proves nothing, though.
    return np.asarray(np.minimum.accumulate(nats[:, ::-1], axis=1)[:, ::-1])
