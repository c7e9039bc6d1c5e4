"""Moments to arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.rows import NOBODY, Floats, Int64s, Rows
from savant_reid.bench.source import LabelledMoment, Source
from savant_reid.identity.types import Sightings

# Above this, embeddings are kept in half precision: cosines move by less than 0.001.
FULL_PRECISION_BYTES = 1 << 30


def crop_qualities(boxes: NDArray[np.float32], confidences: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) in [0, 1]: the detector's confidence times the share of the box that no single other box covers."""
    left, top, width, height = boxes.astype(np.float64).T
    right, bottom = left + width, top + height
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    down = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    shared = np.clip(across, 0, None) * np.clip(down, 0, None)
    np.fill_diagonal(shared, 0.0)
    covered = shared.max(axis=1, initial=0.0) / np.maximum(width * height, 1e-9)
    return np.asarray(np.clip(confidences, 0, 1) * np.clip(1 - covered, 0, 1), np.float32)


@dataclass
class _Columns:
    """Arrays per frame, joined at the end."""

    frame: list[Int64s] = field(default_factory=list)
    camera: list[Int64s] = field(default_factory=list)
    time_ns: list[Int64s] = field(default_factory=list)
    track_id: list[Int64s] = field(default_factory=list)
    person: list[Int64s] = field(default_factory=list)
    embedding_of: list[Int64s] = field(default_factory=list)
    embeddings: list[Floats] = field(default_factory=list)
    quality: list[Floats] = field(default_factory=list)
    truth: list[Int64s] = field(default_factory=list)


class RowGatherer:
    """Collects moments as they pass; `rows()` when all have. with_embeddings: baselines need them, scores do not."""

    def __init__(self, cameras: Sequence[str], with_embeddings: bool = True) -> None:
        self._cameras = tuple(cameras)
        self._index = {name: i for i, name in enumerate(self._cameras)}
        self._with_embeddings = with_embeddings
        self._columns = _Columns()
        self._frames = 0
        self._embeddings = 0
        self._bytes = 0

    def add(self, moment: LabelledMoment) -> None:
        """Broken embeddings (NaN, Inf, zero) count as none."""
        self._columns.truth.append(moment.truth)
        for sightings, persons in zip(moment.sightings, moment.persons, strict=True):
            self._add_frame(sightings, persons)

    def _add_frame(self, sightings: Sightings, persons: Int64s) -> None:
        n, columns = len(sightings), self._columns
        self._frames += 1
        if not n:
            return
        columns.frame.append(np.full(n, self._frames - 1))
        columns.camera.append(np.full(n, self._index[sightings.camera]))
        columns.time_ns.append(np.full(n, sightings.time_ns))
        columns.track_id.append(np.asarray(sightings.track_ids, np.int64))
        columns.person.append(np.asarray(persons, np.int64))
        embedding_of = np.full(n, -1)
        has = np.flatnonzero(sightings.embedding_of >= 0) if self._with_embeddings else np.zeros(0, np.int64)
        if len(has):
            vectors = np.asarray(sightings.embeddings, np.float32)[sightings.embedding_of[has]]
            length = np.linalg.norm(vectors, axis=1)
            good = np.isfinite(length) & (length > 0)
            has, vectors = has[good], vectors[good] / length[good, None]
            embedding_of[has] = self._embeddings + np.arange(len(has))
            self._embeddings += len(has)
            self._bytes += vectors.nbytes
            half = self._bytes > FULL_PRECISION_BYTES
            columns.embeddings.append(vectors.astype(np.float16) if half else vectors)
            columns.quality.append(crop_qualities(sightings.boxes, sightings.confidences)[has])
        columns.embedding_of.append(embedding_of)

    def rows(self) -> Rows:
        """All that was added. Call it once: the embeddings are moved, not copied."""
        columns = self._columns
        frame, camera, time_ns, track_id, person, embedding_of, truth = (
            np.concatenate([np.zeros(0, np.int64), *part])
            for part in (
                columns.frame,
                columns.camera,
                columns.time_ns,
                columns.track_id,
                columns.person,
                columns.embedding_of,
                columns.truth,
            )
        )
        people, truth_size = np.unique(truth, return_counts=True)
        track, track_ids = _tracks(camera, track_id)
        return Rows(
            self._cameras,
            frame,
            camera,
            time_ns,
            track,
            _person_index(person, people),
            track_ids,
            embedding_of,
            _joined(columns.embeddings),
            np.concatenate([np.zeros(0, np.float32), *columns.quality]),
            truth_size.astype(np.int64),
        )


def gather(source: Source, with_embeddings: bool = True) -> Rows:
    """All of a recording as arrays."""
    gatherer = RowGatherer(source.cameras, with_embeddings)
    for moment in source.moments():
        gatherer.add(moment)
    return gatherer.rows()


def _joined(parts: list[Floats]) -> Floats:
    """The parts leave the list as they are copied: twice the memory of half a gigabyte is what hurts."""
    if not parts:
        return np.zeros((0, 1), np.float32)
    joined = np.empty((sum(len(part) for part in parts), parts[0].shape[1]), parts[-1].dtype)
    at = 0
    while parts:
        part = parts.pop(0) if len(parts) < 64 else None
        if part is None:
            part = np.concatenate(parts[:64])
            del parts[:64]
        joined[at : at + len(part)] = part
        at += len(part)
    return joined


def _tracks(camera: Int64s, track_id: Int64s) -> tuple[Int64s, Int64s]:
    """Tracks counted in the order of first appearance: (n,) and the tracker's id of each."""
    keys = np.stack([camera, track_id], axis=1)
    values, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[inverse.ravel()], values[order, 1]


def _person_index(person: Int64s, people: Int64s) -> Int64s:
    """Index in `people`. Somebody whom the truth does not have counts as a false detection."""
    if not len(people):
        return np.full(len(person), NOBODY, np.int64)
    at = np.minimum(np.searchsorted(people, person), len(people) - 1)
    return np.where(people[at] == person, at, NOBODY).astype(np.int64)
