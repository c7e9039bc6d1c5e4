"""Possible answers to who somebody is, and how they share the probability."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
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
    """One possible answer. log: of its rate, in people per second that look like this; nats: the look's share in it.

    camera, gap_s: its arrival, if camera is not None; flat, since of the many that are made few are asked for it.
    """

    global_id: int
    log: float
    nats: float
    arrival_log: float
    camera: int | None = None
    gap_s: float = 0.0

    @property
    def arrival(self) -> Arrival | None:
        return Arrival(self.camera, self.gap_s) if self.camera is not None else None


@dataclass(frozen=True)
class Candidates:
    """The best answers for one tracklet, most probable first. newcomer_log: log rate of people never seen before.

    alone: the tracklet's own identity if nobody else has shaped it, else 0: to be that one is to be a newcomer.
    """

    found: tuple[Candidate, ...]
    newcomer_log: float
    alone: int = 0

    def odds(self, candidate: Candidate) -> float:
        """Log-odds against "nobody known"."""
        return candidate.log - self.newcomer_log

    def of(self, global_id: int) -> Candidate | None:
        return next((candidate for candidate in self.found if candidate.global_id == global_id), None)

    def without(self, global_ids: Collection[int]) -> Candidates:
        """The same, knowing that these are somebody else."""
        return replace(self, found=tuple(c for c in self.found if c.global_id not in global_ids))

    @cached_property
    def _posterior(self) -> dict[int, float]:
        """Probabilities that add up to one, 0 being a newcomer; its own identity, if it is alone in it, is that too."""
        logs = {candidate.global_id: candidate.log for candidate in self.found if candidate.global_id != self.alone}
        logs[0] = self.newcomer_log
        highest = max(logs.values())
        shares = {global_id: math.exp(log - highest) for global_id, log in logs.items()}
        total = sum(shares.values())
        return {global_id: share / total for global_id, share in shares.items()}

    def probability(self, global_id: int) -> float:
        """Posterior probability of one identity, 0 (a newcomer) included."""
        return self._posterior.get(0 if global_id == self.alone else global_id, 0.0)

    def walks(self) -> tuple[Walk, ...]:
        """Every explanation of where the tracklet came from."""
        known = [c for c in self.found if c.global_id != self.alone]
        walks = (Walk(c.global_id, c.arrival, self.probability(c.global_id)) for c in known)
        return (*walks, Walk(0, None, self.probability(0)))
