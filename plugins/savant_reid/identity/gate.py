"""Who is worth an embedding in this frame: new people often, known ones now and then, hidden ones never."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.quality import qualities
from savant_reid.identity.types import Sightings


@dataclass(frozen=True)
class GateSettings:
    """first: embeddings taken quickly from a new track, one every `first_every_s`; then one every `every_s`.

    min_quality: below, a crop is skipped (see quality.py). settle_s: a person worse than `good_quality` is skipped
    for this long at first, in the hope of a better view.
    """

    first: int = 4
    first_every_s: float = 0.2
    every_s: float = 1.5
    min_quality: float = 0.15
    good_quality: float = 0.45
    settle_s: float = 0.6


@dataclass
class _Track:
    first_ns: int
    seen_ns: int
    asked_ns: int
    asked: int = 0


class EmbeddingGate:
    """Remembers when each track was last embedded; forgets tracks not seen for `FORGET_S`."""

    FORGET_S = 30.0

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self._tracks: dict[tuple[str, int], _Track] = {}
        self._swept_ns = 0

    def due(self, sightings: Sightings) -> NDArray[np.bool_]:
        """(n,) True for those to embed now; counts them as embedded."""
        worth = qualities(sightings.boxes, sightings.confidences, sightings.frame_size)
        due = np.zeros(len(sightings), bool)
        for row, track_id in enumerate(sightings.track_ids.tolist()):
            due[row] = self._ask(sightings.camera, track_id, sightings.time_ns, float(worth[row]))
        self._sweep(sightings.time_ns)
        return due

    def _ask(self, camera: str, track_id: int, now_ns: int, quality: float) -> bool:
        settings = self.settings
        track = self._tracks.setdefault((camera, track_id), _Track(now_ns, now_ns, now_ns - 10**15))
        track.seen_ns = now_ns
        if quality < settings.min_quality:
            return False
        if quality < settings.good_quality and (now_ns - track.first_ns) * 1e-9 < settings.settle_s:
            return False
        wait_s = settings.first_every_s if track.asked < settings.first else settings.every_s
        # A millisecond of slack: frame times are rounded, and 0.2 s must mean every second frame at 10 fps.
        if (now_ns - track.asked_ns) * 1e-9 < wait_s - 1e-3:
            return False
        track.asked_ns = now_ns
        track.asked += 1
        return True

    def _sweep(self, now_ns: int) -> None:
        if abs(now_ns - self._swept_ns) < self.FORGET_S * 1e9:
            return
        self._swept_ns = now_ns
        self._tracks = {k: t for k, t in self._tracks.items() if now_ns - t.seen_ns < self.FORGET_S * 1e9}
