"""Rows in the memory of a device, in pages of one block each, with a copy in the host's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.protocol import NOBODY, Float32s, Int64s

PAGE_ROWS = 128
# Beyond what the rows need when every page is full: each block has one page that is not. More are added as blocks come.
_SPARE_PAGES = 64
# Rows that go to the device in one transfer.
_TRANSFER_ROWS = 65_536


class Layout(NamedTuple):
    """Where the rows of some blocks are.

    pages: (n,) int64, all pages of the blocks, block after block; of_block: (blocks,) how many are each block's.
    """

    pages: Int64s
    of_block: Int64s


class Pages:
    """A Store. What changes is noted and goes to the device in one transfer when it is next asked for.

    owners: (pages, PAGE_ROWS) int64 on the host, NOBODY where a page has no row.
    used_pages: how many have ever been used; a free one among them has no rows.
    """

    def __init__(self, xp: Any, dimension: int, capacity_rows: int) -> None:
        pages = -(-capacity_rows // PAGE_ROWS) + _SPARE_PAGES
        self.dimension = dimension
        self._xp = xp
        # Zeroed memory is given by the system when it is first written to: the copy takes what the rows in use take.
        self._copy: Float32s = np.zeros((pages * PAGE_ROWS, dimension), np.float32)
        self.owners: Int64s = np.full((pages, PAGE_ROWS), NOBODY, np.int64)
        self._matrix = xp.zeros((pages * PAGE_ROWS, dimension), xp.float32)
        self._bias = xp.full(pages * PAGE_ROWS, -np.inf, xp.float32)
        self._changed: set[int] = set()
        self._pages: dict[int, list[int]] = {}
        self._sizes: dict[int, int] = {}
        self._free: list[int] = []
        self.used_pages = 0

    def append(self, block: int, owner: int, vector: Float32s) -> int:
        position = self._sizes.get(block, 0)
        if position % PAGE_ROWS == 0:
            self._pages.setdefault(block, []).append(self._new_page())
        self._sizes[block] = position + 1
        page, at = self._find(block, position)
        self.owners[page, at] = owner
        self.overwrite(block, position, vector)
        return position

    def overwrite(self, block: int, position: int, vector: Float32s) -> None:
        page, at = self._find(block, position)
        self._copy[page * PAGE_ROWS + at] = vector
        self._changed.add(page * PAGE_ROWS + at)

    def fill_from_last(self, block: int, hole: int) -> tuple[int, int]:
        moved = self._sizes[block] - 1
        page, at = self._find(block, moved)
        owner = int(self.owners[page, at])
        if moved != hole:
            into, place = self._find(block, hole)
            self.owners[into, place] = owner
            self.overwrite(block, hole, self._copy[page * PAGE_ROWS + at])
        self.owners[page, at] = NOBODY
        self._changed.add(page * PAGE_ROWS + at)
        self._sizes[block] = moved
        if at == 0:
            self._free.append(self._pages[block].pop())
        if moved == 0:
            del self._pages[block], self._sizes[block]
        return owner, moved

    def load(self, parts: dict[int, tuple[Int64s, Float32s]]) -> None:
        self._pages, self._sizes, self._free, self.used_pages = {}, {}, [], 0
        self._changed.clear()
        self.owners[:] = NOBODY
        for block, (owners, vectors) in parts.items():
            first = self.used_pages
            self._pages[block] = [self._new_page() for _ in range(-(-len(owners) // PAGE_ROWS))]
            self._sizes[block] = len(owners)
            self.owners[first:].reshape(-1)[: len(owners)] = owners
            self._copy[first * PAGE_ROWS :][: len(owners)] = vectors
        for at in range(0, self.used_pages * PAGE_ROWS, _TRANSFER_ROWS):
            end = min(at + _TRANSFER_ROWS, self.used_pages * PAGE_ROWS)
            self._transfer(slice(at, end), slice(at, end))

    def on_device(self) -> tuple[Any, Any]:
        """All changes made: vectors (used pages * PAGE_ROWS, D), and what to add to their scores: 0, -inf if no row."""
        changed = np.fromiter(self._changed, np.int64, len(self._changed))
        for at in range(0, len(changed), _TRANSFER_ROWS):
            rows = changed[at : at + _TRANSFER_ROWS]
            self._transfer(rows, self._xp.asarray(rows))
        self._changed.clear()
        used = self.used_pages * PAGE_ROWS
        return self._matrix[:used], self._bias[:used]

    def layout(self, blocks: Sequence[int]) -> Layout:
        """Where the rows of `blocks` are."""
        of_block = [np.array(self._pages.get(block, ()), np.int64) for block in blocks]
        return Layout(np.concatenate([np.zeros(0, np.int64), *of_block]), np.array([len(pages) for pages in of_block]))

    def _transfer(self, here: Any, there: Any) -> None:
        """Rows `here` of the copy to rows `there` of the device."""
        bias = np.where(self.owners.reshape(-1)[here] == NOBODY, np.float32(-np.inf), np.float32(0))
        self._matrix[there] = self._xp.asarray(self._copy[here])
        self._bias[there] = self._xp.asarray(bias)

    def _find(self, block: int, position: int) -> tuple[int, int]:
        return self._pages[block][position // PAGE_ROWS], position % PAGE_ROWS

    def _new_page(self) -> int:
        if self._free:
            return self._free.pop()
        if self.used_pages == len(self.owners):
            self._grow()
        self.used_pages += 1
        return self.used_pages - 1

    def _grow(self) -> None:
        """More spare pages; bounded by the blocks there are."""
        self.owners = _longer(np, self.owners, _SPARE_PAGES)
        self._copy = _longer(np, self._copy, _SPARE_PAGES * PAGE_ROWS)
        self._matrix = _longer(self._xp, self._matrix, _SPARE_PAGES * PAGE_ROWS)
        self._bias = _longer(self._xp, self._bias, _SPARE_PAGES * PAGE_ROWS)
        self._bias[-_SPARE_PAGES * PAGE_ROWS :] = -np.inf


def _longer(xp: Any, rows: NDArray[Any], more: int) -> Any:
    longer = xp.zeros((len(rows) + more, *rows.shape[1:]), rows.dtype)
    longer[: len(rows)] = rows
    return longer
