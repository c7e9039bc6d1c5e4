"""A run folder with known people, written by the real sinks.

Six people, three rooms, one camera each; in each slot of 20 seconds everybody is for 8 seconds in one room, two people
to a room, side by side, and in the next slot in the next room. Person p (0 to 5) has the identity p + 1, but the last
visit of person 5 was taken for somebody new, 7.
"""

from __future__ import annotations

import numpy as np
import yaml

from savant_reid.identity.types import Decision, EventKind, IdentityEvent, RunnerUp, Sightings, State
from savant_reid.records import FrameRecord
from savant_reid.sinks.folder_sink import open_run_sinks
from savant_reid.sinks.metrics import write_metrics

CAMERAS = ("door", "hall, left", "yard")
PEOPLE, SLOTS, DIMENSION, FPS = 6, 3, 32, 2
MODEL = "tiny sha256:0"
SECOND_NS = 1_000_000_000


class Looks:
    """What the embeddings of a run are made of."""

    def __init__(self, dimension=DIMENSION, seed=0, noise=0.6):
        self.random = np.random.default_rng(seed)
        self.people = unit(self.random.normal(size=(PEOPLE + 3, dimension)))
        self.cameras = 0.8 * unit(self.random.normal(size=(len(CAMERAS), dimension)))
        self.noise = noise / dimension**0.5

    def picture(self, person, camera):
        noise = self.noise * self.random.normal(size=self.people.shape[1])
        return unit(self.people[person] + self.cameras[CAMERAS.index(camera)] + noise)


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def track_of(person, slot):
    return 10 * slot + person


def identity_of(person, slot):
    return 7 if (person, slot) == (5, 2) else person + 1


def write_run(folder, looks=None, model=MODEL, close=True, site=True):
    looks = looks or Looks()
    folder.mkdir(parents=True, exist_ok=True)
    sink = open_run_sinks(folder, "fake", model)
    known = set()
    for frame in range(SLOTS * 20 * FPS):
        slot, place = divmod(frame, 20 * FPS)
        if place > 8 * FPS:
            continue
        for index, camera in enumerate(CAMERAS):
            here = [person for person in range(PEOPLE) if (person + slot) % len(CAMERAS) == index]
            record = _record(looks, camera, frame, slot, here)
            new = {identity_of(person, slot): track_of(person, slot) for person in here}
            sink.write_events(
                [
                    IdentityEvent(kind, record.sightings.time_ns, one, camera, track)
                    for one, track in new.items()
                    if one not in known
                    for kind in (EventKind.CREATED, EventKind.CONFIRMED)
                ]
            )
            known |= set(new)
            sink.write_frame(record)
    if site:
        data = {"site": "fake", "cameras": {name: {} for name in CAMERAS}, "overlaps": []}
        (folder / "site.yml").write_text(yaml.safe_dump(data))
    if close:
        sink.close()
        write_metrics(folder / "metrics.json", {"site": "fake"})
    return looks


def _record(looks, camera, frame, slot, here):
    time_ns = frame * SECOND_NS // FPS
    n = len(here)
    sightings = Sightings(
        camera=camera,
        time_ns=time_ns,
        track_ids=np.array([track_of(person, slot) for person in here], np.int64),
        boxes=np.array([[100.0 * person, 50, 40, 100] for person in here], np.float32),
        confidences=np.full(n, 0.9, np.float32),
        embedding_of=np.arange(n),
        embeddings=np.stack([looks.picture(person, camera) for person in here]),
        frame_size=(640, 360),
    )
    decisions = [
        Decision(
            camera,
            track_of(person, slot),
            identity_of(person, slot),
            State.CONFIRMED,
            0.9,
            RunnerUp(1 + (person + 1) % PEOPLE, 0.05),
        )
        for person in here
    ]
    return FrameRecord(frame, sightings, decisions)
