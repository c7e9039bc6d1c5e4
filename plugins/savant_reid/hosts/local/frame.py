"""One decoded picture on its way through the local host, and what the stages have found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.types import Decision, Sightings


def _floats(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


@dataclass
class Frame:
    """A frame of one camera.

    index: counts from 0 per camera. time_ns: on the site's clock. image: (height, width, 3) uint8 BGR.
    epoch: grows when the camera's stream starts anew (reconnect, new resolution); the tracker starts anew with it.
    boxes: (n, 4) float32 ltwh, pixels of `image`: after the detector the detections, after the tracker its people.
    confidences: (n,) float32. track_ids: (n,) int64, empty before the tracker.
    looks: (n, D) float32 where the tracker has asked for embeddings of all boxes, rows of NaN where there is none.
    due: (n,) bool, set by the gate. embedding_of: (n,) int64 row in embeddings or -1. embeddings: (m, D) float32.
    """

    camera: str
    index: int
    time_ns: int
    image: NDArray[np.uint8]
    epoch: int = 0
    boxes: NDArray[np.float32] = field(default_factory=lambda: _floats(0, 4))
    confidences: NDArray[np.float32] = field(default_factory=lambda: _floats(0))
    track_ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    looks: NDArray[np.float32] | None = None
    due: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    embedding_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    embeddings: NDArray[np.float32] = field(default_factory=lambda: _floats(0, 0))
    decisions: Sequence[Decision] = ()

    def sightings(self) -> Sightings:
        height, width = self.image.shape[:2]
        return Sightings(
            camera=self.camera,
            time_ns=self.time_ns,
            track_ids=self.track_ids,
            boxes=self.boxes,
            confidences=self.confidences,
            embedding_of=self.embedding_of,
            embeddings=self.embeddings,
            frame_size=(width, height),
        )

    def set_tracked(
        self,
        boxes: NDArray[np.float32],
        confidences: NDArray[np.float32],
        track_ids: NDArray[np.int64],
    ) -> None:
        """The tracker's answer takes the place of the detections; everybody is due until the gate says otherwise."""
        self.boxes, self.confidences, self.track_ids = boxes, confidences, track_ids
        self.due = np.ones(len(track_ids), bool)
        self.embedding_of = np.full(len(track_ids), -1, np.int64)

    def request_embeddings(self, due: NDArray[np.bool_]) -> None:
        self.due = due

    def set_embeddings(self, rows: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """rows: (m,) int64, which person each of the (m, D) embeddings belongs to."""
        self.embedding_of[rows] = np.arange(len(rows))
        self.embeddings = embeddings

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        self.decisions = decisions
