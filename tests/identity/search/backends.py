"""The search backends by name, as the contract suite makes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from savant_reid.identity.search import ExactSearch, Search
from savant_reid.identity.search.array_module import ArraySearch
from savant_reid.identity.search.best import ArrayDevice
from savant_reid.identity.search.device import DeviceSearch
from tests.identity.search.cuda_on_cpu import CudaOnCpu

Make = Callable[[int, int], Search]
HERE = ["exact", "faiss", "array-numpy", "device-numpy", "device-numpy-half", "device-kernels", "device-kernels-half"]
PARAMETERS = [*HERE, *(pytest.param(name, marks=pytest.mark.gpu) for name in ("array-cupy",))]


def make_or_skip(name: str) -> Make:
    """How to make the backend `name` (dimension, capacity in rows); skips the test where it cannot run."""
    kind, _, on = name.partition("-")
    if kind == "faiss":
        pytest.importorskip("faiss", reason="faiss is not installed (the extra 'faiss')")
        from savant_reid.identity.search.faiss_cpu import FaissSearch

        return FaissSearch
    if kind == "array":
        return partial(ArraySearch, xp=cupy_or_skip() if on == "cupy" else np)
    if kind == "device":
        device = CudaOnCpu() if on.startswith("kernels") else ArrayDevice()
        return partial(DeviceSearch, device=device, half=name.endswith("half"))
    return ExactSearch


def cupy_or_skip() -> Any:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    return cupy
