"""The best rows of each block for each probe: what a device is asked for, and how NumPy does it.

A candidate is one integer, its key: the bits of its score, turned so that they order as integers do, and the place of
its row. So the best are the greatest integers, and every device finds the same ones in the same order.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search.pages import Layout
from savant_reid.identity.search.protocol import Float32s, Int64s

Keys = NDArray[np.uint64]
Int32s = NDArray[np.int32]
# What a group of threads looks through: its keys are 16 KB of the shared memory of a device, of which it has 48.
PART_ROWS = 2048
# No candidate; smaller than all that are one.
NO_KEY = np.uint64(0)
_PLACE_BITS = np.uint64(32)


class Parts(NamedTuple):
    """The work on some blocks, cut into pieces of at most PART_ROWS rows of one block each.

    parts: (p, 2), first of `pages` and number of them. pages: (n, 2), where each lies among the scores, and its number.
    of_block: (blocks, 2), first of `parts` and number of them.
    """

    parts: Int32s
    pages: Int32s
    of_block: Int32s
    page_rows: int


def parts_of(layout: Layout, at: Int64s, page_rows: int) -> Parts:
    """Cut the blocks of `layout`. at: (n,) where its pages lie among the scores."""
    most = max(1, PART_ROWS // page_rows)
    parts: list[tuple[int, int]] = []
    of_block: list[tuple[int, int]] = []
    start = 0
    for pages in layout.of_block.tolist():
        cuts = [(start + cut, min(most, pages - cut)) for cut in range(0, pages, most)]
        of_block.append((len(parts), len(cuts)))
        parts += cuts
        start += pages
    pages_at = np.column_stack([at, layout.pages]).astype(np.int32)
    return Parts(_pairs(parts), pages_at, _pairs(of_block), page_rows)


class Device(Protocol):
    """What multiplies and chooses. xp: its array module."""

    xp: Any

    def product(self, probes: Float32s, rows: Any) -> Any:
        """(b, n) scores in the type of `rows` (n, D), which are on the device; probes: (b, D) on the host."""

    def best(self, scores: Any, bias: Any, work: Parts, keep: int) -> Keys:
        """The `keep` greatest keys of each block for each probe, greatest first: (b, blocks, keep) on the host.

        scores: (b, n) float16 or float32 on the device. bias: (places,) float32 there, negative where no row is.
        """


class ArrayDevice:
    """The host, with NumPy: to say what is right. Sorts everything."""

    xp: Any = np

    def product(self, probes: Float32s, rows: Any) -> Any:
        """As a GPU does it with float16: operands are rounded, sums are float32, the result is rounded."""
        rounded = probes.astype(rows.dtype).astype(np.float32)
        return (rounded @ rows.astype(np.float32).T).astype(rows.dtype)

    def best(self, scores: Any, bias: Any, work: Parts, keep: int) -> Keys:
        found = np.full((len(scores), len(work.of_block), keep), NO_KEY, np.uint64)
        for block, (first, count) in enumerate(work.of_block.tolist()):
            pages = [work.pages[at : at + n] for at, n in work.parts[first : first + count].tolist()]
            if pages:
                columns, places = (_rows(column, work.page_rows) for column in np.concatenate(pages).T)
                keys = np.where(bias[places] < 0, NO_KEY, keys_of(scores[:, columns], places))
                keys = np.sort(keys, axis=1)[:, ::-1][:, :keep]
                found[:, block, : keys.shape[1]] = keys
        return found


def keys_of(scores: NDArray[np.floating[Any]], places: Int64s) -> Keys:
    """(b, n) keys of scores (b, n), float16 or float32, of rows at places (n,)."""
    word = np.uint16 if scores.dtype == np.float16 else np.uint32
    sign = word(1 << (8 * scores.itemsize - 1))
    bits = (scores + scores.dtype.type(0)).view(word)  # adding 0 turns -0 into 0
    ordered = np.where(bits & sign, ~bits, bits | sign).astype(np.uint64)
    keys: Keys = (ordered << _PLACE_BITS) | places.astype(np.uint64)
    return keys


def scores_of(keys: Keys, dtype: type[np.floating[Any]]) -> Float32s:
    """The scores in keys, as float32; -inf for no candidate."""
    word = np.uint16 if dtype == np.float16 else np.uint32
    sign = word(1 << (8 * np.dtype(dtype).itemsize - 1))
    ordered = (keys >> _PLACE_BITS).astype(word)
    bits = np.where(ordered & sign, ordered & ~sign, ~ordered)
    scores: Float32s = np.where(keys == NO_KEY, np.float32(-np.inf), bits.view(dtype).astype(np.float32))
    return scores


def places_of(keys: Keys) -> Int64s:
    """The places in keys."""
    places: Int64s = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return places


def _rows(pages: Int32s, page_rows: int) -> Int64s:
    return (pages.astype(np.int64)[:, None] * page_rows + np.arange(page_rows)).reshape(-1)


def _pairs(pairs: list[tuple[int, int]]) -> Int32s:
    return np.array(pairs, np.int32).reshape(-1, 2)
