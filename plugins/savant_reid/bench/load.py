"""A crowd for as long as one likes, played through the engine and forgotten: cost, memory and shared ids as the gallery
grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from savant_reid.bench.presets import PresetSource
from savant_reid.identity.resolver import Resolver
from savant_reid.process_memory import resident_mib
from savant_reid.records import shared_ids
from savant_reid.testing import preset


@dataclass(frozen=True)
class LoadReading:
    """sightings: rows so far. seconds: of the recording. us_per_sighting: CPU time inside `resolve`, all threads, since
    the reading before. shared_ids: rows so far whose identity somebody else had in the same frame. identities,
    prototypes: held. resident_mib: of this process."""

    sightings: int
    seconds: float
    us_per_sighting: float
    shared_ids: int
    identities: int
    prototypes: int
    resident_mib: float


def measure(
    recording: str, seconds: float, every: int, seed: int = 0, progress: Callable[[LoadReading], None] = lambda _: None
) -> list[LoadReading]:
    """A reading after each `every` sightings of a preset and at its end, each told to `progress` at once."""
    source = PresetSource(recording, seed, preset(recording, seed, seconds=seconds))
    resolver = Resolver(source.topology(), source.policy())
    readings: list[LoadReading] = []
    sightings = read = shared = 0
    took = elapsed_s = 0.0

    def note() -> None:
        held = resolver.identities, resolver.prototypes, resident_mib()
        readings.append(LoadReading(sightings, elapsed_s, took / max(sightings - read, 1) * 1e6, shared, *held))
        progress(readings[-1])

    start_ns: int | None = None
    for moment in source.moments():
        start = time.process_time()
        decisions = resolver.resolve(moment.sightings)
        took += time.process_time() - start
        resolver.take_events()
        shared += shared_ids(decisions)
        sightings += len(decisions)
        for frame in moment.sightings:
            start_ns = frame.time_ns if start_ns is None else start_ns
            elapsed_s = max(elapsed_s, (frame.time_ns - start_ns) * 1e-9)
        if sightings - read >= every:
            note()
            read, took = sightings, 0.0
    if sightings > read:
        note()
    return readings


HEADER = (
    f"{'sightings':>12} {'seconds':>8} {'us each':>8} {'shared ids':>10} {'identities':>10} {'prototypes':>10} "
    f"{'resident MiB':>13}"
)


def as_text(reading: LoadReading) -> str:
    """A line below HEADER."""
    return (
        f"{reading.sightings:>12,} {reading.seconds:>8.0f} {reading.us_per_sighting:>8.1f} {reading.shared_ids:>10,} "
        f"{reading.identities:>10,} {reading.prototypes:>10,} {reading.resident_mib:>13.1f}"
    )


def as_json(readings: Sequence[LoadReading]) -> dict[str, object]:
    return {"readings": [asdict(one) for one in readings]}
