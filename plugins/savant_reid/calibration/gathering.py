"""One pass of the engine over a recording, and what it leaves to compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from savant_reid.calibration.tracks import SAME_PERSON_IOU, Track, TrackTable
from savant_reid.identity.learned import Learned
from savant_reid.identity.overlaps import find_overlaps
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import EventKind, Sightings


@dataclass(frozen=True)
class Gathered:
    """learned: None where there was not one sound embedding. tracks: kept for comparison, of `tracks_seen`."""

    learned: Learned | None
    tracks: list[Track]
    tracks_seen: int


class Gathering:
    """Feed it the batches of a recording, in order. seed: of which spells of time are kept of a long recording."""

    def __init__(self, topology: Topology, policy: Policy | None = None, seed: int = 0) -> None:
        self._topology = topology
        self._table = TrackTable(seed)
        self._resolver = Resolver(topology, policy, on_end=self._table.add)
        self._last: dict[str, Sightings] = {}

    def take(self, batch: Sequence[Sightings]) -> None:
        """The next batch."""
        self._watch(batch)
        self._resolver.resolve(batch)
        for event in self._resolver.take_events():
            if event.kind is EventKind.MERGED and event.other_id is not None:
                self._table.merge(event.global_id, event.other_id)
        self._last.update({sightings.camera: sightings for sightings in batch})

    def take_all(self, batches: Iterable[Sequence[Sightings]]) -> Gathered:
        """A whole recording."""
        for batch in batches:
            self.take(batch)
        return self.finish()

    def finish(self) -> Gathered:
        """The recording is over: tracks that were still going on end too."""
        if self._last:
            later_ns = int((Tuning().patience_s + 1.0) * 1e9)
            self._resolver.resolve([_nobody(last, later_ns) for last in self._last.values()])
            self._last = {}
        return Gathered(self._resolver.learned(), self._table.tracks(), self._table.seen)

    def _watch(self, batch: Sequence[Sightings]) -> None:
        """Whose boxes lie over one another."""
        counts = [len(sightings) for sightings in batch]
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(s.boxes for s in batch)])
        overlaps = find_overlaps(boxes, np.repeat(np.arange(len(batch)), counts))
        much = np.flatnonzero(overlaps.iou() > SAME_PERSON_IOU)
        if not len(much):
            return
        cameras = [self._topology.index[s.camera] for s in batch for _ in range(len(s))]
        ids = np.concatenate([s.track_ids for s in batch]).tolist()
        for at in much.tolist():
            one, other = int(overlaps.first[at]), int(overlaps.second[at])
            self._table.touch(cameras[one], ids[one], ids[other])


def _nobody(last: Sightings, later_ns: int) -> Sightings:
    """An empty frame of the same camera, some time after its last one."""
    none = np.zeros(0, np.int64)
    return Sightings(
        camera=last.camera,
        time_ns=last.time_ns + later_ns,
        track_ids=none,
        boxes=np.zeros((0, 4), np.float32),
        confidences=np.zeros(0, np.float32),
        embedding_of=none,
        embeddings=np.zeros((0, last.embeddings.shape[1] if last.embeddings.ndim == 2 else 0), np.float32),
        frame_size=last.frame_size,
    )
