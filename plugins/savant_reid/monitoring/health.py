"""Is the run well? From whether batches go through, and whether cameras are there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# A live camera that breaks is noticed after 10 s and back in a few more; a restart of the run takes longer than that.
STALL_SECONDS = 30.0


class CameraView(Protocol):
    """What health needs of a source; see hosts.local.sources.Source."""

    @property
    def camera(self) -> str: ...

    @property
    def ended(self) -> bool: ...

    @property
    def connected(self) -> bool: ...


@dataclass(frozen=True)
class Verdict:
    """cause: `ok`, or one of `starting`, `ending`, `cameras_gone`, `stalled`. reason: for people; empty when ok."""

    ok: bool
    cause: str
    reason: str


class Health:
    """`healthy`: batches go on. `ready`: they have begun, and no end is near. Safe from any thread, never waits.

    stall_seconds: without a batch, from which on the run is not well.
    """

    def __init__(self, stall_seconds: float = STALL_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._stall_seconds = stall_seconds
        self._clock = clock
        self._last = clock()
        self._cameras: Sequence[CameraView] = ()
        self._running = threading.Event()
        self._ending = threading.Event()
        self.batches = 0

    def begin(self, cameras: Sequence[CameraView]) -> None:
        """The models are there: frames can go through from now on."""
        self._cameras, self._last = tuple(cameras), self._clock()
        self._running.set()

    def batch(self) -> None:
        """One has gone through."""
        self.batches += 1
        self._last = self._clock()

    def end(self) -> None:
        """No more batches will come, as all files have ended or somebody has asked for it."""
        self._ending.set()

    @property
    def age_seconds(self) -> float:
        """Since the last batch, or the start."""
        return self._clock() - self._last

    def healthy(self) -> Verdict:
        age = self.age_seconds
        if not self._running.is_set() or self._ending.is_set() or age <= self._stall_seconds:
            return Verdict(True, "ok", "")
        there = [one.camera for one in self._cameras if one.connected and not one.ended]
        since = f"no batch for {age:.0f} s"
        if not there:
            names = ", ".join(one.camera for one in self._cameras)
            return Verdict(False, "cameras_gone", f"{since}: no camera is connected, of {names}")
        return Verdict(False, "stalled", f"{since}, though frames come from {', '.join(there)}: the pipeline is stuck")

    def ready(self) -> Verdict:
        if self._ending.is_set():
            return Verdict(False, "ending", "the run is ending")
        if not self.batches:
            what = "no batch yet" if self._running.is_set() else "models and cameras are being opened"
            return Verdict(False, "starting", what)
        return Verdict(True, "ok", "")

    def to_json(self, verdict: Verdict) -> dict[str, Any]:
        """The body of an answer."""
        cameras = {one.camera: {"connected": one.connected, "ended": one.ended} for one in self._cameras}
        return {
            "status": "ok" if verdict.ok else "unavailable",
            "cause": verdict.cause,
            "reason": verdict.reason,
            "batches": self.batches,
            "seconds_since_batch": round(self.age_seconds, 3),
            "cameras": cameras,
        }
