"""Rows in memory, laid out by block, dense, in pieces that never outgrow SEGMENT_ROWS.

A block is a list of segments, all full but the last; a hole is filled by the block's last row. A block that grows or
shrinks therefore copies one segment at most, and holds at most twice the rows it needs (four times when it shrinks).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from savant_reid.identity.search.protocol import Float32s, Int64s, check_room, check_together

# 32 MB at D = 512: what the growth of a block copies at most.
SEGMENT_ROWS = 16_384
SMALLEST_SEGMENT = 16


class Segment:
    """Up to SEGMENT_ROWS rows of one block; the first `size` are in use.

    vectors: (room, D) float32; owners: (room,) int64.
    """

    def __init__(self, room: int, dimension: int) -> None:
        self.size = 0
        self.vectors: Float32s = np.empty((room, dimension), np.float32)
        self.owners: Int64s = np.empty(room, np.int64)

    def resized(self, room: int) -> Segment:
        """The same rows with `room` places."""
        other = Segment(room, self.vectors.shape[1])
        other.size = self.size
        other.vectors[: self.size] = self.vectors[: self.size]
        other.owners[: self.size] = self.owners[: self.size]
        return other


class _Place(NamedTuple):
    """Where an owner's rows are: positions count through the segments of `block`, in the order of the vectors given."""

    block: int
    positions: list[int]


class Rows:
    """The rows of all owners; `segments[block]` are for reading."""

    def __init__(self, dimension: int, capacity_rows: int) -> None:
        self.dimension = dimension
        self.capacity_rows = capacity_rows
        self.size = 0
        self.segments: dict[int, list[Segment]] = {}
        self._places: dict[int, _Place] = {}

    def replace(self, owner: int, block: int, vectors: Float32s) -> None:
        """See Search.replace; `vectors` are checked already."""
        place = self._places.get(owner)
        held = len(place.positions) if place else 0
        check_room(self.size - held + len(vectors), self.capacity_rows)
        if place is None or place.block != block:
            self.remove(owner)
            place = _Place(block, [])
        while len(place.positions) > len(vectors):
            self._drop(place)
        for position, vector in zip(place.positions, vectors, strict=False):
            self.segments[block][position // SEGMENT_ROWS].vectors[position % SEGMENT_ROWS] = vector
        for vector in vectors[len(place.positions) :]:
            place.positions.append(self._append(block, owner, vector))
        if place.positions:
            self._places[owner] = place
        else:
            self._places.pop(owner, None)

    def remove(self, owner: int) -> None:
        """Forget all rows of `owner`."""
        place = self._places.pop(owner, None)
        while place and place.positions:
            self._drop(place)

    def rebuild(self, owners: Int64s, blocks: Int64s, vectors: Float32s) -> None:
        """See Search.rebuild; shapes are checked already."""
        check_together(owners, blocks, vectors)
        check_room(len(owners), self.capacity_rows)
        places = _places(owners, blocks)
        self.segments, self._places, self.size = {}, places, len(owners)
        order = np.argsort(blocks, kind="stable")
        known, starts = np.unique(blocks[order], return_index=True)
        for block, of_block in zip(known.tolist(), np.split(order, starts[1:]), strict=True):
            self.segments[block] = [
                _filled(owners[of_block[first : first + SEGMENT_ROWS]], vectors[of_block[first : first + SEGMENT_ROWS]])
                for first in range(0, len(of_block), SEGMENT_ROWS)
            ]

    def _append(self, block: int, owner: int, vector: Float32s) -> int:
        segments = self.segments.setdefault(block, [])
        if not segments or segments[-1].size == SEGMENT_ROWS:
            segments.append(Segment(SMALLEST_SEGMENT, self.dimension))
        last = segments[-1]
        if last.size == len(last.owners):
            last = segments[-1] = last.resized(min(2 * last.size, SEGMENT_ROWS))
        last.vectors[last.size], last.owners[last.size] = vector, owner
        last.size += 1
        self.size += 1
        return (len(segments) - 1) * SEGMENT_ROWS + last.size - 1

    def _drop(self, place: _Place) -> None:
        """Take the last of an owner's rows away; the block's last row moves into the hole."""
        hole = place.positions.pop()
        segments = self.segments[place.block]
        tail = segments[-1]
        moved = (len(segments) - 1) * SEGMENT_ROWS + tail.size - 1
        if moved != hole:
            owner = int(tail.owners[tail.size - 1])
            into, at = segments[hole // SEGMENT_ROWS], hole % SEGMENT_ROWS
            into.vectors[at], into.owners[at] = tail.vectors[tail.size - 1], owner
            # The owner itself may be the one whose row moves: its list has lost the hole already.
            positions = place.positions if owner not in self._places else self._places[owner].positions
            positions[positions.index(moved)] = hole
        tail.size -= 1
        self.size -= 1
        self._shrink(place.block)

    def _shrink(self, block: int) -> None:
        segments = self.segments[block]
        tail = segments[-1]
        if tail.size == 0:
            segments.pop()
            if not segments:
                del self.segments[block]
        elif len(tail.owners) > SMALLEST_SEGMENT and tail.size <= len(tail.owners) // 4:
            segments[-1] = tail.resized(len(tail.owners) // 2)


def _filled(owners: Int64s, vectors: Float32s) -> Segment:
    """A segment that holds exactly these rows."""
    segment = Segment(0, vectors.shape[1])
    segment.size, segment.vectors, segment.owners = len(owners), vectors, owners
    return segment


def _places(owners: Int64s, blocks: Int64s) -> dict[int, _Place]:
    """Where each owner's rows will be when the rows of each block follow one another in their order here."""
    next_of: dict[int, int] = {}
    places: dict[int, _Place] = {}
    for owner, block in zip(owners.tolist(), blocks.tolist(), strict=True):
        place = places.setdefault(owner, _Place(block, []))
        if place.block != block:
            raise ValueError(f"an owner lies in one block, found {owner} in {place.block} and in {block}")
        position = next_of.get(block, 0)
        next_of[block] = position + 1
        place.positions.append(position)
    return places
