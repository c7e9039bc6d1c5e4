"""The meters as Prometheus reads them, with the process's own memory, CPU time and open files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

from savant_reid.errors import SavantReidError
from savant_reid.monitoring.meters import Distribution, Meters
from savant_reid.monitoring.table import COUNTERS, LOCAL, Metric


class Exposition:
    """refresh: called before each reading, to bring up to date what nobody tells of by itself."""

    def __init__(self, meters: Meters, refresh: Callable[[], None]) -> None:
        """Raises SavantReidError where prometheus-client is missing."""
        self._client = client = _bindings()
        self._meters, self._refresh = meters, refresh
        self._registry = client.CollectorRegistry()
        self._registry.register(self)
        client.ProcessCollector(registry=self._registry)
        self.content_type: str = client.CONTENT_TYPE_LATEST

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return bytes(self._client.generate_latest(self._registry))

    def describe(self) -> list[Any]:
        """Asked by the registry: nothing is known before it is collected."""
        return []

    def collect(self) -> Iterator[Any]:
        """Asked by the registry, with every reading."""
        self._refresh()
        core = self._client.metrics_core
        for name, metric in LOCAL.items():
            if metric.buckets:
                yield self._histogram(core, name, metric)
                continue
            kind = core.CounterMetricFamily if name in COUNTERS else core.GaugeMetricFamily
            family = kind(name, metric.text, labels=metric.labels)
            for labels, value in self._meters.values(name).items():
                family.add_metric(labels, value)
            yield family

    def _histogram(self, core: Any, name: str, metric: Metric) -> Any:
        family = core.HistogramMetricFamily(name, metric.text, labels=metric.labels)
        for labels, found in self._meters.distributions(name).items():
            family.add_metric(labels, _cumulative(metric.buckets, found), found.total)
        return family


def _cumulative(bounds: tuple[float, ...], found: Distribution) -> list[tuple[str, float]]:
    names = [*(repr(float(bound)) for bound in bounds), "+Inf"]
    return [(name, float(count)) for name, count in zip(names, accumulate(found.counts), strict=True)]


def _bindings() -> Any:
    try:
        import prometheus_client
        import prometheus_client.metrics_core
    except ModuleNotFoundError as error:
        raise SavantReidError(
            "metrics need the package prometheus-client, found none; "
            "install it with: pip install 'savant-reid[metrics]'"
        ) from error
    return prometheus_client
