"""The tracks of a run folder that an embedder can learn from: which boxes to cut out, who was seen beside whom.

Labels there are none: the boxes of one track show one person, and two people whom one camera sees at the same moment
are two. Both fail at times, so a track is cut where a tracker may have lost its person (another box covered it, it was
gone for a while, its identity changed), and the pieces count as tracks of their own of which nothing is known. Two
boxes that lie on each other (one person found twice) are no two people.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from savant_reid.errors import DataError
from savant_reid.evaluation.tracks import NONE, Tracks, read_tracks

TRACKS, TRUTH = "tracks.csv", "truth.csv"
CROPS_OF_A_TRACK = 20
LEAST_CROPS, LEAST_SECONDS = 4, 1.0
LEAST_HEIGHT_PX = 32
# More of a box than this under another one: the crop shows two people, and the track may go on with the other.
MOST_COVERED = 0.25
LONGEST_GAP_SECONDS = 1.0
# Two tracks are two people where at least so many frames show both; never if once they lay on each other like this.
LEAST_FRAMES_TOGETHER, MOST_OVERLAP = 2, 0.5
TRUTH_IOU = 0.5


@dataclass(frozen=True)
class RunTracks:
    """Boxes to cut out of one run's videos, sorted by camera and frame.

    cameras: names. camera, frame, track, time_ns, person: (n,) int64; track counts from 0 within the run, person is the
    truth's or -1. boxes: (n, 4) ltwh pixels. apart: (tracks, tracks) bool, True for two tracks of two people.
    """

    folder: Path
    cameras: tuple[str, ...]
    camera: np.ndarray
    frame: np.ndarray
    track: np.ndarray
    time_ns: np.ndarray
    person: np.ndarray
    boxes: np.ndarray
    apart: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)


def read_run(folder: Path) -> RunTracks:
    """Raises DataError where the folder holds no run, or no track that is long enough."""
    if not (folder / TRACKS).is_file():
        raise DataError(f"{folder}: expected the folder of a run with {TRACKS}, found no such file")
    rows = read_tracks(folder / TRACKS)
    overlaps = _overlaps_of(rows)
    covered = _covered(rows, overlaps)
    piece = _pieces(rows, covered)
    chosen = _chosen(rows, piece, covered)
    if not len(chosen):
        raise DataError(
            f"{folder / TRACKS}: expected tracks of at least {LEAST_CROPS} uncovered boxes over {LEAST_SECONDS} s and "
            f"{LEAST_HEIGHT_PX} pixels high, found none in {len(rows)} rows"
        )
    kept, track = np.unique(piece[chosen], return_inverse=True)
    people = _people(rows, folder / TRUTH)
    return RunTracks(
        folder=folder,
        cameras=rows.cameras,
        camera=rows.camera[chosen],
        frame=rows.frame[chosen],
        track=track.ravel(),
        time_ns=rows.time_ns[chosen],
        person=people[chosen],
        boxes=rows.boxes[chosen],
        apart=_apart(rows, piece, overlaps)[np.ix_(kept, kept)],
    )


def _overlaps_of(rows: Tracks) -> np.ndarray:
    """All pairs of boxes of one frame of one camera: (k, 2) int64 rows."""
    order = np.lexsort((rows.frame, rows.camera))
    moments = np.stack((rows.camera[order], rows.frame[order]), axis=1)
    groups = np.split(order, np.flatnonzero((np.diff(moments, axis=0) != 0).any(axis=1)) + 1)
    pairs = [np.stack(np.triu_indices(len(group), 1), axis=1) for group in groups]
    return np.concatenate([group[pair] for group, pair in zip(groups, pairs, strict=True)] or [np.empty((0, 2), int)])


def _shared_areas(boxes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    first, second = boxes[pairs[:, 0]], boxes[pairs[:, 1]]
    ends = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    return np.asarray(np.clip(ends - np.maximum(first[:, :2], second[:, :2]), 0, None).prod(axis=1))


def _covered(rows: Tracks, pairs: np.ndarray) -> np.ndarray:
    """(n,) the largest share of a box that lies under one other box of its frame; who is in front does not matter."""
    shared, areas = _shared_areas(rows.boxes, pairs), rows.boxes[:, 2:].prod(axis=1)
    covered = np.zeros(len(rows))
    for side in (0, 1):
        np.maximum.at(covered, pairs[:, side], shared / areas[pairs[:, side]])
    return covered


def _pieces(rows: Tracks, covered: np.ndarray) -> np.ndarray:
    """(n,) number of the piece of a track that each row belongs to."""
    order = np.lexsort((rows.time_ns, rows.track_id, rows.camera))
    changes = np.stack((rows.camera, rows.track_id, rows.global_id, covered > MOST_COVERED), axis=1)[order]
    cut = (np.diff(changes, axis=0) != 0).any(axis=1) | (np.diff(rows.time_ns[order]) > LONGEST_GAP_SECONDS * 1e9)
    piece = np.empty(len(rows), np.int64)
    piece[order] = np.concatenate(([0], np.cumsum(cut)))[: len(rows)]
    return piece


def _chosen(rows: Tracks, piece: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Rows to cut out, sorted by camera and frame: CROPS_OF_A_TRACK at most of each piece, spread over its time."""
    usable = (rows.track_id != NONE) & (rows.boxes[:, 3] >= LEAST_HEIGHT_PX) & (covered <= MOST_COVERED)
    candidates = np.flatnonzero(usable)
    candidates = candidates[np.lexsort((rows.time_ns[candidates], piece[candidates]))]
    chosen = [np.empty(0, np.int64)]
    for part in np.split(candidates, np.flatnonzero(np.diff(piece[candidates])) + 1):
        if len(part) < LEAST_CROPS or np.ptp(rows.time_ns[part]) < LEAST_SECONDS * 1e9:
            continue
        wanted = min(CROPS_OF_A_TRACK, len(part))
        chosen.append(part[np.linspace(0, len(part) - 1, wanted).round().astype(np.int64)])
    found = np.concatenate(chosen)
    return found[np.lexsort((rows.frame[found], rows.camera[found]))]


