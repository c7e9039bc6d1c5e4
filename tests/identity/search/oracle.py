"""The plainest search there is: a dictionary and a sort."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class DictionarySearch:
    """What a Search must hold and find; inner products in float64."""

    def __init__(self) -> None:
        self.held: dict[int, tuple[int, Floats]] = {}

    def replace(self, owner: int, block: int, vectors: Floats) -> None:
        self.held.pop(owner, None)
        if len(vectors):
            self.held[owner] = block, vectors

    def rows(self) -> int:
        return sum(len(vectors) for _, vectors in self.held.values())

    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """owners, blocks and vectors of all rows."""
        owners = [owner for owner, (_, vectors) in self.held.items() for _ in vectors]
        blocks = [block for block, vectors in self.held.values() for _ in vectors]
        return (
            np.array(owners, np.int64),
            np.array(blocks, np.int64),
            np.concatenate([v for _, v in self.held.values()]),
        )

    def nearest(self, probe: Floats, block: int, k: int) -> list[tuple[int, float]]:
        """(owner, similarity) of the k best, ties by owner."""
        found = [
            (-float(np.dot(vector.astype(np.float64), probe.astype(np.float64))), owner)
            for owner, (of_block, vectors) in self.held.items()
            if of_block == block
            for vector in vectors
        ]
        return [(owner, -negative) for negative, owner in sorted(found)[:k]]

    def expected(self, probes: Floats, blocks: Sequence[int], k: int) -> tuple[list[list[int]], list[list[float]]]:
        """The rows of Nearest.owners and Nearest.similarities."""
        owners, similarities = [], []
        for probe in probes:
            cells = [self.nearest(probe, block, k) for block in blocks]
            cells = [cell + [(0, -np.inf)] * (k - len(cell)) for cell in cells]
            owners.append([owner for cell in cells for owner, _ in cell])
            similarities.append([similarity for cell in cells for _, similarity in cell])
        return owners, similarities
