"""What Savant's Prometheus exporter is told of each element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from savant_reid.hosts.deepstream.bridge import Bridge

# Name, what it says, labels. Prometheus adds `_total` to counters.
COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "reid_frames": ("Frames that the element has worked on", ("element", "source_id")),
    "reid_people": ("Tracked people in these frames, counted in each frame", ("element", "source_id")),
    "reid_embeddings": ("Embeddings read from the re-ID model", ("element", "source_id")),
    "reid_held_back": ("Times that a person was kept from the re-ID model", ("element", "source_id")),
    "reid_left_out": ("People without a track of their own, counted in each frame", ("element",)),
    "reid_keys_parted": ("Objects that shared label and box with another one of their frame", ("element",)),
    "reid_seconds": ("Time spent in the element", ("element",)),
    "reid_batches": ("Batches that the element has worked on", ("element",)),
    "reid_events": ("Identity events, by kind", ("element", "kind")),
    "reid_troubles": ("What went wrong and was passed over, by kind", ("element", "source_id", "kind")),
}
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "reid_figure": ("Figures of the identity core, by name", ("element", "name")),
}

# Savant's exporter refuses a name that it knows already, but several elements share these, and in development mode a
# pyfunc begins anew in the same process: one set for each exporter.
_sets: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


class Meters:
    """The metrics of one element. registry: Savant's, of a pyfunc; exporter: what it registers with, None for none."""

    def __init__(self, bridge: Bridge, element: str, registry: Any, exporter: Any) -> None:
        self._element = element
        self._metrics = {} if exporter is None else _sets.setdefault(exporter, {})
        if exporter is None:
            return
        for make, table in ((bridge.counter, COUNTERS), (bridge.gauge, GAUGES)):
            for name, (description, labels) in table.items():
                if name not in self._metrics:
                    metric = make(name, description, labels)
                    registry[name] = metric
                    self._metrics[name] = metric

    def add(self, name: str, amount: float, *labels: str) -> None:
        """To a counter; labels: those after `element`."""
        if self._metrics and amount > 0:
            self._metrics[name].inc(amount, (self._element, *labels))

    def figures(self, figures: Mapping[str, float]) -> None:
        """Set the gauge of each figure."""
        if self._metrics:
            for name, value in figures.items():
                self._metrics["reid_figure"].set(float(value), (self._element, name))
