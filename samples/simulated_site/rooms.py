"""Rooms: walls with doorways, furniture that hides people, and what of the floor is free to walk on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from simulated_site import backdrop as bk
from simulated_site import parts as pt
from simulated_site import surface as sf
from simulated_site import texture as tx
from simulated_site.looks import _bgr, _cloth_colour

WALL_M = 0.15
CEILING_M = 3.9
DOOR_WIDTH_M = 1.5
DOOR_HEIGHT_M = 2.25
STUB_DEPTH_M = 1.9
STUB_SIDE_M = 2.0
MAX_STATIC_PARTS = 600


@dataclass(frozen=True)
class Door:
    """A doorway in a room's wall. side: 0 south (y low), 1 east, 2 north, 3 west; at: metres from the wall's low end.

    turn is +1 or -1: where the stub behind the door leads, along the wall's axis.
    """

    side: int
    at: float
    turn: int

    def normal(self) -> tuple[float, float]:
        """Outward."""
        return ((0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0))[self.side]


@dataclass
class Room:
    """A rectangle of the plan (metres) with doors, furniture boxes (backdrop rows) and round things (body parts)."""

    x: float
    y: float
    width: float
    depth: float
    doors: tuple[Door, ...]
    style_seed: int
    boxes: list[np.ndarray] = field(default_factory=list)
    parts: list[np.ndarray] = field(default_factory=list)
    blocks: list[tuple[float, float, float, float, float]] = field(default_factory=list)  # centre, half sizes, yaw
    floor: np.ndarray = field(default_factory=lambda: np.zeros(bk.BOX_COLUMNS))
    lamps: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    materials: np.ndarray = field(default_factory=lambda: np.zeros((pt.MATERIALS, tx.MATERIAL_COLUMNS)))

    def door_point(self, door: Door, outward_m: float = 0.0, along_m: float = 0.0) -> np.ndarray:
        """A point of the plan, from the door's middle: outward through the wall and along it in the door's turn."""
        nx, ny = door.normal()
        if door.side in (0, 2):
            base = np.array([self.x + door.at, self.y + (self.depth if door.side == 2 else 0.0)])
            tangent = np.array([1.0, 0.0])
        else:
            base = np.array([self.x + (self.width if door.side == 1 else 0.0), self.y + door.at])
            tangent = np.array([0.0, 1.0])
        return base + outward_m * np.array([nx, ny]) + along_m * door.turn * tangent


def box(
    cx: float,
    cy: float,
    hx: float,
    hy: float,
    z0: float,
    z1: float,
    surface: int,
    colours: tuple,
    size: float = 0.3,
    seed: int = 0,
    yaw: float = 0.0,
) -> np.ndarray:
    """One backdrop row."""
    row = np.zeros(bk.BOX_COLUMNS)
    row[0:6] = cx, cy, hx, hy, z0, z1
    row[6:8] = math.cos(yaw), math.sin(yaw)
    row[8] = surface
    for k in range(3):
        row[9 + 3 * k : 12 + 3 * k] = colours[min(k, len(colours) - 1)]
    row[18], row[19] = size, seed
    return row


def _wall_style(rng: np.random.Generator) -> tuple[int, tuple]:
    base = np.array(_bgr(rng.random(), rng.uniform(0, 0.25), rng.uniform(0.3, 0.75)))
    skirting = tuple(np.array(_bgr(0.08, rng.uniform(0, 0.5), rng.uniform(0.03, 0.4))))
    lower = tuple(base * rng.uniform(0.6, 1.0)) if rng.random() < 0.5 else tuple(base)
    if rng.random() < 0.15:
        return sf.BRICK, (_bgr(0.03, rng.uniform(0.3, 0.7), rng.uniform(0.15, 0.4)), (0.4, 0.42, 0.44))
    return sf.WALL, (tuple(base), skirting, lower)


def _wall_spans(room: Room, side: int) -> list[tuple[float, float]]:
    """Solid pieces of one wall, between its doorways, along the wall's axis."""
    length = room.width if side in (0, 2) else room.depth
    start, spans = -WALL_M, []
    for door in sorted((d for d in room.doors if d.side == side), key=lambda d: d.at):
        spans.append((start, door.at - DOOR_WIDTH_M / 2))
        start = door.at + DOOR_WIDTH_M / 2
    spans.append((start, length + WALL_M))
    return spans


def _wall_piece(
    room: Room,
    side: int,
    span: tuple[float, float],
    z: tuple[float, float],
    out_m: float,
    style: tuple,
    seed: int,
) -> np.ndarray:
    mid, half = 0.5 * (span[0] + span[1]), 0.5 * (span[1] - span[0])
    if side in (0, 2):
        cy = room.y + (room.depth + out_m if side == 2 else -out_m)
        return box(room.x + mid, cy, half, WALL_M / 2, *z, style[0], style[1], seed=seed)
    cx = room.x + (room.width + out_m if side == 1 else -out_m)
    return box(cx, room.y + mid, WALL_M / 2, half, *z, style[0], style[1], seed=seed)


