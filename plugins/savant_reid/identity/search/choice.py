"""Which search a site gets: by name, or by what the machine has and the bench has shown (docs/search.md).

All give the same answers, so where a GPU has no room the host does it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from savant_reid.errors import ConfigError
from savant_reid.identity.search.exact import ExactSearch
from savant_reid.identity.search.protocol import Search

# Makes a search for vectors of a length, with room for so many rows.
MakeSearch = Callable[[int, int], Search]
SearchName = Literal["auto", "exact", "faiss", "gpu", "gpu-half", "gpu-arrays", "faiss-gpu"]
NAMES: tuple[SearchName, ...] = get_args(SearchName)
# Overrides what the site says.
VARIABLE = "SAVANT_REID_SEARCH"
# With room for more a GPU is faster whatever the number of probes (docs/gpu.md, 2026-11-23: 0.9 ms for 100,000 rows x 1
# probe, a core takes 15).
GPU_PAYS_FROM_ROWS = 100_000
# Of a GPU's free memory: the rest is a pipeline's.
_SHARE_OF_MEMORY = 0.5
# What is reserved beyond the rows, see pages.
_ROOM = 1.25

_log = logging.getLogger(__name__)


class SearchUnavailable(ConfigError):
    """A search that was asked for by name cannot run here, or there is none of that name."""


def search_for(name: str = "auto") -> MakeSearch:
    """How to make the search `name`, one of NAMES, unless the environment names another (SAVANT_REID_SEARCH).

    A GPU is set up here, before frames come. Raises SearchUnavailable.
    """
    return made_for(os.environ.get(VARIABLE) or name)


def made_for(name: str) -> MakeSearch:
    """As search_for, whatever the environment says."""
    if name not in NAMES:
        raise SearchUnavailable(f"identity.search ({VARIABLE}): expected one of {', '.join(NAMES)}; found {name!r}")
    if name == "auto":
        return _by_size
    if name == "exact":
        return ExactSearch
    try:
        if name == "faiss":
            return _faiss()
        return _faiss_gpu() if name == "faiss-gpu" else _on_gpu(name)
    except Exception as error:  # whatever an import, a driver or a compiler raises
        raise SearchUnavailable(
            f"identity.search: {name}: {error}; install what docs/search.md names for it, or take auto"
        ) from error


def _by_size(dimension: int, capacity_rows: int) -> Search:
    """The host up to GPU_PAYS_FROM_ROWS, then a GPU if there is one: with what has been measured on one."""
    if capacity_rows > GPU_PAYS_FROM_ROWS:
        try:
            return _on_gpu("gpu-arrays")(dimension, capacity_rows)
        except Exception as error:  # no CuPy, no GPU, no driver: the host always can
            _log.info("search on the host for %d rows: %s", capacity_rows, error)
    return ExactSearch(dimension, capacity_rows)


def _on_gpu(name: str) -> MakeSearch:
    cupy = gpu()
    if name == "gpu-arrays":
        from savant_reid.identity.search.array_module import ArraySearch

        return _if_room(cupy, 4, lambda dimension, rows: ArraySearch(dimension, rows, cupy))
    from savant_reid.identity.search.cuda import CudaDevice
    from savant_reid.identity.search.device import DeviceSearch

    half, device = name == "gpu-half", CudaDevice(cupy)
    device.prepare(np.float16 if half else np.float32)
    return _if_room(cupy, 2 if half else 4, lambda dimension, rows: DeviceSearch(dimension, rows, device, half))


def gpu() -> Any:
    """CuPy, with a GPU. Raises ImportError, or RuntimeError where there is no GPU."""
    import cupy

    if not cupy.cuda.is_available():
        raise RuntimeError("expected an NVIDIA GPU, found none")
    return cupy


def _if_room(cupy: Any, number_bytes: int, make: MakeSearch) -> MakeSearch:
    def made(dimension: int, capacity_rows: int) -> Search:
        needed, free = _ROOM * capacity_rows * dimension * number_bytes, cupy.cuda.Device().mem_info[0]
        if needed <= _SHARE_OF_MEMORY * free:
            return make(dimension, capacity_rows)
        _log.warning(
            "search on the host: %d rows need %.1f GB of half the GPU's free %.1f GB; lower identity.capacity",
            capacity_rows,
            needed / 1e9,
            free / 1e9,
        )
        return ExactSearch(dimension, capacity_rows)

    return made


def _faiss() -> MakeSearch:
    from savant_reid.identity.search.faiss_cpu import FaissSearch

    return FaissSearch


def _faiss_gpu() -> MakeSearch:
    from savant_reid.identity.search.faiss_gpu import faiss_gpu_search, resources

    resources()
    return faiss_gpu_search
