"""CUDA's kernels run on a CPU: the same source compiled as C++, a coroutine for each thread, one group at a time.

So what the kernels compute is seen here, one thread after the other from barrier to barrier. What only a device can
show is not: its compiler, threads that really run together, its speed.
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

from savant_reid.identity.search.best import ArrayDevice, Keys, Parts
from savant_reid.identity.search.kernels import source

THREADS = 8

_LANGUAGE = r"""
#include <ucontext.h>
struct Index { int x, y; };
static Index threadIdx, blockIdx, gridDim;
static ucontext_t scheduler, contexts[THREADS];
static char stacks[THREADS][1 << 16];
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

template <class Kernel> static void launch(int x, int y, Kernel kernel)
{
    running<Kernel> = &kernel;
    gridDim = Index{x, y};
    for (int group = 0; group < x * y; ++group) {
        blockIdx = Index{group % x, group / x};
        for (int i = 0; i < THREADS; ++i) {
            getcontext(&contexts[i]);
            contexts[i].uc_stack.ss_sp = stacks[i];
            contexts[i].uc_stack.ss_size = sizeof stacks[i];
            contexts[i].uc_link = &scheduler;
            makecontext(&contexts[i], thread<Kernel>, 0);
        }
        /* All wait at the same barriers, so all come to their ends in the same turn. */
        for (left = THREADS; left > 0;)
            for (threadIdx.x = 0; threadIdx.x < THREADS; ++threadIdx.x)
                swapcontext(&scheduler, &contexts[threadIdx.x]);
    }
}

extern "C" void parts(int x, int y, const Score *scores, long long width, const float *bias, const int *of,
                      const int *pages, int page_rows, int keep, Key *candidates)
{
    launch(x, y, [=] { best_of_parts(scores, width, bias, of, pages, page_rows, keep, candidates); });
}

extern "C" void blocks(int x, int y, const Key *candidates, int parts, const int *of_block, int keep, Key *best)
{
    launch(x, y, [=] { best_of_blocks(candidates, parts, of_block, keep, best); });
}
"""


@cache
def compiled(name: str) -> ctypes.CDLL:
    """The kernels for scores of the type `name` as a library; skips the test where there is no C++ compiler."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler here")
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        code.write_text(f"#define THREADS {THREADS}\n{_LANGUAGE}{source(np.dtype(name).type, THREADS)}{_LAUNCHES}")
        command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-w"]
        subprocess.run([*command, "-o", library, code], check=True)
        return ctypes.CDLL(str(library))


class CudaOnCpu(ArrayDevice):
    """NumPy's products, the best by the kernels. Launches as CudaDevice does, on arrays of the host."""

    def best(self, scores: Any, bias: Any, work: Parts, keep: int) -> Keys:
        library, scores = compiled(scores.dtype.name), np.ascontiguousarray(scores)
        probes, parts, blocks = len(scores), len(work.parts), len(work.of_block)
        candidates = np.empty((probes, parts, keep), np.uint64)
        arrays = (_pointer(bias), _pointer(work.parts), _pointer(work.pages))
        width = ctypes.c_longlong(scores.shape[1])
        library.parts(parts, probes, _pointer(scores), width, *arrays, work.page_rows, keep, _pointer(candidates))
        best = np.empty((probes, blocks, keep), np.uint64)
        library.blocks(blocks, probes, _pointer(candidates), parts, _pointer(work.of_block), keep, _pointer(best))
        return best


def _pointer(array: Any) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
