"""The half of a search that is the same wherever the rows lie: who has which, and that what comes in fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from savant_reid.identity.search.placement import Placement, Store
from savant_reid.identity.search.protocol import Float32s, Int64s, Nearest, as_rows


class PlacedSearch(ABC):
    """A Search over the rows of a store; a subclass says how it finds the nearest among them."""

    def __init__(self, store: Store, capacity_rows: int) -> None:
        self._store = store
        self._placement = Placement(store, capacity_rows)

    @property
    def dimension(self) -> int:
        return self._store.dimension

    @property
    def capacity_rows(self) -> int:
        return self._placement.capacity_rows

    def __len__(self) -> int:
        return self._placement.size

    def replace(self, owner: int, block: int, vectors: Float32s) -> None:
        self._placement.replace(owner, block, as_rows(vectors, self.dimension))

    def remove(self, owner: int) -> None:
        self._placement.remove(owner)

    def rebuild(self, owners: Int64s, blocks: Int64s, vectors: Float32s) -> None:
        self._placement.rebuild(owners, blocks, as_rows(vectors, self.dimension))

    @abstractmethod
    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int, least: Float32s | None = None) -> Nearest:
        """See Search.nearest."""
