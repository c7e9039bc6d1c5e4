"""The search backends by name, as the contract suite makes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from savant_reid.identity.search import ExactSearch, Search
from savant_reid.identity.search.array_module import ArraySearch
from savant_reid.identity.search.best import ArrayDevice, Device
from savant_reid.identity.search.cuda import CudaDevice
from savant_reid.identity.search.device import HALF_ERROR, DeviceSearch
from tests.identity.search.cuda_on_cpu import CupyOnCpu

Make = Callable[[int, int], Search]
HERE = [
    "exact",
    "faiss",
    "flat-faiss",
    "flat-faiss-half",
    "array-numpy",
    "device-numpy",
    "device-numpy-half",
    "device-emulated",
    "device-emulated-half",
]
PARAMETERS = [
    *HERE,
    *(
        pytest.param(name, marks=pytest.mark.gpu)
        for name in ("array-cupy", "device-cupy", "device-cupy-half", "flat-gpu", "flat-gpu-half")
    ),
]


def make_or_skip(name: str) -> Make:
    """How to make the backend `name` (dimension, capacity in rows); skips the test where it cannot run."""
    kind, _, on = name.partition("-")
    if kind == "faiss":
        pytest.importorskip("faiss", reason="faiss is not installed (the extra 'faiss')")
        from savant_reid.identity.search.faiss_cpu import FaissSearch

        return FaissSearch
    if kind == "flat":
        faiss = pytest.importorskip("faiss", reason="faiss is not installed (the extra 'faiss')")
        if on.startswith("gpu"):
            if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
                pytest.skip("FAISS without a GPU here")
            from savant_reid.identity.search.faiss_gpu import faiss_gpu_search

            return partial(faiss_gpu_search, half=name.endswith("half"))
        return partial(_flat_on_cpu, half=name.endswith("half"))
    if kind == "array":
        return partial(ArraySearch, xp=cupy_or_skip() if on == "cupy" else np)
    if kind == "device":
        return partial(DeviceSearch, device=_device(on.partition("-")[0]), half=name.endswith("half"))
    return ExactSearch


def _flat_on_cpu(dimension: int, capacity_rows: int, half: bool) -> Search:
    """As on a GPU, with FAISS's flat indexes of the host, which hold float16 too."""
    import faiss

    from savant_reid.identity.search.faiss_flat import FlatSearch

    def make_index(dimension: int) -> Any:
        kind = faiss.ScalarQuantizer.QT_fp16
        inner = faiss.METRIC_INNER_PRODUCT
        return faiss.IndexScalarQuantizer(dimension, kind, inner) if half else faiss.IndexFlatIP(dimension)

    error = {"error": HALF_ERROR} if half else {}
    return FlatSearch(dimension, capacity_rows, make_index, most=200, **error)


def _device(on: str) -> Device:
    if on == "numpy":
        return ArrayDevice()
    return CudaDevice(CupyOnCpu() if on == "emulated" else cupy_or_skip())


def cupy_or_skip() -> Any:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    return cupy
