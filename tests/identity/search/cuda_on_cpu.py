"""What a search needs of CuPy, on a CPU: NumPy's arrays, and CUDA's kernels compiled as C++.

The kernels are the same source as on a device, started by the same calls: a coroutine for each thread, from barrier to
barrier, one group after the other. So what they compute is seen here. What only a device can show is not: its compiler,
threads that really run together, its speed.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_LANGUAGE = r"""
#include <ucontext.h>
struct Index { int x, y; };
static const int MOST = 1024;
static Index threadIdx, blockIdx, gridDim;
static ucontext_t scheduler, contexts[MOST];
static char stacks[MOST][1 << 14];
static void barrier() { swapcontext(&contexts[threadIdx.x], &scheduler); }
#define __global__
#define __device__ static
#define __shared__ static
#define __syncthreads barrier
"""

_LAUNCHES = r"""
template <class Kernel> static Kernel *running;
static int left;

template <class Kernel> static void thread()
{
    (*running<Kernel>)();
    --left;
}

template <class Kernel> static void launch(int x, int y, int threads, Kernel kernel)
{
    running<Kernel> = &kernel;
    gridDim = Index{x, y};
    for (int group = 0; group < x * y; ++group) {
        blockIdx = Index{group % x, group / x};
        for (int i = 0; i < threads; ++i) {
            getcontext(&contexts[i]);
            contexts[i].uc_stack.ss_sp = stacks[i];
            contexts[i].uc_stack.ss_size = sizeof stacks[i];
            contexts[i].uc_link = &scheduler;
            makecontext(&contexts[i], thread<Kernel>, 0);
        }
        /* All wait at the same barriers, so all come to their ends in the same turn. Every other turn goes backwards:
           where a barrier is missing, somebody reads too early. */
        int turn = 0;
        for (left = threads; left > 0; ++turn)
            for (int i = 0; i < threads; ++i) {
                threadIdx.x = turn % 2 ? threads - 1 - i : i;
                swapcontext(&scheduler, &contexts[threadIdx.x]);
            }
    }
}

extern "C" void launch_best_of_parts(int x, int y, int threads, const Score *scores, long long width,
    const float *bias, const int *parts, const int *pages, int page_rows, int keep, Key *candidates)
{
    launch(x, y, threads, [=] { best_of_parts(scores, width, bias, parts, pages, page_rows, keep, candidates); });
}

extern "C" void launch_best_of_blocks(int x, int y, int threads, const Key *candidates, int parts,
                                      const int *of_block, int keep, Key *best)
{
    launch(x, y, threads, [=] { best_of_blocks(candidates, parts, of_block, keep, best); });
}
"""


@cache
def compiled(code: str) -> ctypes.CDLL:
    """The kernels as a library; skips the test where there is no C++ compiler."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler here")
    with tempfile.TemporaryDirectory() as folder:
        file, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        file.write_text(_LANGUAGE + code + _LAUNCHES)
        subprocess.run([compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-o", library, file], check=True)
        return ctypes.CDLL(str(library))


class _Module:
    """As cupy.RawModule."""

    def __init__(self, code: str) -> None:
        self._library = compiled(code)

    def get_function(self, name: str) -> Any:
        function = getattr(self._library, f"launch_{name}")

        def start(grid: tuple[int, int], block: tuple[int], args: tuple[Any, ...]) -> None:
            function(*map(ctypes.c_int, (*grid, *block)), *map(_argument, args))

        return start


class CupyOnCpu:
    """The part of cupy that searches use; what is not here is not used, or a test fails."""

    RawModule = _Module
    asnumpy = staticmethod(np.array)  # a copy, as from a device
    float32 = np.float32
    asarray = staticmethod(np.asarray)
    empty = staticmethod(np.empty)
    full = staticmethod(np.full)
    split = staticmethod(np.split)
    zeros = staticmethod(np.zeros)


def _argument(value: Any) -> Any:
    """As CUDA takes it: a pointer to a contiguous array, or a number of the type that it has."""
    if isinstance(value, np.ndarray):
        assert value.flags.c_contiguous
        return ctypes.c_void_p(value.ctypes.data)
    return {np.int32: ctypes.c_int, np.int64: ctypes.c_longlong}[type(value)](int(value))
