"""What a run learned of the ways between cameras, beside what site.yml declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from savant_reid.identity.transits import OUTSIDE
from savant_reid.report.run_data import mapping
from savant_reid.report.tables import number
from savant_reid.report.transitions import Window, declared_windows

# Shares of the walks that "most" means in "most take 4 to 11 s".
_LOW, _HIGH = 0.1, 0.9


@dataclass(frozen=True)
class Durations:
    """How long a walk takes: density per second between edges (n + 1,) in seconds."""

    edges: tuple[float, ...]
    density: tuple[float, ...]

    def share_before(self, seconds: float) -> float:
        """Share of the walks that take less."""
        edges, mass = np.array(self.edges), self._mass()
        return float(np.interp(seconds, edges, np.concatenate([[0.0], np.cumsum(mass)]) / mass.sum()))

    def quantile(self, share: float) -> float:
        """Seconds within which that share of the walks is done."""
        mass = self._mass()
        return float(np.interp(share, np.concatenate([[0.0], np.cumsum(mass)]) / mass.sum(), self.edges))

    @property
    def peak(self) -> float:
        return max(self.density)

    def at(self, seconds: np.ndarray) -> np.ndarray:
        """Density at times (n,)."""
        place = np.searchsorted(self.edges, seconds, side="right") - 1
        inside = (place >= 0) & (place < len(self.density))
        return np.where(inside, np.array(self.density)[np.clip(place, 0, len(self.density) - 1)], 0.0)

    def _mass(self) -> np.ndarray:
        return np.array(self.density) * np.diff(self.edges)


@dataclass(frozen=True)
class Way:
    """From one camera to another. declared: the window in site.yml, None where it names none.

    count: walks, each counted by how sure it is. probability: share of those who leave `source` that turn up here next.
    durations: None where nothing was learned.
    """

    source: str
    target: str
    declared: Window | None
    count: float | None = None
    probability: float | None = None
    durations: Durations | None = None

    @property
    def outside(self) -> float | None:
        """Learned share of the walks that the declared window leaves out."""
        if self.durations is None or self.declared is None:
            return None
        low, high = self.declared
        return max(0.0, 1.0 - (self.durations.share_before(high) - self.durations.share_before(low)))

    @property
    def is_too_narrow(self) -> bool:
        """More walks are outside the window than were expected before any was seen."""
        return self.outside is not None and self.outside > OUTSIDE

    @property
    def median_seconds(self) -> float | None:
        return self.durations.quantile(0.5) if self.durations else None

    @property
    def most_seconds(self) -> Window | None:
        """Eight in ten walks take between these."""
        return (self.durations.quantile(_LOW), self.durations.quantile(_HIGH)) if self.durations else None

    @property
    def axis_seconds(self) -> float:
        """End of a picture that starts at 0: holds nearly all walks, and the window unless it is far longer.

        What is left of the prior's hours on a way that few took would press all the rest into a line: a tail beyond
        six times the median is cut after nine in ten walks.
        """
        learned = 0.0
        if self.durations:
            learned = min(
                self.durations.quantile(0.98), max(self.durations.quantile(_HIGH), 6 * self.durations.quantile(0.5))
            )
        latest = self.declared[1] if self.declared else 0.0
        if not learned:
            return 1.15 * latest or 1.0
        return 1.15 * max(learned, min(latest, 4 * learned))


@dataclass(frozen=True)
class CameraWays:
    """arrivals: people who came into view. new_share: those of them whom no camera had seen before. drift: how far the
    camera's looks have moved since it was learned, None where nobody measured."""

    name: str
    arrivals: float | None
    new_share: float | None
    drift: float | None


@dataclass(frozen=True)
class Learned:
    """ways: the most walked first, then what is declared alone. cameras: empty where nothing was learned."""

    ways: list[Way]
    cameras: list[CameraWays]

    @property
    def is_empty(self) -> bool:
        return not self.cameras and not any(way.durations for way in self.ways)


def learned_topology(metrics: dict[str, Any], site: dict[str, Any]) -> Learned:
    """From metrics.json (`identity.topology`) and site.yml as parsed; what is missing or broken there is left out."""
    found = mapping(mapping(metrics.get("identity")).get("topology"))
    declared = declared_windows(site)
    ways: dict[tuple[str, str], Way] = {}
    entries = found.get("transitions")
    for entry in map(mapping, entries if isinstance(entries, list) else []):
        way = _way(entry, declared)
        if way is not None:
            ways[way.source, way.target] = way
    for pair, window in declared.items():
        ways.setdefault(pair, Way(*pair, window))
    return Learned(
        sorted(ways.values(), key=lambda way: (-(way.count or 0.0), way.source, way.target)), _cameras(found)
    )


def _way(entry: dict[str, Any], declared: dict[tuple[str, str], Window]) -> Way | None:
    if not (isinstance(entry.get("from"), str) and isinstance(entry.get("to"), str)):
        return None
    pair = entry["from"], entry["to"]
    counts = number(entry.get("expected_count")), number(entry.get("probability"))
    return Way(*pair, _window(entry.get("declared")) or declared.get(pair), *counts, _durations(entry.get("seconds")))


def _window(value: Any) -> Window | None:
    numbers = _numbers(value)
    return (numbers[0], numbers[1]) if len(numbers) == 2 and numbers[0] < numbers[1] else None


def _durations(value: Any) -> Durations | None:
    edges, density = (_numbers(mapping(value).get(name)) for name in ("edges", "density"))
    if len(edges) != len(density) + 1 or min(np.diff(edges), default=0.0) <= 0:
        return None
    return Durations(edges, density) if min(density) >= 0 and max(density) > 0 else None


def _numbers(value: Any) -> tuple[float, ...]:
    """Empty where anything in it is no finite number."""
    found = [number(one) for one in value] if isinstance(value, list) else []
    plain = tuple(one for one in found if one is not None and np.isfinite(one))
    return plain if len(plain) == len(found) else ()


def _cameras(found: dict[str, Any]) -> list[CameraWays]:
    drift = mapping(found.get("camera_drift"))
    cameras = mapping(found.get("cameras"))
    return [
        CameraWays(
            str(name),
            number(mapping(cameras.get(name)).get("arrivals")),
            number(mapping(cameras.get(name)).get("new_share")),
            number(drift.get(name)),
        )
        for name in dict.fromkeys([*cameras, *drift])
    ]
