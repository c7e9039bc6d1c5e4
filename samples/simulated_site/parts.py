"""The columns of parts, bodies and poses, and the writing of one part.

A primitive ("part") is a round cone along its local z axis, from a ball of radius r0 at z = 0 to one of r1 at z = L,
seen through a local scale (sx, sy, sz): a scaled cone is a chest, L = 0 is an ellipsoid. One row of PART_COLUMNS
float64:

    0:3   origin, person's frame (x forward, y left, z up; metres)
    3:6   local z axis      6:9 local y axis (the part's front)
    9:12  sx, sy, sz        12:15 L, r0, r1 in local units
    15:19 clip plane: kept where n . local >= d          19 material row      20 height added to the texture's v, metres
"""

from __future__ import annotations

import math

from numba import njit

PART_COLUMNS = 21
MAX_PARTS = 44
NO_CLIP = -1e9

# Columns of a body vector (float64). Lengths in metres, angles in radians, the rest ratios or kinds (see looks.Look).
BODY = (
    *(
        "height",
        "girth",
        "shoulders",
        "hips",
        "legs",
        "head",
        "hair_style",
        "hair_volume",
        "hat",
        "bag",
        "lower",
        "coat",
    ),
    *("sleeve", "arm_swing", "elbow", "stride", "lean", "arm_out", "belly", "bag_side", "toe_out", "loose"),
)
HEIGHT, GIRTH, SHOULDERS, HIPS, LEGS, HEAD_SIZE, HAIR_STYLE, HAIR_VOLUME, HAT_KIND, BAG_KIND, LOWER, COAT = range(12)
LONG_SLEEVES, ARM_SWING, ELBOW, STRIDE, LEAN, ARM_OUT, BELLY, BAG_SIDE, TOE_OUT, LOOSE = range(12, 22)

# Columns of a pose: place (metres), heading, gait phase, gait strength 0..1, arm raised 0..1, head's turn, idle phase.
POSE = ("x", "y", "yaw", "phase", "walk", "reach", "head_yaw", "idle")
PHASE, WALK, REACH, HEAD_YAW, IDLE = range(3, 8)

# Rows of a person's material table.
TOP, SLEEVE, FOREARM, LEG, SHIN, SHOE, SKIN, HEAD, HAIR, BAG, HAT, SKIRT = range(12)
MATERIALS = 12


@njit(cache=True)
def put(out, n, origin, axis, front, scale, shape, material, v0):
    """Write part n (axes are normalised and made orthogonal here) and return n + 1. shape: L, r0, r1."""
    zx, zy, zz = axis
    fx, fy, fz = front
    m = math.sqrt(zx * zx + zy * zy + zz * zz)
    zx, zy, zz = zx / m, zy / m, zz / m
    dot = fx * zx + fy * zy + fz * zz
    fx, fy, fz = fx - dot * zx, fy - dot * zy, fz - dot * zz
    m = math.sqrt(fx * fx + fy * fy + fz * fz)
    if m < 1e-6:
        fx, fy, fz = -zy, zx, 0.0
        m = math.sqrt(fx * fx + fy * fy) + 1e-12
    row = out[n]
    row[0], row[1], row[2] = origin
    row[3], row[4], row[5] = zx, zy, zz
    row[6], row[7], row[8] = fx / m, fy / m, fz / m
    row[9], row[10], row[11] = scale
    row[12], row[13], row[14] = shape
    row[15], row[16], row[17], row[18] = 0.0, 0.0, 0.0, NO_CLIP
    row[19], row[20] = material, v0
    return n + 1


@njit(cache=True)
def limb(out, n, a, b, radii, front, scale, material, v0):
    """A round cone between two joints; scale's third number squashes the end caps along the axis."""
    axis = (b[0] - a[0], b[1] - a[1], b[2] - a[2])
    length = math.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]) / scale[2]
    return put(out, n, a, axis, front, scale, (length, radii[0], radii[1]), material, v0)


@njit(cache=True)
def ball(out, n, centre, up, front, half_axes, material, v0):
    """An ellipsoid."""
    return put(out, n, centre, up, front, half_axes, (0.0, 1.0, 1.0), material, v0)


@njit(cache=True)
def clip(out, n, nx, ny, nz, d):
    """Keep of the last part written only what lies beyond a plane of its local space."""
    out[n - 1, 15], out[n - 1, 16], out[n - 1, 17], out[n - 1, 18] = nx, ny, nz, d
