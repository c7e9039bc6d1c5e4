"""What every search over the gallery's prototypes promises, whatever it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import SavantReidError

Int64s = NDArray[np.int64]
Float32s = NDArray[np.float32]
# Stands in `Nearest.owners` where a block holds fewer rows than were asked for; owners count from 1.
NOBODY = 0


class SearchFull(SavantReidError):
    """The rows that were reserved at the start are all in use; nothing was changed."""


class WrongDimension(SavantReidError):
    """Vectors of another length than the search was made for; nothing was changed."""


class Nearest(NamedTuple):
    """The most alike rows of each probe in each block, best first within a block.

    owners: (b, blocks * k) int64, columns [i * k, (i + 1) * k) belong to the i-th block asked for; NOBODY where the
        block holds fewer rows.
    similarities: (b, blocks * k) float32, the inner products; -inf there.
    """

    owners: Int64s
    similarities: Float32s


class Search(Protocol):
    """Exact nearest rows, by block (a camera), so that a topology filter saves the work and not just the result.

    All vectors are (n, D) float32 of unit length and finite; that is the caller's part. An owner (an identity, >= 1)
    lies in one block with all its rows. Rows of equal similarity come in the order of their owners. One thread only.
    """

    @property
    def dimension(self) -> int:
        """D."""

    @property
    def capacity_rows(self) -> int:
        """How many rows can be held, all blocks together."""

    def __len__(self) -> int:
        """Rows held."""

    def replace(self, owner: int, block: int, vectors: Float32s) -> None:
        """All rows of `owner` now are `vectors` (n, D), in `block`; n = 0 removes it.

        Raises SearchFull, WrongDimension.
        """

    def remove(self, owner: int) -> None:
        """Forget all rows of `owner`; nothing happens if there are none."""

    def rebuild(self, owners: Int64s, blocks: Int64s, vectors: Float32s) -> None:
        """Hold exactly these rows: owners (m,), blocks (m,) and vectors (m, D) go together; the metric has changed.

        Raises SearchFull, WrongDimension, and ValueError if an owner lies in two blocks.
        """

    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int, least: Float32s | None = None) -> Nearest:
        """For each of `probes` (b, D) the `k` most alike rows of each of `blocks`; an unknown block is an empty one.

        least: (b, blocks), rows less alike than this are of no use to the caller: they may be left out.
        Raises WrongDimension.
        """


def as_rows(vectors: Float32s, dimension: int) -> Float32s:
    """`vectors` as (n, dimension) contiguous float32; raises WrongDimension."""
    rows = np.ascontiguousarray(vectors, np.float32)
    if rows.ndim != 2 or rows.shape[1] != dimension:
        raise WrongDimension(f"vectors of shape (n, {dimension}) expected, found {rows.shape}")
    return rows


def check_room(needed: int, capacity_rows: int) -> None:
    """Raises SearchFull if `needed` rows are more than can be held."""
    if needed > capacity_rows:
        raise SearchFull(f"at most {capacity_rows} rows can be held, {needed} are needed")


def check_together(owners: Int64s, blocks: Int64s, vectors: Float32s) -> None:
    """Raises ValueError unless there are as many of each."""
    if not len(owners) == len(blocks) == len(vectors):
        raise ValueError(
            f"as many of each expected, found {len(owners)} owners, {len(blocks)} blocks and {len(vectors)} vectors"
        )
