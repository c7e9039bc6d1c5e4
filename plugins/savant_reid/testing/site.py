"""The floor of a recording: where the cameras hang, who can walk where, and how long walks take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.testing.settings import RecordingSettings

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

SPACING_M = 22.0
VIEW_M = 8.0  # what a camera sees of the way between two of them
WALK_M_PER_S = 1.25
FEWEST_S = 1.5
# A shop, a cafe, a platform between two cameras: some who walk there stop for minutes.
STOP_EDGE_SHARE = 0.3
MOST_NEIGHBOURS = 4


@dataclass(frozen=True)
class Floor:
    """Cameras as nodes, walks as edges.

    names: of the cameras. plan_m: (c, 2) float64, metres. entrances: camera indices, at least one.
    neighbours: (c, k) int64, -1 behind the last one; neighbour_edge: (c, k) int64, row in the arrays of edges.
    edges: (e, 2) int64, both directions of a walk are one edge. walk_median_s, walk_sigma: (e,) lognormal.
    stop_probability, stop_median_s: (e,), of the second mode. declared_s: (e, 2), NaN where site.yml says nothing.
    overlaps: pairs of cameras that see the same floor. An overlapping pair has no window.
    """

    names: tuple[str, ...]
    plan_m: Float64s
    entrances: Int64s
    neighbours: Int64s
    neighbour_edge: Int64s
    edges: Int64s
    walk_median_s: Float64s
    walk_sigma: Float64s
    stop_probability: Float64s
    stop_median_s: Float64s
    declared_s: Float64s
    overlaps: tuple[tuple[int, int], ...]

    def transit_s(self, edge: Int64s, rng: np.random.Generator) -> Float64s:
        """(n,) seconds out of view for walks along `edge` (n,); in overlapping pairs below zero."""
        walk = self.walk_median_s[edge] * np.exp(self.walk_sigma[edge] * rng.standard_normal(len(edge)))
        stops = rng.random(len(edge)) < self.stop_probability[edge]
        rest = self.stop_median_s[edge] * np.exp(STOP_SIGMA * rng.standard_normal(len(edge)))
        return np.asarray(walk + np.where(stops, rest, 0.0), np.float64)


STOP_SIGMA = 0.5


def make_floor(settings: RecordingSettings, rng: np.random.Generator) -> Floor:
    """Draw a site: a jittered grid of cameras, each with two to four neighbours, all of them connected."""
    plan = _plan(settings.cameras, rng)
    edges = _edges(plan, rng)
    distance = np.hypot(*(plan[edges[:, 0]] - plan[edges[:, 1]]).T)
    count = len(edges)
    median = np.maximum(FEWEST_S, (distance - VIEW_M) / WALK_M_PER_S)
    sigma = rng.uniform(0.15, 0.35, count)
    stops = rng.random(count) < STOP_EDGE_SHARE
    stop_probability = np.where(stops, rng.uniform(0.15, 0.45, count), 0.0)
    stop_median = rng.uniform(45.0, 200.0, count)
    overlaps = rng.permutation(count)[: settings.overlaps]
    declared = _declared(median, sigma, stop_probability, stop_median, rng)
    declared[rng.random(count) < settings.undeclared_share] = np.nan
    declared[overlaps] = np.nan
    neighbours, neighbour_edge = _tables(edges, settings.cameras)
    entrances = np.sort(np.argsort(-np.abs(plan - plan.mean(0)).max(1))[: max(1, round(settings.cameras / 4))])
    pairs = tuple((int(a), int(b)) for a, b in edges[np.sort(overlaps)])
    names = tuple(f"cam-{index + 1:02}" for index in range(settings.cameras))
    return Floor(
        names,
        plan,
        entrances,
        neighbours,
        neighbour_edge,
        edges,
        median,
        sigma,
        stop_probability,
        stop_median,
        declared,
        pairs,
    )


def _plan(cameras: int, rng: np.random.Generator) -> Float64s:
    columns = int(np.ceil(np.sqrt(cameras * 1.5)))
    index = np.arange(cameras)
    grid = np.stack([index % columns, index // columns], axis=1) * SPACING_M
    return np.round(grid + rng.uniform(-0.25, 0.25, (cameras, 2)) * SPACING_M + SPACING_M / 2, 1)


def _edges(plan: Float64s, rng: np.random.Generator) -> Int64s:
    """(e, 2), a shortest tree that connects all, and short walks besides while both ends have room for them."""
    cameras = len(plan)
    apart = np.hypot(*(plan[:, None] - plan[None]).transpose(2, 0, 1))
    degree = np.zeros(cameras, np.int64)
    found: set[tuple[int, int]] = set()
    reached = np.zeros(cameras, bool)
    reached[0] = True
    while not reached.all():
        cost = np.where(reached[:, None] & ~reached[None] & (degree < MOST_NEIGHBOURS)[:, None], apart, np.inf)
        a, b = (int(i) for i in np.unravel_index(np.argmin(cost), cost.shape))
        found.add((min(a, b), max(a, b)))
        reached[b] = True
        degree[[a, b]] += 1
    for a, b in np.argwhere(np.triu(apart <= 1.6 * SPACING_M, 1)):
        pair = (int(a), int(b))
        if pair not in found and max(degree[a], degree[b]) < MOST_NEIGHBOURS and rng.random() < 0.6:
            found.add(pair)
            degree[[a, b]] += 1
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _tables(edges: Int64s, cameras: int) -> tuple[Int64s, Int64s]:
    neighbours = np.full((cameras, MOST_NEIGHBOURS), -1, np.int64)
    neighbour_edge = np.full((cameras, MOST_NEIGHBOURS), -1, np.int64)
    filled = np.zeros(cameras, np.int64)
    for index, (a, b) in enumerate(edges):
        for start, end in ((a, b), (b, a)):
            neighbours[start, filled[start]], neighbour_edge[start, filled[start]] = end, index
            filled[start] += 1
    return neighbours, neighbour_edge


def _declared(
    median: Float64s, sigma: Float64s, stop_probability: Float64s, stop_median: Float64s, rng: np.random.Generator
) -> Float64s:
    """(e, 2) windows as an owner would guess them: a few per cent of the walks fall outside.

    Most owners think of those who stop on the way (their window reaches their 97 %), some do not.
    """
    error = rng.uniform(0.9, 1.1, (2, len(median)))
    earliest = median * np.exp(-2.0 * sigma) * error[0]
    latest = median * np.exp(2.0 * sigma) * error[1]
    thought_of = (stop_probability > 0) & (rng.random(len(median)) < 0.7)
    latest = np.where(thought_of, latest + stop_median * np.exp(1.9 * STOP_SIGMA) * error[1], latest)
    return np.stack([np.maximum(0.0, np.round(earliest, 1)), np.round(latest + 0.5, 1)], axis=1)
