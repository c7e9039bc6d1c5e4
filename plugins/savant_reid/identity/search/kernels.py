"""The source of the CUDA kernels that choose the best rows; tests also run it on a CPU, compiled as C++.

It uses nothing but the language, threadIdx, blockIdx, gridDim, __shared__ and __syncthreads, hence no header and no
instruction of one generation of devices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from savant_reid.identity.search import best

# Of a group; a power of two.
THREADS = 128

_SOURCE = r"""
typedef unsigned long long Key;
typedef unsigned int Word;

/* As keys_of in best.py. Scores are read as the bits that they are. */
__device__ Key key_of(Score bits, Word place)
{
    const Score sign = (Score)1 << (8 * sizeof(Score) - 1);
    if (bits == sign)
        bits = 0;
    const Score ordered = bits & sign ? (Score)~bits : (Score)(bits | sign);
    return ((Key)ordered << 32) | place;
}

/* The greatest of what the threads have; all of them get it. */
__device__ Key greatest(Key mine, Key *shared)
{
    shared[threadIdx.x] = mine;
    __syncthreads();
    for (int apart = THREADS / 2; apart > 0; apart /= 2) {
        if (threadIdx.x < apart && shared[threadIdx.x + apart] > shared[threadIdx.x])
            shared[threadIdx.x] = shared[threadIdx.x + apart];
        __syncthreads();
    }
    const Key found = shared[0];
    __syncthreads();
    return found;
}

/* The greatest of this thread's keys that are less than `below`; keys differ from each other. */
__device__ Key next_of(const Key *keys, int count, Key below)
{
    Key best = 0;
    for (int i = threadIdx.x; i < count; i += THREADS)
        if (keys[i] < below && keys[i] > best)
            best = keys[i];
    return best;
}

/* The `keep` greatest of `count` keys, greatest first, then zeros. Only who had the greatest looks for another. */
__device__ void take(const Key *keys, int count, int keep, Key *target, Key *shared)
{
    Key mine = next_of(keys, count, ~(Key)0);
    for (int rank = 0; rank < keep; ++rank) {
        const Key found = greatest(mine, shared);
        if (threadIdx.x == 0)
            target[rank] = found;
        if (found != 0 && found == mine)
            mine = next_of(keys, count, found);
    }
}

/* Grid: parts x probes. scores: (probes, width); candidates: (probes, parts, keep). See Device.best and Parts. */
extern "C" __global__ void best_of_parts(const Score *scores, long long width, const float *bias, const int *parts,
                                         const int *pages, int page_rows, int keep, Key *candidates)
{
    __shared__ Key keys[PART_ROWS];
    __shared__ Key shared[THREADS];
    const int first = parts[2 * blockIdx.x], rows = parts[2 * blockIdx.x + 1] * page_rows;
    for (int i = threadIdx.x; i < rows; i += THREADS) {
        const int *page = pages + 2 * (first + i / page_rows);
        const int row = i % page_rows;
        const Word place = (Word)page[1] * page_rows + row;
        const Score score = scores[blockIdx.y * width + (long long)page[0] * page_rows + row];
        keys[i] = bias[place] < 0 ? 0 : key_of(score, place);
    }
    __syncthreads();
    take(keys, rows, keep, candidates + ((long long)blockIdx.y * gridDim.x + blockIdx.x) * keep, shared);
}

/* Grid: blocks x probes. candidates: (probes, parts, keep); best: (probes, blocks, keep). */
extern "C" __global__ void best_of_blocks(const Key *candidates, int parts, const int *of_block, int keep, Key *best)
{
    __shared__ Key shared[THREADS];
    const long long first = (long long)blockIdx.y * parts + of_block[2 * blockIdx.x];
    take(candidates + first * keep, of_block[2 * blockIdx.x + 1] * keep, keep,
         best + ((long long)blockIdx.y * gridDim.x + blockIdx.x) * keep, shared);
}
"""


def source(dtype: type[np.floating[Any]]) -> str:
    """The kernels for scores of `dtype` (float16 or float32), in groups of THREADS."""
    score = "unsigned short" if dtype == np.float16 else "unsigned int"
    return f"typedef {score} Score;\n#define THREADS {THREADS}\n#define PART_ROWS {best.PART_ROWS}\n{_SOURCE}"
