"""The search on an NVIDIA GPU, against what the device itself could do at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from savant_reid.bench.search_cpu import CAMERAS, DIMENSION, PLACES, REACHABLE, units
from savant_reid.identity.search.array_module import ArraySearch

Figure = dict[str, object]


def gpu_figures(quick: bool) -> list[Figure]:
    """Whole scans at several sizes, then a few cameras' blocks against all. Raises what CuPy raises without a GPU."""
    import cupy

    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    ceilings = Ceilings(cupy)
    figures: list[Figure] = [
        {"what": f"device copy, {device}", "value": ceilings.bytes_per_ms / 1e6, "unit": "GB/s read and written"},
        {"what": f"FP32 matrix product, {device}", "value": ceilings.operations_per_ms / 1e9, "unit": "TFLOP/s"},
    ]
    for rows in (1_000, 10_000) if quick else (1_000, 10_000, 100_000, 1_000_000):
        vectors = units(rows, 0)
        owners = np.arange(1, rows + 1)
        search = ArraySearch(DIMENSION, rows, cupy)
        start = time.perf_counter()
        search.rebuild(owners, np.zeros(rows, np.int64), vectors)
        cupy.cuda.Device().synchronize()
        loading = time.perf_counter() - start
        figures.append({"what": f"GPU, all {rows} rows taken in anew", "value": loading * 1e3, "unit": "ms"})
        figures += [scan(cupy, search, probes, ceilings) for probes in (1, 16, 64, 256)]
        search.rebuild(owners, owners % CAMERAS, vectors)
        figures += [topology(cupy, search, probes) for probes in (1, 64)]
        figures.append(changing(cupy, search))
    return figures


class Ceilings:
    """What the device does at most, in this run: bytes read and written by a copy, operations of an FP32 product."""

    def __init__(self, cupy: Any) -> None:
        source, target = cupy.zeros((2, 1 << 28), cupy.float32)
        self.bytes_per_ms = 2 * source.nbytes / median_ms(cupy, lambda: cupy.copyto(target, source))
        matrix = cupy.asarray(units(8192, 2)) @ cupy.asarray(units(8192, 3)).T
        product = cupy.empty_like(matrix)
        self.operations_per_ms = 2 * 8192**3 / median_ms(cupy, lambda: cupy.matmul(matrix, matrix, out=product))


def median_ms(cupy: Any, call: Callable[[], object], repeats: int = 25) -> float:
    """Of the wall clock, from the call until the device is idle, after three calls to warm up."""
    times = []
    for _ in range(repeats + 3):
        cupy.cuda.Device().synchronize()
        start = time.perf_counter()
        call()
        cupy.cuda.Device().synchronize()
        times.append((time.perf_counter() - start) * 1e3)
    return float(np.median(times[3:]))


def scan(cupy: Any, search: ArraySearch, probes: int, ceilings: Ceilings) -> Figure:
    """Every row in one block; probes go there and answers come back within the time measured."""
    asked = units(probes, 1)
    value = median_ms(cupy, lambda: search.nearest(asked, [0], PLACES))
    bandwidth = len(search) * DIMENSION * 4 / ceilings.bytes_per_ms
    arithmetic = 2 * len(search) * probes * DIMENSION / ceilings.operations_per_ms
    return {
        "what": f"GPU search, {len(search)} rows x {probes} probes",
        "value": value,
        "unit": "ms",
        "floor": max(bandwidth, arithmetic),
        "bandwidth_floor": bandwidth,
        "arithmetic_floor": arithmetic,
        "times_floor": value / max(bandwidth, arithmetic),
    }


def topology(cupy: Any, search: ArraySearch, probes: int) -> Figure:
    """The blocks of a few cameras against those of all."""
    asked = units(probes, 1)
    full = median_ms(cupy, lambda: search.nearest(asked, range(CAMERAS), PLACES))
    return {
        "what": f"GPU search, {REACHABLE} of {CAMERAS} cameras, {len(search)} rows x {probes} probes",
        "value": median_ms(cupy, lambda: search.nearest(asked, range(REACHABLE), PLACES)),
        "unit": "ms",
        "baseline": {"all cameras, ms": full},
    }


def changing(cupy: Any, search: ArraySearch, changed: int = 100) -> Figure:
    """A search right after some owners' rows have changed."""
    asked, vectors = units(16, 1), units(changed, 4)

    def change_and_search() -> None:
        for owner in range(1, changed + 1):
            search.replace(owner, owner % CAMERAS, vectors[owner - 1 : owner])
        search.nearest(asked, range(REACHABLE), PLACES)

    return {
        "what": f"GPU, {changed} changed rows, then {REACHABLE} of {CAMERAS} cameras, {len(search)} rows x 16 probes",
        "value": median_ms(cupy, change_and_search),
        "unit": "ms",
    }
