"""Rows in the memory of a device, in pages of one block each, with a copy in the host's memory.

A row that goes leaves a tombstone: nothing else moves, and the next row of the block takes its place. Too many of them
in one block, and the rows of its emptiest page move together with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.protocol import NOBODY, Float32s, Int64s

PAGE_ROWS = 128
# Beyond what the rows need when every page is full: each block has up to two pages of tombstones. More are added as
# blocks come.
_SPARE_PAGES = 64
# A block may have one tombstone for so many rows (and two pages of them in any case) before a page is cleared.
_ROWS_A_TOMBSTONE = 4
# Rows that go to the device in one transfer.
_TRANSFER_ROWS = 65_536


class Layout(NamedTuple):
    """Where the rows of some blocks are.

    pages: (n,) int64, all pages of the blocks, block after block; of_block: (blocks,) how many are each block's.
    """

    pages: Int64s
    of_block: Int64s


class _Ring:
    """One block: its pages; the places (rows of the device) of its rows in the order of their positions; free places,
    the next to be taken last."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.places: list[int] = []
        self.free: list[int] = []
        self._numbers: Int64s | None = None

    def numbers(self) -> Int64s:
        """Its pages as an array, kept until they change: thousands of them cost more to convert than to ask for."""
        if self._numbers is None:
            self._numbers = np.array(self.pages, np.int64)
        return self._numbers

    def add(self, page: int) -> None:
        """All places of the page are free."""
        self.pages.append(page)
        self.free += range((page + 1) * PAGE_ROWS - 1, page * PAGE_ROWS - 1, -1)
        self._numbers = None

    def give_back(self, page: int) -> None:
        """Without rows in it."""
        self.pages.remove(page)
        self.free = [place for place in self.free if place // PAGE_ROWS != page]
        self._numbers = None


class Pages:
    """A Store. What changes is noted and goes to the device in one transfer when it is next asked for.

    dtype: of the rows on the device, float32 or float16. owners: (pages, PAGE_ROWS) int64 on the host, NOBODY where a
    page has no row. vectors: (pages * PAGE_ROWS, D) float32, the copy. used_pages: how many have ever been used; a free
    one among them has no rows.
    """

    def __init__(self, xp: Any, dimension: int, capacity_rows: int, dtype: type[np.floating[Any]] = np.float32) -> None:
        full = -(-capacity_rows // PAGE_ROWS)
        pages = full + full // _ROWS_A_TOMBSTONE + _SPARE_PAGES
        self.dimension = dimension
        self._xp = xp
        # Zeroed memory is given by the system when it is first written to: the copy takes what the rows in use take.
        self.vectors: Float32s = np.zeros((pages * PAGE_ROWS, dimension), np.float32)
        self.owners: Int64s = np.full((pages, PAGE_ROWS), NOBODY, np.int64)
        self._matrix = xp.zeros((pages * PAGE_ROWS, dimension), dtype)
        self._bias = xp.full(pages * PAGE_ROWS, -np.inf, xp.float32)
        self._changed: set[int] = set()
        self._rings: dict[int, _Ring] = {}
        self._in_use = np.zeros(pages, np.int64)  # rows of each page
        self._position = np.zeros(pages * PAGE_ROWS, np.int64)  # of the row at each place, within its block
        self._free_pages: list[int] = []
        self.used_pages = 0

    def append(self, block: int, owner: int, vector: Float32s) -> int:
        ring = self._rings.setdefault(block, _Ring())
        if not ring.free:
            self._extend(ring)
        place, position = ring.free.pop(), len(ring.places)
        ring.places.append(place)
        self._put(place, position, owner, vector)
        return position

    def overwrite(self, block: int, position: int, vector: Float32s) -> None:
        place = self._rings[block].places[position]
        self.vectors[place] = vector
        self._changed.add(place)

    def fill_from_last(self, block: int, hole: int) -> tuple[int, int]:
        ring = self._rings[block]
        moved, place = len(ring.places) - 1, ring.places[hole]
        last = ring.places.pop()
        owner = int(self.owners.flat[last])
        if moved != hole:
            ring.places[hole] = last
            self._position[last] = hole
        self._bury(ring, place)
        if not ring.places:
            del self._rings[block]
        else:
            self._clear_pages(ring)
        return owner, moved

    def load(self, parts: dict[int, tuple[Int64s, Float32s]]) -> None:
        used = self.used_pages * PAGE_ROWS
        self._rings, self._free_pages, self.used_pages = {}, [], 0
        self._changed.clear()
        self.owners[:], self.vectors[:used] = NOBODY, 0
        for block, (owners, vectors) in parts.items():
            ring, first = self._rings.setdefault(block, _Ring()), self.used_pages * PAGE_ROWS
            for _ in range(-(-len(owners) // PAGE_ROWS)):
                self._extend(ring)
            # Pages never used before follow one another, so their places do too.
            ring.free = list(range(self.used_pages * PAGE_ROWS - 1, first + len(owners) - 1, -1))
            ring.places = list(range(first, first + len(owners)))
            self.owners.reshape(-1)[first : first + len(owners)] = owners
            self.vectors[first : first + len(owners)] = vectors
            self._position[first : first + len(owners)] = np.arange(len(owners))
        self._in_use[:] = np.count_nonzero(self.owners != NOBODY, axis=1)
        used = max(used, self.used_pages * PAGE_ROWS)
        for at in range(0, used, _TRANSFER_ROWS):
            self._transfer(slice(at, min(at + _TRANSFER_ROWS, used)), slice(at, min(at + _TRANSFER_ROWS, used)))

    def on_device(self) -> tuple[Any, Any]:
        """All changes made: rows (used pages * PAGE_ROWS, D), and what to add to their scores: 0, -inf if no row."""
        changed = np.fromiter(self._changed, np.int64, len(self._changed))
        for at in range(0, len(changed), _TRANSFER_ROWS):
            rows = changed[at : at + _TRANSFER_ROWS]
            self._transfer(rows, self._xp.asarray(rows))
        self._changed.clear()
        used = self.used_pages * PAGE_ROWS
        return self._matrix[:used], self._bias[:used]

    def layout(self, blocks: Sequence[int]) -> Layout:
        """Where the rows of `blocks` are."""
        none = np.zeros(0, np.int64)
        of_block = [self._rings[block].numbers() if block in self._rings else none for block in blocks]
        return Layout(np.concatenate([none, *of_block]), np.array([len(pages) for pages in of_block]))

    def _transfer(self, here: Any, there: Any) -> None:
        """Rows `here` of the copy to rows `there` of the device."""
        bias = np.where(self.owners.reshape(-1)[here] == NOBODY, np.float32(-np.inf), np.float32(0))
        self._matrix[there] = self._xp.asarray(self.vectors[here].astype(self._matrix.dtype, copy=False))
        self._bias[there] = self._xp.asarray(bias)

    def _put(self, place: int, position: int, owner: int, vector: Float32s) -> None:
        self.vectors[place], self.owners.flat[place], self._position[place] = vector, owner, position
        self._in_use[place // PAGE_ROWS] += 1
        self._changed.add(place)

    def _bury(self, ring: _Ring, place: int) -> None:
        """A tombstone instead of the row; a page of nothing else is given back."""
        page = place // PAGE_ROWS
        self.owners.flat[place] = NOBODY
        self.vectors[place] = 0  # nothing of a person stays behind
        self._in_use[page] -= 1
        self._changed.add(place)
        ring.free.append(place)
        if self._in_use[page] == 0:
            ring.give_back(page)
            self._free_pages.append(page)

    def _clear_pages(self, ring: _Ring) -> None:
        """Keep a block's tombstones few: the rows of its emptiest page take the places of others."""
        while len(ring.free) > max(2 * PAGE_ROWS, len(ring.places) // _ROWS_A_TOMBSTONE):
            page = min(ring.pages, key=self._in_use.__getitem__)
            ring.free = [place for place in ring.free if place // PAGE_ROWS != page]
            rows = (np.flatnonzero(self.owners[page] != NOBODY) + page * PAGE_ROWS).tolist()
            for place, target in [(place, ring.free.pop()) for place in rows]:
                position = int(self._position[place])
                ring.places[position] = target
                self._put(target, position, int(self.owners.flat[place]), self.vectors[place])
                self._bury(ring, place)

    def _extend(self, ring: _Ring) -> None:
        """One more page for a block."""
        ring.add(self._free_pages.pop() if self._free_pages else self._unused_page())

    def _unused_page(self) -> int:
        if self.used_pages == len(self.owners):
            self._grow()
        self.used_pages += 1
        return self.used_pages - 1

    def _grow(self) -> None:
        """More spare pages; bounded by the blocks there are."""
        rows = _SPARE_PAGES * PAGE_ROWS
        self.owners, self._in_use = _longer(np, self.owners, _SPARE_PAGES), _longer(np, self._in_use, _SPARE_PAGES)
        self.vectors, self._position = _longer(np, self.vectors, rows), _longer(np, self._position, rows)
        self._matrix, self._bias = _longer(self._xp, self._matrix, rows), _longer(self._xp, self._bias, rows)
        self._bias[-rows:] = -np.inf


def _longer(xp: Any, rows: NDArray[Any], more: int) -> Any:
    longer = xp.zeros((len(rows) + more, *rows.shape[1:]), rows.dtype)
    longer[: len(rows)] = rows
    return longer