def build_walls(room: Room, rng: np.random.Generator) -> None:
    """Walls with doorways and, behind each doorway, a stub of corridor that turns aside so that nothing beyond is
    seen.
    """
    style = _wall_style(rng)
    seed = int(rng.integers(1 << 20))
    stub_style = (sf.WALL, (_bgr(rng.random(), 0.1, rng.uniform(0.12, 0.4)), (0.05, 0.05, 0.05)))
    for side in range(4):
        for span in _wall_spans(room, side):
            room.boxes.append(_wall_piece(room, side, span, (0.0, CEILING_M), WALL_M / 2, style, seed))
    for door in room.doors:
        span = (door.at - DOOR_WIDTH_M / 2, door.at + DOOR_WIDTH_M / 2)
        room.boxes.append(_wall_piece(room, door.side, span, (DOOR_HEIGHT_M, CEILING_M), WALL_M / 2, style, seed))
        reach = sorted((-door.turn * (DOOR_WIDTH_M / 2 + 0.3), door.turn * (DOOR_WIDTH_M / 2 + STUB_SIDE_M)))
        back = (door.at + reach[0], door.at + reach[1])
        room.boxes.append(
            _wall_piece(room, door.side, back, (0.0, CEILING_M), STUB_DEPTH_M + WALL_M / 2, stub_style, seed)
        )
        side_at = door.at - door.turn * (DOOR_WIDTH_M / 2 + 0.25)
        a, b = (
            room.door_point(Door(door.side, side_at, 1), WALL_M),
            room.door_point(Door(door.side, side_at, 1), STUB_DEPTH_M),
        )
        half = np.maximum(np.abs(b - a) / 2, WALL_M / 2)
        room.boxes.append(box(*((a + b) / 2), *half, 0.0, CEILING_M, *stub_style, seed=seed))
        frame = (_bgr(0.08, 0.4, rng.uniform(0.05, 0.5)),)
        for edge in span:
            room.boxes.append(
                _wall_piece(
                    room,
                    door.side,
                    (edge - 0.05, edge + 0.05),
                    (0.0, DOOR_HEIGHT_M),
                    WALL_M / 2 - 0.02,
                    (sf.PAINT, frame),
                    0,
                )
            )


def build_floor(room: Room, rng: np.random.Generator) -> None:
    kind = int(rng.choice([sf.TILES, sf.WOOD, sf.CARPET, sf.CHECKER], p=[0.4, 0.25, 0.2, 0.15]))
    value = rng.uniform(0.12, 0.55)
    c0 = (
        _bgr(0.09, rng.uniform(0.3, 0.6), value * 0.7)
        if kind == sf.WOOD
        else _bgr(rng.random(), rng.uniform(0, 0.25), value)
    )
    c1 = tuple(np.array(c0) * rng.uniform(0.45, 0.8))
    grout = tuple(np.array(c0) * rng.uniform(0.5, 0.8))
    size = {sf.WOOD: rng.uniform(0.12, 0.22)}.get(kind, rng.uniform(0.35, 0.8))
    room.floor = box(0, 0, 1, 1, 0, 0, kind, (c0, c1, grout), float(size), int(rng.integers(1 << 20)))
    count = int(rng.integers(3, 7))
    room.lamps = np.stack(
        [
            room.x + room.width * rng.random(count),
            room.y + room.depth * rng.random(count),
            rng.uniform(1.2, 2.6, count),
        ],
        axis=1,
    )


def _part(a: tuple, b: tuple, front: tuple, s: tuple, r0: float, r1: float, material: int) -> np.ndarray:
    """One body part row in world metres; L follows from a and b (equal: an ellipsoid with half axes s)."""
    row = np.zeros(pt.PART_COLUMNS)
    axis = np.subtract(b, a)
    length = float(np.linalg.norm(axis))
    z = axis / length if length > 0 else np.array([0.0, 0.0, 1.0])
    y = np.asarray(front, dtype=float) - np.dot(front, z) * z
    row[0:3], row[3:6], row[6:9], row[9:12] = a, z, y / np.linalg.norm(y), s
    row[12], row[13], row[14], row[18], row[19] = length / s[2], r0, r1, pt.NO_CLIP, material
    return row


def add_pillar(room: Room, x: float, y: float, radius: float) -> None:
    room.parts.append(_part((x, y, -0.2), (x, y, CEILING_M), (1, 0, 0), (1, 1, 1), radius, radius, 0))
    room.blocks.append((x, y, radius, radius, 0.0))


def add_plant(room: Room, x: float, y: float, rng: np.random.Generator) -> None:
    """A pot and a bush of leaf balls."""
    room.parts.append(_part((x, y, 0.06), (x, y, 0.36), (1, 0, 0), (1, 1, 0.3), 0.17, 0.22, 1))
    tall = rng.uniform(0.5, 1.2)
    for _ in range(int(rng.integers(5, 10))):
        a, d, z = rng.uniform(0, 6.28), rng.uniform(0, 0.22), 0.5 + tall * rng.random()
        c = (x + d * math.cos(a), y + d * math.sin(a), z)
        room.parts.append(_part(c, c, (math.cos(a), math.sin(a), 0), tuple(rng.uniform(0.12, 0.26, 3)), 1.0, 1.0, 2))
    room.blocks.append((x, y, 0.3, 0.3, 0.0))


def finish_materials(room: Room, rng: np.random.Generator) -> None:
    """Colours of the round things: pillar, pot, leaves."""
    m = room.materials
    m[:, 10] = 1.0
    m[0, 1:4] = _bgr(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.2, 0.7))
    m[1, 1:4] = _cloth_colour(rng, 0.5)
    m[2, 0] = tx.LEAVES
    leaf = np.array(_bgr(rng.uniform(0.22, 0.36), rng.uniform(0.5, 0.9), rng.uniform(0.06, 0.25)))
    m[2, 1:4], m[2, 4:7], m[2, 7:10], m[2, 10] = leaf, leaf * 0.45, leaf * 1.5, 0.05
