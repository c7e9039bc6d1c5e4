"""Crops of runs' tracks out of the runs' own videos, and which of them to learn from, to stop by and to hold back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from model_builder.run_tracks import RunTracks
from savant_reid.errors import DataError, SourceError

SITE = "site.yml"
# By when a track begins: the first share of a run's tracks is learned from, the next tells when to stop, the rest is
# held back for the figures.
LEARNED, WATCHED = 0.6, 0.75
LEARN, WATCH, HELD = 0, 1, 2


@dataclass(frozen=True)
class SiteCrops:
    """Crops of all runs together.

    crops: (n, h, w, 3) uint8 BGR. track, camera, time_ns, person, run: (n,) int64; tracks are numbered over all runs,
    people (-1 where unknown) in each run anew. apart: (tracks, tracks) bool. part: (tracks,) LEARN, WATCH or HELD.
    """

    crops: np.ndarray
    track: np.ndarray
    camera: np.ndarray
    time_ns: np.ndarray
    person: np.ndarray
    run: np.ndarray
    apart: np.ndarray
    part: np.ndarray

    def __len__(self) -> int:
        return len(self.track)

    def of(self, part: int) -> np.ndarray:
        """Rows of the crops of one part."""
        return np.flatnonzero(self.part[self.track] == part)


def cut_out(
    runs: Sequence[RunTracks], size_hw: tuple[int, int], videos: Mapping[str, Path], progress: bool = True
) -> SiteCrops:
    """The crops at a model's input size, squashed. videos: by camera, where site.yml in the run folder is not right.

    Raises SourceError for a video that is absent, cannot be decoded, or is shorter than the run's tracks.
    """
    from tqdm import tqdm

    files = [_videos_of(run, videos) for run in runs]
    with tqdm(total=sum(map(len, runs)), desc="crops", unit="crop", disable=None if progress else True) as bar:
        crops = []
        for run, of_run in zip(runs, files, strict=True):
            for camera, name in enumerate(run.cameras):
                rows = np.flatnonzero(run.camera == camera)
                if len(rows):
                    crops.append(_crops_of(of_run[name], run.frame[rows], run.boxes[rows], size_hw))
                    bar.update(len(rows))
    return _joined(runs, np.concatenate(crops))


def _videos_of(run: RunTracks, videos: Mapping[str, Path]) -> dict[str, Path]:
    used = [name for camera, name in enumerate(run.cameras) if (run.camera == camera).any()]
    missing = [name for name in used if name not in videos]
    found = dict(videos)
    if missing:
        path = run.folder / SITE
        said = _sources(path)
        for name in missing:
            source = said.get(name)
            if source is None or "://" in source:
                told = f"{path} says {source}" if source else f"{path} names none"
                raise SourceError(f"{run.folder}: camera {name!r}: expected a video file (--video {name}=FILE); {told}")
            found[name] = path.parent / source
    for name in used:
        if not found[name].is_file():
            raise SourceError(f"{run.folder}: camera {name!r}: expected a video (--video), found no file {found[name]}")
    return found


def _sources(path: Path) -> dict[str, str]:
    """By camera. Not through `load_site`: that one refuses a site of which one file is gone, which --video may name."""
    try:
        cameras = yaml.safe_load(path.read_text(encoding="utf-8"))["cameras"].items() if path.is_file() else ()
        return {name: camera["source"] for name, camera in cameras if camera and camera.get("source")}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{path}: expected a site file with cameras and their sources, found: {error}") from error


def _crops_of(file: Path, frames: np.ndarray, boxes: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """frames: (n,) rising; boxes: (n, 4) ltwh. Returns (n, h, w, 3) uint8."""
    crops = np.empty((len(frames), *size_hw, 3), np.uint8)
    video = cv2.VideoCapture(str(file))
    try:
        row, frame = 0, 0
        while row < len(frames):
            # grab alone is no cheaper than decoding, but retrieve, the conversion to BGR, is saved.
            if not video.grab():
                raise SourceError(
                    f"{file}: expected a video with frame {frames[-1]}, where the run has a track; found {frame} frames"
                )
            if frame == frames[row]:
                picture = np.asarray(video.retrieve()[1], np.uint8)
                while row < len(frames) and frames[row] == frame:
                    crops[row] = cv2.resize(_cut(file, picture, boxes[row]), size_hw[::-1])
                    row += 1
            frame += 1
    finally:
        video.release()
    return crops


def _cut(file: Path, picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    left, top = (max(int(value), 0) for value in box[:2])
    right, bottom = min(round(float(box[0] + box[2])), width), min(round(float(box[1] + box[3])), height)
    if right <= left or bottom <= top:
        raise SourceError(f"{file}: expected pictures that hold the run's boxes, found {width}x{height} pixels")
    return picture[top:bottom, left:right]


def _joined(runs: Sequence[RunTracks], crops: np.ndarray) -> SiteCrops:
    cameras = {name: i for i, name in enumerate(dict.fromkeys(name for run in runs for name in run.cameras))}
    first_tracks = np.cumsum([0, *(len(run.apart) for run in runs)])
    apart = np.zeros((first_tracks[-1],) * 2, bool)
    for run, first in zip(runs, first_tracks, strict=False):
        apart[first : first + len(run.apart), first : first + len(run.apart)] = run.apart
    numbers = [np.array([cameras[name] for name in run.cameras])[run.camera] for run in runs]
    return SiteCrops(
        crops=crops,
        track=np.concatenate([run.track + first for run, first in zip(runs, first_tracks, strict=False)]),
        camera=np.concatenate(numbers),
        time_ns=np.concatenate([run.time_ns for run in runs]),
        person=np.concatenate([run.person for run in runs]),
        run=np.repeat(np.arange(len(runs)), [len(run) for run in runs]),
        apart=apart,
        part=np.concatenate([_parts(run) for run in runs]),
    )


def _parts(run: RunTracks) -> np.ndarray:
    """(tracks,) by the order in which the tracks begin."""
    begins = np.full(len(run.apart), np.iinfo(np.int64).max)
    np.minimum.at(begins, run.track, run.time_ns)
    place = np.empty(len(begins))
    place[np.argsort(begins, kind="stable")] = (np.arange(len(begins)) + 0.5) / len(begins)
    return np.digitize(place, (LEARNED, WATCHED))


def check_enough(site: SiteCrops) -> None:
    """Raises DataError where a part has too few pairs to learn from or to judge by."""
    names = {LEARN: "to learn from", WATCH: "to stop by", HELD: "to hold back"}
    for part, name in names.items():
        tracks = site.part == part
        pairs = int(site.apart[np.ix_(tracks, tracks)].sum()) // 2
        if tracks.sum() < 4 or pairs < 3:
            raise DataError(
                f"expected at least 4 tracks and 3 pairs of tracks seen side by side {name}; found {int(tracks.sum())} "
                f"and {pairs}: longer recordings are needed"
            )
