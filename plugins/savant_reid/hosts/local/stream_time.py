"""Whether a camera's own time stamps go on as time does. Frames do not keep to them, but a leap says something."""

from __future__ import annotations

_WRAP = 1 << 32
# More than a picture's place in its stream can differ from its time (B-frames), less than what matters.
SLACK_SECONDS = 1.0
# A camera's clock may be slower than ours by so much: 1 ms in a second is far more than a crystal's.
_DRIFT = 1e-3


class StreamTime:
    """jumps: in this connection, times that RTP time stamps went back, or leapt ahead by more than had passed.

    A wrap at 2^32 is none, nor are frames that come late and then all at once.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new connection: its time stamps begin anywhere."""
        self.jumps = 0
        self._last: tuple[int, float] | None = None
        self._offset_seconds = 0.0
        self._lead_seconds = 0.0  # of the least delayed packet so far

    def read(self, rtp_time: int, clock_rate: int, now_seconds: float) -> bool:
        """True at a jump. rtp_time: 32 bits, in units of 1 / clock_rate s. now_seconds: of a clock that never steps."""
        last, self._last = self._last, (rtp_time, now_seconds)
        if last is None or clock_rate <= 0:
            return False
        ticks = (rtp_time - last[0]) % _WRAP
        step_seconds = (ticks - _WRAP if ticks >= _WRAP // 2 else ticks) / clock_rate
        passed_seconds = now_seconds - last[1]
        self._offset_seconds += step_seconds - passed_seconds
        self._lead_seconds -= passed_seconds * _DRIFT
        jumped = step_seconds < -SLACK_SECONDS or self._offset_seconds > self._lead_seconds + SLACK_SECONDS
        if jumped:
            self.jumps += 1
            self._offset_seconds = self._lead_seconds = 0.0
        self._lead_seconds = max(self._lead_seconds, self._offset_seconds)
        return jumped
