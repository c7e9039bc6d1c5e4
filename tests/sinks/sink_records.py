"""Small records to write, for the tests of the sinks."""

from __future__ import annotations

import numpy as np

from savant_reid.identity.types import Decision, EventKind, IdentityEvent, Reason, RunnerUp, Sightings, State, Unmatched
from savant_reid.records import FrameRecord

SECOND_NS = 1_000_000_000
UNKNOWN = Unmatched(Reason.TOO_LITTLE_EVIDENCE)


def frame(number, people, camera="door", fps=10, embed=(), dimensions=8):
    """people: {track_id: global_id or None}. embed: the track ids that have an embedding in this frame."""
    ids = list(people)
    n = len(ids)
    embedding_of = np.full(n, -1, np.int64)
    chosen = [i for i, track in enumerate(ids) if track in embed]
    embedding_of[chosen] = np.arange(len(chosen))
    sightings = Sightings(
        camera=camera,
        time_ns=number * SECOND_NS // fps,
        track_ids=np.array(ids, np.int64),
        boxes=np.array([[10.123 * i, 20, 30, 40] for i in range(n)], np.float32).reshape(n, 4),
        confidences=np.full(n, 0.9, np.float32),
        embedding_of=embedding_of,
        embeddings=np.arange(len(chosen) * dimensions, dtype=np.float32).reshape(len(chosen), dimensions),
        frame_size=(640, 480),
    )
    decisions = [decision(camera, track, who) for track, who in people.items()]
    return FrameRecord(number, sightings, decisions)


def decision(camera, track, who):
    if who is None:
        return Decision(camera, track, UNKNOWN, State.PROVISIONAL, 0.0)
    return Decision(camera, track, who, State.CONFIRMED, 0.97, RunnerUp(who + 1, 0.02))


def event(kind, global_id, time_ns=0, **more):
    return IdentityEvent(EventKind(kind), time_ns, global_id, **more)
