"""The floor plan: rooms on a grid, a camera in each, corridors that no camera sees between neighbouring rooms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulated_site.camera import Camera, random_sensor
from simulated_site.furniture import furnish
from simulated_site.paths import Grid
from simulated_site.rooms import DOOR_WIDTH_M, STUB_SIDE_M, Door, Room

SITE_KEY = 0x73697465
NAMES = (
    "entrance",
    "aisle",
    "checkout",
    "lounge",
    "bakery",
    "books",
    "electronics",
    "garden",
    "pharmacy",
    "cafe",
    "stockroom",
    "gallery",
)
MAX_CAMERAS = len(NAMES)
GAP_M = 7.0  # between the rooms' cells; both stubs of a corridor end in it
STUB_OUT_M = 1.15  # where people walk behind a doorway: metres outward from the room's edge
STUB_END_M = DOOR_WIDTH_M / 2 + STUB_SIDE_M - 0.45  # along the stub, well out of the camera's sight
_TRIES = 40


@dataclass(frozen=True)
class Link:
    """A corridor: room and door indices of both ends and its length between the stubs' ends, metres."""

    room_a: int
    door_a: int
    room_b: int
    door_b: int
    length_m: float


@dataclass(frozen=True)
class Plan:
    rooms: tuple[Room, ...]
    cameras: tuple[Camera, ...]
    links: tuple[Link, ...]
    street: tuple[tuple[int, int], ...]  # (room, door) that lead outside


def _cells(count: int) -> list[tuple[int, int]]:
    columns = math.ceil(math.sqrt(count))
    return [(i % columns, i // columns) for i in range(count)]


def _doors_wanted(
    cells: list[tuple[int, int]],
) -> tuple[list[list[int]], list[tuple[int, int, int, int]], list[tuple[int, int]]]:
    """Sides with a door per room, neighbour pairs as (room, door, room, door), and street doors as (room, door)."""
    sides: list[list[int]] = [[] for _ in cells]
    pairs = []
    for a, (ax, ay) in enumerate(cells):
        for b, (bx, by) in enumerate(cells):
            if (bx - ax, by - ay) not in ((1, 0), (0, 1)):
                continue
            side_a = 1 if bx > ax else 2
            sides[a].append(side_a)
            sides[b].append((side_a + 2) % 4)
            pairs.append((a, len(sides[a]) - 1, b, len(sides[b]) - 1))
    street = []
    for room in dict.fromkeys((0, len(cells) - 1)):
        free = [side for side in (0, 3, 2, 1) if side not in sides[room]]
        for side in free[: 2 if len(cells) == 1 else 1]:
            sides[room].append(side)
            street.append((room, len(sides[room]) - 1))
    return sides, pairs, street


def _camera(x: float, y: float, width: float, depth: float, rng: np.random.Generator) -> Camera:
    """In one of the corners, looking over the room."""
    east, north = int(rng.integers(2)), int(rng.integers(2))
    cx, cy = x + (width - 0.3 if east else 0.3), y + (depth - 0.3 if north else 0.3)
    yaw = math.atan2(y + depth * 0.5 - cy, x + width * 0.5 - cx) + rng.normal(0, 0.05)
    height = rng.uniform(2.4, 3.5)
    pitch = math.atan2(height - 0.9, rng.uniform(4.6, 6.2))
    return Camera(
        cx, cy, float(height), float(yaw), float(pitch), math.radians(rng.uniform(64, 80)), **random_sensor(rng)
    )  # type: ignore[arg-type]


def _doors(
    sides: list[int], x: float, y: float, width: float, depth: float, camera: Camera, rng: np.random.Generator
) -> tuple[Door, ...]:
    """Doorways whose stubs lead away from the camera's line of sight."""
    doors = []
    for side in sides:
        length = width if side in (0, 2) else depth
        at = length * rng.uniform(0.36, 0.64)
        seen_from = camera.x - x if side in (0, 2) else camera.y - y
        doors.append(Door(side, float(at), -1 if at > seen_from else 1))
    return tuple(doors)


def _room(cell: tuple[int, int], sides: list[int], rng: np.random.Generator) -> tuple[Room, Camera]:
    """A furnished room in which all doors can be reached from one another."""
    width, depth = float(rng.uniform(7.6, 9.4)), float(rng.uniform(7.0, 8.6))
    x, y = cell[0] * (9.4 + GAP_M), cell[1] * (8.6 + GAP_M)
    camera = _camera(x, y, width, depth, rng)
    doors = _doors(sides, x, y, width, depth, camera, rng)
    for _ in range(_TRIES):
        # Bit 31 keeps a site's rooms apart from the training rooms, which use the low 31 bits.
        room = Room(x, y, width, depth, doors, (1 << 31) | int(rng.integers(1 << 31)))
        furnish(room, [camera.position[:2]], walls=int(rng.integers(6, 12)), islands=int(rng.integers(1, 4)))
        grid = Grid(room)
        points = [room.door_point(door, -0.7) for door in doors]
        if all(grid.route(points[0], p, wide=True) is not None for p in points[1:]):
            return room, camera
    raise RuntimeError(f"no furniture out of {_TRIES} arrangements leaves the doors of the room at {cell} connected")


def _corridor_m(a: np.ndarray, b: np.ndarray) -> float:
    """Corridors run along the plan's axes; never shorter than 5 m, so that nobody steps from view to view."""
    return float(max(5.0, np.abs(a - b).sum()))


def make_plan(rng: np.random.Generator, cameras: int) -> Plan:
    """A plan with `cameras` rooms, 1 to MAX_CAMERAS."""
    cells = _cells(cameras)
    sides, pairs, street = _doors_wanted(cells)
    made = [_room(cell, sides[i], rng) for i, cell in enumerate(cells)]
    rooms, views = tuple(m[0] for m in made), tuple(m[1] for m in made)
    links = []
    for a, da, b, db in pairs:
        end_a = rooms[a].door_point(rooms[a].doors[da], STUB_OUT_M, STUB_END_M)
        end_b = rooms[b].door_point(rooms[b].doors[db], STUB_OUT_M, STUB_END_M)
        links.append(Link(a, da, b, db, _corridor_m(end_a, end_b)))
    return Plan(rooms, views, tuple(links), tuple(street))
