"""The tracks that are compared in the end: a bounded share of all, in whole spells of time.

Strangers are pairs of tracks seen at once, so that to keep single tracks by chance would tear most pairs apart. Time is
cut into spells instead, and when there are too many tracks, every other spell is dropped: which, a hash decides.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.tracklet import Floats, Tracklet

# With embeddings of 512 numbers, 60 MB.
MOST_TRACKS = 20_000
SPELL_S = 60.0
# Crops before a track has a look worth comparing, and before its two halves have.
LEAST_CROPS = 3
# Boxes that overlap more than this may be one person detected twice: no proof of two people.
SAME_PERSON_IOU = 0.3
_SPLITMIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)

Halves = NDArray[np.float16]


@dataclass
class Track:
    """One track of a camera (index), after it has ended.

    track_id: the tracker's; serial: the engine's. global_id, probability: who it was said to be, and how surely. mean:
    (D,) float16, the camera's own mean still in it; halves: (2, D) of its earlier and its later crops, None for a short
    one. touched: track ids of its camera whose boxes overlapped with its own.
    """

    camera: int
    track_id: int
    serial: int
    first_ns: int
    last_ns: int
    global_id: int
    probability: float
    mean: Halves
    halves: Halves | None
    touched: frozenset[int]

    @property
    def spell(self) -> int:
        return int(self.first_ns // int(SPELL_S * 1e9))


class TrackTable:
    """Takes tracks as they end. seed: of which spells stay when there are too many."""

    def __init__(self, seed: int = 0, most: int = MOST_TRACKS) -> None:
        self._seed, self._most = seed, most
        self._tracks: list[Track] = []
        self._level = 0
        self._touched: dict[tuple[int, int], set[int]] = defaultdict(set)
        self._now_called: dict[int, int] = {}
        self.seen = 0

    def touch(self, camera: int, a: int, b: int) -> None:
        """Boxes of two track ids overlapped."""
        self._touched[camera, a].add(b)
        self._touched[camera, b].add(a)
        if len(self._touched) > 2 * self._most:  # tracks without embeddings never end here
            for key in list(self._touched)[: self._most]:
                del self._touched[key]

    def merge(self, old: int, new: int) -> None:
        """Two identities turned out to be one."""
        self._now_called[old] = new
        if len(self._now_called) > self._most:
            self._settle()

    def add(self, tracklet: Tracklet, crops: Floats) -> None:
        """A track has ended. crops: (n, D), in the order of time."""
        touched = frozenset(self._touched.pop((tracklet.camera, tracklet.track_id), ()))
        if tracklet.mean is None or len(crops) < LEAST_CROPS:
            return
        self.seen += 1
        n = len(crops)
        halves = None
        if n >= 2 * LEAST_CROPS - 2:
            halves = np.stack([crops[: n // 2].mean(axis=0), crops[n // 2 :].mean(axis=0)]).astype(np.float16)
        track = Track(
            tracklet.camera,
            tracklet.track_id,
            tracklet.serial,
            tracklet.first_ns,
            tracklet.last_ns,
            tracklet.global_id,
            tracklet.probability,
            tracklet.mean.astype(np.float16),
            halves,
            touched,
        )
        if self._is_kept(track):
            self._tracks.append(track)
            self._make_room()

    def tracks(self) -> list[Track]:
        """All that were kept, under the identities that they have by now."""
        self._settle()
        return list(self._tracks)

    def _make_room(self) -> None:
        while len(self._tracks) > self._most:
            self._level += 1
            # Even one spell may be too long for the table: then its last tracks go.
            self._tracks = [t for t in self._tracks if self._is_kept(t)] if self._level < 63 else self._tracks[:-1]
            self._settle()

    def _is_kept(self, track: Track) -> bool:
        return _hash(track.spell ^ (self._seed << 40)) % (1 << min(self._level, 62)) == 0

    def _settle(self) -> None:
        """Bring the merges into force; those that come later speak of identities that live now."""
        for track in self._tracks:
            while track.global_id in self._now_called:
                track.global_id = self._now_called[track.global_id]
        self._now_called.clear()


def _hash(value: int) -> int:
    """64 well mixed bits (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    bits = (value + _SPLITMIX[0]) & (2**64 - 1)
    bits = ((bits ^ (bits >> 30)) * _SPLITMIX[1]) & (2**64 - 1)
    bits = ((bits ^ (bits >> 27)) * _SPLITMIX[2]) & (2**64 - 1)
    return bits ^ (bits >> 31)
