"""Possible answers to who somebody is, and how they share the probability."""

from __future__ import annotations

from typing import NamedTuple


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


class Considered(NamedTuple):
    """What was thought of when somebody was asked about, in columns: of the many that are kept, few are looked at.

    global_ids, cameras (below 0: no arrival), gaps_s and probabilities of who is known, most probable first. newcomer:
    the probability of nobody known. Its own identity, if nobody else has shaped it, is not among them.
    """

    global_ids: list[int]
    cameras: list[int]
    gaps_s: list[float]
    probabilities: list[float]
    newcomer: float

    def walks(self) -> tuple[Walk, ...]:
        """Every explanation of where the tracklet came from."""
        columns = zip(self.global_ids, self.cameras, self.gaps_s, self.probabilities, strict=True)
        known = (Walk(i, arrival(camera, gap_s), probability) for i, camera, gap_s, probability in columns)
        return (*known, Walk(0, None, self.newcomer))


def arrival(camera: int, gap_s: float) -> Arrival | None:
    """camera: below 0 for none."""
    return Arrival(camera, gap_s) if camera >= 0 else None
