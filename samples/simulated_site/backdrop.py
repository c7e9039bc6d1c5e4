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
def _box_face(q, wx, wy, wz, face):
    """Colour (b, g, r), normal and ambient dimming of a box's surface at a point of the plan."""
    lx = q[6] * (wx - q[0]) + q[7] * (wy - q[1])
    ly = -q[7] * (wx - q[0]) + q[6] * (wy - q[1])
    sign = 1.0 if face < 3 else -1.0
    axis = face % 3
    if axis == 2:
        return surface_colour(q, lx, ly, True), (0.0, 0.0, sign), 1.0
    height = wz - (q[4] if int(q[8]) != WALL else 0.0)
    # Goods stand on a shelf's long faces; its ends are boards.
    colour = surface_colour(q, ly if axis == 0 else lx, height, int(q[8]) == SHELF and axis == 0)
    normal = (q[6] * sign, q[7] * sign, 0.0) if axis == 0 else (-q[7] * sign, q[6] * sign, 0.0)
    return colour, normal, 0.72 + 0.28 * min(1.0, wz / 0.5)


@njit(cache=True)
def _brightness(wx, wy, normal, light, light_row, lamps):
    """Light on a surface: the pools of the lamps, times key light, sky, ground and fill."""
    pool = 0.80
    for k in range(lamps.shape[0]):
        d2 = ((wx - lamps[k, 0]) ** 2 + (wy - lamps[k, 1]) ** 2) / (lamps[k, 2] ** 2)
        pool += 0.32 * math.exp(-d2)
    key = max(0.0, normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2])
    sky, ground = (0.5 + 0.5 * normal[2]) * light_row[4], (0.5 - 0.5 * normal[2]) * light_row[5]
    return (key * light_row[3] + sky + ground + 0.4 * light_row[9]) * pool


@njit(cache=True)
def paint(boxes, floor, ceiling_m, lamps, rotation, position, f, light, optics, buffers):
    """Fill buffers: depth (h, w) float32, image (h, w, 3) uint8 and floor_xy (h, w, 2) float32 (1e9 where not floor).

    floor: one row like a box's. lamps (k, 3): x, y, radius of light pools. light (3,): unit direction to the key light,
    world. optics: as for raster.shade.
    """
    light_row, look, curve = optics
    depth, image, floor_xy = buffers
    height, width = depth.shape
    for y in range(height):
        for x in range(width):
            rx, ry = (x - 0.5 * width) / f, (y - 0.5 * height) / f
            dx = rotation[0, 0] * rx + rotation[1, 0] * ry + rotation[2, 0]
            dy = rotation[0, 1] * rx + rotation[1, 1] * ry + rotation[2, 1]
            dz = rotation[0, 2] * rx + rotation[1, 2] * ry + rotation[2, 2]
            best, pick, face = FAR_M, -2, 2
            if dz < -1e-6:
                best, pick = -position[2] / dz, -1
            elif dz > 1e-6:
                best, pick = (ceiling_m - position[2]) / dz, -2
            best, pick, face = _trace(boxes, position[0], position[1], position[2], dx, dy, dz, best, pick, face)
            wx, wy, wz = position[0] + best * dx, position[1] + best * dy, position[2] + best * dz
            floor_xy[y, x, 0], floor_xy[y, x, 1] = _NOWHERE, _NOWHERE
            colour, normal, dim = (0.62, 0.63, 0.64), (0.0, 0.0, -1.0), 1.0  # the ceiling
            if pick == -1:
                colour, normal, dim = surface_colour(floor, wx, wy, False), (0.0, 0.0, 1.0), _floor_shade(boxes, wx, wy)
                floor_xy[y, x, 0], floor_xy[y, x, 1] = wx, wy
            elif pick >= 0:
                colour, normal, dim = _box_face(boxes[pick], wx, wy, wz, face)
            ux, uy = (x - 0.5 * width) / width, (y - 0.5 * height) / width
            e = _brightness(wx, wy, normal, light, light_row, lamps) * dim * (1.0 - look[3] * (ux * ux + uy * uy) * 2.0)
            depth[y, x] = best
            for c in range(3):
                image[y, x, c] = curve[min(1023, max(0, int(colour[c] * e * look[c] * 1023.0)))]


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
