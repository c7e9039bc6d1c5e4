"""A person as articulated primitives: body measures and a pose in, round cones and ellipsoids out."""

from __future__ import annotations

import math

from numba import njit

from simulated_site import parts as pt
from simulated_site.limbs import arms, legs
from simulated_site.trunk import head, torso


@njit(cache=True)
def pose_parts(body, pose, out):
    """Fill `out` (MAX_PARTS, PART_COLUMNS) with the parts in the person's frame, soles on z = 0; returns their
    number.

    body: (len(BODY),) float64; pose: (len(POSE),) float64, of which place and heading are left to raster.place.
    """
    n, lowest = legs(out, 0, body, pose)
    below_hips = n
    pelvis = -lowest
    for i in range(n):
        out[i, 2] += pelvis
    h, walk = body[pt.HEIGHT], pose[pt.WALK]
    shoulder_z = pelvis + (0.815 - 0.52) * h + 0.004 * math.sin(pose[pt.IDLE])
    lean_x = (0.10 * body[pt.LEAN]) * h * (0.4 + 0.6 * walk) + 0.006 * math.sin(0.7 * pose[pt.IDLE])
    twist = 0.022 * h * walk * body[pt.ARM_SWING] * math.sin(pose[pt.PHASE])
    n = torso(out, n, body, pose, pelvis, shoulder_z, lean_x, twist)
    n = arms(out, n, body, pose, shoulder_z, lean_x, twist)
    # The head rides on the pelvis: its height follows the gait's bounce.
    first = n
    n = head(out, n, body, pose, shoulder_z + 0.02 * h, lean_x)
    standing = (0.96 * body[pt.LEGS] + 0.045) * h
    for i in range(first, n):
        out[i, 2] += pelvis - standing
    sway = 0.012 * h * walk * math.cos(pose[pt.PHASE]) + 0.008 * (1.0 - walk) * math.sin(0.5 * pose[pt.IDLE])
    for i in range(below_hips, n):
        out[i, 1] += sway
    return n
