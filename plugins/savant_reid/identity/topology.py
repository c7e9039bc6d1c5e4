"""Which camera a person can reach from which, as the site's owner declared it; what is learned lives in transits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """Seconds that a walk between two cameras takes."""

    earliest_s: float
    latest_s: float


class Topology:
    """Windows by pair of cameras, and declared overlaps.

    cameras: names; everything below speaks in indices into this list. windows: (from, to) to Window.
    overlap: (n, n) bool, symmetric: cameras that see the same floor.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        windows: Mapping[tuple[str, str], Window] | None = None,
        overlaps: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.cameras = list(cameras)
        self.index = {name: i for i, name in enumerate(self.cameras)}
        self.windows = {(self.index[a], self.index[b]): window for (a, b), window in (windows or {}).items()}
        self.overlap = np.zeros((len(self.cameras), len(self.cameras)), bool)
        for a, b in overlaps:
            self.overlap[self.index[a], self.index[b]] = self.overlap[self.index[b], self.index[a]] = True
        self._sharing = set(map(tuple, np.argwhere(self.overlap).tolist()))

    def can_share(self, a: int, b: int) -> bool:
        """True if one person may stand before both cameras at once."""
        return (a, b) in self._sharing
