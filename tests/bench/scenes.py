"""Small recordings, made by hand or by chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from savant_reid.bench.rows import Rows
from savant_reid.bench.source import LabelledMoment
from savant_reid.identity.policy import Policy
from savant_reid.identity.topology import Topology, Window
from savant_reid.identity.types import Sightings

SECOND_NS = 1_000_000_000
# (camera, second, track, person or -1, embedding or None)
Seen = tuple[int, float, int, int, "np.ndarray | None"]


def make_rows(seen: Sequence[Seen], missed: Mapping[int, int] | None = None, cameras: int = 2) -> Rows:
    """Rows of a recording. missed: true boxes by person that nobody detected."""
    seen = sorted(seen, key=lambda one: (one[1], one[0]))
    frames = {key: number for number, key in enumerate(dict.fromkeys((one[1], one[0]) for one in seen))}
    tracks = {key: number for number, key in enumerate(dict.fromkeys((one[0], one[2]) for one in seen))}
    vectors = [one[4] for one in seen if one[4] is not None]
    has = np.array([one[4] is not None for one in seen], bool)
    embedding_of = np.full(len(seen), -1)
    embedding_of[has] = np.arange(len(vectors))
    person = np.array([one[3] for one in seen], np.int64)
    size = np.bincount(person[person >= 0], minlength=1)
    for one, count in (missed or {}).items():
        size[one] += count
    return Rows(
        cameras=tuple(f"camera-{i}" for i in range(cameras)),
        frame=np.array([frames[one[1], one[0]] for one in seen], np.int64),
        camera=np.array([one[0] for one in seen], np.int64),
        time_ns=np.array([int(one[1] * SECOND_NS) for one in seen], np.int64),
        track=np.array([tracks[one[0], one[2]] for one in seen], np.int64),
        person=person,
        track_ids=np.array([track for _, track in tracks], np.int64),
        embedding_of=embedding_of,
        embeddings=np.array(vectors, np.float32) if vectors else np.zeros((0, 8), np.float32),
        quality=np.ones(len(vectors), np.float32),
        truth_size=size.astype(np.int64),
    )


def axis(person: int, dimension: int = 8) -> np.ndarray:
    """An embedding that is like nobody else's."""
    return np.eye(dimension, dtype=np.float32)[person]


def walks(*visits: tuple[int, int, int, float, float]) -> list[Seen]:
    """Visits of (person, camera, track, from second, to second), one clear sighting a second."""
    return [
        (camera, float(second), track, person, axis(person))
        for person, camera, track, start, end in visits
        for second in np.arange(start, end)
    ]


class HandMade:
    """A source of clear sightings: three people walk through two cameras, one of them comes back."""

    name = "hand-made"
    cameras = ("camera-0", "camera-1")
    windows: Mapping[tuple[str, str], tuple[float, float]] = {("camera-0", "camera-1"): (1.0, 20.0)}
    overlaps: tuple[tuple[str, str], ...] = ()
    plan = (
        (0, 0, 1, 0, 8),
        (1, 0, 2, 2, 9),
        (0, 1, 1, 12, 20),
        (2, 0, 3, 14, 22),
        (1, 1, 2, 15, 24),
        (0, 0, 4, 40, 50),
    )

    def topology(self) -> Topology:
        windows = {pair: Window(*seconds) for pair, seconds in self.windows.items()}
        return Topology(list(self.cameras), windows, self.overlaps)

    def policy(self) -> Policy:
        return Policy()

    def moments(self) -> Iterator[LabelledMoment]:
        """Four frames a second; people stand apart."""
        for frame in range(200):
            now_s = frame / 4
            views = []
            for camera, name in enumerate(self.cameras):
                here = [visit for visit in self.plan if visit[1] == camera and visit[3] <= now_s < visit[4]]
                views.append((_sightings(name, now_s, here), np.array([visit[0] for visit in here], np.int64)))
            sightings, persons = zip(*views, strict=True)
            yield LabelledMoment(frame, sightings, persons, np.concatenate(persons))


def _sightings(name: str, now_s: float, here: Sequence[tuple[int, int, int, float, float]]) -> Sightings:
    n = len(here)
    boxes = np.array([[100 + 200 * visit[0], 100, 60, 180] for visit in here], np.float32).reshape(n, 4)
    embeddings = np.array([axis(visit[0], 32) for visit in here], np.float32).reshape(n, 32)
    track_ids = np.array([visit[2] for visit in here], np.int64)
    return Sightings(
        name,
        int(now_s * SECOND_NS),
        track_ids,
        boxes,
        np.full(n, 0.9, np.float32),
        np.arange(n),
        embeddings,
        (1280, 720),
    )
