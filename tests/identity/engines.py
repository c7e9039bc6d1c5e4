"""A resolver's inner parts with known people and tracks put into them by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import Sightings

D = 4
S = 1_000_000_000
BOX = (100.0, 50.0, 60.0, 180.0)
AREA = 640.0 * 360.0


class Site:
    """Cameras a, b, c, … and what happens before them; times in seconds."""

    def __init__(
        self,
        cameras: str = "abc",
        overlaps: Sequence[tuple[str, str]] = (),
        tuning: Tuning | None = None,
        **policy: float,
    ) -> None:
        self.topology = Topology(list(cameras), overlaps=overlaps)
        self.core = Resolver(self.topology, Policy(**{"capacity": 100, **policy}), tuning)
        self.core._base.embeddings.dimension = D
        engine = self.core._start()
        assert engine is not None
        self.engine, self.gallery, self.live = engine, engine.gallery, self.core._base.live

    def time(self, at_s: float) -> None:
        """No camera sees anybody, but time goes by."""
        self.core._base.clock.read([(camera, int(at_s * S)) for camera in range(len(self.topology.cameras))])

    def known(
        self, global_id: int, camera: str, first_s: float, last_s: float, look: Sequence[float], crops: float = 4.0
    ) -> int:
        """An identity that was seen by that camera; returns its row."""
        gallery, index = self.gallery, self.topology.index[camera]
        row = gallery.create(global_id, index, int(first_s * S))
        gallery.put(row, 1000 + global_id, index, unit(look), crops)
        gallery.note_visit(row, 1000 + global_id, index, int(first_s * S), int(last_s * S))
        gallery.last_seen_ns[row] = int(last_s * S)
        gallery.show(row)
        return row

    def appears(
        self, camera: str, track_id: int, at_s: float, look: Sequence[float] | None, crops: int = 4, box=BOX
    ) -> Tracklet:
        """A track that begins, of somebody who looks like this."""
        index, time_ns = self.topology.index[camera], int(at_s * S)
        seen = Sightings(
            camera,
            time_ns,
            np.array([track_id], np.int64),
            np.array([box], np.float32),
            np.ones(1, np.float32),
            np.array([-1]),
            np.zeros((0, D), np.float32),
            (640, 360),
        )
        [tracklet] = self.live.observe([seen], [index], self.core._base.clock.read([(index, time_ns)])).new
        if look is not None:
            tracklet.mean, tracklet.crops = unit(look), crops
        return tracklet

    def holds(self, tracklet: Tracklet, global_id: int, *, arrival_log: float = -3.0) -> Tracklet:
        """The tracklet is that identity."""
        self.core._base.holders.give(tracklet, global_id)
        tracklet.arrival_log, tracklet.probability = arrival_log, 1.0
        return tracklet


def unit(look: Sequence[float]) -> np.ndarray:
    vector = np.array(look, np.float32)
    return vector / np.linalg.norm(vector)
