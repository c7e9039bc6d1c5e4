"""Search with FAISS's exhaustive kernels, over the same rows as ExactSearch. Needs faiss (the extra `faiss`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import numpy as np

from savant_reid.identity.search.host import HostSearch, Piece
from savant_reid.identity.search.protocol import Float32s, Int64s
from savant_reid.identity.search.ranking import Found

# A loop over the rows, once for each probe, is the faster for one or two probes, a matrix product for more: for 10,000
# rows x 512 on one core 0.7 and 1.9 ms with one probe, 1.4 and 1.9 with two, 2.9 and 2.0 with four, 46 and 6 with 64.
_PROBES_FOR_A_PRODUCT = 3
# FAISS compares its threshold with probes (default 20), since its pull request 5022 with probes * D (128,000).
_COUNTS_NUMBERS_FROM = 1000


class FaissSearch(HostSearch):
    """Search by brute force with FAISS; the number of threads is OpenMP's."""

    def _candidates(self, probes: Float32s, pieces: list[Piece], k: int, least: Float32s | None) -> Iterator[Found]:
        with _blas_threshold(self.dimension):
            for block, segment in pieces:
                scores, at = _at_least(probes, segment.vectors[: segment.size], k)
                bound = -np.inf if least is None else least[:, block, None]
                probe, place = np.nonzero(scores >= bound)
                owners = segment.owners[at[probe, place]]
                yield Found(probe, np.full(len(probe), block), owners, scores[probe, place])


def _at_least(probes: Float32s, vectors: Float32s, k: int) -> tuple[Float32s, Int64s]:
    """The k best of `vectors` and more, until the last is less alike than the k-th (FAISS breaks ties its own way)."""
    wanted = k + 1
    while True:
        wanted = min(wanted, len(vectors))
        scores, at = faiss.knn(probes, vectors, wanted, faiss.METRIC_INNER_PRODUCT)
        if wanted == len(vectors) or (scores[:, -1] < scores[:, k - 1]).all():
            return scores, at
        wanted *= 2


@contextmanager
def _blas_threshold(dimension: int) -> Iterator[None]:
    """FAISS's threshold between loop and product is one for the whole process: others find it as they left it."""
    before = faiss.cvar.distance_compute_blas_threshold
    unit = dimension if before >= _COUNTS_NUMBERS_FROM else 1
    faiss.cvar.distance_compute_blas_threshold = _PROBES_FOR_A_PRODUCT * unit
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before
