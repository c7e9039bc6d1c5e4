"""Waiting in tests for what other threads and processes do: by looking, not by sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Returns as soon as the condition holds; fails after so many seconds."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"not reached within {seconds} s"
        time.sleep(0.01)
