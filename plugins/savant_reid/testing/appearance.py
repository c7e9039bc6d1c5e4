"""What a re-ID model would say of a crop: embeddings with the statistics of real ones.

A crop's embedding is a sum of what all people share, its camera, the person, the side seen, this visit (light, pose, a
bag), slow noise that lasts for seconds and fresh noise, normalised to length 1. The scales below were fitted, once, so
that unoccluded crops give the cosines and AUCs measured with OSNet x0.25 on real two-camera footage; docs/recordings.md
has both side by side, and a test measures them again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

MODES = 3
SLOW_S = 5.0  # crops of one track that lie closer in time than this are alike in their errors too
ALIKE = 0.9  # cosine between the identity parts of people who dress alike
GROUP_OF_ALIKE = (2, 6)
BEHIND = 0.3  # weight of somebody in the background of one's box against somebody who covers it
BLUR_NOISE, BLUR_FADE = 2.2, 0.75
SHARP_HEIGHT_PX = 200.0
BACKGROUND_SPREAD = 0.35
_PERSON_STREAM, _ALIKE_STREAM = 11, 12


class Scales:
    """Lengths of the parts of an embedding; fitted, see the module."""

    MEAN = 0.76
    CAMERA = 0.223
    IDENTITY = 0.405
    DISTINCT = 0.1  # some people differ more from the others than most: sigma of a lognormal factor
    VIEW_SHARED = 0.14
    VIEW_OWN = 0.19
    VISIT = 0.205
    SLOW = 0.31
    FRESH = 0.175
    DECAY = 1.02  # eigenvalues of all parts fall like i ** -DECAY
    NOISE_DECAY = 0.75
    MEAN_IN_SPREAD = 0.44  # share of the mean that lies along the spectrum rather than anywhere


class Appearance:
    """Embeddings for people in view. Memory: per person in view, not per person.

    Everything is composed in the eigenbasis, where spectra are diagonal, and turned at the end.
    """

    def __init__(self, cameras: int, dimension: int, people: int, look_alike_share: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 10])
        self._seed = seed
        self._spread = _spectrum(dimension, Scales.DECAY)
        self._noise_spread = _spectrum(dimension, Scales.NOISE_DECAY)
        self._turn = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0].astype(np.float32)
        mean = Scales.MEAN_IN_SPREAD * _unit(self._draw(rng, 1)) + (1 - Scales.MEAN_IN_SPREAD) * _unit(
            rng.standard_normal((1, dimension))
        )
        self._mean = Scales.MEAN * _unit(mean)[0]
        self._cameras = Scales.CAMERA * self._draw(rng, cameras)
        sides = self._draw(rng, MODES)
        self._sides = Scales.VIEW_SHARED * (sides - sides.mean(0)) * np.sqrt(MODES / (MODES - 1))
        self._backgrounds = _unit(0.6 * self._mean + 0.8 * _unit(rng.standard_normal((cameras, dimension))))
        self._alike = _groups_of_alike(people, look_alike_share, rng)
        self._rng = rng
        self._looks = np.zeros((0, MODES, dimension), np.float32)
        self._slow = np.zeros((0, dimension), np.float32)
        self._slow_s = np.zeros(0)
        self._free: list[int] = []

    def enter(self, persons: Int64s, cameras: Int64s, now_s: float) -> Int64s:
        """Take people in, (n,) person numbers and camera indices: (n,) slots to ask for them by."""
        if len(self._free) < len(persons):
            self._grow(len(persons))
        slots = np.array([self._free.pop() for _ in persons], np.int64)
        for slot, person, camera in zip(slots.tolist(), persons.tolist(), cameras.tolist(), strict=True):
            self._looks[slot] = self._mean + self._cameras[camera] + self._person(person)
        if len(slots):
            self._looks[slots] += (Scales.VISIT * self._draw(self._rng, len(slots)))[:, None]
            self._slow[slots] = self._noise(len(slots))
            self._slow_s[slots] = now_s
        return slots

    def leave(self, slots: Int64s) -> None:
        self._free += slots.tolist()

    def clean(self, slots: Int64s, modes: Int64s, times_s: Float64s, sharpness: Float64s) -> Float32s:
        """(n, D) what the person alone looks like now, in the eigenbasis; moves the slow noise on to `times_s`."""
        keep = np.exp(-np.maximum(times_s - self._slow_s[slots], 0.0) / SLOW_S).astype(np.float32)[:, None]
        self._slow[slots] = keep * self._slow[slots] + np.sqrt(1 - keep**2) * self._noise(len(slots))
        self._slow_s[slots] = times_s
        rough = (Scales.SLOW / sharpness).astype(np.float32)[:, None]
        return np.asarray(self._looks[slots, modes] + rough * self._slow[slots], np.float32)

    def finish(self, looks: Float32s, sharpness: Float64s, blurred: NDArray[np.bool_]) -> Float32s:
        """(n, D) embeddings of crops that show `looks` (n, D): fresh noise added, turned, of length 1."""
        rough = (Scales.FRESH / sharpness * np.where(blurred, BLUR_NOISE, 1.0)).astype(np.float32)
        fade = np.where(blurred, BLUR_FADE, 1.0).astype(np.float32)[:, None]
        faded = self._mean + fade * (looks - self._mean)
        return _unit((faded + rough[:, None] * self._noise(len(looks))) @ self._turn)

    def backgrounds(self, cameras: Int64s) -> Float32s:
        """(n, D) embeddings of crops that show nobody: alike within a camera."""
        noise = self._rng.standard_normal((len(cameras), self._turn.shape[0]), np.float32)
        return _unit((self._backgrounds[cameras] + BACKGROUND_SPREAD * _unit(noise)) @ self._turn)

    def _person(self, person: int) -> Float32s:
        """(3, D) identity and sides of a person, drawn anew each time from the person's own stream."""
        rng = np.random.default_rng([self._seed, _PERSON_STREAM, person])
        look, distinct = self._draw(rng, 1 + MODES), rng.standard_normal()
        group = self._alike[person - 1]
        if group >= 0:
            shared = self._draw(np.random.default_rng([self._seed, _ALIKE_STREAM, int(group)]), 1 + MODES)
            look = np.float32(np.sqrt(ALIKE)) * shared + np.float32(np.sqrt(1 - ALIKE)) * look
        identity = Scales.IDENTITY * np.exp(Scales.DISTINCT * distinct) * look[0]
        return np.asarray(identity + self._sides + Scales.VIEW_OWN * look[1:], np.float32)

    def _draw(self, rng: np.random.Generator, count: int) -> Float32s:
        """(n, D) of mean squared length 1 along the spectrum."""
        return rng.standard_normal((count, len(self._spread)), np.float32) * self._spread

    def _noise(self, count: int) -> Float32s:
        return self._rng.standard_normal((count, len(self._spread)), np.float32) * self._noise_spread

    def _grow(self, least: int) -> None:
        old = len(self._slow_s)
        more = max(16, least, old)
        self._looks = np.concatenate([self._looks, np.zeros((more, *self._looks.shape[1:]), np.float32)])
        self._slow = np.concatenate([self._slow, np.zeros((more, self._slow.shape[1]), np.float32)])
        self._slow_s = np.concatenate([self._slow_s, np.zeros(more)])
        self._free += range(old + more - 1, old - 1, -1)


def sharpness_of(height_px: Float64s) -> Float64s:
    """(n,) about 1 for a person of middle height in the picture, less for a small one, whose crop has more noise."""
    return np.clip(np.sqrt(height_px / SHARP_HEIGHT_PX), 0.75, 1.25)


def _groups_of_alike(people: int, share: float, rng: np.random.Generator) -> Int64s:
    """(people,) number of the group of look-alikes of each person, -1 for those who look like nobody else."""
    alike = np.full(people, -1, np.int64)
    chosen = rng.permutation(people)[: round(people * share)]
    group = 0
    while len(chosen) >= GROUP_OF_ALIKE[0]:
        size = int(rng.integers(GROUP_OF_ALIKE[0], GROUP_OF_ALIKE[1] + 1))
        alike[chosen[:size]] = group
        chosen, group = chosen[size:], group + 1
    return alike


def _spectrum(dimension: int, decay: float) -> Float32s:
    """(D,) square roots of eigenvalues that sum to 1."""
    values = np.arange(1, dimension + 1, dtype=np.float64) ** -decay
    return np.asarray(np.sqrt(values / values.sum()), np.float32)


def _unit(vectors: NDArray[np.floating]) -> Float32s:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)
