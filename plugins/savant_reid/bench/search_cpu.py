"""The searches that run on a CPU, measured on one core; `savant_reid.bench.search` starts this with threads limited."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.search import ExactSearch, Search

Figure = dict[str, object]
Floats = NDArray[np.float32]
DIMENSION, PLACES = 512, 5
CAMERAS, REACHABLE = 40, 4


def main() -> None:
    figures = cpu_figures("quick" in sys.argv[1:])
    json.dump(figures, sys.stdout)


def cpu_figures(quick: bool) -> list[Figure]:
    """Scans of one block at several sizes, then a few cameras' blocks against all."""
    operations_per_ms = _operations_per_ms()
    sizes = [10_000] if quick else [1_000, 10_000, 100_000]
    figures = [scan(rows, probes, operations_per_ms) for rows in sizes for probes in ((64,) if quick else (1, 16, 64))]
    return figures + [topology(probes) for probes in ((16,) if quick else (1, 16, 64))]


def units(count: int, seed: int) -> Floats:
    """Random unit vectors (count, DIMENSION)."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def least_ms(call: Callable[[], object], seconds: float = 0.4) -> float:
    """The least of the runs that fit into `seconds`, three at least; others use this machine too."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return min(times)


def scan(rows: int, probes: int, operations_per_ms: float) -> Figure:
    """All rows in one block. The floor is reading them once or the operations at full rate, whichever takes longer."""
    vectors, asked = units(rows, 0), units(probes, 1)
    search = ExactSearch(DIMENSION, rows)
    search.rebuild(np.arange(1, rows + 1), np.zeros(rows, np.int64), vectors)
    transposed, product = np.ascontiguousarray(asked.T), np.empty((rows, probes), np.float32)
    value = least_ms(lambda: search.nearest(asked, [0], PLACES))
    floor = max(least_ms(vectors.max), 2 * rows * probes * DIMENSION / operations_per_ms)
    found = search.nearest(asked, [0], PLACES).owners[:, 0]
    return {
        "what": f"exact search, {rows} rows x {probes} probes, one core",
        "value": value,
        "unit": "ms",
        "target": 1.3 * floor if (rows, probes) == (10_000, 64) else None,
        "floor": floor,
        "times_floor": value / floor,
        "same_top1": bool((found == (asked @ vectors.T).argmax(axis=1) + 1).all()),
        "baseline": {
            "NumPy's matrix product alone": least_ms(lambda: np.matmul(vectors, transposed, out=product)),
            **_faiss(vectors, asked),
        },
    }


def _faiss(vectors: Floats, asked: Floats) -> dict[str, float]:
    """The FAISS backend, and FAISS with the threshold it comes with; nothing where it is not installed."""
    try:
        import faiss

        from savant_reid.identity.search.faiss_cpu import FaissSearch
    except ImportError:
        return {}
    search = FaissSearch(DIMENSION, len(vectors))
    search.rebuild(np.arange(1, len(vectors) + 1), np.zeros(len(vectors), np.int64), vectors)
    return {
        "FAISS, threshold as it comes": least_ms(lambda: faiss.knn(asked, vectors, PLACES, faiss.METRIC_INNER_PRODUCT)),
        "FAISS, threshold set": least_ms(lambda: search.nearest(asked, [0], PLACES)),
    }


def topology(probes: int, rows: int = 100_000) -> Figure:
    """The blocks of a few cameras that can be reached, against those of all."""
    asked, search = units(probes, 1), ExactSearch(DIMENSION, rows)
    search.rebuild(np.arange(1, rows + 1), np.arange(rows) % CAMERAS, units(rows, 0))
    reachable = list(range(REACHABLE))
    value = least_ms(lambda: search.nearest(asked, reachable, PLACES))
    full = least_ms(lambda: search.nearest(asked, range(CAMERAS), PLACES))
    return {
        "what": f"search with topology, {REACHABLE} of {CAMERAS} cameras, {rows} rows x {probes} probes",
        "value": value / full,
        "unit": "of a full scan",
        "target": 0.2,
        "ms": value,
        "same_result": _same(search, asked, reachable),
        "baseline": {"full scan, ms": full},
    }


def _same(search: Search, asked: Floats, reachable: list[int]) -> bool:
    """Whether the full scan says the same of the cameras that can be reached."""
    full = search.nearest(asked, range(CAMERAS), PLACES).owners[:, : len(reachable) * PLACES]
    return bool((search.nearest(asked, reachable, PLACES).owners == full).all())


def _operations_per_ms(size: int = 2048) -> float:
    """What one core does at most: a large matrix product."""
    matrix = np.random.default_rng(2).standard_normal((size, size), np.float32)
    product = np.empty_like(matrix)
    return 2 * size**3 / least_ms(lambda: np.matmul(matrix, matrix, out=product), 1.0)


if __name__ == "__main__":
    main()
