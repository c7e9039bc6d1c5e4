"""The Kalman filter of SORT's descendants, over all tracks at once.

State per track: centre x, centre y, aspect ratio (width / height) and height, each with its velocity per frame.
Noise scales with the height of the box, as in Wojke et al. 2017 (DeepSORT), whose constants ByteTrack took over.

Transition, measurement and noise never mix the four coordinates, so the 8x8 covariance of the papers stays made of
four 2x2 blocks for ever. Each block is kept as its three numbers, and the filter needs no matrix algebra;
tests hold it against the dense form.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Float64s = NDArray[np.float64]
HEIGHT = 3

# Wojke et al. 2017: standard deviations as a share of the height of the box; the aspect ratio has fixed ones.
_POSITION_SHARE = 1 / 20
_VELOCITY_SHARE = 1 / 160
_ASPECT_STD = 1e-2
_ASPECT_VELOCITY_STD = 1e-5
_ASPECT_MEASURED_STD = 1e-1


def boxes_to_xyah(boxes: NDArray[np.float32]) -> Float64s:
    """(n, 4) ltwh pixels to (n, 4) centre x, centre y, width / height, height."""
    left, top, width, height = np.asarray(boxes, np.float64).T
    return np.stack([left + width / 2, top + height / 2, width / height, height], axis=1)


def xyah_to_boxes(xyah: Float64s) -> Float64s:
    """The inverse of `boxes_to_xyah`."""
    x, y, aspect, height = xyah.T
    width = aspect * height
    return np.stack([x - width / 2, y - height / 2, width, height], axis=1)


def _variances(heights: Float64s, share: float, aspect_std: float) -> Float64s:
    variances = np.repeat((share * heights[:, None]) ** 2, 4, axis=1)
    variances[:, 2] = aspect_std**2
    return variances


@dataclass
class KalmanTracks:
    """The filters of n tracks; every array is (n, 4) float64, columns x, y, aspect, height.

    var, cov, vel_var: variance of the position, covariance of position and velocity, variance of the velocity.
    """

    position: Float64s
    velocity: Float64s
    var: Float64s
    cov: Float64s
    vel_var: Float64s

    @classmethod
    def start(cls, boxes: NDArray[np.float32]) -> KalmanTracks:
        """New tracks at (n, 4) ltwh boxes, standing still with a wide velocity."""
        position = boxes_to_xyah(boxes)
        heights = position[:, HEIGHT]
        return cls(
            position=position,
            velocity=np.zeros_like(position),
            var=_variances(heights, 2 * _POSITION_SHARE, _ASPECT_STD),
            cov=np.zeros_like(position),
            vel_var=_variances(heights, 10 * _VELOCITY_SHARE, _ASPECT_VELOCITY_STD),
        )

    def __len__(self) -> int:
        return len(self.position)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> KalmanTracks:
        """The tracks of these rows, copied."""
        return KalmanTracks(*(getattr(self, field.name)[rows] for field in fields(self)))

    def join(self, other: KalmanTracks) -> KalmanTracks:
        """These tracks, then the other ones."""
        return KalmanTracks(
            *(np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self))
        )

    def boxes(self) -> Float64s:
        """(n, 4) ltwh pixels."""
        return xyah_to_boxes(self.position)

    def distances(self, boxes: NDArray[np.float32]) -> Float64s:
        """Squared Mahalanobis distances of (m, 4) ltwh boxes from where the tracks expect one: (n, m)."""
        innovation_var = self._innovation_var(self.var, self.position[:, HEIGHT])
        surprise = boxes_to_xyah(boxes)[None] - self.position[:, None]
        return np.asarray((surprise**2 / innovation_var[:, None]).sum(axis=2), np.float64)

    def predict(self, moving: NDArray[np.bool_], steps: int = 1) -> None:
        """Let the `moving` (n,) tracks go on by this many frames, in place."""
        if not moving.any():
            return
        for _ in range(steps):
            heights = self.position[moving, HEIGHT]
            self.position[moving] += self.velocity[moving]
            self.var[moving] += (
                2 * self.cov[moving] + self.vel_var[moving] + _variances(heights, _POSITION_SHARE, _ASPECT_STD)
            )
            self.cov[moving] += self.vel_var[moving]
            self.vel_var[moving] += _variances(heights, _VELOCITY_SHARE, _ASPECT_VELOCITY_STD)

    def correct(self, rows: NDArray[np.int64], boxes: NDArray[np.float32]) -> None:
        """Take in what was seen: boxes (m, 4) ltwh of the tracks `rows` (m,), in place."""
        var, cov = self.var[rows], self.cov[rows]
        innovation_var = self._innovation_var(var, self.position[rows, HEIGHT])
        gain, velocity_gain = var / innovation_var, cov / innovation_var
        surprise = boxes_to_xyah(boxes) - self.position[rows]
        self.position[rows] += gain * surprise
        self.velocity[rows] += velocity_gain * surprise
        self.vel_var[rows] -= velocity_gain * cov
        self.cov[rows] = cov - gain * cov
        self.var[rows] = var - gain * var

    @staticmethod
    def _innovation_var(var: Float64s, heights: Float64s) -> Float64s:
        """Of a position as it will be measured."""
        return var + _variances(heights, _POSITION_SHARE, _ASPECT_MEASURED_STD)
