"""People who walk through a picture, cover one another, and whose tracker may take one for the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.types import Sightings
from tests.identity.scenes import DIMENSION, FRAME_NS, FRAME_SIZE, People

WIDTH_PX, HEIGHT_PX = 60.0, 180.0


@dataclass(frozen=True)
class Walker:
    """A person who walks from left edge x0 to x1 (pixels) between two moments.

    depth: pixels that the feet are lower; height: of the box, pixels.
    tracks: (since_s, track id), in order of time.
    """

    person: int
    start_s: float
    end_s: float
    x0: float
    x1: float
    tracks: tuple[tuple[float, int], ...]
    depth: float = 0.0
    height: float = HEIGHT_PX

    def here(self, at_s: float) -> bool:
        return self.start_s <= at_s < self.end_s

    def box(self, at_s: float) -> list[float]:
        done = (at_s - self.start_s) / (self.end_s - self.start_s)
        return [self.x0 + done * (self.x1 - self.x0), 60.0 + self.depth, WIDTH_PX, self.height]

    def track_id(self, at_s: float) -> int:
        return [track_id for since_s, track_id in self.tracks if since_s <= at_s][-1]


def film(walkers: Sequence[Walker], people: People, seconds: float, camera: str = "door") -> Iterator[list[Sightings]]:
    """One camera's frames at 10 per second, embeddings in every second one; who is covered looks like a mixture."""
    for step in range(int(seconds * 10)):
        at_s = step / 10
        here = [walker for walker in walkers if walker.here(at_s)]
        n = len(here)
        crops = [_crop(walker, here, at_s, people) for walker in here] if step % 2 == 0 else []
        yield [
            Sightings(
                camera,
                step * FRAME_NS,
                np.array([walker.track_id(at_s) for walker in here], np.int64),
                np.array([walker.box(at_s) for walker in here], np.float32).reshape(n, 4),
                np.full(n, 0.9, np.float32),
                np.arange(n) if crops else np.full(n, -1),
                np.array(crops, np.float32).reshape(-1, DIMENSION),
                FRAME_SIZE,
            )
        ]


def _crop(walker: Walker, here: Sequence[Walker], at_s: float, people: People) -> np.ndarray:
    crop = people.crop(walker.person)
    left = walker.box(at_s)[0]
    for other in here:
        if other is not walker and other.depth > walker.depth:
            share = max(0.0, 1.0 - abs(other.box(at_s)[0] - left) / WIDTH_PX)
            crop = (1 - share) * crop + share * people.crop(other.person)
    return np.asarray(crop / np.linalg.norm(crop), np.float32)
