"""Torso, cloth below it, bags, head, hair and hats."""

from __future__ import annotations

import math

from numba import njit

from simulated_site import parts as pt
from simulated_site.limbs import ROUND, hem, skirt_drop
from simulated_site.parts import ball, clip, limb

UP = (0.0, 0.0, 1.0)
FRONT = (1.0, 0.0, 0.0)


@njit(cache=True)
def torso(out, n, body, pose, pelvis, shoulder_z, lean_x, twist):
    """Hips, chest, belly, hem, skirt, shoulders and what hangs from them."""
    h, girth, hip, chest = body[pt.HEIGHT], body[pt.GIRTH], body[pt.HIPS], body[pt.SHOULDERS]
    # Half widths; depth is some 0.66 of the width, a belly adds to it.
    hips = (0.090 * h * girth * hip, 0.064 * h * girth, 0.075 * h)
    n = ball(out, n, (-0.01, 0.0, pelvis + 0.012 * h), UP, FRONT, hips, pt.LEG, 0.0)
    low, high = (0.02 * lean_x, 0.0, pelvis + 0.05 * h), (0.9 * lean_x, 0.0, shoulder_z - 0.040 * h)
    r_low, r_high = 0.090 * h * girth * (0.35 + 0.65 * hip), 0.104 * h * (0.45 + 0.55 * girth) * chest
    turned = (1.0, 2.0 * twist / (0.1 * h), 0.0)
    n = limb(out, n, low, high, (r_low, r_high), turned, (1.0, 0.66 + 0.10 * body[pt.BELLY], 0.36), pt.TOP, 0.0)
    if body[pt.BELLY] > 0.3:
        axes = (0.085 * h * girth, 0.062 * h * girth * (1 + 0.3 * body[pt.BELLY]), 0.085 * h)
        n = ball(out, n, (0.028 * h * girth, 0.0, pelvis + 0.085 * h), UP, FRONT, axes, pt.TOP, 0.035 * h)
    n = _cloth_below(out, n, body, pose, pelvis, lean_x, r_low)
    # The trapezius slopes from neck to shoulders.
    half = 0.102 * h * chest
    for s in (-1.0, 1.0):
        neck, shoulder = (lean_x, s * 0.02 * h, shoulder_z + 0.022 * h), (lean_x - s * twist, s * half, shoulder_z)
        n = limb(out, n, neck, shoulder, (0.030 * h, 0.037 * h), FRONT, ROUND, pt.SLEEVE, 0.0)
    return _bag(out, n, body, pelvis, shoulder_z, lean_x)


@njit(cache=True)
def _cloth_below(out, n, body, pose, pelvis, lean_x, r_low):
    """The hem of shirt, jacket or coat, and a skirt: cones cut flat at their lower ends."""
    h = body[pt.HEIGHT]
    drop = hem(body) * h
    wide = 0.106 * h * body[pt.GIRTH] * body[pt.HIPS] + 0.012
    flare = 1.22 if body[pt.LOWER] > 1.5 and drop > 0.0 else 1.0
    radii = (wide * flare * (1.0 + 0.9 * drop / h), r_low)
    top = (0.02 * lean_x, 0.0, pelvis + 0.06 * h)
    n = limb(out, n, (0.0, 0.0, pelvis - drop), top, radii, FRONT, (1.0, 0.84, 0.36), pt.TOP, -(drop + 0.05 * h))
    clip(out, n, 0.0, 0.0, 1.0, 0.0)
    if body[pt.LOWER] > 1.5:  # a skirt follows the stride a little
        drop = skirt_drop(body) * h
        flare = 1.0 + 0.22 * (body[pt.LOWER] - 1.5) + 0.12 * pose[pt.WALK] * abs(math.sin(pose[pt.PHASE]))
        radii = (wide * flare * 1.05, wide * 0.9)
        end, top = (0.0, 0.0, pelvis - drop), (0.0, 0.0, pelvis + 0.03 * h)
        n = limb(out, n, end, top, radii, FRONT, (1.0, 0.85, 0.36), pt.SKIRT, -drop)
        clip(out, n, 0.0, 0.0, 1.0, 0.0)
    return n


@njit(cache=True)
def _bag(out, n, body, pelvis, shoulder_z, lean_x):
    """A backpack, or a shoulder bag at the hip; a handbag hangs from the hand (limbs.arms)."""
    h, kind, s = body[pt.HEIGHT], body[pt.BAG_KIND], body[pt.BAG_SIDE]
    if 0.5 < kind < 1.5:
        low = (lean_x * 0.5 - 0.105 * h, 0.0, shoulder_z - 0.20 * h)
        high = (lean_x - 0.10 * h, 0.0, shoulder_z - 0.035 * h)
        n = limb(out, n, low, high, (0.078 * h, 0.064 * h), (-1.0, 0.0, 0.0), (1.0, 0.62, 0.5), pt.BAG, 0.0)
    if kind > 2.5:
        middle = (-0.02, s * 0.135 * h * body[pt.GIRTH], pelvis + 0.02 * h)
        n = ball(out, n, middle, (0.0, 0.15 * s, 1.0), (0.0, s, 0.0), (0.15, 0.06, 0.12), pt.BAG, 0.0)
    return n


