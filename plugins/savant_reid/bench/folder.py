"""A recording in files, read as `savant-reid replay` reads it: sightings.parquet, truth.csv, site.yml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from savant_reid.bench.matching import match_boxes
from savant_reid.bench.rows import NOBODY, Int64s
from savant_reid.bench.source import LabelledMoment
from savant_reid.errors import ConfigError, DataError
from savant_reid.evaluation.tracks import NONE, Tracks, read_tracks
from savant_reid.identity.policy import Policy
from savant_reid.identity.topology import Topology
from savant_reid.replay.batches import EmptyFrames, batched
from savant_reid.replay.frames import Frame, FrameGatherer
from savant_reid.replay.recording import open_recording
from savant_reid.replay.rows import read_rows
from savant_reid.replay.scan import scan
from savant_reid.sinks.run_folder import SIGHTINGS, SITE, TRUTH
from savant_reid.site import load_site


class FolderSource:
    """Raises DataError or ConfigError for files that are not what they should be."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._site = load_site(folder / SITE)
        self.cameras: Sequence[str] = tuple(self._site.cameras)
        self._truth = _Truth(folder / TRUTH, self.cameras)
        self._recording = open_recording(folder / SIGHTINGS)
        self._scan = scan(self._recording, list(self.cameras), folder / SITE)

    @property
    def windows(self) -> Mapping[tuple[str, str], tuple[float, float]]:
        return self._site.windows()

    @property
    def overlaps(self) -> Sequence[tuple[str, str]]:
        return self._site.overlaps

    def topology(self) -> Topology:
        return self._site.topology()

    def policy(self) -> Policy:
        identity = self._site.identity
        if identity.policy != "open_set" or identity.watchlist is not None:
            raise ConfigError("identity: expected an open set without a watchlist, which is what is measured here")
        return self._site.policy()

    def moments(self) -> Iterator[LabelledMoment]:
        """The batches of a replay. The last moment has no sightings, only the truth of frames without any."""
        known, cameras = self._scan, list(self.cameras)
        gatherer = FrameGatherer(cameras, known.sizes, Counter())
        rows = read_rows(self._recording, {name: i for i, name in enumerate(cameras)}, Counter())
        empty = EmptyFrames(known.gaps, cameras, known.sizes, self._recording.dimension)
        counted: set[tuple[int, int]] = set()
        number = 0
        for number, batch in enumerate(batched(empty.woven(gatherer.gather(rows)))):
            persons = tuple(self._truth.persons(frame) for frame in batch)
            truth = [self._truth.people_in(key) for key in _keys(batch) if key not in counted]
            counted.update(_keys(batch))
            sightings = tuple(frame.sightings for frame in batch)
            yield LabelledMoment(number, sightings, persons, np.concatenate([np.zeros(0, np.int64), *truth]))
        yield LabelledMoment(number + 1, (), (), self._truth.people_elsewhere(counted))


def _keys(batch: Sequence[Frame]) -> list[tuple[int, int]]:
    return [(frame.camera, frame.index) for frame in batch if frame.is_recorded]


class _Truth:
    """Boxes with their people by camera and frame."""

    def __init__(self, path: Path, cameras: Sequence[str]) -> None:
        self._tracks = tracks = read_tracks(path)
        if not len(tracks) or (tracks.global_id == NONE).any():
            raise DataError(f"{path}: expected rows, each with a global_id")
        camera = _camera_indices(path, tracks, cameras)
        order = np.lexsort((tracks.frame, camera))
        keys = np.stack([camera[order], tracks.frame[order]], axis=1)
        ends = np.flatnonzero((np.diff(keys, axis=0) != 0).any(axis=1)) + 1
        self._rows = {(int(camera[rows[0]]), int(tracks.frame[rows[0]])): rows for rows in np.split(order, ends)}

    def persons(self, frame: Frame) -> Int64s:
        """(n,) true person of each row, -1 for a false detection."""
        rows = self._rows.get((frame.camera, frame.index))
        if rows is None or not frame.is_recorded:
            return np.full(len(frame.sightings), NOBODY, np.int64)
        zeros = np.zeros(len(frame.sightings), np.int64)
        boxes = frame.sightings.boxes.astype(np.float64)
        match = match_boxes(np.zeros(len(rows), np.int64), self._tracks.boxes[rows], zeros, boxes)
        return np.where(match >= 0, self._tracks.global_id[rows][match], NOBODY).astype(np.int64)

    def people_in(self, key: tuple[int, int]) -> Int64s:
        """The people in view of a camera in a frame."""
        rows = self._rows.get(key)
        return np.zeros(0, np.int64) if rows is None else self._tracks.global_id[rows]

    def people_elsewhere(self, counted: set[tuple[int, int]]) -> Int64s:
        """The people in all other frames, once per frame and camera."""
        rest = [rows for key, rows in self._rows.items() if key not in counted]
        found: Int64s = self._tracks.global_id[np.concatenate([np.zeros(0, np.int64), *rest])]
        return found


def _camera_indices(path: Path, tracks: Tracks, cameras: Sequence[str]) -> Int64s:
    index = {name: i for i, name in enumerate(cameras)}
    for name in tracks.cameras:
        if name not in index:
            raise DataError(f"{path}: camera: expected one of site.yml ({', '.join(cameras)}), found {name!r}")
    place: Int64s = np.array([index[name] for name in tracks.cameras], np.int64)[tracks.camera]
    return place
