"""Where a recording with a known truth comes from, moment by moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from savant_reid.bench.rows import Int64s
from savant_reid.identity.policy import Policy
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Sightings


@dataclass(frozen=True)
class LabelledMoment:
    """The frames of all cameras at one moment, with the truth.

    frame: counts from 0. sightings: one per camera that had a frame. persons: for each of them (n,) int64, the true
    person of each row or -1 for a false detection. truth: int64, true persons in view, once per camera.
    """

    frame: int
    sightings: tuple[Sightings, ...]
    persons: tuple[Int64s, ...]
    truth: Int64s


class Source(Protocol):
    """Where a recording comes from; `moments` may be called again and gives the same each time."""

    @property
    def name(self) -> str: ...

    @property
    def cameras(self) -> Sequence[str]: ...

    @property
    def windows(self) -> Mapping[tuple[str, str], tuple[float, float]]: ...

    @property
    def overlaps(self) -> Sequence[tuple[str, str]]: ...

    def topology(self) -> Topology: ...

    def policy(self) -> Policy: ...

    def moments(self) -> Iterable[LabelledMoment]: ...