def _apart(rows: Tracks, piece: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(pieces, pieces) bool: seen together in enough frames, and never on each other."""
    count = int(piece.max(initial=-1)) + 1
    shared = _shared_areas(rows.boxes, pairs)
    areas = rows.boxes[:, 2:].prod(axis=1)
    iou = shared / (areas[pairs].sum(axis=1) - shared)
    together, closest = np.zeros((count, count), np.int64), np.zeros((count, count))
    first, second = piece[pairs[:, 0]], piece[pairs[:, 1]]
    np.add.at(together, (first, second), 1)
    np.maximum.at(closest, (first, second), iou)
    together, closest = together + together.T, np.maximum(closest, closest.T)
    return np.asarray((together >= LEAST_FRAMES_TOGETHER) & (closest <= MOST_OVERLAP))


def _people(rows: Tracks, truth: Path) -> np.ndarray:
    """(n,) whom the truth beside the run shows there, -1 where it shows nobody or there is none."""
    people = np.full(len(rows), NONE, np.int64)
    if not truth.is_file():
        return people
    told = read_tracks(truth)
    at: dict[tuple[str, int], list[int]] = {}
    for row, (camera, frame) in enumerate(zip(told.camera.tolist(), told.frame.tolist(), strict=True)):
        at.setdefault((told.cameras[camera], frame), []).append(row)
    for row, (camera, frame) in enumerate(zip(rows.camera.tolist(), rows.frame.tolist(), strict=True)):
        others = np.array(at.get((rows.cameras[camera], frame), []), np.int64)
        boxes = np.concatenate((rows.boxes[row : row + 1], told.boxes[others]))
        shared = _shared_areas(boxes, np.stack((np.zeros_like(others), np.arange(1, len(others) + 1)), axis=1))
        areas = boxes[:, 2:].prod(axis=1)
        iou = shared / (areas[0] + areas[1:] - shared)
        if len(iou) and iou.max() >= TRUTH_IOU:
            people[row] = told.global_id[others[iou.argmax()]]
    return people
