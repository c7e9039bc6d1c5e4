"""When a camera is tried again, what time its frames have, and whether its own time stamps leap."""

from __future__ import annotations

import random
from itertools import islice, repeat

import numpy as np
import pytest

from savant_reid.hosts.local.retries import Retries, backoff_seconds
from savant_reid.hosts.local.stream_time import StreamTime
from savant_reid.hosts.local.wall_clock import WallClock

SECOND_NS = 1_000_000_000
RATE = 90_000


def test_backoff_doubles_up_to_its_cap_with_jitter() -> None:
    waits = list(islice(backoff_seconds(random.Random(4)), 12))
    ceilings = np.minimum(2.0 ** np.arange(12), 30)
    assert (waits <= ceilings).all()
    assert (waits >= ceilings / 2).all()
    assert waits == list(islice(backoff_seconds(random.Random(4)), 12))
    assert waits != list(islice(backoff_seconds(random.Random(5)), 12))


def test_waits_grow_until_a_connection_has_proved_itself() -> None:
    retries = Retries("door")
    flapping = [retries.after(2.0, refused=False) for _ in range(7)]
    assert flapping[-1] >= 15
    assert retries.after(9.9, refused=False) >= 15
    assert retries.after(10.0, refused=False) <= 1
    assert retries.after(0.0, refused=False) <= 2


def test_a_wrong_password_is_tried_some_times_an_hour() -> None:
    retries = Retries("door")
    waits = [retries.after(0.0, refused=True) for _ in range(20)]
    assert waits[0] >= 30
    tried_at = np.cumsum([0.0, *waits])
    for begin in tried_at:  # cameras lock after five to seven within half an hour
        assert ((tried_at >= begin) & (tried_at < begin + 1800)).sum() <= 7
    assert max(waits) <= 900


def test_waits_can_be_given() -> None:
    retries = Retries("door", backoff=lambda: repeat(3.0), refused_backoff=lambda: repeat(4.0))
    assert (retries.after(0, refused=False), retries.after(0, refused=True)) == (3.0, 4.0)


class Machine:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.wall_ns, self.monotonic_ns = 1_700_000_000 * SECOND_NS, 5 * SECOND_NS
        self.clock = WallClock(lambda: self.wall_ns, lambda: self.monotonic_ns)

    def passes(self, seconds: float) -> int:
        self.wall_ns += round(seconds * SECOND_NS)
        self.monotonic_ns += round(seconds * SECOND_NS)
        return self.clock()


def test_time_is_the_machines() -> None:
    machine = Machine()
    for seconds in (0.04, 3600, 0.04):
        assert machine.passes(seconds) == machine.wall_ns
    machine.wall_ns += SECOND_NS // 100  # trimmed
    assert machine.passes(1) == machine.wall_ns
    machine.wall_ns -= SECOND_NS // 100
    assert machine.passes(2) == machine.wall_ns
    assert machine.clock.steps == 0


@pytest.mark.parametrize("back_seconds", [0.5, 60, 3600])
def test_a_machine_whose_clock_is_set_back(back_seconds: float) -> None:
    machine = Machine()
    last = machine.passes(1)
    machine.wall_ns -= round(back_seconds * SECOND_NS)
    for _ in range(100):
        now = machine.passes(0.04)
        assert 0.039 * SECOND_NS < now - last < 0.041 * SECOND_NS
        last = now
    assert machine.clock.steps == (back_seconds > 1)
    for _ in range(101):
        now = machine.passes(back_seconds)
        assert now > last
        last = now
    assert now == machine.wall_ns
    assert machine.clock.steps == (back_seconds > 1)


def test_a_machine_whose_clock_is_set_forward_is_followed() -> None:
    machine = Machine()
    machine.wall_ns += 3600 * SECOND_NS
    assert machine.passes(1) == machine.wall_ns
    machine.wall_ns -= 3600 * SECOND_NS
    assert machine.passes(1) > machine.wall_ns + 3599 * SECOND_NS
    machine.wall_ns += 3600 * SECOND_NS
    machine.passes(1)
    assert 0 <= machine.clock() - machine.wall_ns < SECOND_NS
    assert machine.clock.steps == 3


def read(stream: StreamTime, packets: list[tuple[float, float]]) -> int:
    """Jumps of (time stamp in seconds, arrival in seconds)."""
    return sum(stream.read(round(stamp * RATE) % (1 << 32), RATE, arrival) for stamp, arrival in packets)


def test_a_steady_stream_with_wraps_jitter_and_drift() -> None:
    rng = random.Random(0)
    wrap_seconds = (1 << 32) / RATE
    for drift in (-1e-4, 0.0, 1e-4):
        packets = [
            (wrap_seconds - 50 + t * (1 + drift) + rng.choice((-0.08, 0, 0.04)), t + rng.uniform(0, 0.5))
            for t in np.arange(0, 50_000, 0.5)
        ]
        assert read(StreamTime(), packets) == 0


def test_a_held_up_stream_that_comes_all_at_once_is_no_jump() -> None:
    late = [(t, max(t, 40.0 + t / 1000)) for t in np.arange(0.0, 60.0, 0.04)]
    assert read(StreamTime(), late) == 0


@pytest.mark.parametrize("leap_seconds", [3600.0, 1.5, -3600.0, -1.5])
def test_a_leap_is_counted_once(leap_seconds: float) -> None:
    before = [(t, t) for t in np.arange(0.0, 20.0, 0.04)]
    after = [(t + leap_seconds, t) for t in np.arange(20.0, 40.0, 0.04)]
    stream = StreamTime()
    assert read(stream, before + after) == stream.jumps == 1
    stream.restart()
    assert read(stream, before) == 0
