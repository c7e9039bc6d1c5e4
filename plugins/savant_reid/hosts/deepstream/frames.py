"""The frames of a DeepStream batch as the pyfuncs see them, and what they answer on its way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.deepstream.arrays import UNTRACKED, BatchArrays
from savant_reid.hosts.deepstream.epochs import fold
from savant_reid.identity.types import Decision, Sightings

# A frame that entered Savant before September 2001 or after 2262 has no clock we could believe.
_PLAUSIBLE_NS = range(10**18, 2**63)
# Added to the class id of who is not to be embedded: nvinfer passes over class ids beyond its list of
# operate-on-class-ids. A negative one would end the process: nvinfer compares with the list's length only, then
# std::vector::at throws (gstnvinfer.cpp, should_infer_object).
PARKED = 1 << 20
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / the golden ratio: products of small numbers lie far apart


@dataclass(frozen=True)
class Head:
    """What is known of one frame beside its objects. index: in the batch. video_frame: Savant's."""

    index: int
    camera: str
    time_ns: int
    frame_num: int
    epoch: int
    video_frame: Any


@dataclass(frozen=True)
class Embedded:
    """embedding_of: (n,) int64, for each object of a batch its row in embeddings or -1. embeddings: (m, D) float32."""

    embedding_of: NDArray[np.int64]
    embeddings: NDArray[np.float32]

    @classmethod
    def none(cls, objects: int) -> Embedded:
        return cls(np.full(objects, -1, np.int64), np.zeros((0, 0), np.float32))


class DeepStreamFrame:
    """A FrameView on one frame.

    rows: its tracked people in the batch's arrays. park: given rows, keeps them from the re-ID model. write: given the
    frame and its decisions, attaches them.
    """

    def __init__(
        self,
        head: Head,
        rows: NDArray[np.int64],
        sightings: Sightings,
        park: Callable[[NDArray[np.int64]], None],
        write: Callable[[DeepStreamFrame, Sequence[Decision]], None],
    ) -> None:
        self.head = head
        self.rows = rows
        self._sightings = sightings
        self._park = park
        self._write = write
        self.held_back = 0
        self.decisions: Sequence[Decision] | None = None

    @property
    def camera(self) -> str:
        return self.head.camera

    @property
    def time_ns(self) -> int:
        return self.head.time_ns

    def sightings(self) -> Sightings:
        return self._sightings

    def request_embeddings(self, due: NDArray[np.bool_]) -> None:
        rows = self.rows[~due]
        self.held_back = len(rows)
        self._park(rows)

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        self.decisions = decisions
        self._write(self, decisions)


def moments(frames: Sequence[DeepStreamFrame]) -> list[list[DeepStreamFrame]]:
    """The frames in parts of at most one of each camera, a camera's own in the order of time.

    DeepStream's muxer may put several frames of one source into a batch (Savant's max_same_source_frames).
    """
    if len({frame.camera for frame in frames}) == len(frames):
        return [list(frames)]
    parts: list[list[DeepStreamFrame]] = []
    seen: Counter[str] = Counter()
    for frame in sorted(frames, key=lambda frame: (frame.time_ns, frame.head.frame_num)):
        if seen[frame.camera] == len(parts):
            parts.append([])
        parts[seen[frame.camera]].append(frame)
        seen[frame.camera] += 1
    return parts


def people_rows(arrays: BatchArrays, people: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Rows of the tracked people, where each frame's begin among them (f + 1), and how many were left out.

    people: unique component id and class id. Left out are people without a track, and those whose track id another one
    of the frame has already.
    """
    component, class_id = people
    are_people = (arrays.component_ids == component) & (arrays.class_ids == class_id)
    rows = np.flatnonzero(are_people & (arrays.track_ids != UNTRACKED))
    frame_of, track_ids = arrays.frame_of[rows], arrays.track_ids[rows]
    # One number for frame and track, not without collisions: it only says when a closer look is worth its time.
    keys = np.sort(track_ids + frame_of.astype(np.uint64) * _SPREAD)
    if (keys[1:] == keys[:-1]).any():
        rows = _first_of_each(rows, frame_of, track_ids)
        frame_of = arrays.frame_of[rows]
    starts = np.searchsorted(frame_of, np.arange(len(arrays.pad_indices) + 1))
    return rows, starts, int(np.count_nonzero(are_people)) - len(rows)


def _first_of_each(
    rows: NDArray[np.int64], frame_of: NDArray[np.int64], track_ids: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """The rows, each (m,) like the others, without those whose frame and track an earlier one has."""
    firsts: dict[tuple[int, int], int] = {}
    for frame, track, row in zip(frame_of.tolist(), track_ids.tolist(), rows.tolist(), strict=True):
        firsts.setdefault((frame, track), row)
    return np.array(list(firsts.values()), np.int64)


def sightings_of(
    arrays: BatchArrays, heads: Sequence[Head], rows: NDArray[np.int64], starts: NDArray[np.int64], embedded: Embedded
) -> list[Sightings]:
    """One for each head, of the people that people_rows found."""
    epochs = np.zeros(len(arrays.pad_indices), np.int64)
    epochs[[head.index for head in heads]] = [head.epoch for head in heads]
    track_ids = fold(arrays.track_ids[rows], epochs[arrays.frame_of[rows]])
    boxes, confidences = arrays.boxes[rows], arrays.confidences[rows]
    embedding_of = embedded.embedding_of[rows]
    sizes = arrays.frame_sizes.tolist()
    found = []
    for head in heads:
        part = slice(int(starts[head.index]), int(starts[head.index + 1]))
        width, height = sizes[head.index]
        found.append(
            Sightings(
                camera=head.camera,
                time_ns=head.time_ns,
                track_ids=track_ids[part],
                boxes=boxes[part],
                confidences=confidences[part],
                embedding_of=embedding_of[part],
                embeddings=embedded.embeddings,
                frame_size=(width, height),
            )
        )
    return found


def restored(class_ids: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows that a gate has parked, and the class ids that they had before."""
    rows = np.flatnonzero(class_ids >= PARKED)
    return rows, (class_ids[rows] - PARKED).astype(np.int32)


def frame_time_ns(video_frame: Any) -> int:
    """When the frame entered Savant, by the clock all cameras share; `pts` is each source's own.

    Raises ValueError where neither the frame's stamp nor its UUIDv7 says so.
    """
    stamp = int(video_frame.creation_timestamp_ns)
    if stamp in _PLAUSIBLE_NS:
        return stamp
    digits = str(video_frame.uuid).replace("-", "")
    if len(digits) == 32 and digits[12] == "7":  # RFC 9562: milliseconds in the first 48 bits, then the version
        from_uuid = int(digits[:12], 16) * 1_000_000
        if from_uuid in _PLAUSIBLE_NS:
            return from_uuid
    raise ValueError(f"expected the time at which the frame entered Savant, found {stamp} and UUID {video_frame.uuid}")
