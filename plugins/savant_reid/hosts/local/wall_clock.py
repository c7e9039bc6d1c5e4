"""The machine's wall clock, as the cameras of one run are stamped with it: it never goes back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# A smaller difference is the clock being trimmed, not set.
STEP_NS = 1_000_000_000
# A clock that was set back is approached by a hundredth of the time that passes: ways between cameras, which are
# measured by it, are 1 % short until then.
_APPROACH = 100


class WallClock:
    """Call it for the time in ns since 1970; from any thread. One for all cameras, so that they stay together.

    When the machine's clock is set forward, it follows at once. Set back, it goes on from where it was, and comes
    nearer by 36 s an hour. steps: times that the machine's clock was set, by more than a second.
    """

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.steps = 0
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._now_ns, self._at_ns = wall(), monotonic()
        self._ahead_ns = 0  # of the machine's clock

    def __call__(self) -> int:
        with self._lock:
            at_ns, wall_ns = self._monotonic(), self._wall()
            passed_ns = at_ns - self._at_ns
            ahead_ns = self._now_ns + passed_ns - wall_ns
            if abs(ahead_ns - self._ahead_ns) > STEP_NS:
                self._note(self._ahead_ns - ahead_ns, max(0, ahead_ns))
            self._ahead_ns = max(0, ahead_ns - passed_ns // _APPROACH)
            self._now_ns, self._at_ns = max(self._now_ns, wall_ns + self._ahead_ns), at_ns
            return self._now_ns

    def _note(self, step_ns: int, ahead_ns: int) -> None:
        self.steps += 1
        way = "forward" if step_ns > 0 else "back"
        then = f"times go on, {ahead_ns * 1e-9:.1f} s ahead of it" if ahead_ns else "times follow it"
        log.warning("the machine's clock was set %s by %.1f s; %s", way, abs(step_ns) * 1e-9, then)
