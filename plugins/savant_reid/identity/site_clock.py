"""One time for all cameras, whatever their clocks do.

Every camera's stamps are taken as they are while they go forward and stay with the others. A camera that steps back,
or leaps ahead of all others, is moved by a constant from then on, so that its own people go on as if nothing had
happened and nobody else notices.
"""

from __future__ import annotations

from collections.abc import Sequence

# Ahead of the others by more than this is a leap of the clock, not a late frame (streams buffer a few seconds).
LEAP_NS = 10_000_000_000
# A camera not heard for so many batches has no say in what time it is.
SILENT_BATCHES = 64


class SiteClock:
    """`now_ns` never goes back. `last_ns`: by camera, the site time of its latest frame."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.last_ns: dict[int, int] = {}
        self.jumps = 0
        self._offset_ns: dict[int, int] = {}
        self._heard: dict[int, int] = {}
        self._batches = 0

    def read(self, frames: Sequence[tuple[int, int]]) -> list[int]:
        """Site times, in ns, of one batch of (camera, time stamp in ns)."""
        self._batches += 1
        proposed = [time_ns + self._offset_ns.get(camera, 0) for camera, time_ns in frames]
        leaping = {camera for (camera, _), at in zip(frames, proposed, strict=True) if self._leaps(camera, at)}
        others = [c for c in self._recent() if c not in leaping]
        times = []
        for (camera, _), at in zip(frames, proposed, strict=True):
            last = self.last_ns.get(camera)
            behind = at < (self.now_ns - LEAP_NS if last is None else last)
            # When everybody leaps, time has really passed.
            if behind or (camera in leaping and others):
                anchor = max(self.now_ns, last or 0)
                self._offset_ns[camera] = self._offset_ns.get(camera, 0) + anchor - at
                self.jumps += 1
                at = anchor
            self.last_ns[camera], self._heard[camera] = at, self._batches
            times.append(at)
        self.now_ns = max(self.now_ns, self._middle())
        return times

    def _leaps(self, camera: int, at_ns: int) -> bool:
        return bool(self.last_ns) and at_ns > max(self.now_ns, self.last_ns.get(camera, 0)) + LEAP_NS

    def _recent(self) -> list[int]:
        return [camera for camera, batch in self._heard.items() if self._batches - batch <= SILENT_BATCHES]

    def _middle(self) -> int:
        """The lower median of the cameras heard lately; one wrong clock cannot move it far."""
        times = sorted(self.last_ns[camera] for camera in self._recent())
        return times[(len(times) - 1) // 2] if times else 0
