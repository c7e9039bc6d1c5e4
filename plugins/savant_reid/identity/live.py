"""Who is on screen: one slot per live track, its motion in columns, so that a frame costs little per person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.tracklet import Floats, Tracklet
from savant_reid.identity.types import Sightings

Rows = NDArray[np.int64]
Doubles = NDArray[np.float64]
FIRST_SLOTS = 256
# A camera this far behind the site is silent; less is buffering.
SILENT_NS = 2_000_000_000
# Velocities follow the last so many steps, about.
VELOCITY_STEPS = 4.0
UNSAID = -1
# Where the middle of the feet is, in a box's width and height.
FEET = np.array([0.5, 1.0], np.float32)


@dataclass(frozen=True)
class Seen:
    """All rows of a batch, frame after frame.

    slots: (n,) int64, -1 for a row that repeats a track of its frame. frame_of, cameras, at_ns: (n,) of each row.
    boxes: (n, 4). starts: (f + 1,) first row of each frame. new: tracklets that began.
    """

    slots: Rows
    frame_of: Rows
    cameras: Rows
    at_ns: Rows
    boxes: Floats
    starts: list[int]
    new: list[Tracklet]


class LiveTracks:
    """Tracks by (camera, track id) in slots; a slot is free again when its track has been gone for the patience.

    Columns, by slot: used bool; camera, last_ns int64; box float32 ltwh pixels; velocity float64 px/s of the middle of
    the feet; lost bool: as its tracklet; hungry_ns: when its next crop is wanted; unasked bool: it may have something
    new to say; said: the Decision that is said of it in every frame, and state int8: the number of that one's state, or
    UNSAID where what is said must be worked out anew. tracklets: by slot, None where free.
    """

    def __init__(self, cameras: int, clock: SiteClock) -> None:
        self.clock = clock
        self.cameras = cameras
        self.tracklets: list[Tracklet | None] = [None] * FIRST_SLOTS
        self.used = np.zeros(FIRST_SLOTS, bool)
        self.lost = np.zeros(FIRST_SLOTS, bool)
        self.camera = np.zeros(FIRST_SLOTS, np.int64)
        self.last_ns = np.zeros(FIRST_SLOTS, np.int64)
        self.hungry_ns = np.zeros(FIRST_SLOTS, np.int64)
        self.unasked = np.zeros(FIRST_SLOTS, bool)
        self.said = np.zeros(FIRST_SLOTS, object)
        self.state = np.zeros(FIRST_SLOTS, np.int8)
        self.box = np.zeros((FIRST_SLOTS, 4), np.float32)
        self.velocity = np.zeros((FIRST_SLOTS, 2))
        self._free = list(range(FIRST_SLOTS))[::-1]
        self._slot_of: list[dict[int, int]] = [{} for _ in range(cameras)]
        self._serial = 0
        self._camera_ns = np.zeros(cameras, np.int64)

    def __iter__(self) -> Iterator[Tracklet]:
        return (tracklet for tracklet in self.tracklets if tracklet is not None)

    def observe(self, batch: Sequence[Sightings], cameras: Sequence[int], times_ns: Sequence[int]) -> Seen:
        """Take in the frames of one moment, seen at these site times."""
        counts = [len(sightings) for sightings in batch]
        starts = [0, *accumulate(counts)]
        frame_of = np.repeat(np.arange(len(batch)), counts)
        boxes = np.concatenate([s.boxes for s in batch]) if batch else np.zeros((0, 4), np.float32)
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        frame_camera, frame_ns = np.array(cameras, np.int64), np.array(times_ns, np.int64)
        self._camera_ns[frame_camera] = frame_ns
        track_ids = [track_id for sightings in batch for track_id in sightings.track_ids.tolist()]
        slots = [-1] * len(track_ids)
        new: list[Tracklet] = []
        # New tracks begin in the order of cameras and track ids: nothing depends on the order within a batch.
        for camera, now_ns, start, end in sorted(zip(cameras, times_ns, starts, starts[1:], strict=False)):
            known, mine = self._slot_of[camera], track_ids[start:end]
            distinct = set(mine)
            for track_id in sorted(distinct.difference(known)):
                new.append(self._begin(camera, track_id, now_ns, boxes[start + mine.index(track_id)]))
            found = [known[track_id] for track_id in mine]
            if len(distinct) < len(found):
                found = [slot if slot not in found[:i] else -1 for i, slot in enumerate(found)]
            slots[start:end] = found
        seen = Seen(np.array(slots, np.int64), frame_of, frame_camera[frame_of], frame_ns[frame_of], boxes, starts, new)
        self._move(seen)
        return seen

    def unseen_s(self, slots: Rows) -> Doubles:
        """(n,) seconds since seen, by their own cameras' times; by the site's where a camera has fallen silent."""
        own_ns = self._camera_ns[self.camera[slots]]
        silent_ns = self.clock.now_ns - own_ns
        return np.asarray((np.where(silent_ns > SILENT_NS, silent_ns, 0) + own_ns - self.last_ns[slots]) * 1e-9)

    def used_slots(self) -> Rows:
        return np.flatnonzero(self.used)

    def of_camera(self, camera: int) -> Rows:
        """Slots of a camera's live tracks."""
        return np.array(list(self._slot_of[camera].values()), np.int64)

    def lost_slots(self) -> Rows:
        """Slots of tracklets that are lost and have not ended."""
        return np.flatnonzero(self.used & self.lost)

    def exchange(self, a: Tracklet, b: Tracklet) -> None:
        """The tracker has swapped two persons: each goes on on the other's track."""
        a.slot, b.slot = b.slot, a.slot
        a.track_id, b.track_id = b.track_id, a.track_id
        self.tracklets[a.slot], self.tracklets[b.slot] = a, b
        self.change(a)
        self.change(b)

    def replace(self, old: Tracklet) -> Tracklet:
        """Somebody else goes on on this track: a new tracklet in the old one's slot, which has none any more."""
        self._serial += 1
        slot, old.slot = old.slot, -1
        box = tuple(self.box[slot].tolist())
        now = Tracklet(self._serial, slot, old.camera, old.track_id, -1, int(self.last_ns[slot]), box)
        self.tracklets[slot], self.lost[slot] = now, False
        self.change(now)
        return now

    def change(self, tracklet: Tracklet) -> None:
        """It is somebody else, or less or more surely so: it may be asked again, and is spoken of anew."""
        if tracklet.slot >= 0:
            self.unasked[tracklet.slot], self.state[tracklet.slot] = True, UNSAID

    def lose(self, tracklet: Tracklet) -> None:
        """It is not seen any more: write down when it was last."""
        slot = tracklet.slot
        tracklet.lost = self.lost[slot] = True
        tracklet.last_ns = int(self.last_ns[slot])

    def find(self, tracklet: Tracklet) -> None:
        """It is seen again."""
        tracklet.lost = self.lost[tracklet.slot] = False

    def end(self, tracklet: Tracklet) -> None:
        """The track is over; its slot is free."""
        slot, tracklet.slot = tracklet.slot, -1
        del self._slot_of[tracklet.camera][tracklet.track_id]
        self.tracklets[slot] = None
        self.used[slot] = False
        self._free.append(slot)

    def _begin(self, camera: int, track_id: int, now_ns: int, box: Floats) -> Tracklet:
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._serial += 1
        tracklet = Tracklet(self._serial, slot, camera, track_id, -1, now_ns, tuple(box.tolist()))
        self.tracklets[slot] = tracklet
        self.used[slot], self.lost[slot], self.camera[slot] = True, False, camera
        self.unasked[slot], self.state[slot] = True, UNSAID
        self.last_ns[slot], self.hungry_ns[slot] = now_ns, now_ns
        self.box[slot], self.velocity[slot] = box, 0.0
        self._slot_of[camera][track_id] = slot
        return tracklet

    def _move(self, seen: Seen) -> None:
        real = seen.slots >= 0
        slots, boxes, at_ns = (
            (seen.slots, seen.boxes, seen.at_ns)
            if real.all()
            else (seen.slots[real], seen.boxes[real], seen.at_ns[real])
        )
        elapsed_s = (at_ns - self.last_ns[slots]) * 1e-9
        step = boxes - self.box.take(slots, axis=0)
        speed = (step[:, :2] + step[:, 2:] * FEET) / np.where(elapsed_s > 0.0, elapsed_s, np.inf)[:, None]
        velocity = self.velocity.take(slots, axis=0)
        velocity += (speed - velocity) * np.where(elapsed_s > 0.0, 1.0 / VELOCITY_STEPS, 0.0)[:, None]
        self.last_ns[slots], self.box[slots], self.velocity[slots] = at_ns, boxes, velocity

    def _grow(self) -> None:
        n = len(self.used)
        self._free = list(range(n, 2 * n))[::-1]
        self.tracklets += [None] * n
        for name in ("used", "lost", "camera", "last_ns", "hungry_ns", "unasked", "said", "state", "box", "velocity"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
