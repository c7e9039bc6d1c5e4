"""What stands in a room, and where: along the walls and as islands, never before a door or the camera's foot."""

from __future__ import annotations

import math

import numpy as np

from simulated_site import surface as sf
from simulated_site.looks import _bgr, _cloth_colour
from simulated_site.rooms import Room, add_pillar, add_plant, box, build_floor, build_walls, finish_materials


def _free(room: Room, x: float, y: float, hx: float, hy: float, gap_m: float) -> bool:
    """Whether an axis-aligned footprint keeps gap_m to all furniture and 1.5 m to the doors."""
    for bx, by, bhx, bhy, yaw in room.blocks:
        c, s = abs(math.cos(yaw)), abs(math.sin(yaw))
        if abs(x - bx) < hx + c * bhx + s * bhy + gap_m and abs(y - by) < hy + s * bhx + c * bhy + gap_m:
            return False
    for door in room.doors:
        p = room.door_point(door, -0.6)
        if abs(p[0] - x) < hx + 1.15 and abs(p[1] - y) < hy + 1.15:
            return False
    return True


def _goods_colours(rng: np.random.Generator) -> tuple:
    board = _bgr(0.08, rng.uniform(0, 0.5), rng.uniform(0.1, 0.6))
    return (board, board, tuple(np.array(board) * 0.25))


def _add(room: Room, rows: list[np.ndarray], x: float, y: float, hx: float, hy: float, yaw: float) -> None:
    room.boxes.extend(rows)
    room.blocks.append((x, y, hx, hy, yaw))


