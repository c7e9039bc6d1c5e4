"""sightings.parquet of any size, read in one pass: embeddings by visit, and who was seen beside whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from savant_reid.errors import DataError
from savant_reid.gallery.looks import Floats, Ints, Looks, camera_means_of, robust_mean, unit
from savant_reid.gallery.people import Visit
from savant_reid.sinks.sightings import sightings_schema

BATCH_ROWS = 16_384
# Embeddings kept per visit while it is read; beyond that every second one goes, so that those left span the visit.
MOST_EMBEDDINGS = 48
# Visits of which one picture and the mean of another part are kept apart, to learn how alike one person looks.
MOST_SAMPLES = 400
_LEAST_FOR_SAMPLE = 4


def read_looks(sightings: Path, visits: Sequence[Visit]) -> Looks:
    """Raises DataError where the file is missing or no sightings.parquet, or its embeddings differ in length."""
    gathering = _Gathering(visits)
    model = ""
    for file in _files(sightings):
        model = (file.schema_arrow.metadata or {}).get(b"embedding_model", b"").decode() or model
        try:
            for batch in file.iter_batches(BATCH_ROWS):
                gathering.add(batch, sightings)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{sightings}: expected sightings in Parquet, found: {error}") from error
    gathering.finish(None)
    return gathering.looks(model)


def _files(path: Path) -> Iterator[pq.ParquetFile]:
    """The file, or the parts that a killed run has left, in the order of time."""
    parts = path.with_name(path.name + ".parts")
    source = path if path.exists() or not parts.exists() else parts
    if not source.exists():
        raise DataError(f"{path}: expected the sightings of a run, found no such file")
    for one in sorted(source.glob("part-*.parquet")) if source.is_dir() else [source]:
        try:
            file = pq.ParquetFile(one)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{one}: expected sightings in Parquet, found: {error}") from error
        expected = sightings_schema("").names
        if file.schema_arrow.names != expected:
            found = ", ".join(file.schema_arrow.names)
            raise DataError(f"{one}: expected the columns {', '.join(expected)}, found {found}")
        yield file


class _VisitOfRow:
    """Which visit a sighting belongs to, by camera, track and time."""

    def __init__(self, visits: Sequence[Visit]) -> None:
        spans: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
        for index, visit in enumerate(visits):
            for one in visit.stretches:
                spans.setdefault((one.camera, one.track_id), []).append((one.first_ns, one.last_ns, index))
        self._spans = {key: np.array(sorted(found), np.int64) for key, found in spans.items()}

    def __call__(self, batch: pa.RecordBatch) -> Ints:
        """(n,) int64, -1 for rows of nobody known."""
        names = batch.column("camera").dictionary_encode()
        cameras = names.dictionary.to_pylist()
        camera = names.indices.to_numpy(zero_copy_only=False)
        track, time = (batch.column(name).to_numpy() for name in ("track_id", "time_ns"))
        answer = np.full(len(track), -1, np.int64)
        order = np.lexsort((track, camera))
        breaks = np.flatnonzero((np.diff(camera[order]) != 0) | (np.diff(track[order]) != 0)) + 1
        for rows in np.split(order, breaks):
            spans = self._spans.get((cameras[camera[rows[0]]], int(track[rows[0]]))) if len(rows) else None
            if spans is not None:
                place = np.maximum(np.searchsorted(spans[:, 0], time[rows], side="right") - 1, 0)
                inside = (spans[place, 0] <= time[rows]) & (time[rows] <= spans[place, 1])
                answer[rows] = np.where(inside, spans[place, 2], -1)
        return answer


@dataclass
class _Pictures:
    """Embeddings of a visit that is not over; one of `every` is kept."""

    rows: list[Floats] = field(default_factory=list)
    every: int = 1
    seen: int = 0

    def add(self, row: Floats) -> None:
        if self.seen % self.every == 0:
            self.rows.append(row)
        self.seen += 1
        if len(self.rows) > MOST_EMBEDDINGS:
            self.rows, self.every = self.rows[::2], self.every * 2


class _Gathering:
    def __init__(self, visits: Sequence[Visit]) -> None:
        self._visits = visits
        self._visit_of = _VisitOfRow(visits)
        self._last_ns = np.array([visit.last_ns for visit in visits], np.int64)
        self._open: dict[int, _Pictures] = {}
        self._means: dict[int, Floats] = {}
        self._samples: dict[int, tuple[Floats, Floats]] = {}
        self._dimension = 0
        self._apart: set[tuple[int, int]] = set()
        self._touching: set[tuple[int, int]] = set()
        chosen = np.random.default_rng(0).permutation(len(visits))[: 4 * MOST_SAMPLES]
        self._may_be_sample = set(chosen.tolist())

    def add(self, batch: pa.RecordBatch, path: Path) -> None:
        visits = self._visit_of(batch)
        times = batch.column("time_ns").to_numpy()
        self._compare_boxes(batch, visits, times)
        column = batch.column("embedding")
        wanted = (visits >= 0) & column.is_valid().to_numpy(zero_copy_only=False)
        if wanted.any():
            rows, chosen = self._rows(column, wanted, path), visits[wanted]
            # A broken one would spoil the mean; the core refuses them, too.
            whole = np.isfinite(rows).all(axis=1) & rows.any(axis=1)
            for visit, row in zip(chosen[whole].tolist(), unit(rows[whole]), strict=True):
                if visit not in self._means:
                    self._open.setdefault(visit, _Pictures()).add(row)
        if len(times):
            self.finish(int(times.min()))

    def _rows(self, column: pa.ListArray, wanted: NDArray[np.bool_], path: Path) -> Floats:
        chosen = column.filter(pa.array(wanted))
        sizes = np.unique(chosen.value_lengths().to_numpy())
        self._dimension = self._dimension or int(sizes[0])
        if sizes.tolist() != [self._dimension]:
            raise DataError(f"{path}: expected embeddings of one length, found {sorted({self._dimension, *sizes})}")
        return np.asarray(chosen.flatten().to_numpy(), np.float32).reshape(-1, self._dimension)

    def _compare_boxes(self, batch: pa.RecordBatch, visits: Ints, times: Ints) -> None:
        """Who is in one frame with whom, in one frame of each camera and second."""
        camera = batch.column("camera").dictionary_encode().indices.to_numpy(zero_copy_only=False)
        order = np.lexsort((times, camera))
        order = order[visits[order] >= 0]
        second = np.stack([camera[order], times[order] // 1_000_000_000], axis=1)
        if not len(order):
            return
        _, first, group = np.unique(second, axis=0, return_index=True, return_inverse=True)
        order = order[times[order] == times[order][first][group.ravel()]]
        boxes = np.stack([batch.column(name).to_numpy() for name in ("left", "top", "width", "height")], axis=1)
        step = 1
        while step < len(order):
            a, b = order[:-step], order[step:]
            together = (camera[a] == camera[b]) & (times[a] == times[b])
            if not together.any():
                return
            a, b = a[together], b[together]
            touching = _touch(boxes[a], boxes[b])
            self._remember(visits[a], visits[b], touching)
            step += 1

    def _remember(self, one: Ints, other: Ints, touching: NDArray[np.bool_]) -> None:
        for a, b, touch in zip(
            np.minimum(one, other).tolist(), np.maximum(one, other).tolist(), touching.tolist(), strict=True
        ):
            # Only pairs of visits that may become samples are asked for later: that bounds what is remembered.
            if a != b and (a in self._may_be_sample or b in self._may_be_sample):
                (self._touching if touch else self._apart).add((a, b))

    def finish(self, before_ns: int | None) -> None:
        """Visits that ended before a moment (None: all) become means; their pictures are let go."""
        for visit in [one for one in self._open if before_ns is None or self._last_ns[one] < before_ns]:
            rows = np.stack(self._open.pop(visit).rows)
            self._means[visit] = robust_mean(rows)
            if visit in self._may_be_sample and len(rows) >= _LEAST_FOR_SAMPLE and len(self._samples) < MOST_SAMPLES:
                self._samples[visit] = rows[len(rows) // 4], robust_mean(rows[len(rows) // 2 :])

    def looks(self, model: str) -> Looks:
        known = sorted(self._means)
        row_of = {visit: row for row, visit in enumerate(known)}
        visits = [self._visits[visit] for visit in known]
        means = np.stack([self._means[visit] for visit in known]) if known else np.zeros((0, 0), np.float32)
        camera_means, site_mean = camera_means_of(visits, means)
        sampled = sorted(self._samples)
        centre_of = [camera_means[self._visits[visit].camera] for visit in sampled]
        probes, rests = (
            unit(np.stack([self._samples[v][k] for v in sampled]) - np.stack(centre_of)) if sampled else means[:0]
            for k in (0, 1)
        )
        return Looks(
            model=model,
            visits=visits,
            raw=means,
            means=unit(means - np.stack([camera_means[one.camera] for one in visits])) if known else means,
            samples=np.array([row_of[visit] for visit in sampled], np.int64),
            probes=probes,
            rests=rests,
            apart=frozenset(
                (row_of[a], row_of[b]) for a, b in self._apart - self._touching if a in row_of and b in row_of
            ),
            camera_means=camera_means,
            site_mean=site_mean,
        )


def _touch(one: Floats, other: Floats) -> NDArray[np.bool_]:
    """Which of (n, 4) ltwh boxes have a point in common; where they do, a crop may show the other person."""
    start = np.maximum(one[:, :2], other[:, :2])
    end = np.minimum(one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:])
    return np.asarray((start < end).all(axis=1), np.bool_)
