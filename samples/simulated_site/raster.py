"""Rays against round cones: depth first, colour of the visible pixels after.

Camera space is x right, y down, z forward, metres; a pixel's ray is ((x - cx) / f, (y - cy) / f, 1), so a ray's
parameter is its depth. One placed part is a row of PLACED_COLUMNS float64:

    0:9 local from camera (row major)   9:12 its shift   12:15 L, r0, r1   15:19 clip   19 material   20:23 scale
    23 v0   24:28 pixel bounds x0, x1, y0, y1 (unclipped, float)   28 owner   29 nearest depth
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from simulated_site.texture import albedo

PLACED_COLUMNS = 30
NEAR_M = 0.35
NOTHING = -1


@njit(cache=True)
def _ball_bounds(centre, axes, radius, row, f, centre_px):
    """Exact image bounds of an ellipsoid along one image axis `row` (0 or 1): tangent planes through the camera."""
    c, z = centre[row], centre[2]
    zz = xz = xx = 0.0
    for j in range(3):
        s, t = axes[row, j] * radius, axes[2, j] * radius
        xx, xz, zz = xx + s * s, xz + s * t, zz + t * t
    a, b, d = z * z - zz, c * z - xz, c * c - xx
    root = math.sqrt(max(0.0, b * b - a * d))
    return centre_px + f * (b - root) / a, centre_px + f * (b + root) / a


@njit(cache=True)
def place(parts, count, pose, rotation, position, pinhole, owner, out, start):
    """Move a person's parts into camera space behind row `start` of `out`; returns the new end. Parts behind
    NEAR_M are left out.
    """
    f, cx, cy = pinhole
    cyaw, syaw = math.cos(pose[2]), math.sin(pose[2])
    world = np.empty((4, 3))  # local axes x, y, z and the origin, in the world
    cam = np.empty((3, 3))
    origin, tip = np.empty(3), np.empty(3)
    n = start
    for i in range(count):
        p = parts[i]
        for row, col in ((1, 6), (2, 3), (3, 0)):
            vx, vy, vz = p[col], p[col + 1], p[col + 2]
            world[row, 0], world[row, 1], world[row, 2] = cyaw * vx - syaw * vy, syaw * vx + cyaw * vy, vz
        world[0, 0] = world[1, 1] * world[2, 2] - world[1, 2] * world[2, 1]
        world[0, 1] = world[1, 2] * world[2, 0] - world[1, 0] * world[2, 2]
        world[0, 2] = world[1, 0] * world[2, 1] - world[1, 1] * world[2, 0]
        for r in range(3):
            origin[r] = 0.0
            for k in range(3):
                shift = pose[0] if k == 0 else (pose[1] if k == 1 else 0.0)
                origin[r] += rotation[r, k] * (world[3, k] + shift - position[k])
            for a in range(3):
                cam[r, a] = rotation[r, 0] * world[a, 0] + rotation[r, 1] * world[a, 1] + rotation[r, 2] * world[a, 2]
        q = out[n]
        for a in range(3):
            s = p[9 + a]
            q[9 + a] = 0.0
            for r in range(3):
                q[3 * a + r] = cam[r, a] / s
                q[9 + a] -= cam[r, a] / s * origin[r]
        for r in range(3):
            tip[r] = origin[r] + cam[r, 2] * p[11] * p[12]
            for a in range(3):
                cam[r, a] *= p[9 + a]
        reach0 = p[13] * math.sqrt(cam[2, 0] ** 2 + cam[2, 1] ** 2 + cam[2, 2] ** 2)
        reach1 = reach0 / p[13] * p[14]
        nearest = min(origin[2] - reach0, tip[2] - reach1)
        if nearest < NEAR_M:
            continue
        for k in range(7):
            q[12 + k] = p[12 + k]
        q[19], q[20], q[21], q[22], q[23] = p[19], p[9], p[10], p[11], p[20]
        a0, a1 = _ball_bounds(origin, cam, p[13], 0, f, cx)
        b0, b1 = _ball_bounds(tip, cam, p[14], 0, f, cx)
        q[24], q[25] = min(a0, b0), max(a1, b1)
        a0, a1 = _ball_bounds(origin, cam, p[13], 1, f, cy)
        b0, b1 = _ball_bounds(tip, cam, p[14], 1, f, cy)
        q[26], q[27] = min(a0, b0), max(a1, b1)
        q[28], q[29] = owner, nearest
        n += 1
    return n


@njit(cache=True)
def _hit(q, dx, dy, dz):
    """Depth where the local ray (q's shift + t d) meets the part, or -1."""
    ox, oy, oz = q[9], q[10], q[11]
    length, r0, r1 = q[12], q[13], q[14]
    best = -1.0
    if length > 1e-9:
        # Mantle: the cone touching both balls, (x^2 + y^2)(1 - k^2) = (r0 - k z)^2 with k = (r0 - r1) / L.
        k = (r0 - r1) / length
        c2 = 1.0 - k * k
        if c2 > 0.0:
            w = r0 - k * oz
            a = (dx * dx + dy * dy) * c2 - k * k * dz * dz
            b = (ox * dx + oy * dy) * c2 + k * dz * w
            c = (ox * ox + oy * oy) * c2 - w * w
            disc = b * b - a * c
            if disc > 0.0 and a != 0.0:
                t = (-b - math.sqrt(disc)) / a
                z = oz + t * dz
                foot = (z - r0 * k) / c2
                if t > 0.0 and foot >= 0.0 and foot <= length:
                    return t
    dd = dx * dx + dy * dy + dz * dz
    od = ox * dx + oy * dy + oz * dz
    oo = ox * ox + oy * oy + oz * oz
    disc = od * od - dd * (oo - r0 * r0)
    if disc > 0.0:
        t = (-od - math.sqrt(disc)) / dd
        if t > 0.0:
            best = t
    if length > 1e-9:
        oz1 = oz - length
        od = ox * dx + oy * dy + oz1 * dz
        disc = od * od - dd * (ox * ox + oy * oy + oz1 * oz1 - r1 * r1)
        if disc > 0.0:
            t = (-od - math.sqrt(disc)) / dd
            if t > 0.0 and (best < 0.0 or t < best):
                best = t
    return best


@njit(cache=True)
def splat(placed, start, end, pinhole, depth, part, stamp, stats):
    """Draw one owner's parts into `depth` (h, w) float32 and `part` (h, w) int16 (row of `placed`).

    `stamp` (h, w) int16 notes the owner whether hidden or not. `stats` (8,) of this owner: solo pixels, their x0, y0,
    x1, y1 (last + 1), left as they are where nothing is hit.
    """
    f, cx, cy = pinhole
    height, width = depth.shape
    solo = 0
    sx0, sy0, sx1, sy1 = width, height, 0, 0
    for i in range(start, end):
        q = placed[i]
        x0, x1 = max(0, math.floor(q[24])), min(width, math.ceil(q[25]) + 1)
        y0, y1 = max(0, math.floor(q[26])), min(height, math.ceil(q[27]) + 1)
        owner = int(q[28])
        clipped = q[18] > -1e8
        for y in range(y0, y1):
            ry = (y - cy) / f
            for x in range(x0, x1):
                rx = (x - cx) / f
                dx = q[0] * rx + q[1] * ry + q[2]
                dy = q[3] * rx + q[4] * ry + q[5]
                dz = q[6] * rx + q[7] * ry + q[8]
                t = _hit(q, dx, dy, dz)
                if t <= 0.0:
                    continue
                if clipped:
                    keep = q[15] * (q[9] + t * dx) + q[16] * (q[10] + t * dy) + q[17] * (q[11] + t * dz)
                    if keep < q[18]:
                        continue
                if stamp[y, x] != owner:
                    stamp[y, x] = owner
                    solo += 1
                    sx0, sy0, sx1, sy1 = min(sx0, x), min(sy0, y), max(sx1, x + 1), max(sy1, y + 1)
                if t < depth[y, x]:
                    depth[y, x] = t
                    part[y, x] = i
    stats[0] = solo
    stats[1], stats[2], stats[3], stats[4] = sx0, sy0, sx1, sy1


@njit(cache=True)
def _crease(depth, part, y, x):
    """Darkening beside a nearer edge (an arm before the chest): cheap ambient occlusion, 0..1."""
    height, width = depth.shape
    z = depth[y, x]
    dark = 0.0
    for step in (2, 4):
        for dy, dx in ((0, -1), (0, 1), (-1, 0), (1, 0)):
            yy, xx = y + dy * step, x + dx * step
            if yy < 0 or xx < 0 or yy >= height or xx >= width or part[yy, xx] < 0:
                continue
            gap = z - depth[yy, xx]
            if 0.025 < gap < 0.35:
                dark += 0.07
    return min(dark, 0.35)


@njit(cache=True)
def shade(placed, materials, pinhole, depth, part, optics, image, bounds):
    """Colour the pixels of `part` inside bounds (x0, y0, x1, y1).

    optics: light (12,) float64: key light's direction in camera space 0:3, its strength, sky's strength, ground's
    strength, the world's up in camera space 6:9, fill from the camera; look (4,): gains for b, g, r, vignette;
    curve (1024,) uint8: linear 0..1 to code.
    """
    f, cx, cy = pinhole
    light, look, curve = optics
    height, width = depth.shape
    for y in range(bounds[1], bounds[3]):
        ry = (y - cy) / f
        for x in range(bounds[0], bounds[2]):
            i = part[y, x]
            if i < 0:
                continue
            q = placed[i]
            t = depth[y, x]
            rx = (x - cx) / f
            lx = q[9] + t * (q[0] * rx + q[1] * ry + q[2])
            ly = q[10] + t * (q[3] * rx + q[4] * ry + q[5])
            lz = q[11] + t * (q[6] * rx + q[7] * ry + q[8])
            foot = 0.0
            if q[12] > 1e-9:
                k = (q[13] - q[14]) / q[12]
                foot = min(max((lz - q[13] * k) / (1.0 - k * k), 0.0), q[12])
            nx, ny, nz = lx, ly, lz - foot
            # Normals go back with the transpose of the map into local space.
            cxn = q[0] * nx + q[3] * ny + q[6] * nz
            cyn = q[1] * nx + q[4] * ny + q[7] * nz
            czn = q[2] * nx + q[5] * ny + q[8] * nz
            m = 1.0 / math.sqrt(cxn * cxn + cyn * cyn + czn * czn + 1e-12)
            cxn, cyn, czn = cxn * m, cyn * m, czn * m
            key = max(0.0, 0.85 * (cxn * light[0] + cyn * light[1] + czn * light[2]) + 0.15)
            up = 0.5 + 0.5 * (cxn * light[6] + cyn * light[7] + czn * light[8])
            fill = max(0.0, -czn) * light[9]
            b, g, r = albedo(materials[int(q[28]), int(q[19])], lx, ly, lz, q[20], q[21], q[22], q[23])
            e = key * light[3] + up * light[4] + (1.0 - up) * light[5] + fill
            e *= 1.0 - _crease(depth, part, y, x)
            ux, uy = (x - 0.5 * width) / width, (y - 0.5 * height) / width
            e *= 1.0 - look[3] * (ux * ux + uy * uy) * 2.0
            image[y, x, 0] = curve[min(1023, max(0, int(b * e * look[0] * 1023.0)))]
            image[y, x, 1] = curve[min(1023, max(0, int(g * e * look[1] * 1023.0)))]
            image[y, x, 2] = curve[min(1023, max(0, int(r * e * look[2] * 1023.0)))]


@njit(cache=True)
def finish(image, noise, oy, ox, out):
    """Add a sensor noise tile (int8, larger than the image) at an offset; `out` uint8 may be `image`."""
    height, width, _ = image.shape
    for y in range(height):
        for x in range(width):
            for c in range(3):
                v = np.int32(image[y, x, c]) + np.int32(noise[y + oy, x + ox, c])
                out[y, x, c] = np.uint8(min(255, max(0, v)))


@njit(cache=True)
def tally(part, placed, bounds, visible):
    """Count the visible pixels of each owner inside bounds."""
    for y in range(bounds[1], bounds[3]):
        for x in range(bounds[0], bounds[2]):
            i = part[y, x]
            if i >= 0:
                visible[int(placed[i, 28])] += 1
