"""Metrics and health of one run, served while it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from savant_reid.monitoring.exposition import Exposition
from savant_reid.monitoring.health import STALL_SECONDS, Health
from savant_reid.monitoring.meters import Meters
from savant_reid.monitoring.monitor import MeteringMonitor
from savant_reid.monitoring.server import MetricsServer


@dataclass(frozen=True)
class MetricsRequest:
    """Where to serve, and after how many seconds without a batch /healthz says 503. port: 0 takes a free one."""

    port: int
    host: str = "127.0.0.1"
    stall_seconds: float = STALL_SECONDS


class Watch:
    """monitor: to be handed to the host. Serves from construction to `close`."""

    def __init__(self, request: MetricsRequest, clock: Callable[[], int] = time.time_ns) -> None:
        """clock: the one that stamps live frames, in ns.

        Raises OutputError where the port is taken, SavantReidError where prometheus-client is missing."""
        meters, health = Meters(), Health(request.stall_seconds)
        self.monitor = MeteringMonitor(meters, health, clock)
        self.server = MetricsServer(request.host, request.port, Exposition(meters, self.monitor.refresh), health)

    def close(self) -> None:
        self.server.close()
