"""People who pass by and never come back, as many as one likes: memory has to stay where it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.tracklets import Float32s
from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Sightings
from savant_reid.process_memory import resident_mib

CAMERAS = tuple(f"camera-{number}" for number in range(8))
CAPACITY, RETENTION_S, DIMENSION = 2_000, 240.0, 64
# Everybody is in view for so many seconds, one frame in each, beside three others.
AT_ONCE, FRAMES = 4, 2
# Noise of one crop, as a share of what a person looks like.
NOISE = 0.5
# Before every camera, of one crowd in so many, one person's track breaks; its next crop shows hardly anything of the
# person, so that many become somebody new, and are merged when one more crop comes.
BROKEN_CROWDS, BROKEN_NOISE = 8, 3.0
# After so many people nobody comes until all are forgotten: the gallery is emptied by retention as well as by capacity.
REST_AFTER, REST_STEP_S = 5_000, 10
_READINGS = 10
_PLACES = 40
_FRAME_SIZE = (40 + 90 * _PLACES, 720)


@dataclass(frozen=True)
class Reading:
    """people: that have passed. created: identities made. held: identities in the gallery. merged: merges so
    far. resident_mib: of this process. most_mib: at any moment since the reading before: some MiB more are held while
    a gallery that was empty is filling. cpu_seconds: since the start, the making of the people included."""

    people: int
    created: int
    held: int
    merged: int
    resident_mib: float
    most_mib: float
    cpu_seconds: float


def measure(
    people: int, capacity: int = CAPACITY, progress: Callable[[Reading], None] = lambda _: None
) -> list[Reading]:
    """A reading at the start and after each tenth of `people`, each told to `progress` at once."""
    resolver = Resolver(Topology(CAMERAS), Policy(capacity=capacity, retention_s=RETENTION_S))
    start = time.process_time()
    readings: list[Reading] = []

    def read(passed: int, most: float) -> None:
        created, merged = (resolver.counts[kind] for kind in ("created", "merged"))
        took = time.process_time() - start
        readings.append(Reading(passed, created, resolver.identities, merged, resident_mib(), most, took))
        progress(readings[-1])

    read(0, resident_mib())
    most = 0.0
    for passed, batch in moments(people):
        resolver.resolve(batch)
        resolver.take_events()
        most = max(most, resident_mib())
        if passed * _READINGS // people >= len(readings):
            read(passed, most)
            most = 0.0
    return readings


def moments(people: int) -> Iterator[tuple[int, list[Sightings]]]:
    """(people who have passed when it is over, frames of one moment), at least `people` of them in all."""
    rng = np.random.default_rng(7)
    crowd = AT_ONCE * len(CAMERAS)
    second = rested = 0
    for number in range(-(-people // crowd)):
        looks = rng.standard_normal((crowd, DIMENSION), dtype=np.float32)
        lefts = 20 + 90 * rng.permutation(_PLACES)[:AT_ONCE]
        breaks = number % BROKEN_CROWDS == 0
        frames = FRAMES + breaks
        for frame in range(frames):
            noise = np.full((crowd, 1), NOISE, np.float32)
            if breaks and frame == 1:
                noise[::AT_ONCE] = BROKEN_NOISE
            crops = looks + noise * rng.standard_normal(looks.shape, dtype=np.float32)
            yield crowd * (number + (frame == frames - 1)), _moment(second, crops, lefts, number, breaks and frame > 0)
            second += 1
        if crowd * (number + 1) - rested >= REST_AFTER:
            rested = crowd * (number + 1)
            for _ in range(int(RETENTION_S * 1.5 / REST_STEP_S)):
                yield rested, _moment(second, looks[:0], lefts[:0])
                second += REST_STEP_S


def _moment(
    second: int, crops: Float32s, lefts: NDArray[np.int64], crowd: int = 0, broken: bool = False
) -> list[Sightings]:
    """A frame of every camera; lefts: (n,), where people stand before each; crops: (8 n, DIMENSION), camera after
    camera. broken: the track of the first one before each camera has a new number."""
    each = len(lefts)
    boxes = np.tile(np.array([0, 100, 60, 180], np.float32), (each, 1))
    boxes[:, 0] = lefts
    # A number for each visit: nobody's track goes on as somebody else's.
    track_ids = crowd * (AT_ONCE + 1) + np.arange(each)
    if broken:
        track_ids[0] += AT_ONCE
    sure, rows = np.full(each, 0.95, np.float32), np.arange(each)
    parts = [crops[each * number : each * (number + 1)] for number in range(len(CAMERAS))]
    return [
        Sightings(camera, second * 1_000_000_000, track_ids, boxes, sure, rows, part, _FRAME_SIZE)
        for camera, part in zip(CAMERAS, parts, strict=True)
    ]


HEADER = (
    f"{'people':>12} {'identities made':>16} {'held':>6} {'merges':>7} {'resident MiB':>13} {'most':>7} {'CPU s':>8}"
)


def as_text(reading: Reading) -> str:
    """A line below HEADER."""
    return (
        f"{reading.people:>12,} {reading.created:>16,} {reading.held:>6,} {reading.merged:>7,} "
        f"{reading.resident_mib:>13.1f} {reading.most_mib:>7.1f} {reading.cpu_seconds:>8.0f}"
    )


def as_json(readings: Sequence[Reading]) -> dict[str, object]:
    return {"cameras": len(CAMERAS), "dimension": DIMENSION, "readings": [asdict(one) for one in readings]}
