"""Possible answers to who somebody is, and how they share the probability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Doubles = NDArray[np.float64]


class Arrival(NamedTuple):
    """Where somebody came from: the camera that saw them last, and how long ago."""

    camera: int
    gap_s: float


class Walk(NamedTuple):
    """One explanation of where somebody came from: global_id 0 and no arrival for a newcomer."""

    global_id: int
    arrival: Arrival | None
    probability: float


class Candidate(NamedTuple):
    """One possible answer. log: of its rate, in people per second that look like this; nats: the look's share in it."""

    global_id: int
    log: float
    nats: float
    arrival_log: float
    arrival: Arrival | None = None


class Thoughts(NamedTuple):
    """What was thought of when somebody was asked about in a moment, in columns (n,) of who is known: int64
    global_ids; int64 cameras (below 0: no arrival) and float64 gaps_s; float64 probabilities."""

    global_ids: Int64s
    cameras: Int64s
    gaps_s: Doubles
    probabilities: Doubles


class Considered(NamedTuple):
    """What was thought of when one tracklet was asked about: of the many that are kept, few are looked at.

    thoughts: it is those from first up to last, most probable first. newcomer: the probability of nobody known. Its own
    identity, if nobody else has shaped it, is not among them.
    """

    thoughts: Thoughts
    first: int
    last: int
    newcomer: float

    def walks(self, least: float = 0.0) -> tuple[Walk, ...]:
        """Explanations of where the tracklet came from: those at least so probable, and that it is a newcomer."""
        columns = zip(*(column[self.first : self.last].tolist() for column in self.thoughts), strict=True)
        known = (Walk(i, arrival(camera, gap_s), share) for i, camera, gap_s, share in columns if share >= least)
        return (*known, Walk(0, None, self.newcomer))


def arrival(camera: int, gap_s: float) -> Arrival | None:
    """camera: below 0 for none."""
    return Arrival(camera, gap_s) if camera >= 0 else None
