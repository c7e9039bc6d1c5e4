"""The searches on an NVIDIA GPU, against what the device itself could do at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from savant_reid.bench.search_cpu import CAMERAS, DIMENSION, PLACES, REACHABLE, units
from savant_reid.identity.search import ExactSearch, MakeSearch, Search, SearchUnavailable
from savant_reid.identity.search.choice import made_for

Figure = dict[str, object]
SIZES, QUICK_SIZES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000)
PROBES = (1, 16, 64, 256)
NAMES = ("gpu-arrays", "gpu", "gpu-half", "faiss-gpu")
# Owners whose rows change before a search.
CHANGED = 100


@dataclass(frozen=True)
class Ceilings:
    """What the device does at most, in this run: bytes read and written by a copy, operations of a matrix product."""

    bytes_per_ms: float
    operations_per_ms: float
    half_operations_per_ms: float

    def floor_ms(self, rows: int, probes: int, half: bool) -> float:
        """Reading the rows once or the operations at full rate, whichever takes longer."""
        number_bytes, rate = (2, self.half_operations_per_ms) if half else (4, self.operations_per_ms)
        reading = rows * DIMENSION * number_bytes / self.bytes_per_ms
        return max(reading, 2 * rows * probes * DIMENSION / rate)


@dataclass(frozen=True)
class Rig:
    """What is measured. makers: of searches, by name. synchronize: waits until the device is idle."""

    makers: Mapping[str, MakeSearch]
    synchronize: Callable[[], object]
    ceilings: Ceilings

    def median_ms(self, call: Callable[[], object], repeats: int = 25) -> float:
        return median_ms(self.synchronize, call, repeats)


def gpu_figures(quick: bool) -> list[Figure]:
    """All searches that can run on the first GPU. Raises what CuPy raises without one."""
    import cupy

    def synchronize() -> None:
        cupy.cuda.Device().synchronize()

    ceilings = _ceilings(cupy, synchronize)
    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    figures: list[Figure] = [
        {"what": f"device copy, {device}", "value": ceilings.bytes_per_ms / 1e6, "unit": "GB/s read and written"},
        {"what": f"FP32 matrix product, {device}", "value": ceilings.operations_per_ms / 1e9, "unit": "TFLOP/s"},
        {"what": f"FP16 matrix product, {device}", "value": ceilings.half_operations_per_ms / 1e9, "unit": "TFLOP/s"},
    ]
    makers: dict[str, MakeSearch] = {}
    for name in NAMES:
        try:
            makers[name] = made_for(name)
        except SearchUnavailable as error:
            figures.append({"what": f"{name}, not measured", "value": 0, "unit": str(error)})
    return figures + search_figures(Rig(makers, synchronize, ceilings), QUICK_SIZES if quick else SIZES)


def search_figures(rig: Rig, sizes: Sequence[int], probes: Sequence[int] = PROBES) -> list[Figure]:
    """Each search at each size: whole scans, a few cameras' blocks against all, and after changes."""
    figures: list[Figure] = []
    for rows in sizes:
        vectors, owners, oracle = units(rows, 0), np.arange(1, rows + 1), ExactSearch(DIMENSION, rows)
        oracle.rebuild(owners, np.zeros(rows, np.int64), vectors)
        for name, make in rig.makers.items():
            search = make(DIMENSION, rows)
            if isinstance(search, ExactSearch):  # no room on the device
                continue
            start = time.perf_counter()
            search.rebuild(owners, np.zeros(rows, np.int64), vectors)
            search.nearest(vectors[:1], [0], 1)
            rig.synchronize()
            taken_in = (time.perf_counter() - start) * 1e3
            figures.append(_figure(name, rows, "all taken in anew, and a search", taken_in))
            figures += [_scan(rig, name, search, oracle, count) for count in probes]
            search.rebuild(owners, owners % CAMERAS, vectors)
            figures += [_topology(rig, name, search, count) for count in (1, 64)]
            figures.append(_changing(rig, name, search))
    return figures


def median_ms(synchronize: Callable[[], object], call: Callable[[], object], repeats: int = 25) -> float:
    """Of the wall clock, from the call until the device is idle, after three calls to warm up."""
    times = []
    for _ in range(repeats + 3):
        synchronize()
        start = time.perf_counter()
        call()
        synchronize()
        times.append((time.perf_counter() - start) * 1e3)
    return float(np.median(times[3:]))


def _ceilings(cupy: Any, synchronize: Callable[[], object]) -> Ceilings:
    source, target = cupy.zeros((2, 1 << 28), cupy.float32)
    bytes_per_ms = 2 * source.nbytes / median_ms(synchronize, lambda: cupy.copyto(target, source))
    rates = []
    for dtype in (cupy.float32, cupy.float16):
        left, right = (cupy.asarray(units(8192, seed).astype(dtype)) for seed in (2, 3))
        matrix = left @ right.T
        product = cupy.empty_like(matrix)
        taken = median_ms(synchronize, partial(cupy.matmul, matrix, matrix, out=product))
        rates.append(2 * 8192**3 / taken)
    return Ceilings(bytes_per_ms, rates[0], rates[1])


def _figure(name: str, rows: int, what: str, value: float, **more: object) -> Figure:
    figure = {"what": f"{name}, {rows} rows: {what}", "value": value, "unit": "ms", "search": name, "rows": rows}
    return {**figure, "case": what, **more}


def _scan(rig: Rig, name: str, search: Search, oracle: Search, probes: int) -> Figure:
    """Every row in one block; probes go there and answers come back within the time measured."""
    asked = units(probes, 1)
    value = rig.median_ms(lambda: search.nearest(asked, [0], PLACES))
    floor = rig.ceilings.floor_ms(len(search), probes, half="half" in name)
    some = asked[:4]  # the oracle is slow
    same = (search.nearest(some, [0], PLACES).owners == oracle.nearest(some, [0], PLACES).owners).all()
    more = {"floor": floor, "times_floor": value / floor, "same_as_oracle": bool(same)}
    return _figure(name, len(search), f"{probes} probes", value, **more)


def _topology(rig: Rig, name: str, search: Search, probes: int) -> Figure:
    """The blocks of a few cameras against those of all."""
    asked = units(probes, 1)
    full = rig.median_ms(lambda: search.nearest(asked, range(CAMERAS), PLACES))
    value = rig.median_ms(lambda: search.nearest(asked, range(REACHABLE), PLACES))
    case = f"{REACHABLE} of {CAMERAS} cameras, {probes} probes"
    return _figure(name, len(search), case, value, baseline={"all cameras, ms": full})


def _changing(rig: Rig, name: str, search: Search) -> Figure:
    """A search right after some owners' rows have changed."""
    asked, vectors = units(16, 1), units(CHANGED, 4)

    def change_and_search() -> None:
        for owner in range(1, CHANGED + 1):
            search.replace(owner, owner % CAMERAS, vectors[owner - 1 : owner])
        search.nearest(asked, range(REACHABLE), PLACES)

    case = f"{CHANGED} changed rows, then {REACHABLE} of {CAMERAS} cameras, 16 probes"
    return _figure(name, len(search), case, rig.median_ms(change_and_search))
