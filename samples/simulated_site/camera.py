"""A fixed camera: where it hangs, what it sees, and how its sensor colours it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NOISE_TILE_SLACK_PX = 64


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at (x, y, height_m) of the plan; yaw 0 looks along +x, turns towards +y; pitch is downwards;
    radians.
    """

    x: float
    y: float
    height_m: float
    yaw: float
    pitch: float
    fov: float  # horizontal, radians
    light: tuple[float, float, float]  # direction to the key light, world
    strengths: tuple[float, float, float, float]  # key, sky, ground, fill from the camera
    gains: tuple[float, float, float]  # exposure times colour cast, b g r
    gamma: float
    vignette: float
    noise: float  # standard deviation, codes of 255
    blur_px: float
    noise_seed: int
    width: int = 640
    height: int = 360

    @cached_property
    def focal_px(self) -> float:
        return 0.5 * self.width / math.tan(0.5 * self.fov)

    @cached_property
    def position(self) -> np.ndarray:
        return np.array([self.x, self.y, self.height_m])

    @cached_property
    def rotation(self) -> np.ndarray:
        """(3, 3) float64: rows are right, down and forward in the world."""
        cy, sy, cp, sp = math.cos(self.yaw), math.sin(self.yaw), math.cos(self.pitch), math.sin(self.pitch)
        forward = np.array([cy * cp, sy * cp, -sp])
        right = np.array([sy, -cy, 0.0])
        return np.stack([right, np.cross(forward, right), forward])

    @cached_property
    def curve(self) -> np.ndarray:
        """(1024,) uint8: linear light 0..1 to code values, with a soft shoulder."""
        x = np.arange(1024) / 1023.0
        return np.clip(255.0 * np.power(x, 1.0 / self.gamma) + 0.5, 0, 255).astype(np.uint8)

    @cached_property
    def light_row(self) -> np.ndarray:
        """(12,) float64 as raster.shade reads it."""
        row = np.zeros(12)
        row[0:3] = self.rotation @ (np.array(self.light) / np.linalg.norm(self.light))
        row[3:6] = self.strengths[:3]
        row[6:9] = self.rotation @ np.array([0.0, 0.0, 1.0])
        row[9] = self.strengths[3]
        return row

    @cached_property
    def look_row(self) -> np.ndarray:
        return np.array([*self.gains, self.vignette])

    @property
    def pinhole(self) -> tuple[float, float, float]:
        """Focal length and principal point, pixels."""
        return self.focal_px, self.width / 2, self.height / 2

    @property
    def optics(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the kernels need to colour a pixel: light_row, look_row, curve."""
        return self.light_row, self.look_row, self.curve

    @cached_property
    def noise_tile(self) -> np.ndarray:
        """int8 noise, larger than a frame by NOISE_TILE_SLACK_PX; a frame takes a window of it at its own offset."""
        rng = np.random.default_rng(np.random.SeedSequence([0x6E6F6973, self.noise_seed]))
        shape = (self.height + NOISE_TILE_SLACK_PX, self.width + NOISE_TILE_SLACK_PX)
        luma = rng.standard_normal((*shape, 1), dtype=np.float32)
        chroma = rng.standard_normal((*shape, 3), dtype=np.float32)
        return np.clip(np.rint(self.noise * (0.85 * luma + 0.5 * chroma)), -60, 60).astype(np.int8)

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 3) in camera space (n, 3)."""
        return (np.asarray(points, dtype=np.float64) - self.position) @ self.rotation.T

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixels (n, 2) of world points (n, 3); NaN behind the camera."""
        p = self.to_camera(points)
        z = np.where(p[:, 2] > 0.05, p[:, 2], np.nan)
        return np.stack(
            [0.5 * self.width + self.focal_px * p[:, 0] / z, 0.5 * self.height + self.focal_px * p[:, 1] / z],
            axis=1,
        )


def random_sensor(rng: np.random.Generator, spread: float = 1.0) -> dict[str, object]:
    """Light and sensor of a camera as Camera's keywords; spread 1 is the demo's range, more is wider."""
    angle = rng.uniform(0, 2 * math.pi)
    warm = rng.normal(0, 0.10 * spread)
    tint = rng.normal(0, 0.04 * spread)
    exposure = 1.2 * math.exp(rng.normal(0.0, 0.20 * spread))
    return {
        "light": (math.cos(angle) * 0.8, math.sin(angle) * 0.8, float(rng.uniform(0.7, 1.6))),
        "strengths": (
            float(rng.uniform(0.45, 0.85)),
            float(rng.uniform(0.40, 0.65)),
            float(rng.uniform(0.15, 0.3)),
            float(rng.uniform(0.05, 0.25)),
        ),
        "gains": (exposure * math.exp(-warm), exposure * math.exp(tint), exposure * math.exp(warm)),
        "gamma": float(2.1 + rng.uniform(-0.25, 0.25) * spread),
        "vignette": float(rng.uniform(0.05, 0.4)),
        "noise": float(rng.uniform(1.0, 3.5 + 1.5 * (spread - 1.0))),
        "blur_px": float(rng.uniform(0.45, 0.7 + 0.35 * (spread - 1.0))),
        "noise_seed": int(rng.integers(1 << 31)),
    }
