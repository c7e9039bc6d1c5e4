"""The live tracklets of a site: who is on screen, who has just left, and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from savant_reid.identity.policy import Tuning
from savant_reid.identity.quality import crossing, qualities
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Evidence, Floats, Tracklet
from savant_reid.identity.types import Sightings

# A crop worth less than this would only blur the tracklet's mean.
LEAST_QUALITY = 0.1
# A camera this far behind the site is silent; less is buffering.
SILENT_NS = 2_000_000_000
# Where a tracker may swap persons: two boxes share so much of one of them, or a track was unseen for so long.
CROSSING_SHARE = 0.2
GAP_NS = 250_000_000


class LiveTracklets:
    """Tracklets by (camera, track id); closed after `patience_s` without a sighting, so their number is bounded by
    the people on screen. `refused` counts embeddings that were not usable, by reason."""

    def __init__(self, topology: Topology, clock: SiteClock, tuning: Tuning) -> None:
        self._topology = topology
        self._clock = clock
        self._tuning = tuning
        self._live: dict[tuple[int, int], Tracklet] = {}
        self._serial = 0
        self.dimension: int | None = None
        self.refused: Counter[str] = Counter()
        self.accepted = 0

    def __iter__(self) -> Iterator[Tracklet]:
        return iter(self._live.values())

    def observe(self, sightings: Sightings, at_ns: int) -> list[Tracklet]:
        """Take in one frame, seen at site time `at_ns`; returns its tracklets, one per row."""
        camera = self._topology.index[sightings.camera]
        worth = qualities(sightings.boxes, sightings.confidences, sightings.frame_size)
        crosses = crossing(sightings.boxes, CROSSING_SHARE)
        seen = []
        for row, track_id in enumerate(sightings.track_ids.tolist()):
            tracklet = self._get(camera, track_id, at_ns)
            if crosses[row] or at_ns - tracklet.last_ns > GAP_NS:
                tracklet.breaks_ns.append(at_ns)
            tracklet.last_ns = at_ns
            tracklet.box = sightings.boxes[row]
            at = int(sightings.embedding_of[row])
            if at >= 0:
                self._learn(tracklet, sightings.embeddings[at], float(worth[row]), at_ns)
            seen.append(tracklet)
        return seen

    def close_stale(self) -> list[Tracklet]:
        """Remove and return the tracklets that have been gone for longer than the patience."""
        gone = [key for key, t in self._live.items() if self._unseen_s(t) > self._tuning.patience_s]
        return [self._live.pop(key) for key in gone]

    def visible(self) -> list[Tracklet]:
        """Those seen within the last moment, in order of appearance."""
        return [tracklet for tracklet in self._live.values() if self.is_visible(tracklet)]

    def is_visible(self, tracklet: Tracklet) -> bool:
        return self._unseen_s(tracklet) <= self._tuning.visible_s

    def _unseen_s(self, tracklet: Tracklet) -> float:
        """Seconds since it was seen, by its own camera's time; by the site's where that camera has fallen silent."""
        own_ns = self._clock.last_ns[tracklet.camera]
        silent_ns = self._clock.now_ns - own_ns
        return ((silent_ns if silent_ns > SILENT_NS else 0) + own_ns - tracklet.last_ns) * 1e-9

    def holders(self, global_id: int) -> list[Tracklet]:
        """Live tracklets that carry an identity."""
        return [tracklet for tracklet in self._live.values() if tracklet.global_id == global_id]

    def cut(self, tracklet: Tracklet, count: int) -> Tracklet:
        """Its last `count` embeddings are another person's: they go on as a tracklet of their own, under its track id.

        The old one ends where the new one begins, and is no longer among the live ones.
        """
        evidence, since_ns = tracklet.evidence.cut(count)
        self._serial += 1
        rest = Tracklet(self._serial, tracklet.camera, tracklet.track_id, since_ns, tracklet.last_ns, evidence)
        rest.box, rest.cut_from, rest.breaks_ns = tracklet.box, tracklet.global_id, tracklet.breaks_ns
        tracklet.last_ns = since_ns
        self._live[tracklet.camera, tracklet.track_id] = rest
        return rest

    def _get(self, camera: int, track_id: int, now_ns: int) -> Tracklet:
        key = (camera, track_id)
        if key not in self._live:
            self._serial += 1
            evidence = Evidence(self._tuning.tracklet_embeddings)
            self._live[key] = Tracklet(self._serial, camera, track_id, now_ns, now_ns, evidence)
        return self._live[key]

    def _learn(self, tracklet: Tracklet, embedding: Floats, quality: float, at_ns: int) -> None:
        refusal = self._refusal(embedding, quality)
        if refusal is not None:
            self.refused[refusal] += 1
            return
        self.accepted += 1
        self.dimension = len(embedding)  # the first good one sets it for all
        unit = (embedding / np.linalg.norm(embedding)).astype(np.float32)
        tracklet.evidence.add(unit, quality, at_ns)

    def _refusal(self, embedding: Floats, quality: float) -> str | None:
        """Why an embedding (D,) cannot be used, or None."""
        if not np.isfinite(embedding).all():
            return "not_finite"
        if not 1e-12 < float(np.linalg.norm(embedding.astype(np.float64))) < 1e12:
            return "zero" if not embedding.any() else "out_of_range"
        if self.dimension not in (None, len(embedding)):
            return "wrong_length"
        # Written so that a quality that is no number (a broken box or confidence) is refused too.
        return None if quality >= LEAST_QUALITY else "poor_crop"


def crowd(tracklets: Sequence[Tracklet]) -> dict[int, list[Tracklet]]:
    """Tracklets by the identity they carry, undecided ones left out."""
    by_identity: dict[int, list[Tracklet]] = {}
    for tracklet in tracklets:
        if tracklet.global_id:
            by_identity.setdefault(tracklet.global_id, []).append(tracklet)
    return by_identity
