"""Which camera a person can reach from which, and in how many seconds: the declared prior.

A weight of 1 says "just as expected", a small one "would surprise me", a large one "most likely"; nothing that physics
allows gets 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Weights of the declared prior. They are odds against the expected case, chosen by hand and to be replaced by what is
# learned online; a person may always linger out of view (late) but can hardly be faster than the fastest walk (early).
EARLY = 1e-3
LATE = 0.05
UNDECLARED = 0.1  # a pair that site.yml does not name, in a site that names some
COMES_BACK = 0.2  # seen again by the same camera after a while
FRAGMENT_S = 4.0  # within this gap the same camera most likely lost and found one person ...
FRAGMENT = 6.0  # ... which is so much more common than any one walk from another camera


@dataclass(frozen=True)
class Window:
    """Seconds that a walk between two cameras takes."""

    earliest_s: float
    latest_s: float


class Topology:
    """Windows by pair of cameras, declared overlaps, and a prior for everything else.

    cameras: names; everything below speaks in indices into this list.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        windows: Mapping[tuple[str, str], Window] | None = None,
        overlaps: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.cameras = list(cameras)
        self.index = {name: i for i, name in enumerate(self.cameras)}
        n = len(self.cameras)
        windows = windows or {}
        self._earliest = np.zeros((n, n))
        self._latest = np.full((n, n), np.inf)
        self._outside = np.full((n, n), LATE)
        self._inside = np.full((n, n), UNDECLARED if windows else 1.0)
        for (start, end), window in windows.items():
            at = self.index[start], self.index[end]
            self._earliest[at], self._latest[at], self._inside[at] = window.earliest_s, window.latest_s, 1.0
        self._overlap = np.zeros((n, n), bool)
        for a, b in overlaps:
            self._overlap[self.index[a], self.index[b]] = self._overlap[self.index[b], self.index[a]] = True

    def can_share(self, a: int, b: int) -> bool:
        """True if one person may stand before both cameras at once."""
        return bool(self._overlap[a, b])

    def weights(self, start: NDArray[np.int64], end: int, gap_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) weights above 0 for people last seen by cameras `start` (n,) `gap_s` (n,) seconds ago."""
        weights: NDArray[np.float64] = self._inside[start, end].copy()
        weights[gap_s < self._earliest[start, end]] *= EARLY
        late = gap_s > self._latest[start, end]
        weights[late] *= self._outside[start, end][late]
        here = start == end
        weights[here] = np.where(gap_s[here] <= FRAGMENT_S, FRAGMENT, COMES_BACK)
        weights[self._overlap[start, end]] = 1.0
        return weights
