"""What `savant-reid bench outputs` sends: frames of people who stand before their cameras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.types import Sightings
from savant_reid.records import FrameRecord

DIMENSION = 256
# As the gate has it: several embeddings of somebody new, then one in two seconds.
FIRST_EMBEDDINGS, EMBEDDING_EVERY_S = 5, 2.0
WARM_UP = "warm-up"


@dataclass(frozen=True)
class Load:
    """So many cameras, people before each, frames a second; paced: in real time, else as fast as it goes."""

    cameras: int = 16
    people: int = 4
    frames_per_second: float = 10.0
    seconds: float = 10.0
    paced: bool = True


def moments(load: Load) -> Iterator[list[Sightings]]:
    """One frame of every camera, people where they stood before, each seen before one camera only."""
    rng = np.random.default_rng(0)
    looks = rng.standard_normal((load.cameras, load.people, DIMENSION), dtype=np.float32)
    boxes = np.array([[20 + 90 * n, 100, 60, 180] for n in range(load.people)], np.float32)
    every = max(1, round(EMBEDDING_EVERY_S * load.frames_per_second))
    for number in range(round(load.seconds * load.frames_per_second)):
        batch = []
        for camera in range(load.cameras):
            due = (np.arange(load.people) + camera + number) % every == 0
            rows = np.arange(load.people) if number < FIRST_EMBEDDINGS else np.flatnonzero(due)
            embedding_of = np.full(load.people, -1, np.int64)
            embedding_of[rows] = np.arange(len(rows))
            noise = rng.standard_normal((len(rows), DIMENSION), dtype=np.float32)
            batch.append(
                Sightings(
                    f"camera-{camera:02}",
                    int(number / load.frames_per_second * 1e9),
                    np.arange(load.people),
                    boxes,
                    np.full(load.people, 0.95, np.float32),
                    embedding_of,
                    looks[camera, rows] + 0.5 * noise,
                    (40 + 90 * load.people, 720),
                )
            )
        yield batch


def warm_up(number: int) -> FrameRecord:
    nobody = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    nothing = np.zeros((0, DIMENSION), np.float32)
    return FrameRecord(number, Sightings(WARM_UP, 0, np.zeros(0, np.int64), *nobody, nothing, (640, 480)), [])
