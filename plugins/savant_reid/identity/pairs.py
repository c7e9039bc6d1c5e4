"""Pairs of looks that are known, or believed, to be of one person or of two, and how alike they are.

Kept as pairs of vectors, the latest of each kind, so that they can be looked at again when the metric changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.learned import Moments
from savant_reid.identity.metric import Metric
from savant_reid.identity.sharpness import gain

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
# Pairs kept of each kind; the oldest go first.
PAIRS = 1024
# What a prior is worth, in pairs.
PRIOR_PAIRS = 12.0
NOTHING_BEFORE = Moments(0.0, 1.0, 0.0)


class Look(NamedTuple):
    """One side of a pair. raw: (D,), its camera's mean still in it; camera: index."""

    raw: Floats
    camera: int


class Pairs:
    """The latest PAIRS pairs of raw vectors with their cameras, a weight and a bucket each, and their similarities."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._raw = np.zeros((2, PAIRS, metric.dimension), np.float32)
        self._camera = np.zeros((2, PAIRS), np.int64)
        self.similarity = np.zeros(PAIRS)
        self.weight = np.zeros(PAIRS)
        self.bucket = np.zeros(PAIRS, np.int64)
        self.visits = np.ones(PAIRS, np.int64)  # that the second side is the mean of
        self.spread = 0.0  # see sharpness.py: similarities count as if single visits had been compared
        self.before: dict[int | None, Moments] = {}  # by bucket (None: all), from earlier recordings
        self.size = 0
        self._next = 0
        self._fresh: list[int] = []  # not looked at yet

    def add(self, a: Look, b: Look, weight: float, bucket: int, visits: int = 1) -> None:
        """weight: the probability that they are a pair of this kind. visits: that b is the mean of."""
        at = self._next
        for side, look in enumerate((a, b)):
            self._raw[side, at], self._camera[side, at] = look.raw, look.camera
        self.weight[at], self.bucket[at], self.visits[at] = weight, bucket, visits
        self._fresh.append(at)
        self._next = (at + 1) % PAIRS
        self.size = max(self.size, at + 1)

    def look_again(self) -> None:
        """The metric has changed."""
        self._fresh = list(range(self.size))
        self.catch_up()

    def catch_up(self) -> None:
        """Work out the similarities of pairs that are new: all at once, which costs a fraction."""
        metric, at = self._metric, np.array(self._fresh, np.int64)
        if len(at):
            centred = metric.centred(self._camera[:, at].ravel(), self._raw[:, at].reshape(-1, metric.dimension))
            self.similarity[at] = np.einsum("nd,nd->n", *np.split(metric.look(centred), 2))
        self._fresh = []

    def moments(
        self, mean: float, std: float, bucket: int | None = None, worth: float = PRIOR_PAIRS
    ) -> tuple[float, float]:
        """Weighted mean and standard deviation of a bucket (None: all), beside a prior worth so many pairs.

        Winsorised: pairs further out than two and a half deviations count as if they were there.
        """
        self.catch_up()
        mean, std, worth = self.before.get(bucket, NOTHING_BEFORE).beside(mean, std, worth)
        n = self.size
        weight = self.weight[:n] if bucket is None else self.weight[:n] * (self.bucket[:n] == bucket)
        single = self._as_single(n)
        for _ in range(2):
            values = np.clip(single, mean - 2.5 * std, mean + 2.5 * std)
            total = float(weight.sum())
            own = float(weight @ values) / max(total, 1e-9)
            spread = float(weight @ (values - own) ** 2)
            prior_mean, prior_var = (mean, std**2)
            share = total / (total + worth)
            mean = share * own + (1.0 - share) * prior_mean
            std = ((spread + worth * prior_var) / (total + worth)) ** 0.5
        return mean, std

    def _as_single(self, n: int) -> Doubles:
        """(n,) similarities as they would be if single visits had been compared."""
        if not self.spread:
            return self.similarity[:n]
        return np.asarray(self.similarity[:n] / gain(self.visits[:n], 1, self.spread))

    def condense(self, buckets: Sequence[int | None]) -> None:
        """Keep what the pairs of these buckets have taught as moments, and no vector of anybody."""
        self.before = {bucket: self.learned(bucket) for bucket in buckets}
        self._raw[:] = 0.0
        self.weight[:] = 0.0
        self.size = self._next = 0

    def learned(self, bucket: int | None) -> Moments:
        """What is known of a bucket (None: all), earlier recordings included; 0 pairs where nothing is."""
        self.catch_up()
        before = self.before.get(bucket, NOTHING_BEFORE)
        n = self.size
        weight = self.weight[:n] if bucket is None else self.weight[:n] * (self.bucket[:n] == bucket)
        total = float(weight.sum())
        if not total:
            return before
        single = self._as_single(n)
        mean = float(weight @ single) / total
        std = (float(weight @ (single - mean) ** 2) / total) ** 0.5
        return Moments(*self.moments(mean, max(std, 1e-3), bucket), total + before.pairs)
