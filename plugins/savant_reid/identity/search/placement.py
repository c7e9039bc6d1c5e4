"""Which row belongs to whom: the bookkeeping that all backends share."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from savant_reid.identity.search.protocol import Float32s, Int64s, check_room, check_together


class Store(Protocol):
    """Rows in memory, by block, positions 0, 1, ... without holes. dimension: of their vectors."""

    dimension: int

    def append(self, block: int, owner: int, vector: Float32s) -> int:
        """One more row of `block`; returns its position."""

    def overwrite(self, block: int, position: int, vector: Float32s) -> None:
        """Another vector (D,) for the same owner."""

    def fill_from_last(self, block: int, hole: int) -> tuple[int, int]:
        """Move the last row of `block` into position `hole` and drop the last; returns its owner, and where it was."""

    def load(self, parts: dict[int, tuple[Int64s, Float32s]]) -> None:
        """Hold exactly these owners (n,) and vectors (n, D) of each block."""


class _Place(NamedTuple):
    """Where an owner's rows are, in the order of the vectors given."""

    block: int
    positions: list[int]


class Placement:
    """Keeps `store` dense and bounded while owners come, change and go."""

    def __init__(self, store: Store, capacity_rows: int) -> None:
        self.capacity_rows = capacity_rows
        self.size = 0
        self._store = store
        self._places: dict[int, _Place] = {}

    def replace(self, owner: int, block: int, vectors: Float32s) -> None:
        """See Search.replace; `vectors` are checked already."""
        place = self._places.get(owner)
        held = len(place.positions) if place else 0
        check_room(self.size - held + len(vectors), self.capacity_rows)
        if place is None or place.block != block:
            self.remove(owner)
            place = self._places[owner] = _Place(block, [])
        while len(place.positions) > len(vectors):
            self._drop_last(place)
        for position, vector in zip(place.positions, vectors, strict=False):
            self._store.overwrite(block, position, vector)
        for vector in vectors[len(place.positions) :]:
            place.positions.append(self._store.append(block, owner, vector))
            self.size += 1
        if not place.positions:
            del self._places[owner]

    def remove(self, owner: int) -> None:
        """Forget all rows of `owner`."""
        place = self._places.get(owner)
        if place is not None:
            while place.positions:
                self._drop_last(place)
            del self._places[owner]

    def rebuild(self, owners: Int64s, blocks: Int64s, vectors: Float32s) -> None:
        """See Search.rebuild; the dimension is checked already."""
        check_together(owners, blocks, vectors)
        check_room(len(owners), self.capacity_rows)
        self._places = _places(owners, blocks)
        self.size = len(owners)
        order = np.argsort(blocks, kind="stable")
        known, starts = np.unique(blocks[order], return_index=True)
        rows_of = dict(zip(known.tolist(), np.split(order, starts[1:]), strict=True)) if len(known) else {}
        self._store.load({block: (owners[rows], vectors[rows]) for block, rows in rows_of.items()})

    def _drop_last(self, place: _Place) -> None:
        """Take the last of an owner's rows away."""
        hole = place.positions.pop()
        owner, moved = self._store.fill_from_last(place.block, hole)
        self.size -= 1
        if moved != hole:
            positions = self._places[owner].positions
            positions[positions.index(moved)] = hole


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
