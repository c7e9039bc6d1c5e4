"""Legs and arms in the gait cycle."""

from __future__ import annotations

import math

from numba import njit

from simulated_site import parts as pt
from simulated_site.parts import ball, clip, limb

ROUND = (1.0, 1.0, 1.0)
HIP_SWING = 0.42  # radians to each side, at a stride of 1


@njit(cache=True)
def _leg_angles(phase, amplitude, walk):
    """Hip and knee angles of one leg: the knee bends while the leg swings forward (cos phase > 0)."""
    hip = amplitude * math.sin(phase) + 0.10 * walk
    swing = max(0.0, math.cos(phase + 0.22))
    return hip, 0.05 + walk * (0.08 + 0.80 * swing * math.sqrt(swing))


@njit(cache=True)
def step_length(body, walk):
    """Metres covered by one step (half a gait cycle)."""
    leg = body[pt.HEIGHT] * body[pt.LEGS]
    return 2.0 * leg * 0.96 * math.sin(HIP_SWING * body[pt.STRIDE] * walk)


@njit(cache=True)
def hem(body):
    """How far the top hangs below the pelvis, in body heights; tucked into a skirt unless it is a coat."""
    if body[pt.COAT] >= 0.99:
        return 0.12 + 0.10 * (body[pt.COAT] - 1.0)
    return -0.015 if body[pt.LOWER] > 1.5 else 0.03 + 0.05 * body[pt.COAT]


@njit(cache=True)
def skirt_drop(body):
    """How far a skirt hangs below the pelvis, in body heights."""
    return 0.0 if body[pt.LOWER] < 1.5 else (0.20 if body[pt.LOWER] < 2.5 else 0.36)


@njit(cache=True)
def _shoe(out, n, body, ankle, a, side):
    """A shoe, and its lowest point: a flat sole in stance; heel up at the end of it, toes up at heel strike."""
    pitch = 0.9 * (max(0.0, a - 0.2) - max(0.0, -a - 0.12))
    c, s = math.cos(pitch), math.sin(pitch)
    foot = 0.098 * body[pt.HEIGHT]
    heel = (ankle[0] - 0.28 * foot * c, ankle[1], ankle[2] - 0.035 - 0.28 * foot * s)
    toe_y = ankle[1] + side * body[pt.TOE_OUT] * foot
    toe = (ankle[0] + 0.92 * foot * c, toe_y, ankle[2] - 0.042 + 0.92 * foot * s)
    n = limb(out, n, heel, toe, (0.046, 0.036), (0.0, 0.0, 1.0), (1.0, 0.95, 1.0), pt.SHOE, 0.0)
    return n, min(heel[2] - 0.043, toe[2] - 0.034)


@njit(cache=True)
def legs(out, n, body, pose):
    """Legs and shoes with the pelvis at height 0; returns the count and the height of the lowest sole."""
    h, walk, girth, loose = body[pt.HEIGHT], pose[pt.WALK], body[pt.GIRTH], body[pt.LOOSE]
    thigh, shin = 0.50 * body[pt.LEGS] * h, 0.46 * body[pt.LEGS] * h
    bare = body[pt.LOWER] > 0.5
    r_hip, r_knee = 0.052 * h * girth * body[pt.HIPS], 0.036 * h * girth * (1.0 if bare else loose)
    r_ankle = 0.024 * h * girth if bare else 0.030 * h * girth * loose
    # What cloth covers is left away: a thigh that swings forward would break through a skirt.
    covered = 0.92 * h * max(hem(body), skirt_drop(body))
    lowest = 0.0
    for s in (-1.0, 1.0):
        phase = pose[pt.PHASE] + (0.0 if s > 0 else math.pi)
        angle, knee_angle = _leg_angles(phase, HIP_SWING * body[pt.STRIDE] * walk, walk)
        a = angle - knee_angle
        out_y = s * 0.052 * h * body[pt.HIPS]
        spread = s * (0.012 + 0.03 * (1.0 - walk)) * h * 0.5
        hip = (0.0, out_y, 0.0)
        knee = (thigh * math.sin(angle), out_y + spread * 0.4, -thigh * math.cos(angle))
        ankle = (knee[0] + shin * math.sin(a), out_y + spread, knee[2] - shin * math.cos(a))
        front = (1.0, s * body[pt.TOE_OUT] * 0.5, 0.0)
        n = limb(out, n, hip, knee, (r_hip, r_knee), front, (1.0, 1.05, 1.0), pt.LEG, 1.0)
        if covered > 0.06 * h:
            clip(out, n, 0.0, 0.0, 1.0, covered)
        cuff = (ankle[0], ankle[1], ankle[2] + 0.03)
        n = limb(out, n, knee, cuff, (r_knee * 0.98, r_ankle), front, ROUND, pt.SHIN, 0.0)
        n, sole = _shoe(out, n, body, ankle, a, s)
        lowest = min(lowest, sole)
    return n, lowest


