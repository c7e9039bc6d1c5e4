"""Who walks where and when: all visits of a recording, planned before it starts.

This table and nothing else grows with the number of people (about 50 bytes per visit); nothing grows with the frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.testing.settings import RecordingSettings
from savant_reid.testing.site import Floor

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

DWELL_SIGMA = 0.7
DWELL_S = (1.5, 300.0)
RETURN_SIGMA = 0.6
GROUP_SIZES = (2, 5)
STRAGGLE_S = 2.0  # how far the members of a group are apart
EXIT_PROBABILITY = 0.6  # at an entrance, once the least number of visits is over
TURN_PROBABILITY = 0.15  # goes back to where the last view was


@dataclass(frozen=True)
class Visits:
    """One person in one view, (v,) each, in the order of start_s.

    person: int64 from 1. camera: int64. start_s, end_s: float64, seconds of the recording. together: int64, the same
    for visits of one group to one view: they share a path.
    """

    person: Int64s
    camera: Int64s
    start_s: Float64s
    end_s: Float64s
    together: Int64s

    def __len__(self) -> int:
        return len(self.person)

    def rows(self, index: Int64s | slice | NDArray[np.bool_]) -> Visits:
        return Visits(
            self.person[index], self.camera[index], self.start_s[index], self.end_s[index], self.together[index]
        )


def plan_visits(settings: RecordingSettings, floor: Floor, rng: np.random.Generator) -> Visits:
    """All visits that touch the recording."""
    group_of = _groups(settings, rng)
    groups = int(group_of.max()) + 1
    span_s = settings.arrival_s or max(1.0, settings.seconds - LAST_ARRIVAL_S)
    arrive_s = np.sort(rng.uniform(-settings.warm_s, span_s, groups))
    first, left_s = _walk(settings, floor, np.arange(groups), arrive_s, rng)
    back = np.flatnonzero(rng.random(groups) < settings.return_probability)
    away_s = settings.return_after_s * np.exp(RETURN_SIGMA * rng.standard_normal(len(back)))
    second, _ = _walk(settings, floor, back, left_s[back] + away_s, rng)
    group, camera, start_s, end_s = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    return _members(settings, group_of, group, camera, start_s, end_s, rng)


LAST_ARRIVAL_S = 60.0


def _groups(settings: RecordingSettings, rng: np.random.Generator) -> Int64s:
    """(people,) the group of each person, numbered from 0 in random order of arrival; most are alone."""
    sizes: list[int] = []
    in_groups = round(settings.people * settings.group_share)
    while sum(sizes) < in_groups:
        sizes.append(int(rng.integers(GROUP_SIZES[0], GROUP_SIZES[1] + 1)))
    if sizes:
        sizes[-1] -= sum(sizes) - in_groups
    sizes += [1] * (settings.people - in_groups)
    return np.repeat(rng.permutation(len(sizes)), sizes)[rng.permutation(settings.people)]


Steps = tuple[Int64s, Int64s, Float64s, Float64s]


def _walk(
    settings: RecordingSettings, floor: Floor, group: Int64s, now_s: Float64s, rng: np.random.Generator
) -> tuple[Steps, Float64s]:
    """A random walk per group, from an entrance on: group, camera, start and end of each visit; when each group left.

    Step by step for all groups at once.
    """
    steps: list[Steps] = []
    at = rng.choice(floor.entrances, len(group))
    before = np.full(len(group), -1)
    start_s, left_s = now_s.copy(), now_s.copy()  # left_s: of the last view
    is_entrance = np.isin(np.arange(len(floor.names)), floor.entrances)
    alive = np.arange(len(group))
    for step in range(settings.visits[1]):
        dwell = settings.dwell_s * np.exp(DWELL_SIGMA * rng.standard_normal(len(alive)))
        # Where views overlap, the last one may still go on: nobody is in three, and nobody leaves the newer one first.
        last_s = left_s[alive]
        end_s = np.maximum(start_s[alive] + np.clip(dwell, *DWELL_S), last_s + DWELL_S[0])
        steps.append((group[alive], at[alive], start_s[alive], end_s))
        left_s[alive] = end_s
        leaves = is_entrance[at[alive]] & (step + 1 >= settings.visits[0]) & (rng.random(len(alive)) < EXIT_PROBABILITY)
        leaves |= end_s > settings.seconds
        alive, end_s, last_s = alive[~leaves], end_s[~leaves], last_s[~leaves]
        column = _choose(floor, at[alive], before[alive], rng)
        goes = column >= 0
        alive, end_s, last_s, column = alive[goes], end_s[goes], last_s[goes], column[goes]
        edge = floor.neighbour_edge[at[alive], column]
        transit = floor.transit_s(edge, rng)
        shared = np.isin(edge, _overlap_edges(floor))
        # In two views at once: the next visit begins before this one ends.
        transit = np.where(shared, -rng.uniform(0.2, 0.8, len(edge)) * (end_s - start_s[alive]), transit)
        start_s[alive] = np.maximum(end_s + transit, last_s)
        before[alive], at[alive] = at[alive], floor.neighbours[at[alive], column]
    group_of, camera, start, end = (np.concatenate(column) for column in zip(*steps, strict=True))
    return (group_of, camera, start, end), left_s


def _choose(floor: Floor, at: Int64s, before: Int64s, rng: np.random.Generator) -> Int64s:
    """(n,) column of `neighbours` to go on to, -1 where a camera has none; seldom back to where one came from."""
    options = floor.neighbours[at]
    weight = np.where(options == before[:, None], TURN_PROBABILITY, 1.0) * (options >= 0)
    total = weight.sum(1)
    draw = rng.random(len(at)) * total
    column = np.minimum((np.cumsum(weight, axis=1) <= draw[:, None]).sum(1), options.shape[1] - 1)
    return np.where(total > 0, column, -1)


def _overlap_edges(floor: Floor) -> Int64s:
    pairs = set(floor.overlaps)
    return np.array([index for index, (a, b) in enumerate(floor.edges.tolist()) if (a, b) in pairs], np.int64)


def _members(
    settings: RecordingSettings,
    group_of: Int64s,
    group: Int64s,
    camera: Int64s,
    start_s: Float64s,
    end_s: Float64s,
    rng: np.random.Generator,
) -> Visits:
    """Each visit of a group becomes one visit for each of its members, who straggle a little."""
    order = np.argsort(group_of, kind="stable")
    size = np.bincount(group_of)
    first = np.cumsum(size) - size
    copies = size[group]
    visit = np.repeat(np.arange(len(group)), copies)
    within = np.arange(len(visit)) - np.repeat(np.cumsum(copies) - copies, copies)
    person = order[first[group[visit]] + within] + 1
    # The same for all visits of a person, who would else be in two views at once.
    lag = np.where(copies[visit] > 1, rng.uniform(0.0, STRAGGLE_S, settings.people)[person - 1], 0.0)
    start, end = start_s[visit] + lag, end_s[visit] + lag
    rows = np.flatnonzero((end > 0) & (start < settings.seconds))
    rows = rows[np.argsort(start[rows], kind="stable")]
    return Visits(person[rows], camera[visit][rows], start[rows], end[rows], visit[rows])
