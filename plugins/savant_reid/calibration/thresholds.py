"""From similarities of strangers to the threshold at which they pass with the asked rate.

A pair of cameras with enough strangers speaks for itself: the upper quantile of what was seen. One with fewer is taken
to have the site's tail, moved and stretched by its own mean and spread, which are shrunk towards the site's while they
rest on few pairs. Beyond what the whole site has seen, the tail goes on exponentially (peaks over threshold; Coles,
An Introduction to Statistical Modeling of Extreme Values, 2001, chapter 4, with shape 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.calibration.pairs import CameraPair

Doubles = NDArray[np.float64]
# So many strangers above a quantile make it one to be believed.
ENOUGH_ABOVE = 30
# What the site's mean and spread are worth in a pair's own, in pairs of people.
SHRINKAGE = 30.0
# What the site's share of missed people is worth in a pair's own, in meetings.
MISSED_SHRINKAGE = 10.0
# The tail that is extended begins so many pairs from the top.
TAIL = 100


class Spread(NamedTuple):
    """mean, std: 0 where there is no pair. pairs: how many; meetings count with their probability."""

    mean: float
    std: float
    pairs: float


@dataclass(frozen=True)
class Threshold:
    """source: `own` (the pair's own quantile), `scaled` (the site's tail, by the pair's mean and spread) or `site`
    (nothing is known of this pair). missed: share of people met again who lie below."""

    pair: CameraPair
    similarity: float
    source: str
    strangers: Spread
    met: Spread
    halves: Spread
    missed: float


@dataclass(frozen=True)
class SiteThreshold:
    """similarity: for a pair of which nothing is known. tail: `seen`, or `extended` beyond what was seen."""

    similarity: float
    tail: str
    strangers: Spread
    met: Spread
    halves: Spread
    missed: float


class Site:
    """All pairs of cameras together. target: asked share of strangers that pass."""

    def __init__(self, pairs: Sequence[CameraPair], target: float) -> None:
        self._target = target
        every = np.concatenate([np.zeros(0), *(pair.strangers for pair in pairs)])
        self._met = np.concatenate([np.zeros(0), *(pair.met for pair in pairs)])
        self._weights = np.concatenate([np.zeros(0), *(pair.weights for pair in pairs)])
        self._halves = np.concatenate([np.zeros(0), *(pair.halves for pair in pairs)])
        self._strangers = spread(every)
        tails = [self._standardised(pair) for pair in pairs]
        self._tail = np.sort(np.concatenate([np.zeros(0), *tails]))
        self._deviations = upper_quantile(self._tail, target)

    def threshold(self) -> SiteThreshold:
        """Of all pairs together."""
        similarity = self._at(self._strangers)
        return SiteThreshold(
            similarity,
            "seen" if len(self._tail) * self._target >= ENOUGH_ABOVE else "extended",
            self._strangers,
            spread(self._met, self._weights),
            spread(self._halves),
            self._missed(similarity),
        )

    def of(self, pair: CameraPair) -> Threshold:
        """Of one pair: its own where enough strangers were seen, else the site's, at the pair's mean and spread."""
        strangers = spread(pair.strangers)
        if len(pair.strangers) * self._target >= ENOUGH_ABOVE:
            similarity, source = upper_quantile(pair.strangers, self._target), "own"
        else:
            similarity = self._at(self._shrunk(strangers))
            source = "scaled" if len(pair.strangers) else "site"
        return Threshold(
            pair,
            similarity,
            source,
            strangers._replace(pairs=float(pair.stranger_count)),
            spread(pair.met, pair.weights),
            spread(pair.halves),
            self._missed_of(pair, similarity),
        )

    def _standardised(self, pair: CameraPair) -> Doubles:
        shrunk = self._shrunk(spread(pair.strangers))
        return (pair.strangers - shrunk.mean) / shrunk.std

    def _shrunk(self, own: Spread) -> Spread:
        """A pair's mean and spread beside the site's."""
        site = self._strangers
        share = own.pairs / (own.pairs + SHRINKAGE)
        variance = share * own.std**2 + (1.0 - share) * site.std**2
        return Spread(share * own.mean + (1.0 - share) * site.mean, max(variance, 1e-9) ** 0.5, own.pairs)

    def _at(self, moments: Spread) -> float:
        return min(1.0, moments.mean + moments.std * self._deviations)

    def _missed(self, similarity: float) -> float:
        total = float(self._weights.sum())
        return float(self._weights[self._met < similarity].sum()) / total if total else 0.0

    def _missed_of(self, pair: CameraPair, similarity: float) -> float:
        below = float(pair.weights[pair.met < similarity].sum())
        return (below + MISSED_SHRINKAGE * self._missed(similarity)) / (float(pair.weights.sum()) + MISSED_SHRINKAGE)


def upper_quantile(ascending: Doubles, share: float) -> float:
    """The value that `share` of them exceed; where it lies beyond the seen, the tail is extended."""
    n = len(ascending)
    if n * share >= ENOUGH_ABOVE:
        return float(np.quantile(ascending, 1.0 - share))
    above = max(1, min(TAIL, n // 10))
    start = float(ascending[n - above - 1])
    scale = float(np.mean(ascending[n - above :] - start))
    return start + scale * math.log(max(above / n / share, 1.0))


def spread(values: Doubles, weights: Doubles | None = None) -> Spread:
    """Of values (n,), each counted by its weight (n,), if there are any; all zeros without values."""
    total = float(len(values)) if weights is None else float(weights.sum())
    if not total:
        return Spread(0.0, 0.0, 0.0)
    mean = float(np.average(values, weights=weights))
    return Spread(mean, float(np.average((values - mean) ** 2, weights=weights)) ** 0.5, total)
