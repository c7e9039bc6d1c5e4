"""What each visit looks like: one robust mean embedding, comparable across cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.gallery.people import Visit

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
WORST_SHARE = 1 / 3
# As in the identity core: what the sums that a mean is shrunk to are worth, in visits.
SITE_PRIOR, CAMERA_PRIOR = 4.0, 8.0


@dataclass(frozen=True)
class Looks:
    """visits: (v,) those with an embedding; the rows of the rest belong to them.

    raw: (v, D) float32, unit length. means: the same without the camera's mean. samples: (s,) int64, rows of some
    visits; probes, rests: (s, D), one picture of the visit, and the mean of its pictures half a visit away.
    apart: pairs (a, b) of rows, a < b, that were seen in one camera at one moment, boxes never touching.
    """

    model: str
    visits: list[Visit]
    raw: Floats
    means: Floats
    samples: Ints
    probes: Floats
    rests: Floats
    apart: frozenset[tuple[int, int]]
    camera_means: dict[str, Floats]
    site_mean: Floats

    def centred(self, embeddings: Floats, camera: str | None = None) -> Floats:
        """(n, D), unit length, without the mean of a camera, or of the site for pictures of other cameras."""
        return unit(embeddings - self.camera_means.get(camera or "", self.site_mean))


def robust_mean(rows: Floats) -> Floats:
    """(D,) unit length, mean of (n, D) rows of unit length; of three or more, the third least like it is left out."""
    mean = unit(rows.mean(axis=0))
    keep = np.argsort(-(rows @ mean), kind="stable")[: len(rows) - int(len(rows) * WORST_SHARE)]
    return unit(rows[keep].mean(axis=0)) if len(rows) > 2 else mean


def unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)


def camera_means_of(visits: Sequence[Visit], means: Floats) -> tuple[dict[str, Floats], Floats]:
    """What all people of a camera share is light and lens; few visits lean on the site's mean, few in all on zero."""
    site = np.asarray(means.sum(axis=0) / (len(means) + SITE_PRIOR), np.float32)
    camera_of = np.array([visit.camera for visit in visits])
    found = {}
    for camera in sorted(set(camera_of.tolist())):
        own = means[camera_of == camera]
        found[camera] = np.asarray((own.sum(axis=0) + CAMERA_PRIOR * site) / (len(own) + CAMERA_PRIOR), np.float32)
    return found, site