def _piece(
    kind: str, x: float, y: float, long: float, deep: float, yaw: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Boxes of one piece of furniture whose long side lies along its local x axis."""
    seed = int(rng.integers(1 << 20))
    wood = _bgr(0.08, rng.uniform(0.3, 0.6), rng.uniform(0.06, 0.35))
    paint = _cloth_colour(rng, 0.6)
    dark = (0.05, 0.05, 0.05)

    def block(z0: float, z1: float, surface: int, colours: tuple, size: float = 0.1, shrink: float = 1.0) -> np.ndarray:
        return box(x, y, long * shrink, deep * shrink, z0, z1, surface, colours, size, seed, yaw)

    if kind == "shelf":
        return [block(0, rng.uniform(1.5, 2.1), sf.SHELF, _goods_colours(rng), float(rng.uniform(0.3, 0.42)))]
    if kind == "gondola":
        return [block(0, rng.uniform(1.0, 1.5), sf.SHELF, _goods_colours(rng), float(rng.uniform(0.28, 0.4)))]
    if kind == "counter":
        at = rng.uniform(-0.6, 0.6) * long  # of the till
        till_x, till_y = x + math.cos(yaw) * at, y + math.sin(yaw) * at
        till = box(till_x, till_y, 0.16, 0.14, 1.02, 1.34, sf.PAINT, ((0.03, 0.03, 0.035),), 0.1, seed, yaw)
        return [block(0, 1.02, sf.COUNTER, (paint, wood), 0.5), till]
    if kind == "cartons":
        return [block(0, rng.uniform(0.6, 1.3), sf.CARTONS, (_bgr(0.08, 0.55, 0.3),), 0.3)]
    if kind == "bench":
        return [block(0.34, 0.44, sf.WOOD, (wood,)), block(0, 0.34, sf.PAINT, (paint,), shrink=0.7)]
    if kind == "table":
        leg = box(x, y, 0.12, 0.12, 0, 0.70, sf.PAINT, (dark,), 0.1, seed, yaw)
        return [block(0.70, 0.76, sf.WOOD, (wood,), 0.15), leg]
    return [block(0, rng.uniform(1.7, 2.0), sf.POSTER, (paint, _cloth_colour(rng), (0.7, 0.7, 0.7)), 0.2)]


def _along_walls(room: Room, rng: np.random.Generator, count: int, clear: list[np.ndarray]) -> None:
    for _ in range(count):
        side = int(rng.integers(4))
        kind = str(rng.choice(["shelf", "shelf", "shelf", "counter", "bench", "cartons", "banner"]))
        long, deep = (
            rng.uniform(0.6, 1.5),
            {"shelf": 0.23, "counter": 0.33, "bench": 0.24, "cartons": 0.35, "banner": 0.30}[kind],
        )
        if kind == "banner":
            long = 0.45
        length = room.width if side in (0, 2) else room.depth
        at = rng.uniform(long + 0.1, length - long - 0.1)
        inset = deep + 0.02
        x, y, hx, hy = (
            (room.x + at, room.y + inset, long, deep)
            if side == 0
            else (room.x + at, room.y + room.depth - inset, long, deep)
        )
        if side in (1, 3):
            x, y, hx, hy = (
                (room.x + room.width - inset if side == 1 else room.x + inset),
                room.y + at,
                deep,
                long,
            )
        if not _free(room, x, y, hx, hy, 0.05) or any(
            abs(p[0] - x) < hx + 0.9 and abs(p[1] - y) < hy + 0.9 for p in clear
        ):
            continue
        yaw = 0.0 if side in (0, 2) else math.pi / 2
        _add(room, _piece(kind, x, y, long, deep, yaw, rng), x, y, long, deep, yaw)


def _islands(room: Room, rng: np.random.Generator, count: int, clear: list[np.ndarray]) -> None:
    for _ in range(count * 3):
        if count <= 0:
            return
        kind = str(rng.choice(["gondola", "gondola", "counter", "table", "bench", "banner", "cartons"]))
        long, deep = {
            "gondola": (rng.uniform(0.6, 1.2), 0.38),
            "counter": (rng.uniform(0.6, 1.0), 0.35),
            "table": (0.55, 0.45),
            "bench": (0.7, 0.24),
            "banner": (0.35, 0.25),
            "cartons": (0.5, 0.4),
        }[kind]
        turned = rng.random() < 0.5
        hx, hy = (deep, long) if turned else (long, deep)
        x, y = (
            room.x + rng.uniform(1.3 + hx, room.width - 1.3 - hx),
            room.y + rng.uniform(1.3 + hy, room.depth - 1.3 - hy),
        )
        if not _free(room, x, y, hx, hy, 1.0) or any(
            abs(p[0] - x) < hx + 1.6 and abs(p[1] - y) < hy + 1.6 for p in clear
        ):
            continue
        yaw = math.pi / 2 if turned else 0.0
        _add(room, _piece(kind, x, y, long, deep, yaw, rng), x, y, long, deep, yaw)
        count -= 1


def _round_things(room: Room, rng: np.random.Generator, clear: list[np.ndarray]) -> None:
    for _ in range(int(rng.integers(1, 4))):
        x, y = room.x + rng.uniform(0.5, room.width - 0.5), room.y + rng.uniform(0.5, room.depth - 0.5)
        pillar = rng.random() < 0.3
        corner = min(x - room.x, room.x + room.width - x) < 0.8 or min(y - room.y, room.y + room.depth - y) < 0.8
        if pillar == corner or not _free(room, x, y, 0.3, 0.3, 0.15 if corner else 0.9):
            continue
        if any(np.hypot(*(p - (x, y))) < 1.8 for p in clear):
            continue
        if pillar:
            add_pillar(room, x, y, float(rng.uniform(0.16, 0.26)))
        else:
            add_plant(room, x, y, rng)


def _posters(room: Room, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 5))):
        side = int(rng.integers(4))
        length = room.width if side in (0, 2) else room.depth
        at, half = rng.uniform(0.8, length - 0.8), rng.uniform(0.25, 0.6)
        if any(d.side == side and abs(d.at - at) < half + 0.9 for d in room.doors):
            continue
        z0 = rng.uniform(1.1, 1.6)
        colours = (_cloth_colour(rng, 0.8), _cloth_colour(rng, 0.8), (0.75, 0.75, 0.75))
        if side in (0, 2):
            y = room.y + (0.01 if side == 0 else room.depth - 0.01)
            row = box(
                room.x + at,
                y,
                half,
                0.012,
                z0,
                z0 + rng.uniform(0.5, 1.0),
                sf.POSTER,
                colours,
                0.14,
                int(rng.integers(1 << 20)),
            )
        else:
            x = room.x + (0.01 if side == 3 else room.width - 0.01)
            row = box(
                x,
                room.y + at,
                0.012,
                half,
                z0,
                z0 + rng.uniform(0.5, 1.0),
                sf.POSTER,
                colours,
                0.14,
                int(rng.integers(1 << 20)),
            )
        room.boxes.append(row)


def furnish(room: Room, clear: list[np.ndarray], *, walls: int = 9, islands: int = 2) -> Room:
    """Fill a room: everything follows from room.style_seed. `clear`: floor points (2,) to keep free, the camera's
    foot first.
    """
    rng = np.random.default_rng(np.random.SeedSequence([0x726F6F6D, room.style_seed]))
    build_floor(room, rng)
    build_walls(room, rng)
    _islands(room, rng, islands, clear)
    _along_walls(room, rng, walls, clear)
    _round_things(room, rng, clear)
    _posters(room, rng)
    finish_materials(room, rng)
    return room
