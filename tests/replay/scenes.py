"""Small recordings: people who walk past cameras one after another, as a live run would hand them to the core."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savant_reid.identity.types import Sightings
from savant_reid.sinks.sightings import sightings_schema

CAMERAS = ("door", "aisle", "till")
FPS = 10
FRAME_NS = 1_000_000_000 // FPS
DIMENSION = 16
SITE = {
    "site": "shop",
    "cameras": {name: {} for name in CAMERAS},
    "transitions": [
        {"from": "door", "to": "aisle", "seconds": [1, 20], "both_ways": True},
        {"from": "aisle", "to": "till", "seconds": [1, 20], "both_ways": True},
    ],
}


def stays(people, seconds, seed=0):
    """(person, camera, first frame, last frame): each walks door, aisle, till, with pauses out of sight."""
    dice = np.random.default_rng(seed)
    found = []
    for person in range(people):
        frame = int(dice.integers(5, max(6, (seconds - 20) * FPS)))
        for camera in CAMERAS:
            last = frame + int(dice.integers(3 * FPS, 6 * FPS))
            found.append((person, camera, frame, last))
            frame = last + int(dice.integers(2 * FPS, 4 * FPS))
    return found


def live_frames(people=4, seconds=40, seed=0, dimension=DIMENSION):
    """(frame, [Sightings of every camera, those without people too]) of each moment of a run."""
    dice = np.random.default_rng(seed + 1)
    looks = dice.normal(size=(people, dimension))
    walks = stays(people, seconds, seed)
    for frame in range(seconds * FPS):
        yield frame, [_sightings(camera, frame, walks, looks, dice) for camera in CAMERAS]


def _sightings(camera, frame, walks, looks, dice):
    here = [
        (n, p, first) for n, (p, where, first, last) in enumerate(walks) if where == camera and first <= frame <= last
    ]
    n = len(here)
    asked = [i for i, (_, _, first) in enumerate(here) if (frame - first) % 3 == 0]
    embedding_of = np.full(n, -1, np.int64)
    embedding_of[asked] = np.arange(len(asked))
    noise = dice.normal(scale=0.2, size=(len(asked), looks.shape[1]))
    people = [here[i][1] for i in asked]
    boxes = [[40 + 100 * (p % 5) + (frame - first), 60, 60, 150] for _, p, first in here]
    return Sightings(
        camera=camera,
        time_ns=frame * FRAME_NS,
        track_ids=np.array([track + 1 for track, _, _ in here], np.int64),
        boxes=np.array(boxes, np.float32).reshape(n, 4),
        confidences=np.full(n, 0.9, np.float32),
        embedding_of=embedding_of,
        embeddings=(looks[people] + noise).astype(np.float32).reshape(len(asked), looks.shape[1]),
        frame_size=(640, 480),
    )


def table(moments=None, model="osnet-demo", **changed):
    """The recording as a table; `changed` replaces columns."""
    rows = {name: [] for name in sightings_schema("").names}
    for frame, seen in moments if moments is not None else live_frames():
        for one in seen:
            for i in range(len(one)):
                at = one.embedding_of[i]
                values = (one.camera, frame, one.time_ns, int(one.track_ids[i]), *one.boxes[i].tolist())
                values += (float(one.confidences[i]), None if at < 0 else one.embeddings[at].tolist())
                for name, value in zip(rows, values, strict=True):
                    rows[name].append(value)
    found = pa.table(rows, sightings_schema(model))
    for name, column in changed.items():
        found = found.set_column(found.column_names.index(name), name, column)
    return found


def by_camera(found):
    """Sorted by the name of the camera, otherwise as it was."""
    order = np.argsort(np.array(found["camera"].to_pylist()), kind="stable")
    return found.take(order)


def write(path, found, **options):
    pq.write_table(found, path, **options)
    return path


def write_site(path, site=SITE):
    import json

    path.write_text(json.dumps(site), encoding="utf-8")  # JSON is YAML
    return path
