"""What the backends on the CPU have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from savant_reid.identity.search.placed import PlacedSearch
from savant_reid.identity.search.protocol import Float32s, Nearest, as_rows
from savant_reid.identity.search.ranking import Found, ranked
from savant_reid.identity.search.segments import Segment, Segments

# Probes searched at a time, so that the scores held are bounded.
_PROBES = 256


class Piece(NamedTuple):
    """A segment of the block that was asked for as number `block`."""

    block: int
    segment: Segment


class HostSearch(PlacedSearch):
    """A Search over rows in the host's memory; a subclass says how it finds candidates among them."""

    def __init__(self, dimension: int, capacity_rows: int) -> None:
        self._segments = Segments(dimension)
        super().__init__(self._segments, capacity_rows)

    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int, least: Float32s | None = None) -> Nearest:
        probes = as_rows(probes, self.dimension)
        of_block = self._segments.of_block
        pieces = [Piece(i, segment) for i, block in enumerate(blocks) for segment in of_block.get(block, ())]
        parts = []
        for at in range(0, max(1, len(probes)), _PROBES):
            some = probes[at : at + _PROBES]
            bounds = least[at : at + _PROBES] if least is not None else None
            found = list(self._candidates(some, pieces, k, bounds)) if len(some) else []
            parts.append(ranked(found, (len(some), len(blocks)), k))
        return parts[0] if len(parts) == 1 else Nearest(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    @abstractmethod
    def _candidates(self, probes: Float32s, pieces: list[Piece], k: int, least: Float32s | None) -> Iterator[Found]:
        """At least the k best rows of every piece for every probe, and all that tie with the k-th; see Search.nearest
        for which of them are of no use."""
