"""Rows to frames: what one camera saw at one moment."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from savant_reid.identity.types import Sightings
from savant_reid.replay.columns import Float32s, Int64s, Rows

# The rows of a frame lie together in what a run writes. Elsewhere they may be mixed with other frames' (sorted by time
# and track, say): a frame waits for its rows until so many others have begun, or so many rows wait.
WINDOW_FRAMES = 64
WINDOW_ROWS = 20_000
# Rows that come later than that are refused; more frames back, they would be taken for a frame of that number again.
_REMEMBERED = 4096

Key = tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """One frame of the camera of that index. is_recorded: False for a frame without people, put back by `gaps`."""

    camera: int
    index: int
    sightings: Sightings
    is_recorded: bool = True

    @property
    def time_ns(self) -> int:
        return self.sightings.time_ns


@dataclass(frozen=True)
class _Piece:
    rows: Rows
    start: int
    stop: int


@dataclass
class _Open:
    time_ns: int
    pieces: list[_Piece]


class FrameGatherer:
    """cameras, sizes: name and picture size by index.

    refused counts rows: `duplicate` (camera, frame and track as a row before it), `second_time` (of a frame that has
    another time already) and `late` (of a frame that is gone).
    """

    def __init__(self, cameras: Sequence[str], sizes: Sequence[tuple[int, int]], refused: Counter[str]) -> None:
        self._cameras, self._sizes, self._refused = cameras, sizes, refused
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._waiting = 0
        self._gone: dict[Key, int] = {}  # and its time

    def gather(self, chunks: Iterable[Rows]) -> Iterator[Frame]:
        """Frames in the order of their first rows; frames of one moment that follow each other by camera index."""
        moment: list[Frame] = []
        for frame in self._frames(chunks):
            # Bounded: a file may have the same time in all its rows.
            if moment and (frame.time_ns != moment[0].time_ns or len(moment) >= _REMEMBERED):
                yield from sorted(moment, key=lambda one: one.camera)
                moment = []
            moment.append(frame)
        yield from sorted(moment, key=lambda one: one.camera)

    def _frames(self, chunks: Iterable[Rows]) -> Iterator[Frame]:
        for rows in chunks:
            for start, stop in _runs(rows):
                self._add(_Piece(rows, start, stop))
                while len(self._open) > WINDOW_FRAMES or (self._waiting > WINDOW_ROWS and len(self._open) > 1):
                    yield self._close()
        while self._open:
            yield self._close()

    def _add(self, piece: _Piece) -> None:
        rows, start = piece.rows, piece.start
        key, time_ns = (int(rows.camera[start]), int(rows.frame[start])), int(rows.time_ns[start])
        count = piece.stop - piece.start
        found = self._open.get(key)
        # Another time: a counter that began anew, as after a reconnect.
        if found is None and self._gone.get(key) == time_ns:
            self._refused["late"] += count
            return
        if found is None:
            found = self._open[key] = _Open(time_ns, [])
        if found.time_ns != time_ns:
            self._refused["second_time"] += count
            return
        found.pieces.append(piece)
        self._waiting += count

    def _close(self) -> Frame:
        key, one = self._open.popitem(last=False)
        self._waiting -= sum(piece.stop - piece.start for piece in one.pieces)
        self._gone[key] = one.time_ns
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]
        return Frame(key[0], key[1], self._sightings(key[0], one))

    def _sightings(self, camera: int, one: _Open) -> Sightings:
        track_ids = _joined([piece.rows.track_id[piece.start : piece.stop] for piece in one.pieces])
        embedding_of, embeddings = _embeddings(one.pieces)
        found = Sightings(
            camera=self._cameras[camera],
            time_ns=one.time_ns,
            track_ids=track_ids,
            boxes=_joined([piece.rows.boxes[piece.start : piece.stop] for piece in one.pieces]),
            confidences=_joined([piece.rows.confidences[piece.start : piece.stop] for piece in one.pieces]),
            embedding_of=embedding_of,
            embeddings=embeddings,
            frame_size=self._sizes[camera],
        )
        if len(set(track_ids.tolist())) == len(track_ids):
            return found
        return self._without_duplicates(found)

    def _without_duplicates(self, sightings: Sightings) -> Sightings:
        _, first = np.unique(sightings.track_ids, return_index=True)
        kept = np.sort(first)
        self._refused["duplicate"] += len(sightings) - len(kept)
        at = sightings.embedding_of[kept]
        embedding_of = np.full(len(kept), -1, np.int64)
        embedding_of[at >= 0] = np.arange(int((at >= 0).sum()))
        return Sightings(
            camera=sightings.camera,
            time_ns=sightings.time_ns,
            track_ids=sightings.track_ids[kept],
            boxes=sightings.boxes[kept],
            confidences=sightings.confidences[kept],
            embedding_of=embedding_of,
            embeddings=sightings.embeddings[at[at >= 0]],
            frame_size=sightings.frame_size,
        )


def nobody(camera: str, time_ns: int, frame_size: tuple[int, int], dimension: int) -> Sightings:
    """A frame without people."""
    none = np.zeros(0, np.int64)
    return Sightings(
        camera=camera,
        time_ns=time_ns,
        track_ids=none,
        boxes=np.zeros((0, 4), np.float32),
        confidences=np.zeros(0, np.float32),
        embedding_of=none,
        embeddings=np.zeros((0, dimension), np.float32),
        frame_size=frame_size,
    )


def _runs(rows: Rows) -> Iterator[tuple[int, int]]:
    """(start, stop) of rows that follow each other and are of one frame."""
    if not len(rows):
        return
    changes = (np.diff(rows.camera) != 0) | (np.diff(rows.frame) != 0) | (np.diff(rows.time_ns) != 0)
    starts = [0, *(np.flatnonzero(changes) + 1).tolist(), len(rows)]
    yield from pairwise(starts)


def _embeddings(pieces: Sequence[_Piece]) -> tuple[Int64s, Float32s]:
    """`embedding_of` and `embeddings` of one frame: those rows of its chunks' embeddings that are its own."""
    indices, found, count = [], [], 0
    for piece in pieces:
        at = piece.rows.embedding_of[piece.start : piece.stop]
        own = at[at >= 0]
        index = at.copy()
        if len(own):
            found.append(piece.rows.embeddings[own[0] : own[-1] + 1])
            index[at >= 0] += count - own[0]
            count += len(own)
        else:
            found.append(piece.rows.embeddings[:0])
        indices.append(index)
    return _joined(indices), _joined(found)


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
