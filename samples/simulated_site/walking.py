"""From a path with stops to a body's motion: speed, heading, gait phase, and what arms and head do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulated_site.limbs import step_length
from simulated_site.parts import POSE

ACCELERATION = 1.3  # m/s^2, when stopping and starting
TURN_RATE = 3.2  # rad/s at most
CREEP = 0.12  # m/s, so that a start from rest leaves the spot


@dataclass(frozen=True)
class Stop:
    """Stand at `at_m` along the path for `seconds`, facing `facing` (radians)."""

    at_m: float
    seconds: float
    facing: float


def march(
    path: np.ndarray, spacing_m: float, stops: list[Stop], speed: float, fps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Walk the path: positions (n, 2), wanted headings (n,), speeds (n,), one per frame; the last frame is the
    path's end.
    """
    length = spacing_m * (len(path) - 1)
    tangent = np.unwrap(np.arctan2(*np.gradient(path, axis=0).T[::-1]))
    at, v, places, headings, speeds = 0.0, speed, [], [], []
    todo = sorted(stops, key=lambda s: s.at_m)
    dt = 1.0 / fps
    while at < length:
        if todo and at >= todo[0].at_m - 1e-6:
            stop = todo.pop(0)
            count = max(1, int(stop.seconds * fps))
            x, y = (float(np.interp(at / spacing_m, np.arange(len(path)), path[:, k])) for k in range(2))
            places += [(x, y)] * count
            headings += [stop.facing] * count
            speeds += [0.0] * count
            v = CREEP
            continue
        target = speed
        if todo:
            target = min(speed, math.sqrt(2 * ACCELERATION * max(0.0, todo[0].at_m - at)) + CREEP)
        v = min(target, v + ACCELERATION * dt)
        ahead = min(at + v * dt, todo[0].at_m if todo else length)
        v_real, at = (ahead - at) / dt, ahead
        i = at / spacing_m
        places.append(tuple(float(np.interp(i, np.arange(len(path)), path[:, k])) for k in range(2)))
        headings.append(float(np.interp(i, np.arange(len(path)), tangent)))
        speeds.append(v_real)
    return np.array(places), np.array(headings), np.array(speeds)


def _turn(wanted: np.ndarray, fps: int) -> np.ndarray:
    """Headings that follow the wanted ones no faster than TURN_RATE, the short way round."""
    out, now = np.empty_like(wanted), wanted[0]
    for i, goal in enumerate(wanted):
        error = (goal - now + math.pi) % (2 * math.pi) - math.pi
        now += np.clip(error, -TURN_RATE / fps, TURN_RATE / fps) * 0.8
        out[i] = now
    return out


def _ramp(values: np.ndarray, frames: int) -> np.ndarray:
    kernel = np.ones(frames) / frames
    return np.convolve(np.pad(values, (frames // 2, frames - 1 - frames // 2), mode="edge"), kernel, mode="valid")


def poses_of(
    places: np.ndarray, wanted: np.ndarray, speeds: np.ndarray, body: np.ndarray, fps: int, rng: np.random.Generator
) -> np.ndarray:
    """Poses (n, len(POSE)) float64 of one person who walks this way."""
    n = len(places)
    poses = np.zeros((n, len(POSE)))
    poses[:, :2] = places
    poses[:, 2] = _turn(wanted, fps)
    walk = _ramp(np.clip(speeds / 1.25, 0.0, 1.06) ** 0.6, 3)
    poses[:, 4] = walk
    strides = np.array([2.0 * step_length(body, w) for w in np.maximum(walk, 0.3)])
    poses[:, 3] = rng.uniform(0, 2 * math.pi) + np.cumsum(2 * math.pi * speeds / fps / strides)
    standing = walk < 0.2
    if standing.any() and rng.random() < 0.6:
        poses[:, 5] = _ramp(np.where(standing, rng.uniform(0.3, 1.0), 0.0) * (np.sin(np.arange(n) / fps * 0.9) > 0), 7)
    wander = np.sin(np.arange(n) / fps * rng.uniform(0.4, 0.9) + rng.uniform(0, 6)) * rng.uniform(0.1, 0.3)
    poses[:, 6] = np.clip(wander * (1.0 + standing), -0.7, 0.7)
    poses[:, 7] = rng.uniform(0, 2 * math.pi) + np.arange(n) / fps * rng.uniform(1.2, 2.2)
    return poses
