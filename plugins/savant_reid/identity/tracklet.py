"""What the core has gathered about one track: its good embeddings, its times, its state."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.types import Reason

Floats = NDArray[np.float32]
# The share of a tracklet's crops left out of its mean: the ones least like the others (occluders, blur, swaps).
WORST_SHARE = 1 / 3
# Crossings and gaps remembered per track; older ones lie before the embeddings that are kept.
MOST_BREAKS = 16


class Evidence:
    """At most `capacity` embeddings of one track, the poorest pushed out; `fresh` ones nobody has collected yet."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rows: list[Floats] = []
        self._quality: list[float] = []
        self._times_ns: list[int] = []
        self.seen = 0
        self.fresh: list[tuple[Floats, float]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, embedding: Floats, quality: float, at_ns: int) -> None:
        """Keep `embedding` (D,), unit length; the poorest one goes when there are too many (order of time is kept)."""
        self._rows.append(embedding)
        self._quality.append(quality)
        self._times_ns.append(at_ns)
        self.seen += 1
        self.fresh = [*self.fresh, (embedding, quality)][-self._capacity :]
        if len(self._rows) > self._capacity:
            poorest = int(np.argmin(self._quality))
            del self._rows[poorest], self._quality[poorest], self._times_ns[poorest]

    @property
    def times_ns(self) -> list[int]:
        """(kept) site times."""
        return self._times_ns

    def cut(self, count: int) -> tuple[Evidence, int]:
        """Give away the last `count` embeddings; returns them, and a time between the two parts in ns."""
        given = Evidence(self._capacity)
        at_ns = (self._times_ns[-count] + self._times_ns[-count - 1]) // 2
        for row, quality, time_ns in zip(
            self._rows[-count:], self._quality[-count:], self._times_ns[-count:], strict=True
        ):
            given.add(row, quality, time_ns)
        del self._rows[-count:], self._quality[-count:], self._times_ns[-count:]
        return given, at_ns

    def offer_again(self) -> None:
        """Everything kept is fresh once more (the identity it went to was not the right one)."""
        self.fresh = list(zip(self._rows, self._quality, strict=True))

    def collect(self) -> list[tuple[Floats, float]]:
        """(embedding, quality) pairs that have come since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh

    @property
    def embeddings(self) -> Floats:
        """(kept, D), in order of time, as they came."""
        return np.stack(self._rows)

    @property
    def qualities(self) -> NDArray[np.float64]:
        """(kept,)"""
        return np.array(self._quality)


def trimmed_mean(embeddings: Floats, qualities: NDArray[np.float64]) -> Floats:
    """(D,) quality-weighted mean of (n, D), unit length, the worst third left out once there are three."""
    weights = np.maximum(qualities, 1e-3).astype(np.float32)
    mean = _unit(weights @ embeddings)
    if len(embeddings) < 3:
        return mean
    keep = np.argsort(-(embeddings @ mean), kind="stable")[: len(embeddings) - int(len(embeddings) * WORST_SHARE)]
    return _unit(weights[keep] @ embeddings[keep])


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


@dataclass(eq=False)
class Tracklet:
    """One track of one camera; compared and hashed as the object it is.

    serial: unique for ever, in order of appearance. global_id: its identity, 0 before the decision.
    founder: this tracklet created its identity. arrival: log weight of the walk that brought it to its identity.
    probability, ambiguous, runner_up: of the latest decision. asked_ns, asked_seen: when, and with how much evidence,
    it was last decided; checked_seen: last checked for a swap. breaks_ns: moments at which a tracker may have swapped
    persons. cut_from: the identity that was said of this track before it turned out to have done so.
    """

    serial: int
    camera: int
    track_id: int
    first_ns: int
    last_ns: int
    evidence: Evidence
    box: Floats = field(default_factory=lambda: np.zeros(4, np.float32))
    global_id: int = 0
    founder: bool = False
    arrival: float = 0.0
    probability: float = 0.0
    ambiguous: bool = False
    runner_up: tuple[int, float] | None = None
    unmatched: Reason = Reason.TOO_LITTLE_EVIDENCE
    breaks_ns: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_BREAKS))
    cut_from: int = 0
    checked_seen: int = 0
    asked_ns: int | None = None
    asked_seen: int = 0

    @property
    def age_s(self) -> float:
        return (self.last_ns - self.first_ns) * 1e-9

    def shared_ns(self, other: Tracklet) -> int:
        """For how long both were on screen together; negative: the gap between them."""
        return min(self.last_ns, other.last_ns) - max(self.first_ns, other.first_ns)
