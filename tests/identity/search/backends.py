"""The search backends by name, as the contract suite makes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from savant_reid.identity.search import ExactSearch, Search
from savant_reid.identity.search.array_module import ArraySearch

Make = Callable[[int, int], Search]
PARAMETERS = ["exact", "faiss", "array-numpy", pytest.param("array-cupy", marks=pytest.mark.gpu)]


def make_or_skip(name: str) -> Make:
    """How to make the backend `name` (dimension, capacity in rows); skips the test where it cannot run."""
    if name == "faiss":
        pytest.importorskip("faiss", reason="faiss is not installed (the extra 'faiss')")
        from savant_reid.identity.search.faiss_cpu import FaissSearch

        return FaissSearch
    if name == "array-cupy":
        cupy = pytest.importorskip("cupy", reason="cupy is not installed")
        if not cupy.cuda.is_available():
            pytest.skip("no NVIDIA GPU here")
        return partial(ArraySearch, xp=cupy)
    return partial(ArraySearch, xp=np) if name == "array-numpy" else ExactSearch
