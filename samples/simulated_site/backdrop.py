"""The still picture behind the people: floor, ceiling and boxes with procedural surfaces, and its depth.

One box is a row of BOX_COLUMNS float64: 0:2 centre, 2:4 half sizes, 4:6 bottom and top height, 6:8 cos and sin of
its yaw,
8 surface, 9:12 c0, 12:15 c1, 15:18 c2 (linear BGR), 18 size in metres, 19 seed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from simulated_site.surface import SHELF, WALL, surface_colour

BOX_COLUMNS = 20
FAR_M = 1e6
_NOWHERE = 1e9


@njit(cache=True)
def _floor_shade(boxes, x, y):
    """Ambient occlusion of the floor beside standing boxes."""
    shade = 1.0
    for i in range(boxes.shape[0]):
        q = boxes[i]
        if q[4] > 0.15:
            continue
        px, py = x - q[0], y - q[1]
        lx = max(0.0, abs(q[6] * px + q[7] * py) - q[2])
        if lx > 0.6:
            continue
        ly = max(0.0, abs(-q[7] * px + q[6] * py) - q[3])
        if ly > 0.6:
            continue
        d = math.sqrt(lx * lx + ly * ly)
        if d < 0.6:
            shade *= 1.0 - 0.42 * (1.0 - d / 0.6) ** 2
    return max(shade, 0.3)


@njit(cache=True)
def _trace(boxes, px, py, pz, dx, dy, dz, best, pick, face):
    """Nearest box face along a ray: depth parameter, box and face (0 x, 1 y, 2 z axis, negative side + 3)."""
    for i in range(boxes.shape[0]):
        q = boxes[i]
        ox, oy = q[6] * (px - q[0]) + q[7] * (py - q[1]), -q[7] * (px - q[0]) + q[6] * (py - q[1])
        ex, ey = q[6] * dx + q[7] * dy, -q[7] * dx + q[6] * dy
        ex = ex if abs(ex) > 1e-9 else 1e-9
        ey = ey if abs(ey) > 1e-9 else 1e-9
        ez = dz if abs(dz) > 1e-9 else 1e-9
        a, b = (-q[2] - ox) / ex, (q[2] - ox) / ex
        t0, t1 = min(a, b), max(a, b)
        if t0 > best or t1 < 0.0:
            continue
        a, b = (-q[3] - oy) / ey, (q[3] - oy) / ey
        s0, s1 = min(a, b), max(a, b)
        if s0 > best or s0 > t1 or s1 < t0:
            continue
        a, b = (q[4] - pz) / ez, (q[5] - pz) / ez
        r0, r1 = min(a, b), max(a, b)
        enter, leave = max(t0, s0, r0), min(t1, s1, r1)
        if enter > leave or enter <= 0.05 or enter >= best:
            continue
        best, pick = enter, i
        if enter == t0:
            face = 0 if ex < 0 else 3
        elif enter == s0:
            face = 1 if ey < 0 else 4
        else:
            face = 2 if ez < 0 else 5
    return best, pick, face


@njit(cache=True)
def paint(
    boxes,
    floor,
    ceiling_m,
    lamps,
    rotation,
    position,
    f,
    light,
    light_row,
    look,
    curve,
    depth,
    image,
    floor_xy,
):
    """Fill depth (h, w) float32, image (h, w, 3) uint8 and floor_xy (h, w, 2) float32 (far away where no floor is
    seen).

    floor: one row like a box's. lamps (k, 3): x, y, radius of light pools. light (3,): unit direction to the key
    light, world.
    """
    height, width = depth.shape
    for y in range(height):
        for x in range(width):
            rx, ry = (x - 0.5 * width) / f, (y - 0.5 * height) / f
            dx = rotation[0, 0] * rx + rotation[1, 0] * ry + rotation[2, 0]
            dy = rotation[0, 1] * rx + rotation[1, 1] * ry + rotation[2, 1]
            dz = rotation[0, 2] * rx + rotation[1, 2] * ry + rotation[2, 2]
            best = FAR_M
            pick, face = -2, 2
            if dz < -1e-6:
                best, pick = -position[2] / dz, -1
            elif dz > 1e-6:
                best, pick = (ceiling_m - position[2]) / dz, -2
            best, pick, face = _trace(boxes, position[0], position[1], position[2], dx, dy, dz, best, pick, face)
            wx, wy, wz = position[0] + best * dx, position[1] + best * dy, position[2] + best * dz
            floor_xy[y, x, 0], floor_xy[y, x, 1] = _NOWHERE, _NOWHERE
            nx, ny, nz = 0.0, 0.0, 1.0
            dim = 1.0
            if pick == -1:
                b, g, r = surface_colour(floor, wx, wy, False)
                floor_xy[y, x, 0], floor_xy[y, x, 1] = wx, wy
                dim = _floor_shade(boxes, wx, wy)
            elif pick == -2:
                b, g, r = 0.62, 0.63, 0.64
                nz = -1.0
            else:
                q = boxes[pick]
                lx = q[6] * (wx - q[0]) + q[7] * (wy - q[1])
                ly = -q[7] * (wx - q[0]) + q[6] * (wy - q[1])
                sign = 1.0 if face < 3 else -1.0
                axis = face % 3
                if axis == 2:
                    b, g, r = surface_colour(q, lx, ly, True)
                    nz = sign
                else:
                    u = ly if axis == 0 else lx
                    # Goods stand on a shelf's long faces; its ends are boards.
                    b, g, r = surface_colour(
                        q, u, wz - (q[4] if int(q[8]) != WALL else 0.0), int(q[8]) == SHELF and axis == 0
                    )
                    nx, ny, nz = (q[6] * sign, q[7] * sign, 0.0) if axis == 0 else (-q[7] * sign, q[6] * sign, 0.0)
                    dim = 0.72 + 0.28 * min(1.0, wz / 0.5)
            pool = 0.80
            for k in range(lamps.shape[0]):
                d2 = ((wx - lamps[k, 0]) ** 2 + (wy - lamps[k, 1]) ** 2) / (lamps[k, 2] ** 2)
                pool += 0.32 * math.exp(-d2)
            key = max(0.0, nx * light[0] + ny * light[1] + nz * light[2])
            e = (
                (
                    key * light_row[3]
                    + (0.5 + 0.5 * nz) * light_row[4]
                    + (0.5 - 0.5 * nz) * light_row[5]
                    + 0.4 * light_row[9]
                )
                * dim
                * pool
            )
            ux, uy = (x - 0.5 * width) / width, (y - 0.5 * height) / width
            e *= 1.0 - look[3] * (ux * ux + uy * uy) * 2.0
            depth[y, x] = best
            image[y, x, 0] = curve[min(1023, max(0, int(b * e * look[0] * 1023.0)))]
            image[y, x, 1] = curve[min(1023, max(0, int(g * e * look[1] * 1023.0)))]
            image[y, x, 2] = curve[min(1023, max(0, int(r * e * look[2] * 1023.0)))]


@njit(cache=True)
def cast_shadow(image, floor_xy, x, y, lx, ly, strength, bounds):
    """Darken the floor below a person at (x, y): a tight contact shadow and a wide one that leans along (lx, ly)."""
    for row in range(bounds[1], bounds[3]):
        for col in range(bounds[0], bounds[2]):
            px, py = floor_xy[row, col, 0] - x, floor_xy[row, col, 1] - y
            d2 = px * px + py * py
            if d2 > 1.7:
                continue
            qx, qy = px - lx, py - ly
            k = 1.0 - strength * (0.55 * math.exp(-d2 / 0.045) + 0.42 * math.exp(-(qx * qx + qy * qy) / 0.22))
            for c in range(3):
                image[row, col, c] = np.uint8(image[row, col, c] * k)
