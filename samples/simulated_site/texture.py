"""Procedural colour of clothes, skin and hair, in a part's own coordinates.

A material is one float64 row of MATERIAL_COLUMNS; colours are linear BGR in 0..1, lengths in metres, angles in
radians:

    0 pattern   1:4 c0   4:7 c1   7:10 c2   10:14 p0..p3   14 flags   15 open front's half angle
    16:19 logo colour   19 chest logo's u   20 its half width   21 its v   22 its half height
    23 back print's half width   24 its v   25 its half height   26 side stripe's half angle
    28:31 strap colour   31 fold depth   32 fold frequency   34:37 shirt under an open jacket   37:40 hem colour
    40 hem's v
"""

from __future__ import annotations

import math

from numba import njit

MATERIAL_COLUMNS = 42
PLAIN, STRIPES, PINSTRIPES, PLAID, BLOCKS, DOTS, CAMOUFLAGE, FACE, LEAVES = range(9)
OPEN_FRONT, CHEST_LOGO, BACK_PRINT, SIDE_STRIPE, STRAPS, HEM, COLLAR = 1, 2, 4, 8, 16, 32, 64


@njit(cache=True, inline="always")
def hash01(a, b, c):
    """A repeatable number in 0..1 from three integers (multiply and xor-shift, 32 bits)."""
    h = (a * 374761393 + b * 668265263 + c * 2147483647 + 1013904223) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777216.0


@njit(cache=True)
def smooth_noise(x, y, seed):
    """Bilinear value noise in 0..1 with cells of size 1."""
    ix, iy = math.floor(x), math.floor(y)
    fx, fy = x - ix, y - iy
    i, j = int(ix), int(iy)
    a, b = hash01(i, j, seed), hash01(i + 1, j, seed)
    c, d = hash01(i, j + 1, seed), hash01(i + 1, j + 1, seed)
    return (a + (b - a) * fx) * (1 - fy) + (c + (d - c) * fx) * fy


@njit(cache=True)
def _weave(m, u, v):
    """How much of c1 and of c2 the pattern shows at (u, v): two weights in 0..1."""
    kind = int(m[0])
    if kind == STRIPES:
        x = v / m[10]
        return (1.0 if x - math.floor(x) < m[11] else 0.0), 0.0
    if kind == PINSTRIPES:
        x = u / m[10]
        return (1.0 if x - math.floor(x) < m[11] else 0.0), 0.0
    if kind == PLAID:
        x, y = u / m[10], v / m[10]
        x, y = x - math.floor(x), y - math.floor(y)
        w = (0.5 if x < m[11] else 0.0) + (0.5 if y < m[11] else 0.0)
        thin = 0.7 if abs(x - 0.75) < 0.06 or abs(y - 0.75) < 0.06 else 0.0
        return w, thin
    if kind == BLOCKS:
        return (1.0 if v > m[10] else 0.0), (1.0 if abs(v - m[10]) < m[11] else 0.0)
    if kind == DOTS:
        row = math.floor(v / m[10])
        x, y = u / m[10] + 0.5 * (row % 2), v / m[10]
        x, y = x - math.floor(x) - 0.5, y - row - 0.5
        return (1.0 if x * x + y * y < m[11] else 0.0), 0.0
    if kind in (CAMOUFLAGE, LEAVES):
        w = smooth_noise(u / m[10], v / m[10], int(m[12]))
        w2 = smooth_noise(u / m[10] + 31.7, v / m[10] + 11.3, int(m[12]) + 5)
        return (1.0 if w > 0.55 else 0.0), (1.0 if w2 > 0.68 else 0.0)
    return 0.0, 0.0


@njit(cache=True)
def _face(m, x, y, z, lower):
    """Weights of c1 (eyes, brows, glasses), c2 (beard) on the head's unit ball; `lower` is the jaw's ball."""
    if y < 0.15:
        return 0.0, 0.0
    if lower:
        return 0.0, m[10]
    side = abs(x)
    if m[11] > 0.5 and abs(z - 0.06) < 0.13 and side < 0.82 and (side > 0.10 or z > 0.08):
        return m[11], 0.0
    if abs(z - 0.05) < 0.07 and abs(side - 0.36) < 0.15:
        return 0.75, 0.0
    if abs(z - 0.24) < 0.05 and abs(side - 0.36) < 0.22:
        return 0.0, 0.6
    if abs(z + 0.52) < 0.06 and side < 0.30:
        return 0.35, 0.0
    return 0.0, (m[10] if z < -0.32 else 0.0)


@njit(cache=True)
def _overlay(m, flags, angle, u, v, fallback):
    """What lies over the pattern: an index of the colour's first column, or `fallback` for the pattern itself."""
    away = math.pi - abs(angle)
    if flags & STRAPS and abs(angle) < 1.5 and abs(abs(u) - 0.105) < 0.022 and v > 0.04:
        return 28
    if flags & OPEN_FRONT and abs(angle) < m[15] * (0.75 + 1.3 * max(0.0, v)):
        return 34
    if flags & CHEST_LOGO and abs(angle) < 1.57 and abs(u - m[19]) < m[20] and abs(v - m[21]) < m[22]:
        return 16
    if flags & BACK_PRINT and away < 1.57 and away * abs(u / (angle + 1e-9)) < m[23] and abs(v - m[24]) < m[25]:
        return 16
    if flags & SIDE_STRIPE and abs(abs(angle) - 1.57) < m[26]:
        return 7
    if flags & HEM and v < m[40]:
        return 37
    if flags & COLLAR and v > 0.34:
        return 7
    return fallback


@njit(cache=True)
def albedo(m, x, y, z, sx, sy, sz, v0):
    """Linear BGR at the local point (x, y, z) of a part with scale s and material row m, folds included."""
    if int(m[0]) == FACE:
        w1, w2 = _face(m, x, y, z, v0 > 0.5)
        shade = 1.0
        angle, v = 0.0, 0.0
        pick = 0
    else:
        mx, my = x * sx, y * sy
        angle = math.atan2(mx, my)
        u, v = angle * math.sqrt(mx * mx + my * my), z * sz + v0
        w1, w2 = _weave(m, u, v)
        shade = 1.0 + m[31] * math.sin(m[32] * v + 2.2 * math.sin(2.0 * angle + 7.0 * v)) * math.sin(
            5.0 * angle + 11.0 * v
        )
        flags = int(m[14])
        pick = _overlay(m, flags, angle, u, v, 0) if flags else 0
    if pick:
        return m[pick] * shade, m[pick + 1] * shade, m[pick + 2] * shade
    w0 = (1.0 - w1) * (1.0 - w2)
    w1 = w1 * (1.0 - w2)
    b = m[1] * w0 + m[4] * w1 + m[7] * w2
    g = m[2] * w0 + m[5] * w1 + m[8] * w2
    r = m[3] * w0 + m[6] * w1 + m[9] * w2
    return b * shade, g * shade, r * shade
