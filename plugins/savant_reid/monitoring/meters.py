"""Values of all metrics, by label values: written by the pipeline's threads, read by whoever asks for /metrics."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from savant_reid.monitoring.table import LOCAL, Table

# Far more than a site of 80 cameras has: a bound for mistakes.
MOST_SERIES = 4096

Labels = tuple[str, ...]


class Distribution(NamedTuple):
    """counts: (buckets + 1,) of the values up to each bound, not summed up; the last counts those beyond all."""

    counts: Sequence[int]
    total: float


class Meters:
    """Adding costs about a microsecond. A metric with MOST_SERIES label values takes no more of them, and says so."""

    def __init__(self, table: Table = LOCAL, most_series: int = MOST_SERIES) -> None:
        self._table = table
        self._most = most_series
        self._lock = threading.Lock()
        self._values: dict[str, dict[Labels, float]] = {name: {} for name, m in table.items() if not m.buckets}
        self._counts: dict[str, dict[Labels, list[int]]] = {name: {} for name, m in table.items() if m.buckets}
        self._sums: dict[str, dict[Labels, float]] = {name: {} for name in self._counts}

    def add(self, name: str, amount: float, *labels: str) -> None:
        """To a counter; nothing is added, and no series begun, where there is nothing to add."""
        if amount > 0:
            with self._lock:
                values = self._values[name]
                if labels in values or self._has_room(name, values, labels):
                    values[labels] = values.get(labels, 0.0) + amount

    def set(self, name: str, value: float, *labels: str) -> None:
        """A gauge, or a counter that is counted elsewhere."""
        with self._lock:
            values = self._values[name]
            if labels in values or self._has_room(name, values, labels):
                values[labels] = float(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """One value of a histogram."""
        bounds = self._table[name].buckets
        with self._lock:
            counts = self._counts[name]
            if labels not in counts:
                if not self._has_room(name, counts, labels):
                    return
                counts[labels] = [0] * (len(bounds) + 1)
            counts[labels][bisect_left(bounds, value)] += 1
            self._sums[name][labels] = self._sums[name].get(labels, 0.0) + value

    def values(self, name: str) -> dict[Labels, float]:
        """Of a counter or gauge, by label values."""
        with self._lock:
            return dict(self._values[name])

    def distributions(self, name: str) -> dict[Labels, Distribution]:
        """Of a histogram, by label values."""
        with self._lock:
            sums = self._sums[name]
            return {labels: Distribution(tuple(counts), sums[labels]) for labels, counts in self._counts[name].items()}

    def _has_room(self, name: str, series: object, labels: Labels) -> bool:
        """Held by the lock. labels: a series that does not exist yet; ValueError where they are not the table's."""
        if len(labels) != len(self._table[name].labels):
            raise ValueError(f"{name}: expected values of {self._table[name].labels}, found {labels}")
        if len(series) < self._most:  # type: ignore[arg-type]
            return True
        refused = self._values["reid_series_refused"]
        refused[(name,)] = refused.get((name,), 0.0) + 1.0
        return False
