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
from savant_reid.identity.search.device import DeviceSearch
from tests.identity.search.cuda_on_cpu import CupyOnCpu

Make = Callable[[int, int], Search]
HERE = ["exact", "faiss", "array-numpy", "device-numpy", "device-numpy-half", "device-emulated", "device-emulated-half"]
PARAMETERS = [
    *HERE,
    *(pytest.param(name, marks=pytest.mark.gpu) for name in ("array-cupy", "device-cupy", "device-cupy-half")),
]


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
        return partial(DeviceSearch, device=_device(on.partition("-")[0]), half=name.endswith("half"))
    return ExactSearch


def _device(on: str) -> Device:
    if on == "numpy":
        return ArrayDevice()
    return CudaDevice(CupyOnCpu() if on == "emulated" else cupy_or_skip())


def cupy_or_skip() -> Any:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    return cupy
