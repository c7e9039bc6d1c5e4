"""What Savant's Prometheus exporter is told of each element."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from savant_reid.hosts.deepstream.bridge import Bridge
from savant_reid.monitoring.table import DEEPSTREAM_COUNTERS, SHARED_COUNTERS, SHARED_GAUGES

COUNTERS = {**SHARED_COUNTERS, **DEEPSTREAM_COUNTERS}
GAUGES = SHARED_GAUGES

# Savant's exporter refuses a name that it knows already, but several elements share these, and in development mode a
# pyfunc begins anew in the same process: one set for each exporter.
_sets: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


class Meters:
    """The metrics of one element. registry: Savant's, of a pyfunc; exporter: what it registers with, None for none."""

    def __init__(self, bridge: Bridge, element: str, registry: Any, exporter: Any) -> None:
        self._element = element
        self._pending: defaultdict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
        self._metrics = {} if exporter is None else _sets.setdefault(exporter, {})
        if exporter is None:
            return
        for make, table in ((bridge.counter, COUNTERS), (bridge.gauge, GAUGES)):
            for name, row in table.items():
                if name not in self._metrics:
                    metric = make(name, row.text, row.labels)
                    registry[name] = metric
                    self._metrics[name] = metric

    def add(self, name: str, amount: float, *labels: str) -> None:
        """To a counter; labels: those after `element`. Shown with the next publish: Savant's counters look at the clock
        each time, which for several counters of each frame would cost more than reading the frame."""
        if amount > 0:
            self._pending[name, labels] += amount

    def publish(
        self,
        figures: Mapping[str, float],
        by_camera: Mapping[str, Mapping[str, float]],
        by_sink: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    ) -> None:
        """Show what was added, and set the gauge of each figure."""
        pending, self._pending = self._pending, defaultdict(float)
        if self._metrics:
            for (name, labels), amount in pending.items():
                self._metrics[name].inc(amount, (self._element, *labels))
            for name, value in figures.items():
                self._metrics["reid_figure"].set(float(value), (self._element, name))
            for camera, found in by_camera.items():
                for name, value in found.items():
                    self._metrics["reid_camera_figure"].set(float(value), (self._element, camera, name))
            for sink, found in by_sink.items():
                for name, value in found.items():
                    self._metrics["reid_sink_figure"].set(float(value), (sink, name))