@njit(cache=True)
def _along(c, front, forward, up):
    """A point forward of and above c, as the head looks."""
    return (c[0] + forward * front[0], c[1] + forward * front[1], c[2] + up)


@njit(cache=True)
def head(out, n, body, pose, neck_z, lean_x):
    """Neck, head with a jaw and a nose, hair and hat."""
    h = body[pt.HEIGHT]
    k = body[pt.HEAD_SIZE] * (0.62 + 0.38 * h / 1.75)
    front = (math.cos(pose[pt.HEAD_YAW]), math.sin(pose[pt.HEAD_YAW]), 0.0)
    up = (0.06 + 0.04 * pose[pt.WALK], 0.0, 1.0)
    axes = (0.077 * k, 0.096 * k, 0.118 * k)
    c = (lean_x + 0.022 + 0.012 * front[0], 0.010 * front[1], h - axes[2] * 1.02)
    bottom, top = (lean_x - 0.005, 0.0, neck_z - 0.03), (lean_x + 0.012, 0.0, c[2] - 0.05 * k)
    n = limb(out, n, bottom, top, (0.056 * k, 0.052 * k), front, ROUND, pt.SKIN, 0.0)
    n = ball(out, n, c, up, front, axes, pt.HEAD, 0.0)
    jaw = _along(c, front, 0.028 * k, -0.070 * k)
    n = ball(out, n, jaw, up, front, (0.052 * k, 0.058 * k, 0.050 * k), pt.HEAD, 1.0)
    nose = _along(c, front, axes[1], -0.022 * k)
    n = ball(out, n, nose, up, front, (0.014 * k, 0.020 * k, 0.022 * k), pt.SKIN, 0.0)
    n = _hair(out, n, body, k, c, up, front, axes)
    return _hat(out, n, body, k, c, up, front, axes)


@njit(cache=True)
def _hair(out, n, body, k, c, up, front, axes):
    style = body[pt.HAIR_STYLE]
    volume = body[pt.HAIR_VOLUME] if body[pt.HAT_KIND] < 0.5 else 1.09  # a hat presses it down
    if style > 0.5:
        cap = (axes[0] * volume, axes[1] * volume, axes[2] * volume)
        n = ball(out, n, _along(c, front, -0.006, 0.008 * k), up, front, cap, pt.HAIR, 0.0)
        clip(out, n, 0.0, -0.80, 0.60, -0.02 if style < 3.5 else -0.12)
    if 1.5 < style < 2.5:  # down to the jaw
        middle = _along(c, front, -0.034 * k, -0.042 * k)
        n = ball(out, n, middle, up, front, (axes[0] * 1.16, 0.080 * k, 0.120 * k), pt.HAIR, 0.0)
        clip(out, n, 0.0, -1.0, 0.0, -0.62)
    if 2.5 < style < 3.5:  # long, on the back
        middle = _along(c, front, -0.055 * k, -0.13 * k)
        n = ball(out, n, middle, (0.18, 0.0, 1.0), front, (axes[0] * 1.18, 0.062 * k, 0.20 * k), pt.HAIR, 0.0)
    if 3.5 < style < 4.5:  # pony tail
        start, end = _along(c, front, -0.10 * k, 0.02 * k), _along(c, front, -0.14 * k, -0.19 * k)
        n = limb(out, n, start, end, (0.034 * k, 0.020 * k), front, ROUND, pt.HAIR, 0.0)
    if style > 4.5:  # bun
        middle = _along(c, front, -0.085 * k, 0.085 * k)
        n = ball(out, n, middle, up, front, (0.046 * k, 0.046 * k, 0.044 * k), pt.HAIR, 0.0)
    return n


@njit(cache=True)
def _hat(out, n, body, k, c, up, front, axes):
    kind = body[pt.HAT_KIND]
    if kind < 0.5:
        return n
    crown = (axes[0] * 1.17, axes[1] * 1.13, axes[2] * 1.10)
    n = ball(out, n, _along(c, front, 0.0, 0.012 * k), up, front, crown, pt.HAT, 0.0)
    if kind > 2.5:  # a knitted cap, deeper at the back
        clip(out, n, 0.0, -0.30, 1.0, 0.10)
        return n
    clip(out, n, 0.0, -0.18, 1.0, 0.24)
    if kind < 1.5:  # a cap's peak
        peak = _along(c, front, axes[1] * 0.95, 0.045 * k)
        return ball(out, n, peak, (0.12, 0.0, 1.0), front, (0.066 * k, 0.085 * k, 0.010), pt.HAT, 0.0)
    brim = _along(c, front, 0.0, 0.045 * k)
    return ball(out, n, brim, up, front, (0.15 * k, 0.165 * k, 0.012), pt.HAT, 0.0)
