"""Rows times probes, in the pieces that the library under NumPy is fastest with.

OpenBLAS copies both operands before it multiplies them, and to copy rows from memory takes a third of the time. Where
there is AVX-512 it multiplies small matrices as they lie.
"""

from __future__ import annotations

import sys

import numpy as np

from savant_reid.identity.search.protocol import Float32s

# What NumPy calls these instructions up to 2.3 and from 2.4 on; OpenBLAS asks for the same.
_AVX512 = {"AVX512_SKX", "X86_V4"}
# Matrices are small while m * n * k is no more than this.
_SMALL = 1_000_000
# The kernel takes 6 or 4 rows at a time, and is the fastest with up to 64 probes.
_ROWS, _PROBES = 12, 64
# Float32s in a cache line; with probes that lie across lines the kernel takes 1.3 times as long.
_LINE = 16


def _has_small_products() -> bool:
    found = (np.show_config(mode="dicts") or {}).get("SIMD Extensions", {}).get("found", ())
    return not _AVX512.isdisjoint(found)


_SMALL_PRODUCTS = _has_small_products()


class Factor:
    """Probes (b, D), laid out so that rows are multiplied with them."""

    def __init__(self, probes: Float32s) -> None:
        count, dimension = probes.shape
        most = min(_PROBES, _SMALL // (_ROWS * dimension) // _LINE * _LINE)
        if most and _SMALL_PRODUCTS:
            self._step = _SMALL // (_ROWS * dimension * min(count, most)) * _ROWS
        else:
            self._step, most = sys.maxsize, count
        self._parts = [(at, _columns(probes[at : at + most])) for at in range(0, count, most)]

    def times(self, rows: Float32s, out: Float32s) -> None:
        """Every row of `rows` (n, D) with every probe into `out` (n, b), both contiguous."""
        if len(self._parts) == 1:
            self._multiply(rows, self._parts[0][1], out)
        else:
            for at, columns in self._parts:
                self._multiply(rows, columns, out[:, at : at + columns.shape[1]])

    def _multiply(self, rows: Float32s, columns: Float32s, out: Float32s) -> None:
        whole = len(rows) // self._step * self._step
        if whole:
            stack, into = rows[:whole].reshape(-1, self._step, rows.shape[1]), out[:whole]
            np.matmul(stack, columns, out=into.reshape(-1, self._step, out.shape[1]))
            rows, out = rows[whole:], out[whole:]
        if len(rows):
            np.matmul(rows, columns, out=out)


def _columns(probes: Float32s) -> Float32s:
    """`probes` (b, D) as columns (D, b), each row of these from the beginning of a cache line."""
    count, dimension = probes.shape
    width = -(-count // _LINE) * _LINE if count > 1 else 1
    memory = np.empty(dimension * width + _LINE, np.float32)
    start = -(memory.ctypes.data // memory.itemsize) % _LINE
    columns: Float32s = memory[start : start + dimension * width].reshape(dimension, width)[:, :count]
    columns[...] = probes.T
    return columns
