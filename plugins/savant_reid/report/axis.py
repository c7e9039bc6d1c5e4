"""The time axis: where the run begins and ends, ticks at round times, and how a moment is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

_STEPS_SECONDS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
)
# Times after 2001 are a clock's; smaller ones count from the start of a video.
_CLOCK_NS = 10**18


@dataclass(frozen=True)
class Axis:
    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9

    def percent(self, time_ns: int) -> float:
        """Place on the axis, within [0, 100]."""
        share = (time_ns - self.start_ns) / max(self.end_ns - self.start_ns, 1)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    def label(self, time_ns: int) -> str:
        """Time of day (UTC) where the run has a clock, else time since its start."""
        if self.start_ns >= _CLOCK_NS:
            return datetime.fromtimestamp(time_ns / 1e9, timezone.utc).strftime("%H:%M:%S")
        return clock((time_ns - self.start_ns) / 1e9)

    def ticks(self, about: int = 8) -> list[tuple[float, str]]:
        """(percent, label) at round times, about so many of them."""
        step = next((one for one in _STEPS_SECONDS if self.seconds / one <= about), None)
        if step is None:
            step = 86400 * -(-self.seconds // (86400 * about))
        # A clock's ticks stand at round times of day, a video's at round times since its start.
        origin_ns = 0 if self.start_ns >= _CLOCK_NS else self.start_ns
        step_ns = int(step * 1e9)
        first = -(-(self.start_ns - origin_ns) // step_ns)
        last = (self.end_ns - origin_ns) // step_ns
        times = [origin_ns + i * step_ns for i in range(first, last + 1)]
        return [(self.percent(time_ns), self.label(time_ns)) for time_ns in times]


def clock(seconds: float) -> str:
    """1:05 or 2:01:05; with tenths below ten seconds where they matter."""
    if 0 < seconds < 10 and seconds != int(seconds):
        return f"0:{seconds:04.1f}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """For sentences: 45 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
