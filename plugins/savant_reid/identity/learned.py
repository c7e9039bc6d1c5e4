"""What a resolver has learned that is not about single people: how cameras see, how alike people are, how they walk.

Sums, counts and moments only; no embedding of anybody, and no camera of which so few tracks are known that its mean
would nearly be one. Another resolver of the same site and model starts from it (docs/calibration.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
# A camera of which fewer tracks are known is left out: the mean of two people is nearly a picture of them.
LEAST_TRACKS = 5.0
# Earlier pairs of one kind are worth no more than so many of today's: people and light change.
MOST_PAIRS = 256.0


class MetricLessons(NamedTuple):
    """See identity.metric. sums: (C, D) of tracks' mean embeddings; counts: (C,) of tracks.

    within: (D, D) sum over `matches` of differences within people; total: (D, D) covariance of tracks; people: known.
    """

    sums: Doubles
    counts: Doubles
    within: Floats
    matches: float
    total: Floats
    people: float


class TransitLessons(NamedTuple):
    """See identity.transits. where: (C, C) people who took a way; when: (C, C, bins) and how long they took.

    departures: (C,) people. Not how often strangers come: to a gallery that starts empty everybody is one.
    """

    where: Doubles
    when: Floats
    departures: Doubles


class Moments(NamedTuple):
    """Mean and standard deviation of the similarities of so many pairs."""

    mean: float
    std: float
    pairs: float

    def beside(self, mean: float, std: float, worth: float) -> Moments:
        """Together with `worth` other pairs, these counted as MOST_PAIRS at most."""
        own = min(self.pairs, MOST_PAIRS)
        share = own / max(own + worth, 1e-9)
        both = share * self.mean + (1.0 - share) * mean
        square = share * (self.std**2 + self.mean**2) + (1.0 - share) * (std**2 + mean**2)
        return Moments(both, max(square - both**2, 1e-9) ** 0.5, own + worth)


@dataclass(frozen=True)
class Learned:
    """cameras: names, the order of all that is by camera. moments: by kind of pair."""

    cameras: tuple[str, ...]
    metric: MetricLessons
    moments: Mapping[str, Moments]
    transits: TransitLessons

    @property
    def dimension(self) -> int:
        """Numbers in an embedding."""
        return int(self.metric.within.shape[0])

    def for_cameras(self, names: Sequence[str]) -> Learned:
        """The same for these cameras, in their order; those it does not know start cold, others are forgotten."""
        index = {name: i for i, name in enumerate(self.cameras)}
        at = np.array([index.get(name, -1) for name in names], np.int64)
        metric, transits = self.metric, self.transits
        return Learned(
            tuple(names),
            metric._replace(sums=_picked(metric.sums, at), counts=_picked(metric.counts, at)),
            dict(self.moments),
            transits._replace(
                where=_picked(_picked(transits.where, at).swapaxes(0, 1), at).swapaxes(0, 1),
                when=_picked(_picked(transits.when, at).swapaxes(0, 1), at).swapaxes(0, 1),
                departures=_picked(transits.departures, at),
            ),
        )

    def without_rare(self) -> Learned:
        """Without the means of cameras that have seen fewer than LEAST_TRACKS tracks."""
        rare = self.metric.counts < LEAST_TRACKS
        sums, counts = self.metric.sums.copy(), self.metric.counts.copy()
        sums[rare], counts[rare] = 0.0, 0.0
        return Learned(self.cameras, self.metric._replace(sums=sums, counts=counts), self.moments, self.transits)


def _picked(table: np.ndarray, at: NDArray[np.int64]) -> np.ndarray:
    """Rows `at` of the table, zeros for -1."""
    if not len(table):
        return np.zeros((len(at), *table.shape[1:]), table.dtype)
    found: np.ndarray = table[np.maximum(at, 0)].copy()
    found[at < 0] = 0
    return found
