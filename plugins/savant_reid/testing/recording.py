"""A recording: moment by moment, what all cameras say, and who it really was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.types import Float32s, Int64s, Sightings
from savant_reid.testing.boxes import FRAME_HEIGHT_PX, FRAME_WIDTH_PX
from savant_reid.testing.crowd import Crowd, Seen
from savant_reid.testing.routes import plan_visits
from savant_reid.testing.settings import RecordingSettings
from savant_reid.testing.site import Floor, make_floor

START_NS = 1_700_000_000_000_000_000
FRAME_SIZE = (FRAME_WIDTH_PX, FRAME_HEIGHT_PX)
_FLOOR_STREAM, _ROUTES_STREAM = 1, 2


@dataclass(frozen=True)
class TruthFrame:
    """Who is really in view of one camera in one frame, detected or not.

    persons: (n,) int64, from 1. boxes: (n, 4) float32, ltwh, pixels.
    """

    camera: str
    frame: int
    time_ns: int
    persons: Int64s
    boxes: Float32s

    def __len__(self) -> int:
        return len(self.persons)


@dataclass(frozen=True)
class Moment:
    """One frame of every camera; all tuples in the order of the recording's cameras.

    persons: per camera (n,) int64, the true person of each row of its sightings, -1 for a ghost.
    """

    frame: int
    sightings: tuple[Sightings, ...]
    persons: tuple[Int64s, ...]
    truth: tuple[TruthFrame, ...]


class Recording:
    """The same settings give the same recording. Each call of `moments` starts it again."""

    def __init__(self, settings: RecordingSettings) -> None:
        self.settings = settings
        self.floor: Floor = make_floor(settings, np.random.default_rng([settings.seed, _FLOOR_STREAM]))

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.floor.names

    @property
    def windows(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Declared seconds (earliest, latest) from one camera to another, both ways."""
        windows = {}
        for (a, b), (earliest, latest) in zip(self.floor.edges.tolist(), self.floor.declared_s.tolist(), strict=True):
            if earliest == earliest:  # not NaN: declared
                one, other = self.cameras[a], self.cameras[b]
                windows[one, other] = windows[other, one] = (earliest, latest)
        return windows

    @property
    def overlaps(self) -> tuple[tuple[str, str], ...]:
        return tuple((self.cameras[a], self.cameras[b]) for a, b in self.floor.overlaps)

    def moments(self) -> Iterator[Moment]:
        """Frame by frame. Memory: the plan of all visits, and what is in view; nothing grows with the frames."""
        settings = self.settings
        visits = plan_visits(settings, self.floor, np.random.default_rng([settings.seed, _ROUTES_STREAM]))
        crowd = Crowd(settings, visits)
        phases_ns = np.round(crowd.phases_s * 1e9).astype(np.int64)
        for frame in range(max(1, round(settings.seconds * settings.fps))):
            times_ns = START_NS + round(frame * 1e9 / settings.fps) + phases_ns
            yield _moment(self.cameras, frame, times_ns.tolist(), crowd.step(frame))


def _moment(cameras: tuple[str, ...], frame: int, times_ns: list[int], seen: Seen) -> Moment:
    """Cut the rows of all cameras, which are in the order of their cameras, into one part per camera."""
    count = np.arange(len(cameras) + 1)
    ends, truth_ends = np.searchsorted(seen.camera, count).tolist(), np.searchsorted(seen.truth_camera, count).tolist()
    has = seen.embedding_of >= 0
    offsets = np.concatenate([[0], np.cumsum(has)])[ends].tolist()
    sightings, persons, truth = [], [], []
    for index, (name, time_ns) in enumerate(zip(cameras, times_ns, strict=True)):
        rows, whole = slice(ends[index], ends[index + 1]), slice(truth_ends[index], truth_ends[index + 1])
        first = offsets[index]
        sightings.append(
            Sightings(
                name,
                time_ns,
                seen.track_id[rows],
                seen.boxes[rows],
                seen.confidence[rows],
                np.where(has[rows], seen.embedding_of[rows] - first, -1),
                seen.embeddings[first : offsets[index + 1]],
                FRAME_SIZE,
            )
        )
        persons.append(seen.person[rows])
        truth.append(TruthFrame(name, frame, time_ns, seen.truth_person[whole], seen.truth_boxes[whole]))
    return Moment(frame, tuple(sightings), tuple(persons), tuple(truth))
