"""The live tracklets of a site: who is on screen, who has just left, and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from savant_reid.identity.policy import Tuning
from savant_reid.identity.quality import qualities
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Evidence, Floats, Tracklet
from savant_reid.identity.types import Sightings

# A crop worth less than this would only blur the tracklet's mean.
LEAST_QUALITY = 0.1


class LiveTracklets:
    """Tracklets by (camera, track id); closed after `patience_s` without a sighting, so their number is bounded by
    the people on screen. `refused` counts embeddings that were not usable, by reason."""

    def __init__(self, topology: Topology, tuning: Tuning) -> None:
        self._topology = topology
        self._tuning = tuning
        self._live: dict[tuple[int, int], Tracklet] = {}
        self._serial = 0
        self.dimension: int | None = None
        self.refused: Counter[str] = Counter()
        self.accepted = 0

    def __iter__(self) -> Iterator[Tracklet]:
        return iter(self._live.values())

    def observe(self, sightings: Sightings) -> list[Tracklet]:
        """Take in one frame; returns its tracklets, one per row."""
        camera = self._topology.index.get(sightings.camera)
        if camera is None:
            raise KeyError(
                f"expected a camera of the site ({', '.join(self._topology.cameras)}), found {sightings.camera!r}"
            )
        worth = qualities(sightings.boxes, sightings.confidences, sightings.frame_size)
        seen = []
        for row, track_id in enumerate(sightings.track_ids.tolist()):
            tracklet = self._get(camera, track_id, sightings.time_ns)
            tracklet.last_ns = max(tracklet.last_ns, sightings.time_ns)
            tracklet.box = sightings.boxes[row]
            at = int(sightings.embedding_of[row])
            if at >= 0:
                self._learn(tracklet, sightings.embeddings[at], float(worth[row]))
            seen.append(tracklet)
        return seen

    def close_stale(self, now_ns: int) -> list[Tracklet]:
        """Remove and return the tracklets that have been gone for longer than the patience."""
        limit = now_ns - int(self._tuning.patience_s * 1e9)
        gone = [key for key, tracklet in self._live.items() if tracklet.last_ns < limit]
        return [self._live.pop(key) for key in gone]

    def visible(self, now_ns: int) -> list[Tracklet]:
        """Those seen within the last moment, in order of appearance."""
        limit = now_ns - int(self._tuning.visible_s * 1e9)
        return [tracklet for tracklet in self._live.values() if tracklet.last_ns >= limit]

    def holders(self, global_id: int) -> list[Tracklet]:
        """Live tracklets that carry an identity."""
        return [tracklet for tracklet in self._live.values() if tracklet.global_id == global_id]

    def _get(self, camera: int, track_id: int, now_ns: int) -> Tracklet:
        key = (camera, track_id)
        if key not in self._live:
            self._serial += 1
            evidence = Evidence(self._tuning.tracklet_embeddings)
            self._live[key] = Tracklet(self._serial, camera, track_id, now_ns, now_ns, evidence)
        return self._live[key]

    def _learn(self, tracklet: Tracklet, embedding: Floats, quality: float) -> None:
        refusal = self._refusal(embedding)
        if refusal is None and quality < LEAST_QUALITY:
            refusal = "poor_crop"
        if refusal is not None:
            self.refused[refusal] += 1
            return
        self.accepted += 1
        unit = (embedding / np.linalg.norm(embedding)).astype(np.float32)
        tracklet.evidence.add(unit, quality)

    def _refusal(self, embedding: Floats) -> str | None:
        """Why an embedding (D,) cannot be used, or None; the first good one sets the length for all."""
        if not np.isfinite(embedding).all():
            return "not_finite"
        if float(np.abs(embedding).max(initial=0.0)) < 1e-12:
            return "zero"
        if self.dimension is None:
            self.dimension = len(embedding)
        return None if len(embedding) == self.dimension else "wrong_length"


def crowd(tracklets: Sequence[Tracklet]) -> dict[int, list[Tracklet]]:
    """Tracklets by the identity they carry, undecided ones left out."""
    by_identity: dict[int, list[Tracklet]] = {}
    for tracklet in tracklets:
        if tracklet.global_id:
            by_identity.setdefault(tracklet.global_id, []).append(tracklet)
    return by_identity
