"""Strangers who never come back leave nothing behind: measured in bytes, whatever holds them."""

from __future__ import annotations

import gc
import tracemalloc

from click.testing import CliRunner

from savant_reid.bench import passing
from savant_reid.bench.command import bench_command
from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology

PEOPLE, UNTRACED = 3_000, 1_800
# The least that anything kept for each identity takes: a key and a value in a dictionary.
BYTES_PER_IDENTITY = 100


def test_nothing_is_kept_of_those_who_have_passed():
    """The least memory held in the last quarter of those traced, against that of the second one."""
    core = Resolver(Topology(passing.CAMERAS), Policy(capacity=100, retention_s=passing.RETENTION_S))
    held: list[tuple[int, int]] = []
    try:
        for number, (passed, batch) in enumerate(passing.moments(PEOPLE)):
            if passed >= UNTRACED and not tracemalloc.is_tracing():
                tracemalloc.start()  # makes everything several times slower
            core.resolve(batch)
            core.take_events()
            if tracemalloc.is_tracing() and number % 8 == 0:
                gc.collect()  # what waits for the collector is not kept
                held.append((passed, tracemalloc.get_traced_memory()[0]))
    finally:
        tracemalloc.stop()
    assert core.counts["created"] > 0.4 * PEOPLE  # two crops a second apart: often too little to tell
    assert core.counts["expired"] > 0.4 * PEOPLE
    quarter = (PEOPLE - UNTRACED) // 4
    ends = PEOPLE - 2 * quarter, PEOPLE
    before, after = (min(size for passed, size in held if end - quarter < passed <= end) for end in ends)
    assert after - before < 2 * quarter * BYTES_PER_IDENTITY


def test_the_stream_is_what_it_says():
    tracks = set()
    stream = list(passing.moments(6_000))
    for _, batch in stream:
        assert [one.camera for one in batch] == list(passing.CAMERAS)
        assert len({one.time_ns for one in batch}) == 1
        tracks |= {(one.camera, track) for one in batch for track in one.track_ids.tolist()}
    passed = stream[-1][0]
    assert 6_000 <= passed < 6_000 + passing.AT_ONCE * len(passing.CAMERAS)
    broken = passed / passing.AT_ONCE / passing.BROKEN_CROWDS
    assert 0.9 < (len(tracks) - passed) / broken < 1.1


def test_the_table_has_a_line_for_each_tenth():
    shown = CliRunner().invoke(bench_command, ["passing", "--people", "640", "--capacity", "50"])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert len(lines) == 12
    assert lines[-1].split()[0] == "640"
    assert int(lines[-1].split()[2]) <= 50
