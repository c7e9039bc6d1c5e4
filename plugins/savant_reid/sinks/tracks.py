"""tracks.csv: who was where in each frame, as known by the end.

A decision lags behind the evidence for it, so a track's first rows have no identity yet. Rows wait, in the order of
time, until their track has one or `hold_seconds` have gone by. What is learnt later still (a track decided after its
rows had left, two identities merged, a track split off) is remembered and repaired once, at a clean close. In no frame
of a camera do two rows carry one identity: where a name given afterwards would collide, the row stays without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from savant_reid.identity.types import EventKind, IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.lines import LineFile
from savant_reid.sinks.repairs import Key, Repairs, csv_field, rewrite_tracks, without_shared
from savant_reid.sinks.run_folder import TRACKS

HEADER = "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns"
HOLD_SECONDS = 5.0
# A tracker gives up a lost track after seconds; one that is gone for a minute does not come back under its id.
FORGET_NS = 60_000_000_000
# About 40 MB; reached only when more than 20,000 people a second stay unknown. The oldest rows then leave early.
MAX_HELD_ROWS = 100_000
_NAMING = (EventKind.CREATED, EventKind.ENROLLED, EventKind.CONFIRMED)


@dataclass
class _Track:
    """first: the track's first identity, or None as long as it has none. left_unknown: rows have gone out as -1."""

    first: int | None
    last_frame: int
    last_ns: int
    left_unknown: bool = False


@dataclass
class _Row:
    """waiting: written before the track's first decision, so that this decision names it."""

    time_ns: int
    track: _Track
    global_id: int
    waiting: bool
    camera: str
    frame: int
    track_id: int
    tail: str


class TracksSink:
    """Bounds: MAX_HELD_ROWS rows, one `_Track` per track seen within FORGET_NS, and what `Repairs` bounds."""

    def __init__(self, folder: Path, hold_seconds: float = HOLD_SECONDS) -> None:
        self.refused_rows = 0
        self._path = folder / TRACKS
        self._hold_ns = int(hold_seconds * 1e9)
        self._held: deque[list[_Row]] = deque()
        self._held_rows = 0
        self._tracks: dict[Key, _Track] = {}
        self._repairs = Repairs()
        self._written = False
        self._pruned_ns = 0
        self._closed = False
        self._file = LineFile(self._path)
        self._file.write(HEADER, 0)
        self._file.flush()

    def write_frame(self, record: FrameRecord) -> None:
        sightings = record.sightings
        now_ns = int(sightings.time_ns)
        held: list[_Row] = []
        finite = np.isfinite(sightings.boxes).all(axis=1) & np.isfinite(sightings.confidences)
        rows = zip(
            sightings.track_ids.tolist(),
            sightings.boxes.tolist(),
            sightings.confidences.tolist(),
            finite.tolist(),
            record.decisions,
            strict=True,
        )
        for track_id, (left, top, width, height), confidence, whole, decision in rows:
            if not whole:
                self.refused_rows += 1
                continue
            key = (sightings.camera, track_id)
            global_id = int(decision.global_id)
            track = self._see(key, record.frame, now_ns)
            if global_id >= 0:
                self._name(key, track, global_id, record.frame)
            tail = f",{left:.2f},{top:.2f},{width:.2f},{height:.2f},{confidence:.4f},{now_ns}"
            waiting = track.first is None
            held.append(_Row(now_ns, track, global_id, waiting, sightings.camera, record.frame, track_id, tail))
        if held:
            self._held.append(held)
            self._held_rows += len(held)
        self._release(now_ns)
        self._file.tick(now_ns)
        self._forget(now_ns)

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        for event in events:
            if event.kind is EventKind.MERGED and event.other_id is not None:
                self._repairs.merge(int(event.global_id), int(event.other_id), after_rows=self._written)
            elif event.kind is EventKind.SPLIT and event.camera is not None and event.track_id is not None:
                key = (event.camera, int(event.track_id))
                new = -1 if event.other_id is None else int(event.other_id)
                self._repairs.split(key, int(event.global_id), new, event.since_ns, event.time_ns)
            elif event.kind in _NAMING and event.camera is not None and event.track_id is not None:
                key = (event.camera, int(event.track_id))
                track = self._tracks.get(key)
                if track is not None:
                    # The rows so far came before the name: the first frame with it is the next one.
                    self._name(key, track, int(event.global_id), track.last_frame + 1)

    def close(self) -> None:
        """Writes what was held, and repairs the file where later knowledge asks for it."""
        if self._closed:
            return
        self._closed = True
        try:
            self._release(None)
        finally:
            self._file.close()
        if self._repairs.needed:
            rewrite_tracks(self._path, self._repairs)

    def _see(self, key: Key, frame: int, now_ns: int) -> _Track:
        track = self._tracks.get(key)
        if track is None:
            track = self._tracks[key] = _Track(None, frame, now_ns)
        track.last_frame, track.last_ns = frame, now_ns
        return track

    def _name(self, key: Key, track: _Track, global_id: int, frame: int) -> None:
        if track.first is not None:
            return
        track.first = global_id
        if track.left_unknown:
            self._repairs.name_late(key, frame, global_id)

    def _release(self, now_ns: int | None) -> None:
        """Writes frames from the front until one must wait; all of them when now_ns is None."""
        held = self._held
        while held:
            rows = held[0]
            young = now_ns is not None and abs(now_ns - rows[0].time_ns) < self._hold_ns
            if young and self._held_rows <= MAX_HELD_ROWS and any(row.track.first is None for row in rows):
                return
            held.popleft()
            self._held_rows -= len(rows)
            self._write(rows)

    def _write(self, rows: Sequence[_Row]) -> None:
        """One frame of one camera."""
        named = [self._named(row) for row in rows]
        said = [row.global_id for row in rows]
        final = [
            self._repairs.final_id(row.camera, row.frame, row.track_id, name, row.time_ns)
            for row, name in zip(rows, named, strict=True)
        ]
        for index, global_id in enumerate(without_shared(final, said, named)):
            row = rows[index]
            if global_id != named[index]:
                self._repairs.remember((row.camera, row.frame, row.track_id), named[index], said[index])
            line = f"{csv_field(row.camera)},{row.frame},{row.track_id},{global_id}{row.tail}"
            self._file.write(line, row.time_ns)
        self._written = True

    def _named(self, row: _Row) -> int:
        """What repairs start from: what was said, or the track's first identity where it had none yet."""
        if not row.waiting:
            return row.global_id
        row.track.left_unknown |= row.track.first is None
        return -1 if row.track.first is None else row.track.first

    def _forget(self, now_ns: int) -> None:
        if abs(now_ns - self._pruned_ns) < FORGET_NS:
            return
        self._pruned_ns = now_ns
        self._tracks = {key: track for key, track in self._tracks.items() if abs(now_ns - track.last_ns) < FORGET_NS}
