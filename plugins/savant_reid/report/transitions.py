"""Who walked from which camera to which, how long it took, and whether the site says that this is possible."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median
from typing import Any

from savant_reid.report.presences import Presence
from savant_reid.report.run_data import mapping

Window = tuple[float, float]


@dataclass
class Transition:
    """seconds: one entry per walk seen, from the last box on `source` to the first on `target`.

    window: as site.yml declares it, None where it does not name the pair. outside: walks that it does not allow.
    """

    source: str
    target: str
    window: Window | None
    seconds: list[float] = field(default_factory=list)
    outside: int = 0

    @property
    def count(self) -> int:
        return len(self.seconds)

    @property
    def median_seconds(self) -> float:
        return median(self.seconds) if self.seconds else 0.0


def find_transitions(presences: list[Presence], site: dict[str, Any]) -> list[Transition]:
    """Seen ones first by count, then declared ones that nobody walked."""
    windows = declared_windows(site)
    shared_floor = overlapping_pairs(site)
    found = {pair: Transition(*pair, window) for pair, window in windows.items()}
    for _, group in groupby(sorted(presences, key=lambda one: one.global_id), key=lambda one: one.global_id):
        walk = sorted(group, key=lambda one: one.start_ns)
        for before, after in pairwise(walk):
            pair = (before.camera, after.camera)
            seconds = (after.start_ns - before.end_ns) / 1e9
            if before.camera == after.camera or (seconds < 0 and frozenset(pair) in shared_floor):
                continue
            transition = found.setdefault(pair, Transition(*pair, None))
            transition.seconds.append(seconds)
            transition.outside += is_outside(seconds, transition.window)
    return sorted(found.values(), key=lambda one: (-one.count, one.source, one.target))


def is_outside(seconds: float, window: Window | None) -> bool:
    """Nobody is in two places at once; beyond that, a pair without a window allows everything."""
    return seconds < 0 or (window is not None and not window[0] <= seconds <= window[1])


def declared_windows(site: dict[str, Any]) -> dict[tuple[str, str], Window]:
    """Seconds by (from, to), of a site file as it was read; what is none is passed over."""
    found: dict[tuple[str, str], Window] = {}
    entries = site.get("transitions")
    for entry in map(mapping, entries if isinstance(entries, list) else []):
        try:
            source, target = str(entry["from"]), str(entry["to"])
            low, high = map(float, entry["seconds"])
        except (KeyError, TypeError, ValueError):
            continue
        found[source, target] = (low, high)
        if entry.get("both_ways"):
            found[target, source] = (low, high)
    return found


def overlapping_pairs(site: dict[str, Any]) -> set[frozenset[str]]:
    """Pairs of cameras that the site file says see the same floor."""
    pairs = site.get("overlaps")
    return {frozenset(map(str, pair)) for pair in (pairs if isinstance(pairs, list) else []) if isinstance(pair, list)}
