"""What all embeddings of a camera share is light and lens, not the person: it is learned and taken away.

Test-time camera debiasing (arXiv 2502.10195) in its simplest form: subtract the camera's mean embedding and normalise
again. Every tracklet counts once, however long it stays. A camera with few tracklets leans on the site's mean, a site
with few on zero, so that the first people are not explained away by themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Tracklets that the prior (zero for the site, the site's mean for a camera) is worth.
SITE_PRIOR = 4.0
CAMERA_PRIOR = 8.0
# Old light fades: the mean follows about the last so many tracklets of a camera.
MEMORY = 500.0
# The means are put to use again when this much more has been seen; each time the whole gallery is centred anew.
GROWTH = 1.3


class CameraMeans:
    """Mean embedding (D,) by camera. `version` grows whenever the means in use change."""

    def __init__(self, cameras: int, dimension: int) -> None:
        self.version = 0
        self.means = np.zeros((cameras, dimension), np.float32)
        self._sums = np.zeros((cameras, dimension))
        self._counts = np.zeros(cameras)
        self._seen = 0.0
        self._due = 1.0

    def add(self, camera: int, embedding: Floats) -> None:
        """Learn from one tracklet's mean embedding (D,), unit length, not centred."""
        fade = min(1.0, MEMORY / (self._counts[camera] + 1.0))
        self._sums[camera] = (self._sums[camera] + embedding) * fade
        self._counts[camera] = (self._counts[camera] + 1.0) * fade
        self._seen += 1.0
        if self._seen >= self._due:
            self._due = min(self._seen * GROWTH + 1.0, self._seen + 0.1 * MEMORY)
            self._use()

    def centred(self, camera: int | NDArray[np.int64], embeddings: Floats) -> Floats:
        """(…, D) embeddings of that camera (or of cameras (…,), one per row) without its mean, unit length."""
        return _unit(embeddings - self.means[camera])

    def _use(self) -> None:
        site = self._sums.sum(axis=0) / (self._counts.sum() + SITE_PRIOR)
        counts = self._counts[:, None]
        self.means = ((self._sums + CAMERA_PRIOR * site) / (counts + CAMERA_PRIOR)).astype(np.float32)
        self.version += 1


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)
