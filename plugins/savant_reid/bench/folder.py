"""A recording in files: sightings.parquet, truth.csv, site.yml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from savant_reid.bench.matching import match_boxes
from savant_reid.bench.rows import NOBODY, Int64s, LabelledMoment
from savant_reid.errors import DataError
from savant_reid.evaluation.tracks import NONE, read_tracks
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Sightings
from savant_reid.sinks.run_folder import SIGHTINGS
from savant_reid.sinks.sightings import read_sightings
from savant_reid.site import load_site

TRUTH, SITE = "truth.csv", "site.yml"
# Frames of different cameras belong to one moment when they are no farther apart than this.
MOMENT_NS = 20_000_000


class FolderSource:
    """Raises DataError or ConfigError for files that are not what they should be."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._site = load_site(folder / SITE)
        table = read_sightings(folder / SIGHTINGS)
        self._table = table.take(pa.array(np.argsort(_numbers(table, "time_ns"), kind="stable")))
        self._index = {name: i for i, name in enumerate(self.cameras)}
        self._camera = self._cameras_of(self._table)
        self._frame = _numbers(self._table, "frame")
        self._boxes = np.stack([_numbers(self._table, n) for n in ("left", "top", "width", "height")], axis=1)
        self._person, self._truth = self._read_truth(folder / TRUTH)

    @property
    def cameras(self) -> Sequence[str]:
        return tuple(self._site.cameras)

    @property
    def windows(self) -> Mapping[tuple[str, str], tuple[float, float]]:
        windows = {}
        for transition in self._site.transitions:
            windows[transition.from_, transition.to] = transition.seconds
            if transition.both_ways:
                windows[transition.to, transition.from_] = transition.seconds
        return windows

    @property
    def overlaps(self) -> Sequence[tuple[str, str]]:
        return self._site.overlaps

    def topology(self) -> Topology:
        return self._site.topology()

    def moments(self) -> Iterator[LabelledMoment]:
        """Frames are moments of one camera; those within MOMENT_NS that are of different cameras go together.

        The last moment has no sightings, only the truth: boxes are counted there, not placed.
        """
        time_ns, camera = _numbers(self._table, "time_ns"), self._camera
        sizes = self._frame_sizes()
        together: list[tuple[Sightings, Int64s]] = []
        number = 0
        for rows in self._frames(time_ns, camera):
            sightings = self._sightings(rows, sizes)
            if together and (
                sightings.time_ns - together[0][0].time_ns > MOMENT_NS
                or any(sightings.camera == other.camera for other, _ in together)
            ):
                yield _moment(number, together)
                number, together = number + 1, []
            together.append((sightings, self._person[rows]))
        if together:
            yield _moment(number, together)
        yield LabelledMoment(number + 1, (), (), self._truth)

    def _frames(self, time_ns: Int64s, camera: Int64s) -> Iterator[Int64s]:
        """Rows of one camera's frame at a time."""
        order = np.lexsort((np.arange(len(camera)), camera, time_ns))
        keys = np.stack([time_ns[order], camera[order]], axis=1)
        ends = np.flatnonzero((np.diff(keys, axis=0) != 0).any(axis=1)) + 1
        yield from np.split(order, ends) if len(order) else ()

    def _sightings(self, rows: Int64s, sizes: Mapping[int, tuple[int, int]]) -> Sightings:
        table = self._table.take(pa.array(rows))
        vectors = [vector for vector in table["embedding"].to_pylist() if vector is not None]
        has = np.asarray(table["embedding"].is_valid())
        embedding_of = np.full(len(rows), -1, np.int64)
        embedding_of[has] = np.arange(int(has.sum()))
        camera = int(self._camera[rows[0]])
        return Sightings(
            camera=self.cameras[camera],
            time_ns=int(table["time_ns"][0].as_py()),
            track_ids=_numbers(table, "track_id"),
            boxes=self._boxes[rows].astype(np.float32),
            confidences=_numbers(table, "confidence"),
            embedding_of=embedding_of,
            embeddings=np.array(vectors, np.float32) if vectors else np.zeros((0, 0), np.float32),
            frame_size=sizes[camera],
        )

    def _frame_sizes(self) -> dict[int, tuple[int, int]]:
        """The file does not say how large the pictures are: what its boxes reach is taken."""
        sizes = {}
        for camera in np.unique(self._camera).tolist():
            boxes = self._boxes[self._camera == camera]
            width, height = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
            sizes[camera] = (int(np.ceil(width)), int(np.ceil(height)))
        return sizes

    def _cameras_of(self, table: pa.Table) -> Int64s:
        encoded = table["camera"].combine_chunks().dictionary_encode()
        names = encoded.dictionary.to_pylist()
        for name in names:
            if name not in self._index:
                raise DataError(f"{self.name}: expected cameras of site.yml, found sightings of {name!r}")
        place = np.array([self._index[name] for name in names], np.int64)
        return place[np.asarray(encoded.indices)] if len(names) else np.zeros(0, np.int64)

    def _read_truth(self, path: Path) -> tuple[Int64s, Int64s]:
        """The person of each sighting, and the person of each true box."""
        truth = read_tracks(path)
        if not len(truth) or (truth.global_id == NONE).any():
            raise DataError(f"{path}: expected rows, each with a global_id")
        place = np.array([self._index.get(name, len(self._index)) for name in truth.cameras], np.int64)
        many = len(self._index) + 1
        truth_key, key = truth.frame * many + place[truth.camera], self._frame * many + self._camera
        truth_order, order = np.argsort(truth_key, kind="stable"), np.argsort(key, kind="stable")
        match = match_boxes(
            truth_key[truth_order], truth.boxes[truth_order], key[order], self._boxes[order].astype(np.float64)
        )
        person = np.full(len(key), NOBODY, np.int64)
        person[order] = np.where(match >= 0, truth.global_id[truth_order][match], NOBODY)
        return person, truth.global_id


def _moment(number: int, together: Sequence[tuple[Sightings, Int64s]]) -> LabelledMoment:
    sightings, persons = zip(*together, strict=True)
    return LabelledMoment(number, sightings, persons, np.zeros(0, np.int64))


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_numpy())
