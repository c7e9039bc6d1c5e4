"""False tracks: boxes on a plant, a mirror, a coat rack. They last seconds and show nobody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from savant_reid.testing.boxes import FRAME_HEIGHT_PX, FRAME_WIDTH_PX, WIDTH_OF_HEIGHT, clipped
from savant_reid.testing.tracker import Tracker

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

LASTS_S = (0.5, 5.0)
SPOTS = 6  # places per camera where they appear
SEEN = 0.8  # share of its frames in which a ghost is detected
JITTER_PX = 4.0


class Ghosts:
    """The ghosts in view, in the order of their cameras.

    camera, track_id: (n,) int64; boxes: (n, 4) float64, around which they shake.
    """

    def __init__(self, cameras: int, per_camera_minute: float, fps: float, rng: np.random.Generator) -> None:
        self._rng = rng
        self._per_frame = per_camera_minute / 60.0 / fps
        height = rng.uniform(100, 350, (cameras, SPOTS))
        left = rng.uniform(0, FRAME_WIDTH_PX - 100, (cameras, SPOTS))
        top = rng.uniform(100, FRAME_HEIGHT_PX - 350, (cameras, SPOTS))
        self._spots = np.stack([left, top, height * WIDTH_OF_HEIGHT, height], axis=2)
        self.camera = np.zeros(0, np.int64)
        self.track_id = np.zeros(0, np.int64)
        self.boxes = np.zeros((0, 4))
        self._end_s = np.zeros(0)

    def step(self, now_s: float, tracker: Tracker) -> tuple[Int64s, Int64s, Float64s, Float64s]:
        """Move on to `now_s`; camera, track_id, boxes (k, 4) and confidences (k,) of those detected now."""
        rng = self._rng
        arrivals = rng.poisson(self._per_frame, len(self._spots))
        stays = self._end_s > now_s
        camera = np.repeat(np.arange(len(arrivals)), arrivals)
        order = np.argsort(np.concatenate([self.camera[stays], camera]), kind="stable")
        boxes = self._spots[camera, rng.integers(0, SPOTS, len(camera))]
        self.boxes = np.concatenate([self.boxes[stays], boxes])[order]
        self.track_id = np.concatenate([self.track_id[stays], tracker.new_ids(camera)])[order]
        ends_s = now_s + rng.uniform(*LASTS_S, len(camera))
        self._end_s = np.concatenate([self._end_s[stays], ends_s])[order]
        self.camera = np.concatenate([self.camera[stays], camera])[order]
        seen = rng.random(len(self.camera)) < SEEN
        shaken = clipped(self.boxes[seen] + rng.normal(0.0, JITTER_PX, (int(seen.sum()), 4)))
        return self.camera[seen], self.track_id[seen], shaken, rng.uniform(0.3, 0.6, len(shaken))
