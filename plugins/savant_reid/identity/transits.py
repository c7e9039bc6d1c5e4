"""When somebody who left one camera will stand before another: declared windows as a prior, learned from what happens.

Everything is a rate in people per second, so that known people, who may walk in here now, compete on equal terms with
people never seen before. For a person last seen by camera a, `gap` seconds ago, the rate of turning up before b is

    P(a -> b) * f_ab(gap) / S_a(gap)

with the share of people who go there, the density of the time it takes them (a histogram over the logarithm of the
gap, so that it may have several modes), and the probability of not having turned up anywhere until now. People never
seen before come at a rate that each camera learns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.learned import TransitLessons
from savant_reid.identity.topology import Topology

Doubles = NDArray[np.float64]
# Bins of the gap: each a quarter longer than the one before, from a tenth of a second to beyond a day.
FIRST_EDGE_S = 0.1
RATIO = 1.25
BINS = 64
# The declared prior, in shares of those who leave a camera. Nothing that physics allows is impossible.
COMES_BACK = 0.25  # to the same camera, lost by the tracker or in person
LEAVES = 0.25  # the site
UNDECLARED = 0.1  # to cameras that site.yml does not name from here, if it names any
# Of those who come back, so many were only lost by the tracker for a moment.
FRAGMENTS = 0.7
FRAGMENT_S = 1.5  # mean length of such a moment
# Never less than this share of those who leave a camera go to any other.
LEAST_SHARE = 0.003
# Nothing known of a pair: a walk takes half a minute, give or take a factor of four; or any time up to a day.
WALK_S, WALK_FACTOR = 25.0, 4.0
ANY_TIME = 0.2
# The share of walks that take a time outside of the declared window.
OUTSIDE = 0.1
# What the prior is worth, in people: for where they go, and for how long a pair takes.
WHERE_WEIGHT = 4.0
WHEN_WEIGHT = 4.0
# Learned times are blurred over neighbouring bins: a handful of walks says not more.
BLUR = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
# People seen for the first time, per second and camera, before anything is known; and what that is worth in seconds.
NEWCOMERS_PER_S = 0.05
NEWCOMERS_WEIGHT_S = 60.0
# A way that fewer people took, as far as we can tell, is not told of.
LEAST_TOLD = 0.5
# Old lessons fade: about so many seconds count for the rate of newcomers.
NEWCOMERS_MEMORY_S = 1800.0


class Transits:
    """Rates by pair of cameras. learned: whether walks teach anything (an ablation).

    edges_s: (BINS,) where each bin of the gap ends. where_counts: (n, n) people who took a way, when_counts: (n, n,
    BINS) and how long they took, each walk counted by its probability. departures: (n,) people who left a camera's
    view. newcomers: (n,) people never seen before, fading.
    """

    def __init__(self, topology: Topology, *, learned: bool = True) -> None:
        n = len(topology.cameras)
        self._topology = topology
        self._learned = learned
        self.edges_s: Doubles = np.asarray(FIRST_EDGE_S * RATIO ** np.arange(BINS))
        starts = np.concatenate([[0.0], self.edges_s[:-1]])
        self._widths = self.edges_s - starts
        self._middles = 0.5 * (starts + self.edges_s)
        self._where_prior = _where_prior(topology)
        self._when_prior = self._declared_times()
        self.where_counts = np.zeros((n, n))
        self.when_counts = np.zeros((n, n, BINS), np.float32)
        self.departures = np.zeros(n)
        self.newcomers = np.zeros(n)
        self._newcomer_seconds = 0.0
        self._last_ns: int | None = None
        self._density, self._arrived = np.zeros((n, n, BINS)), np.zeros((n, n, BINS))
        self._possible = np.zeros((n, n), bool)
        self._walked: set[tuple[int, int]] = set()  # ways that have been learned from since the last refresh
        self._taught = self._due = 0.0
        self._refresh(np.indices((n, n)).reshape(2, -1))

    def learned(self) -> TransitLessons:
        """All that has been learned so far."""
        return TransitLessons(self.where_counts.copy(), self.when_counts.copy(), self.departures.copy())

    def start_from(self, lessons: TransitLessons) -> None:
        """Begin with what was learned before, by cameras as of now."""
        if not self._learned:
            return
        self.where_counts, self.when_counts = lessons.where.copy(), lessons.when.copy()
        self.departures = lessons.departures.copy()
        self._taught = float(self.where_counts.sum())
        self._refresh(np.indices(self.where_counts.shape).reshape(2, -1))

    def rates(self, start: int | NDArray[np.int64], end: int | NDArray[np.int64], gap_s: float | Doubles) -> Doubles:
        """(n,) people per second, above 0 unless forbidden: last seen by `start` (n,), `gap_s` (n,) seconds ago.

        end: (n,). Any may also be one for all.
        """
        at = np.minimum(np.searchsorted(self.edges_s, np.maximum(gap_s, 0.0)), BINS - 1)
        return np.asarray(self._shares[start, end] * self._density[start, end, at] / self._missing[start, at])

    def newcomer_rate(self, camera: int) -> float:
        """People never seen before, per second, at this camera."""
        return float(self.newcomer_rates()[camera])

    def newcomer_rates(self) -> Doubles:
        """(n,) the same for all cameras."""
        n, seconds = len(self.newcomers), self._newcomer_seconds
        site = (self.newcomers.sum() + n * NEWCOMERS_PER_S * NEWCOMERS_WEIGHT_S) / (n * (seconds + NEWCOMERS_WEIGHT_S))
        return np.asarray((self.newcomers + site * NEWCOMERS_WEIGHT_S) / (seconds + NEWCOMERS_WEIGHT_S))

    def possible_from(self, ends: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Cameras from which somebody may come to any of `ends`."""
        return np.flatnonzero(self._possible[:, ends].any(axis=1))

    def walk(self, start: int, end: int, gap_s: float, probability: float) -> None:
        """Somebody came from `start` to `end`, as far as we can tell."""
        if not self._learned:
            return
        at = min(int(np.searchsorted(self.edges_s, max(gap_s, 0.0))), BINS - 1)
        self.where_counts[start, end] += probability
        first, last = max(0, at - 2), min(BINS, at + 3)
        self.when_counts[start, end, first:last] += probability * BLUR[first - at + 2 : last - at + 2]
        self._walked.add((start, end))
        self._taught += probability

    def departure(self, camera: int) -> None:
        """Somebody has left the view of a camera."""
        if self._learned:
            self.departures[camera] += 1.0

    def newcomer(self, camera: int, probability: float) -> None:
        """Somebody never seen before came, as far as we can tell."""
        self.newcomers[camera] += probability

    def tick(self, now_ns: int) -> None:
        """Time goes by; puts lessons to use when there are enough new ones."""
        if self._last_ns is not None:
            elapsed_s = max(0.0, (now_ns - self._last_ns) * 1e-9)
            self._newcomer_seconds += elapsed_s
            if self._newcomer_seconds > NEWCOMERS_MEMORY_S:
                fade = NEWCOMERS_MEMORY_S / self._newcomer_seconds
                self._newcomer_seconds *= fade
                self.newcomers *= fade
        self._last_ns = now_ns
        if self._taught >= self._due:
            self._refresh(np.array(sorted(self._walked), np.int64).reshape(-1, 2).T)

    def _refresh(self, ways: NDArray[np.int64]) -> None:
        """ways: (2, w) pairs of cameras whose times have changed, a few of all; shares change everywhere."""
        self._due = self._taught * 1.1 + 5.0
        self._walked.clear()
        start, end = ways
        when = self._densities(start, end) * self._widths
        self._density[start, end] = when / self._widths
        self._arrived[start, end] = np.cumsum(when, axis=1) - 0.5 * when
        self._possible[start, end] = when.max(axis=1) > 0.0
        self._shares = self.shares()
        self._missing = np.clip(1.0 - np.einsum("ab,abt->at", self._shares, self._arrived), 0.05, 1.0)

    def shares(self) -> Doubles:
        """(n, n) of those who leave camera a, the share that goes to b; the rest leaves the site."""
        total = np.maximum(self.departures, self.where_counts.sum(axis=1))
        shares = (self.where_counts + WHERE_WEIGHT * self._where_prior) / (total[:, None] + WHERE_WEIGHT)
        return np.asarray(np.maximum(shares, LEAST_SHARE))

    def densities(self) -> Doubles:
        """(n, n, BINS) density per second of the time that the way from a to b takes."""
        return self._densities(*np.indices(self.where_counts.shape))

    def _densities(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> Doubles:
        """(…, BINS) the same for some ways; start, end: of one shape (…)."""
        times = self.when_counts[start, end]
        share = (times + WHEN_WEIGHT * self._when_prior[start, end]) / (times.sum(axis=-1, keepdims=True) + WHEN_WEIGHT)
        return np.asarray(share / self._widths)

    def summary(self) -> dict[str, object]:
        """Cameras, and the ways between them that were declared or taken: shares, times, how much was seen of them."""
        names, arrivals = self._topology.cameras, self.where_counts.sum(axis=0) + self.newcomers
        shares, densities = self.shares(), self.densities()
        edges = [0.0, *(round(edge, 3) for edge in self.edges_s.tolist())]
        ways = []
        for start, end in np.argwhere((self.where_counts >= LEAST_TOLD) | self._is_declared()).tolist():
            window = self._topology.windows.get((start, end))
            ways.append(
                {
                    "from": names[start],
                    "to": names[end],
                    "declared": [window.earliest_s, window.latest_s] if window else None,
                    "expected_count": float(self.where_counts[start, end]),
                    "probability": float(shares[start, end]),
                    "seconds": {"edges": edges, "density": densities[start, end].tolist()},
                }
            )
        cameras = {
            name: {"arrivals": float(arrivals[i]), "new_share": float(self.newcomers[i] / max(arrivals[i], 1e-9))}
            for i, name in enumerate(names)
        }
        return {"cameras": cameras, "transitions": ways}

    def _is_declared(self) -> NDArray[np.bool_]:
        declared = np.zeros_like(self.where_counts, bool)
        for start, end in self._topology.windows:
            declared[start, end] = True
        return declared

    def _declared_times(self) -> NDArray[np.float32]:
        """(n, n, BINS) prior probability of each bin."""
        topology, n = self._topology, len(self._topology.cameras)
        any_time = np.where(self._middles >= 1.0, self._widths / self._middles, self._widths)
        far = np.log(self._middles / WALK_S) / math.log(WALK_FACTOR)
        walk = np.exp(-0.5 * far**2) * self._widths / self._middles
        anyhow = ANY_TIME * any_time / any_time.sum() + (1.0 - ANY_TIME) * walk / walk.sum()
        prior = np.tile(anyhow, (n, n, 1))
        for (start, end), window in topology.windows.items():
            inside = self._window(window.earliest_s, window.latest_s)
            prior[start, end] = (1.0 - OUTSIDE) * inside + OUTSIDE * anyhow
        moment = np.exp(-self._middles / FRAGMENT_S) * self._widths
        for camera in range(n):
            prior[camera, camera] = FRAGMENTS * moment / moment.sum() + (1.0 - FRAGMENTS) * prior[camera, camera]
        return prior.astype(np.float32)

    def _window(self, earliest_s: float, latest_s: float) -> Doubles:
        """(BINS,) share of a uniform window that falls into each bin."""
        inside = np.minimum(self.edges_s, latest_s + 0.05) - np.maximum(self.edges_s - self._widths, earliest_s - 0.05)
        inside = np.clip(inside, 0.0, None)
        return np.asarray(inside / max(inside.sum(), 1e-12))


def _where_prior(topology: Topology) -> Doubles:
    """(n, n) prior shares of those who leave each camera."""
    n = len(topology.cameras)
    shares = np.zeros((n, n))
    for start in range(n):
        named = [end for (a, end) in topology.windows if a == start and end != start]
        others = [end for end in range(n) if end != start and end not in named]
        walks = 1.0 - COMES_BACK - LEAVES
        undeclared = (UNDECLARED if named else walks) if others else 0.0
        shares[start, start] = COMES_BACK
        if named:
            shares[start, named] = (walks - undeclared) / len(named)
        if others:
            shares[start, others] = undeclared / len(others)
    return shares
