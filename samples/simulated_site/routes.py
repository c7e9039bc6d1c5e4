"""Who walks where and when: itineraries through the plan, one room visit after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from simulated_site.parts import POSE
from simulated_site.paths import Grid, resample, smooth
from simulated_site.plan import STUB_END_M, STUB_OUT_M, Plan
from simulated_site.rooms import Room
from simulated_site.walking import Stop, march, poses_of

NOWHERE = -1
SPEEDS = (1.0, 1.6)  # m/s
AWAY_SECONDS = (8.0, 20.0)  # outside, before coming back by the same door
DWELL_SECONDS = (1.5, 6.0)
PAIR_HALF_M = 0.33
KEEP_RIGHT_M = 0.28  # in doorways, so that two people can pass
APART_M = 0.62
WAIT_SECONDS = 4.0  # at most, out of sight before a room that is crowded
_CANDIDATES = 16
_NEXT_STAY_SECONDS = (14, 32)
_BUSY = 3  # people in a room from which others rather stay away


@dataclass
class Diary:
    """Where everybody is in every frame: rooms (people, frames) int16, NOWHERE if unseen; poses (people, frames,
    len(POSE)).
    """

    rooms: np.ndarray
    poses: np.ndarray


@dataclass
class Group:
    """One or two people who walk together."""

    members: list[int]
    bodies: list[np.ndarray]
    speed: float
    start_s: float
    room: int
    door: int


@dataclass
class Walker:
    """Plans one group's whole stay; the diary already holds those planned before."""

    plan: Plan
    grids: list[Grid]
    diary: Diary
    fps: int
    rng: np.random.Generator
    spots: list[np.ndarray] = field(default_factory=list)  # per room: floor in view, worth stopping at

    def stay(self, group: Group) -> None:
        """Walk from room to room until time is over or the group leaves for good."""
        frames = self.diary.rooms.shape[1]
        room, door, frame = group.room, group.door, int(group.start_s * self.fps)
        visited = 0
        while frame < frames:
            exit_door, nxt, seconds = self._next(room, door, group.speed, frame, visited)
            frame += self._visit(group, room, door, exit_door, frame)
            visited += 1
            if nxt is None:
                return
            room, door = nxt
            frame += int(seconds * self.fps)

    def _exits(self, room: int) -> list[tuple[int, tuple[int, int], float]]:
        """(door, (next room, its door), corridor length)."""
        out = []
        for link in self.plan.links:
            if link.room_a == room:
                out.append((link.door_a, (link.room_b, link.door_b), link.length_m))
            if link.room_b == room:
                out.append((link.door_b, (link.room_a, link.door_a), link.length_m))
        return out

    def _next(
        self, room: int, door: int, speed: float, frame: int, visited: int
    ) -> tuple[int, tuple[int, int] | None, float]:
        """Where to leave, where that leads, and after how long out of every room."""
        street = [d for r, d in self.plan.street if r == room and (d != door or not self._exits(room))]
        if street and (not self._exits(room) or (visited >= 1 and self.rng.random() < 0.22)):
            out = street[int(self.rng.integers(len(street)))]
            if visited >= 4 and self.rng.random() < 0.35:
                return out, None, 0.0
            return out, (room, out), float(self.rng.uniform(*AWAY_SECONDS))
        exits = self._exits(room)
        weights = []
        for d, (other, _), _ in exits:
            busy = self._busy(other, frame)
            weights.append((0.25 if d == door else 1.0) * (0.01 if busy >= _BUSY else 1.0 / (1 + busy) ** 2))
        pick = exits[int(self.rng.choice(len(exits), p=np.array(weights) / sum(weights)))]
        return pick[0], pick[1], pick[2] / speed

    def _busy(self, room: int, frame: int) -> int:
        """The most people in a room in the time when somebody who enters another room now will be there."""
        first, last = (max(0, frame + seconds * self.fps) for seconds in _NEXT_STAY_SECONDS)
        return int((self.diary.rooms[:, first:last] == room).sum(axis=0).max(initial=0))

    def _visit(self, group: Group, room: int, door_in: int, door_out: int, frame: int) -> int:
        """Write the best of some candidate walks through a room into the diary; returns the frames it takes."""
        best, best_gap, best_wait = None, -1.0, 0
        for attempt in range(_CANDIDATES):
            made = self._candidate(group, room, door_in, door_out)
            wait = int(self.rng.uniform(0, WAIT_SECONDS) * self.fps) if attempt > 1 else 0
            if made is None:
                continue
            gap = self._gap(group, made, room, frame + wait)
            if gap > best_gap:
                best, best_gap, best_wait = made, gap, wait
            if gap > APART_M:
                break
        if best is None:
            raise RuntimeError(f"no way from door {door_in} to door {door_out} of room {room}")
        self._write(group, best, room, frame + best_wait)
        return best_wait + best.shape[1]

    def _write(self, group: Group, poses: np.ndarray, room: int, frame: int) -> None:
        frames = self.diary.rooms.shape[1]
        first, last = max(0, frame), min(frames, frame + poses.shape[1])
        if last <= first:
            return
        for k, member in enumerate(group.members):
            self.diary.rooms[member, first:last] = room
            self.diary.poses[member, first:last] = poses[k, first - frame : last - frame]

    def _candidate(self, group: Group, room: int, door_in: int, door_out: int) -> np.ndarray | None:
        """Poses (members, n, len(POSE)) of a walk with some stops, or None where a random stop cannot be reached."""
        rng, grid, place = self.rng, self.grids[room], self.plan.rooms[room]
        wide = len(group.members) > 1
        legs = [_stub(place, door_in, 0.0 if wide else KEEP_RIGHT_M, inwards=True)]
        stops, here = [], legs[0][-1]
        spots = self.spots[room]
        for _ in range(int(rng.choice([0, 1, 2], p=[0.25, 0.5, 0.25])) if len(spots) else 0):
            goal = spots[int(rng.integers(len(spots)))]
            leg = grid.route(here, goal, wide=wide)
            if leg is None:
                return None
            legs.append(leg)
            stops.append((sum(_length(p) for p in legs), goal))
            here = goal
        way_out = _stub(place, door_out, 0.0 if wide else KEEP_RIGHT_M, inwards=False)
        goal = way_out[0]
        leg = grid.route(here, goal, wide=wide) if np.hypot(*(goal - here)) > 0.05 else np.stack([here, goal])
        if leg is None:
            return None
        legs += [leg, way_out]
        raw = resample(np.concatenate([legs[0]] + [p[1:] for p in legs[1:]]))
        path = smooth(raw)
        halts = [
            Stop(_along(path, raw, at), float(rng.uniform(*DWELL_SECONDS)), _facing(place, point, rng))
            for at, point in stops
        ]
        spacing = _length(path) / (len(path) - 1)
        places, headings, speeds = march(path, spacing, halts, group.speed, self.fps)
        return self._bodies(group, places, headings, speeds)

    def _bodies(self, group: Group, places: np.ndarray, headings: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        out = np.empty((len(group.members), len(places), len(POSE)))
        for k, body in enumerate(group.bodies):
            out[k] = poses_of(places, headings, speeds, body, self.fps, self.rng)
            if len(group.members) > 1:
                side = PAIR_HALF_M * (1 if k else -1)
                out[k, :, 0] -= side * np.sin(out[k, :, 2])
                out[k, :, 1] += side * np.cos(out[k, :, 2])
        return out

    def _gap(self, group: Group, poses: np.ndarray, room: int, frame: int) -> float:
        """Smallest distance, metres, to anybody else who is in the room at the same time."""
        frames = self.diary.rooms.shape[1]
        first, last = max(0, frame), min(frames, frame + poses.shape[1])
        if last <= first:
            return math.inf
        there = self.diary.rooms[:, first:last] == room
        there[group.members] = False
        gap = math.inf
        for k in range(len(poses)):
            mine = poses[k, first - frame : last - frame, :2]
            d = np.hypot(*np.moveaxis(self.diary.poses[:, first:last, :2] - mine, 2, 0))
            gap = min(gap, float(np.min(np.where(there, d, math.inf), initial=math.inf)))
        return gap


def _stub(room: Room, door: int, right_m: float, *, inwards: bool) -> np.ndarray:
    """From behind the wall through the doorway to the floor before it, or back, right_m to the right of the
    middle.
    """
    d = room.doors[door]
    points = np.stack(
        [room.door_point(d, STUB_OUT_M, STUB_END_M), room.door_point(d, STUB_OUT_M, 0.0), room.door_point(d, -0.7)]
    )
    points = points if inwards else points[::-1]
    steps = np.diff(points, axis=0)
    rights = np.stack([steps[:, 1], -steps[:, 0]], axis=1) / np.hypot(*steps.T)[:, None]
    return points + right_m * np.stack([rights[0], rights[0] + rights[1], rights[1]])


def _length(points: np.ndarray) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _along(path: np.ndarray, raw: np.ndarray, at_m: float) -> float:
    """Where on the smoothed path the raw path's metre at_m lies (both have the same number of points)."""
    index = min(len(path) - 1, round(at_m / _length(raw) * (len(raw) - 1)))
    return _length(path) * index / (len(path) - 1)


def _facing(room: Room, point: np.ndarray, rng: np.random.Generator) -> float:
    """Towards the nearest piece of furniture, most of the time."""
    if room.blocks and rng.random() < 0.7:
        near = min(room.blocks, key=lambda b: math.hypot(b[0] - point[0], b[1] - point[1]))
        return math.atan2(near[1] - point[1], near[0] - point[0])
    return float(rng.uniform(-math.pi, math.pi))
