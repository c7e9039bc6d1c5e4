"""Rows in the host's memory, in pieces of one block each that never outgrow SEGMENT_ROWS.

A block that grows or shrinks copies one segment at most, and holds at most twice the rows it needs (four times while it
shrinks).
"""

from __future__ import annotations

import numpy as np

from savant_reid.identity.search.protocol import Float32s, Int64s

# 32 MB at D = 512: what the growth of a block copies at most.
SEGMENT_ROWS = 16_384
SMALLEST_SEGMENT = 16


class Segment:
    """Up to SEGMENT_ROWS rows of one block; the first `size` are in use.

    vectors: (room, D) float32; owners: (room,) int64.
    """

    def __init__(self, owners: Int64s, vectors: Float32s, size: int) -> None:
        self.size = size
        self.vectors = vectors
        self.owners = owners

    def resized(self, room: int) -> Segment:
        """The same rows with `room` places."""
        owners, vectors = np.zeros(room, np.int64), np.zeros((room, self.vectors.shape[1]), np.float32)
        owners[: self.size] = self.owners[: self.size]
        vectors[: self.size] = self.vectors[: self.size]
        return Segment(owners, vectors, self.size)


class Segments:
    """A Store; `of_block[block]` are for reading: all full but the last, and none without rows."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.of_block: dict[int, list[Segment]] = {}

    def append(self, block: int, owner: int, vector: Float32s) -> int:
        segments = self.of_block.setdefault(block, [])
        if not segments or segments[-1].size == SEGMENT_ROWS:
            segments.append(Segment(np.zeros(0, np.int64), np.zeros((0, self.dimension), np.float32), 0))
        last = segments[-1]
        if last.size == len(last.owners):
            last = segments[-1] = last.resized(min(max(2 * last.size, SMALLEST_SEGMENT), SEGMENT_ROWS))
        last.vectors[last.size], last.owners[last.size] = vector, owner
        last.size += 1
        return (len(segments) - 1) * SEGMENT_ROWS + last.size - 1

    def overwrite(self, block: int, position: int, vector: Float32s) -> None:
        self.of_block[block][position // SEGMENT_ROWS].vectors[position % SEGMENT_ROWS] = vector

    def fill_from_last(self, block: int, hole: int) -> tuple[int, int]:
        segments = self.of_block[block]
        last, into, at = segments[-1], segments[hole // SEGMENT_ROWS], hole % SEGMENT_ROWS
        last.size -= 1
        owner = int(last.owners[last.size])
        into.vectors[at], into.owners[at] = last.vectors[last.size], owner
        last.vectors[last.size] = 0.0  # nothing of a person stays behind
        moved = (len(segments) - 1) * SEGMENT_ROWS + last.size
        self._shrink(block)
        return owner, moved

    def load(self, parts: dict[int, tuple[Int64s, Float32s]]) -> None:
        self.of_block = {block: _cut(owners, vectors) for block, (owners, vectors) in parts.items()}

    def _shrink(self, block: int) -> None:
        segments = self.of_block[block]
        last = segments[-1]
        if last.size == 0:
            segments.pop()
            if not segments:
                del self.of_block[block]
        elif len(last.owners) > SMALLEST_SEGMENT and last.size <= len(last.owners) // 4:
            segments[-1] = last.resized(len(last.owners) // 2)


def _cut(owners: Int64s, vectors: Float32s) -> list[Segment]:
    """Full segments, and a last one with what is left."""
    ends = [*range(SEGMENT_ROWS, len(owners), SEGMENT_ROWS)]
    parts = zip(np.split(owners, ends), np.split(vectors, ends), strict=True)
    return [Segment(some, rows, len(some)) for some, rows in parts]
