"""FAISS's flat indexes on an NVIDIA GPU. Needs a FAISS that was built for GPUs; not yet run on one (docs/gpu.md)."""

from __future__ import annotations

from typing import Any

import faiss

from savant_reid.identity.search.device import HALF_ERROR
from savant_reid.identity.search.faiss_flat import FlatSearch

# Its own working memory, which it takes at once; its default is 1.5 GB, too much beside a pipeline.
_WORKING_BYTES = 256 << 20


def resources() -> Any:
    """The first GPU as FAISS sees it. Raises RuntimeError where it sees none."""
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        raise RuntimeError(f"expected FAISS built for GPUs and an NVIDIA GPU, found FAISS {faiss.__version__} without")
    found = faiss.StandardGpuResources()
    found.setTempMemory(_WORKING_BYTES)
    return found


def faiss_gpu_search(dimension: int, capacity_rows: int, half: bool = False) -> FlatSearch:
    """A Search on the first GPU. half: rows in float16 there. Raises RuntimeError where FAISS has no GPU."""
    device = resources()

    def make_index(dimension: int) -> Any:
        config = faiss.GpuIndexFlatConfig()
        config.useFloat16 = half
        return faiss.GpuIndexFlatIP(device, dimension, config)

    if half:
        return FlatSearch(dimension, capacity_rows, make_index, HALF_ERROR)
    return FlatSearch(dimension, capacity_rows, make_index)
