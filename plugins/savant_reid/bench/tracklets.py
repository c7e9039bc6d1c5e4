"""What the baselines know of each track: its camera, its times, and some of its embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.rows import Int64s, Rows

Float32s = NDArray[np.float32]
# A track of 25 s gives its face in fewer crops than this; longer ones are thinned evenly.
MOST_CROPS = 32


@dataclass(frozen=True)
class Tracklets:
    """T tracks. camera, start_ns, end_ns: (T,) int64. by_start: (T,) tracks in the order of their start.

    crop: (k,) int64, rows in `embeddings`, track after track, each in the order of time; those of track t are
    crop[at[t]:at[t + 1]]. crop_ns: (k,) int64. crop_track: (k,) int64. quality: (k,). camera_means: (cameras, D).
    """

    camera: Int64s
    start_ns: Int64s
    end_ns: Int64s
    by_start: Int64s
    crop: Int64s
    at: Int64s
    crop_ns: Int64s
    crop_track: Int64s
    quality: Float32s
    embeddings: NDArray[np.floating]
    camera_means: Float32s

    def __len__(self) -> int:
        return len(self.camera)

    def vectors(self, crops: Int64s | slice) -> Float32s:
        """(c, D) float32, as they were recorded."""
        return np.asarray(self.embeddings[self.crop[crops]], np.float32)


def tracklets_of(rows: Rows, most_crops: int = MOST_CROPS) -> Tracklets:
    """Thin every track's embeddings to `most_crops`, evenly spaced."""
    count = rows.tracks
    first = np.unique(rows.track, return_index=True)[1]
    end_ns = np.zeros(count, np.int64)
    np.maximum.at(end_ns, rows.track, rows.time_ns)
    with_crop = np.flatnonzero(rows.embedding_of >= 0)
    with_crop = with_crop[np.argsort(rows.track[with_crop], kind="stable")]
    track = rows.track[with_crop]
    size = np.bincount(track, minlength=count)
    place = np.arange(len(track)) - (np.cumsum(size) - size)[track]
    step = np.maximum(size[track] / most_crops, 1.0)
    # Of n crops every n / most_crops-th: the first one of each step.
    kept = with_crop[np.floor(place / step) != np.floor((place - 1) / step)]
    crop_track = rows.track[kept]
    return Tracklets(
        camera=rows.camera[first],
        start_ns=rows.time_ns[first],
        end_ns=end_ns,
        by_start=np.argsort(rows.time_ns[first], kind="stable"),
        crop=rows.embedding_of[kept],
        at=np.concatenate([[0], np.cumsum(np.bincount(crop_track, minlength=count))]).astype(np.int64),
        crop_ns=rows.time_ns[kept],
        crop_track=crop_track,
        quality=np.asarray(rows.quality[rows.embedding_of[kept]], np.float32),
        embeddings=rows.embeddings,
        camera_means=_camera_means(rows),
    )


def _camera_means(rows: Rows, chunk: int = 8192) -> Float32s:
    """(cameras, D): means of all embeddings of each camera, in hindsight."""
    sums = np.zeros((len(rows.cameras), rows.embeddings.shape[1]))
    with_crop = np.flatnonzero(rows.embedding_of >= 0)
    camera = rows.camera[with_crop]
    for name in range(len(rows.cameras)):
        mine = rows.embedding_of[with_crop[camera == name]]
        for start in range(0, len(mine), chunk):
            sums[name] += rows.embeddings[mine[start : start + chunk]].sum(axis=0, dtype=np.float64)
    count = np.bincount(camera, minlength=len(rows.cameras))
    return np.asarray(sums / np.maximum(count, 1)[:, None], np.float32)


def unit(vectors: Float32s) -> Float32s:
    """Rows of length 1."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)
