"""A person as articulated primitives: body measures and a pose in, round cones and ellipsoids out.

A primitive ("part") is a round cone along its local z axis, from a ball of radius r0 at z = 0 to one of r1 at z = L, seen
through a local scale (sx, sy, sz): a scaled cone is a chest, L = 0 is an ellipsoid. One row of PART_COLUMNS float64:

    0:3   origin, person's frame (x forward, y left, z up; metres)
    3:6   local z axis      6:9 local y axis (the part's front)
    9:12  sx, sy, sz        12:15 L, r0, r1 in local units
    15:19 clip plane: kept where n . local >= d          19 material row      20 height added to the texture's v, metres
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PART_COLUMNS = 21
MAX_PARTS = 44

# Columns of a body vector (float64). Lengths in metres, angles in radians.
BODY = (
    "height girth shoulders hips legs head hair_style hair_volume hat bag lower coat sleeve arm_swing elbow stride lean "
    "arm_out bounce belly bag_side toe_out loose"
).split()
B = {name: index for index, name in enumerate(BODY)}
# Columns of a pose vector: place (room or site metres), heading, gait phase, gait strength 0..1, arm raised 0..1, head turn, idle phase.
POSE = "x y yaw phase walk reach head_yaw idle".split()

# Rows of a person's material table.
TOP, SLEEVE, FOREARM, LEG, SHIN, SHOE, SKIN, HEAD, HAIR, BAG, HAT, SKIRT = range(12)
MATERIALS = 12

_H, _GIRTH, _SHOULDERS, _HIPS, _LEGS, _HEAD, _HAIR, _VOLUME, _HAT, _BAG, _LOWER = (B[n] for n in BODY[:11])
_COAT, _SLEEVE, _SWING, _ELBOW, _STRIDE, _LEAN, _OUT, _BOUNCE, _BELLY, _SIDE, _TOE, _LOOSE = (
    B[n] for n in BODY[11:]
)
NO_CLIP = -1e9


@njit(cache=True)
def _put(out, n, ax, ay, az, zx, zy, zz, fx, fy, fz, sx, sy, sz, length, r0, r1, material, v0):
    """Write one part; z and y axes are normalised and made orthogonal here."""
    m = math.sqrt(zx * zx + zy * zy + zz * zz)
    zx, zy, zz = zx / m, zy / m, zz / m
    dot = fx * zx + fy * zy + fz * zz
    fx, fy, fz = fx - dot * zx, fy - dot * zy, fz - dot * zz
    m = math.sqrt(fx * fx + fy * fy + fz * fz)
    if m < 1e-6:
        fx, fy, fz = -zy, zx, 0.0
        m = math.sqrt(fx * fx + fy * fy) + 1e-12
    row = out[n]
    row[0], row[1], row[2] = ax, ay, az
    row[3], row[4], row[5] = zx, zy, zz
    row[6], row[7], row[8] = fx / m, fy / m, fz / m
    row[9], row[10], row[11] = sx, sy, sz
    row[12], row[13], row[14] = length, r0, r1
    row[15], row[16], row[17], row[18] = 0.0, 0.0, 0.0, NO_CLIP
    row[19], row[20] = material, v0
    return n + 1


@njit(cache=True)
def _limb(out, n, a, b, r0, r1, front, wide, deep, flat, material, v0):
    """A round cone between two joints; `flat` squashes the end caps along the axis."""
    zx, zy, zz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    length = math.sqrt(zx * zx + zy * zy + zz * zz) / flat
    return _put(
        out,
        n,
        a[0],
        a[1],
        a[2],
        zx,
        zy,
        zz,
        front[0],
        front[1],
        front[2],
        wide,
        deep,
        flat,
        length,
        r0,
        r1,
        material,
        v0,
    )


@njit(cache=True)
def _ball(out, n, c, up, front, rx, ry, rz, material, v0=0.0):
    return _put(
        out,
        n,
        c[0],
        c[1],
        c[2],
        up[0],
        up[1],
        up[2],
        front[0],
        front[1],
        front[2],
        rx,
        ry,
        rz,
        0.0,
        1.0,
        1.0,
        material,
        v0,
    )


@njit(cache=True)
def _clip(out, n, nx, ny, nz, d):
    out[n - 1, 15], out[n - 1, 16], out[n - 1, 17], out[n - 1, 18] = nx, ny, nz, d


@njit(cache=True)
def _leg_angles(phase, amplitude, walk):
    """Hip and knee angles of one leg: the knee bends while the leg swings forward (cos phase > 0)."""
    hip = amplitude * math.sin(phase) + 0.10 * walk
    swing = max(0.0, math.cos(phase + 0.22))
    return hip, 0.05 + walk * (0.08 + 0.80 * swing * math.sqrt(swing))


@njit(cache=True)
def step_length(body, walk):
    """Metres covered by one step (half a gait cycle)."""
    leg = body[_H] * body[_LEGS]
    return 2.0 * leg * 0.96 * math.sin(0.42 * body[_STRIDE] * walk)


@njit(cache=True)
def _hem(body):
    """How far the top hangs below the pelvis, in body heights; tucked into a skirt unless it is a coat."""
    if body[_COAT] >= 0.99:
        return 0.12 + 0.10 * (body[_COAT] - 1.0)
    return -0.015 if body[_LOWER] > 1.5 else 0.03 + 0.05 * body[_COAT]


@njit(cache=True)
def _skirt_drop(body):
    return 0.0 if body[_LOWER] < 1.5 else (0.20 if body[_LOWER] < 2.5 else 0.36)


@njit(cache=True)
def _legs(out, n, body, pose, joints):
    """Legs and shoes with the pelvis at height 0; returns the count and the height of the lowest sole."""
    h, walk = body[_H], pose[4]
    thigh, shin = 0.50 * body[_LEGS] * h, 0.46 * body[_LEGS] * h
    girth, loose = body[_GIRTH], body[_LOOSE]
    lowest = 0.0
    for s in (-1.0, 1.0):
        phase = pose[3] + (0.0 if s > 0 else math.pi)
        hip, knee = _leg_angles(phase, 0.42 * body[_STRIDE] * walk, walk)
        a = hip - knee
        out_y = s * 0.052 * h * body[_HIPS]
        spread = s * (0.012 + 0.03 * (1.0 - walk)) * h * 0.5
        hx, hy, hz = 0.0, out_y, 0.0
        kx, ky, kz = thigh * math.sin(hip), out_y + spread * 0.4, -thigh * math.cos(hip)
        ax, ay, az = kx + shin * math.sin(a), out_y + spread, kz - shin * math.cos(a)
        front = (1.0, s * body[_TOE] * 0.5, 0.0)
        bare = body[_LOWER] > 0.5
        r_hip, r_knee = 0.052 * h * girth * body[_HIPS], 0.036 * h * girth * (1.0 if bare else loose)
        r_ankle = 0.024 * h * girth if bare else 0.030 * h * girth * loose
        n = _limb(out, n, (hx, hy, hz), (kx, ky, kz), r_hip, r_knee, front, 1.0, 1.05, 1.0, LEG, 1.0)
        # What cloth covers is left away: a thigh that swings forward would break through a skirt.
        covered = 0.92 * h * max(_hem(body), _skirt_drop(body))
        if covered > 0.06 * h:
            _clip(out, n, 0.0, 0.0, 1.0, covered)
        n = _limb(
            out, n, (kx, ky, kz), (ax, ay, az + 0.03), r_knee * 0.98, r_ankle, front, 1.0, 1.0, 1.0, SHIN, 0.0
        )
        # A flat sole in stance; heel rises at the end of it, toes at heel strike.
        pitch = 0.9 * (max(0.0, a - 0.2) - max(0.0, -a - 0.12))
        c, si = math.cos(pitch), math.sin(pitch)
        foot, yy = 0.098 * h, s * body[_TOE]
        bx, by, bz = ax - 0.28 * foot * c, ay, az - 0.035 - 0.28 * foot * si
        tx, ty, tz = ax + 0.92 * foot * c, ay + yy * foot, az - 0.042 + 0.92 * foot * si
        n = _limb(
            out, n, (bx, by, bz), (tx, ty, tz), 0.046, 0.036, (0.0, 0.0, 1.0), 1.0, 0.95, 1.0, SHOE, 0.0
        )
        lowest = min(lowest, min(bz - 0.043, tz - 0.034))
        joints[0 if s < 0 else 1, 0], joints[0 if s < 0 else 1, 1], joints[0 if s < 0 else 1, 2] = ax, ay, az
    return n, lowest


@njit(cache=True)
def _arms(out, n, body, pose, shoulder_z, lean_x, twist):
    h, walk = body[_H], pose[4]
    girth = body[_GIRTH]
    upper, fore = 0.168 * h, 0.146 * h
    half = 0.102 * h * body[_SHOULDERS]
    for s in (-1.0, 1.0):
        phase = pose[3] + (math.pi if s > 0 else 0.0)
        swing = body[_SWING] * walk * math.sin(phase) + 0.04 + 0.03 * math.sin(pose[7] + s)
        bend = body[_ELBOW] + walk * 0.35 * body[_SWING] * max(0.0, math.sin(phase))
        lift = pose[5] if s < 0 else 0.0
        if body[_BAG] > 1.5 and body[_BAG] < 2.5 and s == body[_SIDE]:
            swing, bend = swing * 0.35, 0.12  # a hand that carries a bag hangs
        swing, bend = swing + 0.9 * lift, bend + 0.9 * lift
        out_a = body[_OUT]
        sx, sy, sz = lean_x - s * twist, s * half, shoulder_z
        ex = sx + upper * math.sin(swing) * math.cos(out_a)
        ey = sy + s * upper * math.sin(out_a)
        ez = sz - upper * math.cos(swing) * math.cos(out_a)
        fa = swing + bend
        wx, wy, wz = ex + fore * math.sin(fa), ey - s * fore * 0.10, ez - fore * math.cos(fa)
        front = (1.0, 0.0, 0.35)
        fat = 0.5 + 0.5 * girth
        r_s, r_e = 0.031 * h * fat, 0.025 * h * fat
        if body[_SLEEVE] < 0.5:
            n = _limb(
                out, n, (sx, sy, sz), (ex, ey, ez), r_s * 1.02, r_e * 0.9, front, 1.0, 1.0, 1.0, SKIN, 0.0
            )
            mx, my, mz = sx + 0.62 * (ex - sx), sy + 0.62 * (ey - sy), sz + 0.62 * (ez - sz)
            n = _limb(
                out, n, (sx, sy, sz), (mx, my, mz), r_s * 1.15, r_e * 1.25, front, 1.0, 1.0, 1.0, SLEEVE, 0.0
            )
            _clip(out, n, 0.0, 0.0, -1.0, -0.105 * h)
        else:
            n = _limb(
                out, n, (sx, sy, sz), (ex, ey, ez), r_s * 1.15, r_e * 1.12, front, 1.0, 1.0, 1.0, SLEEVE, 0.0
            )
        thick = 1.0 if body[_SLEEVE] > 0.5 else 0.84
        n = _limb(
            out,
            n,
            (ex, ey, ez),
            (wx, wy, wz),
            r_e * 1.08 * thick,
            0.019 * h * thick,
            front,
            1.0,
            1.0,
            1.0,
            FOREARM,
            0.3,
        )
        k = 0.045 * h / fore
        hx, hy, hz = wx + k * (wx - ex), wy + k * (wy - ey) * 0.5, wz + k * (wz - ez)
        n = _limb(out, n, (wx, wy, wz), (hx, hy, hz), 0.017 * h, 0.020 * h, front, 0.75, 1.1, 1.0, SKIN, 0.0)
        if body[_BAG] > 1.5 and body[_BAG] < 2.5 and s == body[_SIDE]:
            n = _ball(
                out, n, (hx, hy + 0.02 * s, hz - 0.17), (0.0, 0.0, 1.0), (0.0, s, 0.0), 0.17, 0.065, 0.15, BAG
            )
            _clip(out, n, 0.0, 0.0, -1.0, -0.62)
    return n


@njit(cache=True)
def _torso(out, n, body, pose, pelvis, shoulder_z, lean_x, twist):
    h, girth = body[_H], body[_GIRTH]
    hip, chest = body[_HIPS], body[_SHOULDERS]
    front = (1.0, 0.0, 0.0)
    chest_front = (1.0, 2.0 * twist / (0.1 * h), 0.0)
    # Half widths; depth is some 0.62 of the width, a belly adds to it.
    n = _ball(
        out,
        n,
        (-0.01, 0.0, pelvis + 0.012 * h),
        (0.0, 0.0, 1.0),
        front,
        0.090 * h * girth * hip,
        0.064 * h * girth,
        0.075 * h,
        LEG,
    )
    low = (0.02 * lean_x, 0.0, pelvis + 0.05 * h)
    high = (0.9 * lean_x, 0.0, shoulder_z - 0.040 * h)
    r_low, r_high = 0.090 * h * girth * (0.35 + 0.65 * hip), 0.104 * h * (0.45 + 0.55 * girth) * chest
    deep = 0.66 + 0.10 * body[_BELLY]
    n = _limb(out, n, low, high, r_low, r_high, chest_front, 1.0, deep, 0.36, TOP, 0.0)
    if body[_BELLY] > 0.3:
        n = _ball(
            out,
            n,
            (0.028 * h * girth, 0.0, pelvis + 0.085 * h),
            (0.0, 0.0, 1.0),
            front,
            0.085 * h * girth,
            0.062 * h * girth * (1 + 0.3 * body[_BELLY]),
            0.085 * h,
            TOP,
            0.035 * h,
        )
    # Jacket's hem over the hips; a coat or a skirt is a wider cone, cut flat at its lower end.
    hem = _hem(body) * h
    top = (0.02 * lean_x, 0.0, pelvis + 0.06 * h)
    end = (0.0, 0.0, pelvis - hem)
    wide = 0.106 * h * girth * hip + 0.012
    flare = 1.22 if body[_LOWER] > 1.5 and hem > 0.0 else 1.0
    n = _limb(
        out, n, end, top, wide * flare * (1.0 + 0.9 * hem / h), r_low, front, 1.0, 0.84, 0.36, TOP, -(hem + 0.05 * h)
    )
    _clip(out, n, 0.0, 0.0, 1.0, 0.0)
    if body[_LOWER] > 1.5:  # a skirt; it follows the stride a little
        drop = _skirt_drop(body) * h
        flare = 1.0 + 0.22 * (body[_LOWER] - 1.5) + 0.12 * pose[4] * abs(math.sin(pose[3]))
        end = (0.0, 0.0, pelvis - drop)
        n = _limb(
            out,
            n,
            end,
            (0.0, 0.0, pelvis + 0.03 * h),
            wide * flare * 1.05,
            wide * 0.9,
            front,
            1.0,
            0.85,
            0.36,
            SKIRT,
            -drop,
        )
        _clip(out, n, 0.0, 0.0, 1.0, 0.0)
    # Trapezius slopes from neck to shoulders.
    half = 0.102 * h * chest
    for s in (-1.0, 1.0):
        n = _limb(
            out,
            n,
            (lean_x, s * 0.02 * h, shoulder_z + 0.022 * h),
            (lean_x - s * twist, s * half, shoulder_z),
            0.030 * h,
            0.037 * h,
            front,
            1.0,
            1.0,
            1.0,
            SLEEVE,
            0.0,
        )
    if body[_BAG] > 0.5 and body[_BAG] < 1.5:  # backpack
        n = _limb(
            out,
            n,
            (lean_x * 0.5 - 0.105 * h, 0.0, shoulder_z - 0.20 * h),
            (lean_x - 0.10 * h, 0.0, shoulder_z - 0.035 * h),
            0.078 * h,
            0.064 * h,
            (-1.0, 0.0, 0.0),
            1.0,
            0.62,
            0.5,
            BAG,
            0.0,
        )
    if body[_BAG] > 2.5:  # shoulder bag at the hip
        s = body[_SIDE]
        n = _ball(
            out,
            n,
            (-0.02, s * 0.135 * h * girth, pelvis + 0.02 * h),
            (0.0, 0.15 * s, 1.0),
            (0.0, s, 0.0),
            0.15,
            0.06,
            0.12,
            BAG,
        )
    return n


@njit(cache=True)
def _head(out, n, body, pose, neck_z, lean_x):
    h = body[_H]
    k = body[_HEAD] * (0.62 + 0.38 * h / 1.75)
    yaw = pose[6]
    fx, fy = math.cos(yaw), math.sin(yaw)
    front = (fx, fy, 0.0)
    up = (0.06 + 0.04 * pose[4], 0.0, 1.0)
    rw, rd, rh = 0.077 * k, 0.096 * k, 0.118 * k
    cz = h - rh * 1.02
    cx, cy = lean_x + 0.022 + 0.012 * fx, 0.010 * fy
    n = _limb(
        out,
        n,
        (lean_x - 0.005, 0.0, neck_z - 0.03),
        (lean_x + 0.012, 0.0, cz - 0.05 * k),
        0.056 * k,
        0.052 * k,
        front,
        1.0,
        1.0,
        1.0,
        SKIN,
        0.0,
    )
    n = _ball(out, n, (cx, cy, cz), up, front, rw, rd, rh, HEAD)
    n = _ball(
        out,
        n,
        (cx + 0.028 * fx * k, cy + 0.028 * fy * k, cz - 0.070 * k),
        up,
        front,
        0.052 * k,
        0.058 * k,
        0.050 * k,
        HEAD,
        1.0,
    )
    n = _ball(
        out, n, (cx + rd * fx, cy + rd * fy, cz - 0.022 * k), up, front, 0.014 * k, 0.020 * k, 0.022 * k, SKIN
    )
    style, vol = body[_HAIR], body[_VOLUME] if body[_HAT] < 0.5 else 1.09
    if style > 0.5:
        n = _ball(
            out,
            n,
            (cx - 0.006 * fx, cy - 0.006 * fy, cz + 0.008 * k),
            up,
            front,
            rw * vol,
            rd * vol,
            rh * vol,
            HAIR,
        )
        _clip(out, n, 0.0, -0.80, 0.60, -0.02 if style < 3.5 else -0.12)
    if style > 1.5 and style < 2.5:  # down to the jaw
        n = _ball(
            out,
            n,
            (cx - 0.034 * fx * k, cy - 0.034 * fy * k, cz - 0.042 * k),
            up,
            front,
            rw * 1.16,
            0.080 * k,
            0.120 * k,
            HAIR,
        )
        _clip(out, n, 0.0, -1.0, 0.0, -0.62)
    if style > 2.5 and style < 3.5:  # long, on the back
        n = _ball(
            out,
            n,
            (cx - 0.055 * fx * k, cy - 0.055 * fy * k, cz - 0.13 * k),
            (0.18, 0.0, 1.0),
            front,
            rw * 1.18,
            0.062 * k,
            0.20 * k,
            HAIR,
        )
    if style > 3.5 and style < 4.5:  # pony tail
        n = _limb(
            out,
            n,
            (cx - 0.10 * fx * k, cy - 0.10 * fy * k, cz + 0.02 * k),
            (cx - 0.14 * fx * k, cy - 0.13 * fy * k, cz - 0.19 * k),
            0.034 * k,
            0.020 * k,
            front,
            1.0,
            1.0,
            1.0,
            HAIR,
            0.0,
        )
    if style > 4.5:  # bun
        n = _ball(
            out,
            n,
            (cx - 0.085 * fx * k, cy - 0.085 * fy * k, cz + 0.085 * k),
            up,
            front,
            0.046 * k,
            0.046 * k,
            0.044 * k,
            HAIR,
        )
    if body[_HAT] > 0.5:
        n = _ball(out, n, (cx, cy, cz + 0.012 * k), up, front, rw * 1.17, rd * 1.13, rh * 1.10, HAT)
        _clip(out, n, 0.0, -0.18 if body[_HAT] < 2.5 else -0.30, 1.0, 0.24 if body[_HAT] < 2.5 else 0.10)
        if body[_HAT] < 1.5:  # a cap's brim
            n = _ball(
                out,
                n,
                (cx + rd * 0.95 * fx, cy + rd * 0.95 * fy, cz + 0.045 * k),
                (0.12, 0.0, 1.0),
                front,
                0.066 * k,
                0.085 * k,
                0.010,
                HAT,
            )
        elif body[_HAT] < 2.5:  # a hat's brim all round
            n = _ball(out, n, (cx, cy, cz + 0.045 * k), up, front, 0.15 * k, 0.165 * k, 0.012, HAT)
    return n


@njit(cache=True)
def pose_parts(body, pose, out):
    """Fill `out` (MAX_PARTS, PART_COLUMNS) with the parts in the person's frame, soles on z = 0; returns their number."""
    joints = np.empty((2, 3))
    n, lowest = _legs(out, 0, body, pose, joints)
    pelvis = -lowest
    for i in range(n):
        out[i, 2] += pelvis
    h, walk = body[_H], pose[4]
    shoulder_z = pelvis + (0.815 - 0.52) * h + 0.004 * math.sin(pose[7])
    lean_x = (0.10 * body[_LEAN]) * h * (0.4 + 0.6 * walk) + 0.006 * math.sin(0.7 * pose[7])
    twist = 0.022 * h * walk * body[_SWING] * math.sin(pose[3])
    n = _torso(out, n, body, pose, pelvis, shoulder_z, lean_x, twist)
    n = _arms(out, n, body, pose, shoulder_z, lean_x, twist)
    # The head rides on the pelvis: its height follows the gait's bounce.
    first = n
    n = _head(out, n, body, pose, shoulder_z + 0.02 * h, lean_x)
    standing = (0.96 * body[_LEGS] + 0.045) * h
    for i in range(first, n):
        out[i, 2] += pelvis - standing
    sway = 0.012 * h * walk * math.cos(pose[3]) + 0.008 * (1.0 - walk) * math.sin(0.5 * pose[7])
    for i in range(6, n):
        out[i, 1] += sway
    return n
