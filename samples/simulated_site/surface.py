"""Procedural surfaces of floors, walls and furniture. A row is a box's (see backdrop.py): kind, colours, size, seed."""

from __future__ import annotations

import math

from numba import njit

from simulated_site.texture import hash01, smooth_noise

PAINT, SHELF, WOOD, POSTER, WALL, BRICK, COUNTER, CARTONS, TILES, CARPET, CHECKER = range(11)


@njit(cache=True)
def _hue(h, s, v):
    """A saturated colour from a hue in 0..1 (linear BGR)."""
    r = min(1.0, max(0.0, abs(h * 6.0 - 3.0) - 1.0))
    g = min(1.0, max(0.0, 2.0 - abs(h * 6.0 - 2.0)))
    b = min(1.0, max(0.0, 2.0 - abs(h * 6.0 - 4.0)))
    return v * (1 - s + s * b), v * (1 - s + s * g), v * (1 - s + s * r)


@njit(cache=True)
def _goods(q, u, v, seed):
    """A shelf's front: boards, and on them packets of repeating kinds."""
    row_h = q[18]
    row = math.floor(v / row_h)
    y = v / row_h - row
    if y < 0.09:
        return q[12], q[13], q[14]
    lot = math.floor(u / 0.42)
    kind = int(hash01(int(lot), int(row), seed) * 997)
    wide = 0.06 + 0.10 * hash01(kind, 1, seed)
    item = math.floor(u / wide)
    x = u / wide - item
    tall = 0.45 + 0.45 * hash01(kind, 2, seed)
    if y - 0.09 > tall * 0.91 or x < 0.06 or hash01(int(item), int(row), seed + 9) < 0.06:
        return q[15], q[16], q[17]
    b, g, r = _hue(hash01(kind, 3, seed), 0.85 * hash01(kind, 4, seed), 0.12 + 0.55 * hash01(kind, 5, seed))
    label = (y - 0.09) / (tall * 0.91)
    if 0.35 < label < 0.62 and 0.2 < x < 0.86:
        return 0.55 + 0.3 * b, 0.55 + 0.3 * g, 0.55 + 0.3 * r
    return b, g, r


@njit(cache=True)
def _poster(q, u, v, seed):
    i, j = math.floor(u / q[18]), math.floor(v / q[18])
    if hash01(i // 2, j // 2, seed) < 0.45:
        i, j = i // 2, j // 2
    pick = hash01(i, j, seed + 3)
    k = 9 if pick < 0.45 else (12 if pick < 0.75 else 15)
    return q[k], q[k + 1], q[k + 2]


@njit(cache=True)
def surface_colour(q, u, v, top):
    """Linear BGR of a box's or a floor's surface at (u, v) metres; `top` marks a box's upper face."""
    kind, seed = int(q[8]), int(q[19])
    grain = 0.94 + 0.12 * smooth_noise(u * 3.1, v * 3.1, seed)
    b, g, r = q[9], q[10], q[11]
    if kind == SHELF and not top:
        b, g, r = _goods(q, u, v, seed)
    elif kind == SHELF or (kind == COUNTER and top):
        b, g, r = q[12], q[13], q[14]
    elif kind == COUNTER:
        if u / 0.5 - math.floor(u / 0.5) < 0.04 or v < 0.1:
            grain *= 0.55
    elif kind == WOOD:
        plank = math.floor(v / q[18])
        shift = hash01(int(plank), 7, seed) * 1.4
        grain *= 0.82 + 0.3 * hash01(int(plank), math.floor((u + shift) / 1.4), seed)
        grain *= 0.93 + 0.14 * smooth_noise(u * 4.0, v * 60.0, seed + 1)
        if v / q[18] - plank < 0.04:
            grain *= 0.75
    elif kind == POSTER:
        b, g, r = _poster(q, u, v, seed)
    elif kind == WALL:
        if v < 0.12:
            b, g, r = q[12], q[13], q[14]
        elif v < 1.05:
            b, g, r = q[15], q[16], q[17]
        grain *= 0.97 + 0.06 * smooth_noise(u * 0.7, v * 0.7, seed + 2)
    elif kind == BRICK:
        row = math.floor(v / 0.10)
        x, y = u / 0.26 + 0.5 * (row % 2), v / 0.10 - row
        cell = math.floor(x)
        if x - cell < 0.06 or y < 0.14:
            b, g, r = q[12], q[13], q[14]
        else:
            grain *= 0.8 + 0.4 * hash01(int(cell), int(row), seed)
    elif kind == CARTONS:
        row, col = math.floor(v / q[18]), math.floor(u / (1.3 * q[18]))
        grain *= 0.85 + 0.3 * hash01(int(row), int(col), seed)
        if v / q[18] - row < 0.05 or u / (1.3 * q[18]) - col < 0.04 or abs(v / q[18] - row - 0.5) < 0.05:
            grain *= 0.7
    elif kind in (TILES, CHECKER):
        i, j = math.floor(u / q[18]), math.floor(v / q[18])
        x, y = u / q[18] - i, v / q[18] - j
        grain *= 0.93 + 0.14 * hash01(int(i), int(j), seed)
        if kind == CHECKER and (i + j) % 2 == 0:
            b, g, r = q[12], q[13], q[14]
        if x < 0.03 or y < 0.03:
            b, g, r = q[15], q[16], q[17]
    elif kind == CARPET:
        grain *= 0.85 + 0.3 * smooth_noise(u * 25.0, v * 25.0, seed + 4)
    return b * grain, g * grain, r * grain
