"""An NVIDIA GPU through CuPy as a search's Device. Not yet run on a GPU; docs/gpu.md says what has."""

from __future__ import annotations

from typing import Any

import numpy as np

from savant_reid.identity.search import kernels
from savant_reid.identity.search.best import Keys, Parts
from savant_reid.identity.search.protocol import Float32s


class CudaDevice:
    """The current device of `cupy` (the module), on its current stream.

    copies_back: copies from the device to the host that searches have made.
    """

    def __init__(self, cupy: Any) -> None:
        self.xp = cupy
        self.copies_back = 0
        self._kernels: dict[str, tuple[Any, Any]] = {}

    def prepare(self, dtype: type[np.floating[Any]]) -> None:
        """Compile what searches over rows of this type need, before the first of them (CuPy keeps it on disk)."""
        self._kernels_for(np.dtype(dtype))

    def product(self, probes: Float32s, rows: Any) -> Any:
        """See Device.product. float16 is added up in float32 by the tensor cores, float32 without TF32.

        (CuPy's matmul: CUBLAS_COMPUTE_32F unless CUPY_TF32 is set.)
        """
        return self.xp.asarray(probes.astype(rows.dtype, copy=False)) @ rows.T

    def best(self, scores: Any, bias: Any, work: Parts, keep: int) -> Keys:
        """See Device.best."""
        of_parts, of_blocks = self._kernels_for(scores.dtype)
        tables = (work.parts, work.pages, work.of_block)
        on_device = self.xp.asarray(np.concatenate([table.reshape(-1) for table in tables]))
        parts, pages, of_block = self.xp.split(on_device, np.cumsum([table.size for table in tables])[:-1].tolist())
        probes, width = scores.shape
        found = self.xp.empty((probes, len(work.parts), keep), np.uint64)
        sizes, threads = (np.int32(work.page_rows), np.int32(keep)), kernels.THREADS
        shape = (len(work.parts), probes)
        of_parts(shape, (threads,), (scores, np.int64(width), bias, parts, pages, *sizes, found))
        if (work.of_block[:, 1] != 1).any():
            best = self.xp.empty((probes, len(work.of_block), keep), np.uint64)
            shape = (len(work.of_block), probes)
            of_blocks(shape, (threads,), (found, np.int32(len(work.parts)), of_block, np.int32(keep), best))
            found = best
        self.copies_back += 1
        keys: Keys = self.xp.asnumpy(found)
        return keys

    def _kernels_for(self, dtype: Any) -> tuple[Any, Any]:
        if dtype.name not in self._kernels:
            module = self.xp.RawModule(code=kernels.source(dtype.type))
            self._kernels[dtype.name] = module.get_function("best_of_parts"), module.get_function("best_of_blocks")
        return self._kernels[dtype.name]