@njit(cache=True)
def _sleeved(out, n, body, shoulder, elbow, front):
    """An upper arm, bare below a short sleeve or clothed."""
    h = body[pt.HEIGHT]
    fat = 0.5 + 0.5 * body[pt.GIRTH]
    r_s, r_e = 0.031 * h * fat, 0.025 * h * fat
    if body[pt.LONG_SLEEVES] > 0.5:
        return limb(out, n, shoulder, elbow, (r_s * 1.15, r_e * 1.12), front, ROUND, pt.SLEEVE, 0.0)
    n = limb(out, n, shoulder, elbow, (r_s * 1.02, r_e * 0.9), front, ROUND, pt.SKIN, 0.0)
    x, y = shoulder[0] + 0.62 * (elbow[0] - shoulder[0]), shoulder[1] + 0.62 * (elbow[1] - shoulder[1])
    z = shoulder[2] + 0.62 * (elbow[2] - shoulder[2])
    n = limb(out, n, shoulder, (x, y, z), (r_s * 1.15, r_e * 1.25), front, ROUND, pt.SLEEVE, 0.0)
    clip(out, n, 0.0, 0.0, -1.0, -0.105 * h)
    return n


@njit(cache=True)
def _forearm(out, n, body, elbow, wrist, front):
    h = body[pt.HEIGHT]
    thick = 1.0 if body[pt.LONG_SLEEVES] > 0.5 else 0.84
    r_e = 0.025 * h * (0.5 + 0.5 * body[pt.GIRTH])
    n = limb(out, n, elbow, wrist, (r_e * 1.08 * thick, 0.019 * h * thick), front, ROUND, pt.FOREARM, 0.3)
    k = 0.045 / 0.146
    hand = (
        wrist[0] + k * (wrist[0] - elbow[0]),
        wrist[1] + k * (wrist[1] - elbow[1]) * 0.5,
        wrist[2] + k * (wrist[2] - elbow[2]),
    )
    return limb(out, n, wrist, hand, (0.017 * h, 0.020 * h), front, (0.75, 1.1, 1.0), pt.SKIN, 0.0), hand


@njit(cache=True)
def _arm_angles(body, pose, side, carries):
    """Swing of the upper arm and bend of the elbow; the right arm reaches out."""
    walk = pose[pt.WALK]
    phase = pose[pt.PHASE] + (math.pi if side > 0 else 0.0)
    swing = body[pt.ARM_SWING] * walk * math.sin(phase) + 0.04 + 0.03 * math.sin(pose[pt.IDLE] + side)
    bend = body[pt.ELBOW] + walk * 0.35 * body[pt.ARM_SWING] * max(0.0, math.sin(phase))
    if carries:
        swing, bend = swing * 0.35, 0.12  # a hand that carries a bag hangs
    lift = pose[pt.REACH] if side < 0 else 0.0
    return swing + 0.9 * lift, bend + 0.9 * lift


@njit(cache=True)
def arms(out, n, body, pose, shoulder_z, lean_x, twist):
    """Arms, hands, and a handbag where one is carried."""
    h = body[pt.HEIGHT]
    upper, fore = 0.168 * h, 0.146 * h
    half = 0.102 * h * body[pt.SHOULDERS]
    front = (1.0, 0.0, 0.35)
    for s in (-1.0, 1.0):
        carries = 1.5 < body[pt.BAG_KIND] < 2.5 and s == body[pt.BAG_SIDE]
        swing, bend = _arm_angles(body, pose, s, carries)
        aside = body[pt.ARM_OUT]
        shoulder = (lean_x - s * twist, s * half, shoulder_z)
        elbow = (
            shoulder[0] + upper * math.sin(swing) * math.cos(aside),
            shoulder[1] + s * upper * math.sin(aside),
            shoulder[2] - upper * math.cos(swing) * math.cos(aside),
        )
        fa = swing + bend
        wrist = (elbow[0] + fore * math.sin(fa), elbow[1] - s * fore * 0.10, elbow[2] - fore * math.cos(fa))
        n = _sleeved(out, n, body, shoulder, elbow, front)
        n, hand = _forearm(out, n, body, elbow, wrist, front)
        if carries:
            middle = (hand[0], hand[1] + 0.02 * s, hand[2] - 0.17)
            n = ball(out, n, middle, (0.0, 0.0, 1.0), (0.0, s, 0.0), (0.17, 0.065, 0.15), pt.BAG, 0.0)
            clip(out, n, 0.0, 0.0, -1.0, -0.62)
    return n
