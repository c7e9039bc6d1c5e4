"""Seconds per stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up seconds by name of stage; each name is used by one thread only.

    seconds: by the clock on the wall, waiting included. cpu_seconds: that the thread really worked.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.cpu_seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Adds the time inside to that stage."""
        begin, cpu_begin = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin
            self.cpu_seconds[stage] += time.thread_time() - cpu_begin
