"""Who is worth an embedding in this frame: new people often, known ones now and then, hidden ones never.

Where two people cross, trackers confuse them: whoever comes out of a crossing is looked at quickly, like a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.overlaps import find_overlaps
from savant_reid.identity.quality import crop_qualities, crossing
from savant_reid.identity.schedule import wait_s
from savant_reid.identity.types import Sightings


@dataclass(frozen=True)
class GateSettings:
    """first_every_s: between two embeddings of a new track; doubles with every second one, up to `every_s`.

    min_quality: below, a crop is skipped (see quality.py). settle_s: a person worse than `good_quality` is skipped
    for this long at first, in the hope of a better view. crossing_share: two people cross while one shares more than
    this of a box with the other; after_crossing: embeddings taken every `first_every_s` when that is over.
    """

    first_every_s: float = 0.25
    every_s: float = 2.0
    min_quality: float = 0.15
    good_quality: float = 0.45
    settle_s: float = 0.6
    crossing_share: float = 0.3
    after_crossing: int = 2


@dataclass
class _Track:
    """asked_ns: when it was embedded last, None before the first time; asked: how often; hasty: quick ones left."""

    first_ns: int
    seen_ns: int
    asked_ns: int | None
    asked: int = 0
    hasty: int = 0
    crosses: bool = False


@dataclass
class _Camera:
    swept_ns: int
    tracks: dict[int, _Track] = field(default_factory=dict)

    def forget(self, now_ns: int, after_s: float) -> None:
        """Drop the tracks that are gone, now and then."""
        if abs(now_ns - self.swept_ns) * 1e-9 < after_s:
            return
        self.swept_ns = now_ns
        self.tracks = {i: t for i, t in self.tracks.items() if abs(now_ns - t.seen_ns) * 1e-9 < after_s}


class EmbeddingGate:
    """Remembers when each track was last embedded, by its own camera's time; forgets tracks gone for `FORGET_S`."""

    FORGET_S = 30.0

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self._cameras: dict[str, _Camera] = {}

    def due(self, batch: Sequence[Sightings]) -> list[NDArray[np.bool_]]:
        """For each frame, (n,) True for those to embed now; counts them as embedded. At most one frame of a camera."""
        worth, crosses = self._geometry(batch)
        answers, start = [], 0
        for sightings in batch:
            end = start + len(sightings)
            answers.append(self._due_in(sightings, worth[start:end].tolist(), crosses[start:end].tolist()))
            start = end
        return answers

    def _geometry(self, batch: Sequence[Sightings]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Of all frames' rows: what a crop would be worth, and who crosses somebody. All at once: frames are small."""
        if not any(len(sightings) for sightings in batch):
            return np.zeros(0), np.zeros(0, bool)
        boxes = np.concatenate([s.boxes for s in batch])
        confidences = np.concatenate([s.confidences for s in batch])
        frame_of = np.repeat(np.arange(len(batch)), [len(s) for s in batch])
        overlaps = find_overlaps(boxes, frame_of)
        sizes = np.array([s.frame_size for s in batch], np.int64)
        worth = crop_qualities(boxes, confidences, sizes, frame_of, overlaps)
        return worth, crossing(overlaps, self.settings.crossing_share)

    def _due_in(self, sightings: Sightings, worth: list[float], crosses: list[bool]) -> NDArray[np.bool_]:
        now_ns = sightings.time_ns
        camera = self._cameras.setdefault(sightings.camera, _Camera(now_ns))
        due = np.zeros(len(sightings), bool)
        for row, track_id in enumerate(sightings.track_ids.tolist()):
            track = camera.tracks.get(track_id)
            if track is None:
                track = camera.tracks[track_id] = _Track(now_ns, now_ns, None)
            if track.crosses and not crosses[row]:
                track.hasty = self.settings.after_crossing
            track.crosses = crosses[row]
            due[row] = self._ask(track, now_ns, worth[row])
        camera.forget(now_ns, self.FORGET_S)
        return due

    def _ask(self, track: _Track, now_ns: int, quality: float) -> bool:
        settings = self.settings
        if now_ns < track.seen_ns:  # the camera's clock stepped back
            track.first_ns, track.asked_ns = now_ns, None
        track.seen_ns = now_ns
        if not quality >= settings.min_quality:
            return False
        if quality < settings.good_quality and (now_ns - track.first_ns) * 1e-9 < settings.settle_s:
            return False
        first_s = settings.first_every_s
        least_s = first_s if track.hasty else wait_s(track.asked, first_s, settings.every_s)
        # A millisecond of slack: frame times are rounded, and 0.2 s must mean every second frame at 10 fps.
        if track.asked_ns is not None and (now_ns - track.asked_ns) * 1e-9 < least_s - 1e-3:
            return False
        track.asked_ns = now_ns
        track.asked += 1
        track.hasty = max(0, track.hasty - 1)
        return True
