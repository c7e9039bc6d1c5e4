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
# A product of matrices of this size shows what one core does at most.
_SQUARE = 2048


def main() -> None:
    figures = cpu_figures("quick" in sys.argv[1:])
    json.dump(figures, sys.stdout)


def cpu_figures(quick: bool) -> list[Figure]:
    """Scans of one block at several sizes, then a few cameras' blocks against all."""
    sizes = [10_000] if quick else [1_000, 10_000, 100_000]
    figures = [scan(rows, probes) for rows in sizes for probes in ((64,) if quick else (1, 16, 64))]
    return figures + [topology(probes) for probes in ((16,) if quick else (1, 16, 64))]


def units(count: int, seed: int) -> Floats:
    """Random unit vectors (count, DIMENSION)."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def least_ms(calls: dict[str, Callable[[], object]], seconds: float = 2.0) -> dict[str, float]:
    """Processor time of each call, the least of many; they take turns, since others use the machine too.

    Each has a short run of calls in its turn, so that what it reads is in the cache as far as it fits.
    """
    times: dict[str, float] = {}
    end, turns = time.process_time() + seconds, 0
    while turns < 2 or time.process_time() < end:
        turns += 1
        for name, call in calls.items():
            times[name] = min(times.get(name, np.inf), *_run(call))
    return times


def _run(call: Callable[[], object], calls: int = 8, enough_ms: float = 100.0) -> list[float]:
    """Processor time of each of some calls in a row, two at least."""
    times: list[float] = []
    while len(times) < 2 or (len(times) < calls and sum(times) < enough_ms):
        start = time.process_time()
        call()
        times.append((time.process_time() - start) * 1e3)
    return times


def scan(rows: int, probes: int) -> Figure:
    """All rows in one block. The floor is reading them once or the operations at full rate, whichever takes longer."""
    vectors, asked = units(rows, 0), units(probes, 1)
    search = ExactSearch(DIMENSION, rows)
    search.rebuild(np.arange(1, rows + 1), np.zeros(rows, np.int64), vectors)
    transposed, product = np.ascontiguousarray(asked.T), np.empty((rows, probes), np.float32)
    square = np.random.default_rng(2).standard_normal((_SQUARE, _SQUARE), np.float32)
    taken = least_ms(
        {
            "search": lambda: search.nearest(asked, [0], PLACES),
            "reading": vectors.max,
            "square": lambda: np.matmul(square, square),
            "NumPy's matrix product alone": lambda: np.matmul(vectors, transposed, out=product),
            **_faiss(vectors, asked),
        }
    )
    value, reading, at_full_rate = taken.pop("search"), taken.pop("reading"), taken.pop("square") / (2 * _SQUARE**3)
    floor = max(reading, 2 * rows * probes * DIMENSION * at_full_rate)
    found = search.nearest(asked, [0], PLACES).owners[:, 0]
    return {
        "what": f"exact search, {rows} rows x {probes} probes, one core",
        "value": value,
        "unit": "ms",
        "target": 1.3 * floor if (rows, probes) == (10_000, 64) else None,
        "floor": floor,
        "times_floor": value / floor,
        "same_top1": bool((found == (asked @ vectors.T).argmax(axis=1) + 1).all()),
        "baseline": taken,
    }


def _faiss(vectors: Floats, asked: Floats) -> dict[str, Callable[[], object]]:
    """The FAISS backend, and FAISS with the threshold it comes with; nothing where it is not installed."""
    try:
        import faiss

        from savant_reid.identity.search.faiss_cpu import FaissSearch
    except ImportError:
        return {}
    search = FaissSearch(DIMENSION, len(vectors))
    search.rebuild(np.arange(1, len(vectors) + 1), np.zeros(len(vectors), np.int64), vectors)
    return {
        "FAISS, threshold as it comes": lambda: faiss.knn(asked, vectors, PLACES, faiss.METRIC_INNER_PRODUCT),
        "FAISS, threshold set": lambda: search.nearest(asked, [0], PLACES),
    }


def topology(probes: int, rows: int = 100_000) -> Figure:
    """The blocks of a few cameras that can be reached, against those of all."""
    asked, search = units(probes, 1), ExactSearch(DIMENSION, rows)
    search.rebuild(np.arange(1, rows + 1), np.arange(rows) % CAMERAS, units(rows, 0))
    reachable = list(range(REACHABLE))
    taken = least_ms(
        {
            "few": lambda: search.nearest(asked, reachable, PLACES),
            "full": lambda: search.nearest(asked, range(CAMERAS), PLACES),
        }
    )
    return {
        "what": f"search with topology, {REACHABLE} of {CAMERAS} cameras, {rows} rows x {probes} probes",
        "value": taken["few"] / taken["full"],
        "unit": "of a full scan",
        "target": 0.2,
        "ms": taken["few"],
        "same_result": _same(search, asked, reachable),
        "baseline": {"full scan, ms": taken["full"]},
    }


def _same(search: Search, asked: Floats, reachable: list[int]) -> bool:
    """Whether the full scan says the same of the cameras that can be reached."""
    full = search.nearest(asked, range(CAMERAS), PLACES).owners[:, : len(reachable) * PLACES]
    return bool((search.nearest(asked, reachable, PLACES).owners == full).all())


if __name__ == "__main__":
    main()
