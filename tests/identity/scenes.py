"""Made-up people with embeddings of chosen spread: enough to test decisions, no pictures needed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.resolver import Resolver
from savant_reid.identity.types import Decision, Sightings

DIMENSION = 32
FRAME_NS = 100_000_000
FRAME_SIZE = (640, 360)


class People:
    """Persons as random directions; a crop is the direction plus noise, unit length."""

    def __init__(self, seed: int, noise: float = 0.08) -> None:
        self._rng = np.random.default_rng(seed)
        self._noise = noise
        self._centres: dict[int, np.ndarray] = {}

    def crop(self, person: int) -> np.ndarray:
        if person not in self._centres:
            self._centres[person] = _unit(self._rng.standard_normal(DIMENSION))
        return _unit(self._centres[person] + self._noise * self._rng.standard_normal(DIMENSION))


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass(frozen=True)
class Visit:
    """Person before camera from start to end (seconds), as one track."""

    person: int
    camera: str
    start_s: float
    end_s: float
    track_id: int


def visits(*rows: tuple[int, str, float, float]) -> list[Visit]:
    return [Visit(*row, track_id=i) for i, row in enumerate(rows, start=1)]


def frames(scene: Iterable[Visit], people: People, every: int = 2) -> Iterator[list[Sightings]]:
    """Batches of all cameras at 10 fps; every `every`-th frame brings embeddings."""
    scene = list(scene)
    cameras = sorted({visit.camera for visit in scene})
    last = max(visit.end_s for visit in scene)
    for step in range(int(last * 10) + 1):
        at_s = step / 10
        batch = []
        for camera in cameras:
            here = [v for v in scene if v.camera == camera and v.start_s <= at_s < v.end_s]
            batch.append(sightings(camera, step * FRAME_NS, here, people if step % every == 0 else None))
        yield batch


def sightings(camera: str, time_ns: int, here: Sequence[Visit], people: People | None) -> Sightings:
    n = len(here)
    crops = [people.crop(visit.person) for visit in here] if people else []
    boxes = [[20 + 90 * i, 60, 60, 180] for i in range(n)]
    return Sightings(
        camera=camera,
        time_ns=time_ns,
        track_ids=np.array([v.track_id for v in here], np.int64),
        boxes=np.array(boxes, np.float32).reshape(n, 4),
        confidences=np.full(n, 0.9, np.float32),
        embedding_of=np.arange(n) if people else np.full(n, -1, np.int64),
        embeddings=np.array(crops, np.float32).reshape(-1, DIMENSION),
        frame_size=FRAME_SIZE,
    )


def run(resolver: Resolver, batches: Iterable[list[Sightings]]) -> dict[int, Decision]:
    """Feed everything; the last decision of each track id."""
    latest: dict[int, Decision] = {}
    for batch in batches:
        latest.update({decision.track_id: decision for decision in resolver.resolve(batch)})
    return latest


def walk_about(persons: int, cameras: Sequence[str], rounds: int, seed: int) -> list[Visit]:
    """Everybody visits one camera after the other in a random order, 6 s each, 3 s between."""
    rng = np.random.default_rng(seed)
    rows = []
    for person, turn in itertools.product(range(persons), range(rounds)):
        start = turn * 9 + rng.uniform(0, 2)
        rows.append((person, str(rng.choice(cameras)), start, start + 6))
    return visits(*rows)
